//! `nyala metrics`: what is known of requests and processes, for Prometheus.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::or_warn;
use crate::access::{self, Intent};
use crate::control::{Control, ProcessAnswers, ProcessState, TIMES};
use crate::server::Server;
use crate::site::{DeploymentId, Site};

#[derive(Debug, Args)]
pub(super) struct Metrics {
    /// Sites, or folders that contain sites [default: the site that contains the working directory]
    #[arg(value_name = "SITE|FOLDER")]
    places: Vec<PathBuf>,
}

impl Metrics {
    pub(super) fn run(&self, named: Option<&Path>) -> Result<()> {
        let mut sites = Vec::new();
        if self.places.is_empty() {
            let site = Site::find(named)?;
            access::enter(&site, Intent::Read)?;
            sites.push(site);
        }
        for place in &self.places {
            sites.extend(Server::sites_at(place)?);
        }
        // Prometheus reads nothing in which a sample comes twice.
        let mut seen = BTreeSet::new();
        sites.retain(|site| seen.insert(site.root().to_owned()));
        let named = sites.iter().zip(names(sites.iter().map(Site::root)));
        let measured: Vec<_> = named.map(|(site, name)| Measured::of(site, name)).collect();
        crate::console::say(text(&measured));
        Ok(())
    }
}

/// What sites are called: the name of its folder, or where several have that name, its path.
fn names<'a>(roots: impl Iterator<Item = &'a Path>) -> Vec<String> {
    let names = roots.map(|root| (root, root.file_name().unwrap_or_default().to_string_lossy()));
    let names: Vec<_> = names.collect();
    let is_shared = |name: &str| names.iter().filter(|(_, other)| other == name).count() > 1;
    let called = |(root, name): &(&Path, Cow<'_, str>)| {
        if is_shared(name) { root.display().to_string() } else { name.to_string() }
    };
    names.iter().map(called).collect()
}

/// What is known of a site.
struct Measured {
    site: String,
    served: Option<Served>,
}

/// What runs, and what it has answered.
struct Served {
    is_listening: bool,
    processes: Vec<ProcessState>,
    answers: Vec<ProcessAnswers>,
}

/// `None` when no `nyala serve` serves the site.
fn served(site: &Site) -> Result<Option<Served>> {
    let Some(mut control) = Control::connect(site)? else { return Ok(None) };
    let (running, answers) = (control.processes()?, control.statistics()?.processes);
    let is_listening = running.not_listening.is_none();
    Ok(Some(Served { is_listening, processes: running.all(), answers }))
}

/// What tells the samples of a process from those of others.
type Labels<'a> = [(&'a str, &'a str); 3];

impl Measured {
    /// Of a site that does not tell, nothing is known: the others are measured all the same.
    fn of(site: &Site, name: String) -> Measured {
        Measured { site: name, served: or_warn(site, served(site)) }
    }
}

/// Gives those of a site, of which a process that is started anew has two for a moment: the new
/// one, which comes first.
fn each<'a, T>(
    site: &str,
    all: &'a [T],
    which: impl Fn(&'a T) -> (&'a str, DeploymentId),
    mut give: impl FnMut(&'a T, &Labels<'_>),
) {
    let mut seen = BTreeSet::new();
    for one in all {
        let (process, release) = which(one);
        if seen.insert((process, release)) {
            let release = release.to_string();
            give(one, &[("site", site), ("process", process), ("release", &release)]);
        }
    }
}

/// One family of samples of Prometheus' text format:
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: String,
}

impl Family {
    fn new(name: &'static str, kind: &'static str, help: &'static str) -> Family {
        Family { name, kind, help, samples: String::new() }
    }

    fn add(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = labels.join(",");
        self.samples += &format!("{}{suffix}{{{labels}}} {value}\n", self.name);
    }

    fn text(self) -> String {
        let Family { name, kind, help, samples } = self;
        if samples.is_empty() {
            return samples;
        }
        format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}")
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn text(sites: &[Measured]) -> String {
    let mut served = Family::new("nyala_served", "gauge", "Whether a nyala serve runs the site.");
    let mut listening = Family::new(
        "nyala_listening",
        "gauge",
        "Whether visitors can connect to the address of the site.",
    );
    let mut answers = Family::new(
        "nyala_http_requests_total",
        "counter",
        "Requests that a process has answered, by the first digit of the status.",
    );
    let mut times = Family::new(
        "nyala_http_request_duration_seconds",
        "histogram",
        "Time until an answer began.",
    );
    let mut in_flight =
        Family::new("nyala_http_requests_in_flight", "gauge", "Requests that are being answered.");
    let mut up = Family::new(
        "nyala_process_up",
        "gauge",
        "Whether a process runs, and is healthy if it answers requests.",
    );
    let mut restarts = Family::new(
        "nyala_process_restarts_total",
        "counter",
        "How often a process was started again because it had ended.",
    );
    let mut started = Family::new(
        "nyala_process_start_time_seconds",
        "gauge",
        "When a process was started, in seconds since 1970.",
    );
    let mut memory = Family::new(
        "nyala_process_memory_bytes",
        "gauge",
        "What a process and its children have in memory.",
    );
    for Measured { site, served: known } in sites {
        served.add("", &[("site", site)], u8::from(known.is_some()));
        let Some(Served { is_listening, processes, answers: counted }) = known else { continue };
        listening.add("", &[("site", site)], u8::from(*is_listening));
        each(
            site,
            processes,
            |it| (&it.process, it.release),
            |process, labels| {
                let is_up = process.pid.is_some() && process.healthy.unwrap_or(true);
                up.add("", labels, u8::from(is_up));
                restarts.add("", labels, process.restarts);
                if let Some(since) = process.since {
                    started.add("", labels, since.as_second());
                }
                if let Some(bytes) = process.memory {
                    memory.add("", labels, bytes);
                }
            },
        );
        each(
            site,
            counted,
            |it| (&it.process, it.release),
            |process, labels| {
                in_flight.add("", labels, process.in_flight);
                for (class, count) in (1..).zip(process.answers) {
                    let status = format!("{class}xx");
                    answers.add("", &[&labels[..], &[("status", &status)]].concat(), count);
                }
                add_times(&mut times, labels, process);
            },
        );
    }
    [served, listening, answers, times, in_flight, up, restarts, started, memory]
        .into_iter()
        .map(Family::text)
        .collect()
}

/// A histogram's counts are cumulative, and its last bucket has all.
fn add_times(times: &mut Family, labels: &[(&str, &str)], process: &ProcessAnswers) {
    let all: u64 = process.answers.iter().sum();
    let mut sum = 0;
    for (limit, count) in TIMES.iter().zip(process.within) {
        sum += count;
        let limit = limit.as_secs_f64().to_string();
        times.add("_bucket", &[labels, &[("le", limit.as_str())]].concat(), sum);
    }
    times.add("_bucket", &[labels, &[("le", "+Inf")]].concat(), all);
    times.add("_sum", labels, process.seconds);
    times.add("_count", labels, all);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_is_said_once_with_the_samples_of_all_sites() {
        let process = ProcessState {
            process: "web".to_owned(),
            release: "7".parse().unwrap(),
            pid: Some(1),
            since: Some(jiff::Timestamp::from_second(1_800_000_000).unwrap()),
            restarts: 2,
            memory: Some(1000),
            healthy: Some(true),
        };
        let mut within = [0; TIMES.len()];
        within[..2].copy_from_slice(&[1, 2]);
        let answers = ProcessAnswers {
            process: "web".to_owned(),
            release: "7".parse().unwrap(),
            answers: [0, 3, 0, 0, 1],
            within,
            seconds: 12.5,
            in_flight: 1,
        };
        let before = ProcessState { restarts: 9, ..process.clone() };
        let answers_before = ProcessAnswers { seconds: 99.0, ..answers.clone() };
        let served = Some(Served {
            is_listening: false,
            processes: vec![process, before],
            answers: vec![answers, answers_before],
        });
        let sites = [
            Measured { site: "shop".to_owned(), served },
            Measured { site: "a\"b".to_owned(), served: None },
        ];
        let text = text(&sites);
        for line in [
            "nyala_served{site=\"shop\"} 1",
            "nyala_served{site=\"a\\\"b\"} 0",
            "nyala_listening{site=\"shop\"} 0",
            "nyala_http_requests_total{site=\"shop\",process=\"web\",release=\"7\",\
             status=\"5xx\"} 1",
            "nyala_http_request_duration_seconds_bucket{site=\"shop\",process=\"web\",\
             release=\"7\",le=\"0.01\"} 3",
            "nyala_http_request_duration_seconds_bucket{site=\"shop\",process=\"web\",\
             release=\"7\",le=\"+Inf\"} 4",
            "nyala_http_request_duration_seconds_sum{site=\"shop\",process=\"web\",release=\"7\"} \
             12.5",
            "nyala_process_restarts_total{site=\"shop\",process=\"web\",release=\"7\"} 2",
        ] {
            assert!(text.lines().any(|it| it == line), "no {line} in\n{text}");
        }
        assert_eq!(text.matches("# TYPE nyala_served gauge\n").count(), 1);
        assert!(!text.contains(" 9\n") && !text.contains(" 99\n"), "{text}");
    }

    #[test]
    fn sites_of_one_name_are_told_apart() {
        let roots = ["/srv/shop", "/srv/blog", "/home/ada/shop"].map(Path::new);
        assert_eq!(names(roots.into_iter()), ["/srv/shop", "blog", "/home/ada/shop"]);
    }
}
