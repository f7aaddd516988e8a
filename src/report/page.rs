//! The page of one site.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::data::{Deployment, SiteData, took};
use super::figures;
use super::log;
use super::reasons::in_words;
use super::steps::{bar, legend};
use super::text::{Plain, seconds, time};
use crate::git::short;
use crate::python::version::asked_for;
use crate::site::{Record, Status};

const STYLE: &str = include_str!("style.css");

/// Nothing but the page's own style: no script, nothing from elsewhere, no form.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'";

/// The most bytes of one log, and the least that each gets in a large report.
const LOG: usize = 48 << 10;
const LEAST: usize = 160;

/// How many reasons of a decision are shown.
const REASONS: usize = 5;

/// The longest error, in lines.
const ERROR: usize = 30;

/// The whole page, of at most about `largest` bytes.
pub(super) fn page(data: &SiteData, largest: usize) -> String {
    // Logs are as long as there is room for. How much longer markup makes them is not known.
    let lengths = data.deployments.iter().map(|deployment| deployment.log.len());
    let mut longest = fair(lengths.collect(), largest / 2).min(LOG);
    loop {
        let page = with_logs(data, longest);
        if page.len() <= largest || longest < LEAST {
            return page;
        }
        longest /= 2;
    }
}

/// The most bytes that each of several texts may have so that they have `all` together, where
/// shorter ones leave room to longer ones.
fn fair(mut lengths: Vec<usize>, mut all: usize) -> usize {
    lengths.sort_unstable();
    for (number, length) in lengths.iter().enumerate() {
        let share = all / (lengths.len() - number);
        if *length > share {
            return share;
        }
        all -= length;
    }
    usize::MAX
}

fn with_logs(data: &SiteData, longest: usize) -> String {
    let title = format!("{}: deployments", Plain::new(&data.name).text());
    frame(
        &title,
        &html! {
            header {
                h1 { bdi { (Plain::new(&data.name)) } }
                (live(data))
                p.note { "As of " (time(data.made_at)) ". All times are in UTC." }
            }
            main {
                (figures::durations(data))
                (figures::envs(data))
                (figures::rebuilds(data))
                (deployments(data, longest))
            }
        },
    )
}

/// What every page has around its contents.
pub(super) fn frame(title: &str, contents: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
                // The style is nyala's own.
                style { (PreEscaped(STYLE)) }
            }
            body { (contents) }
        }
    };
    page.into_string()
}

fn live(data: &SiteData) -> Markup {
    let Some(id) = data.live else {
        return html! { p.lead { "Nothing is live yet." } };
    };
    html! {
        p.lead {
            "Release " strong { (id.to_string()) } " is live"
            @if let Some(since) = data.live_since { " since " (time(since)) }
            "."
        }
        @if let Some(record) = data.live_record() {
            dl.facts {
                div {
                    dt { "Commit" }
                    dd { (commit(record)) " " bdi { (Plain::new(&record.message)) } }
                }
                div { dt { "Author" } dd { bdi { (Plain::of_length(&record.author, 80)) } } }
                @if let Some(python) = &record.python {
                    div {
                        dt { "Python" }
                        dd {
                            (Plain::new(&python.version)) " ("
                            (Plain::new(&asked_for(&python.wanted, &python.origin))) ")"
                        }
                    }
                }
                @if let Some(id) = record.env.as_ref().and_then(|env| env.id) {
                    div { dt { "Environment" } dd { (id.to_string()) } }
                }
            }
        }
    }
}

fn commit(record: &Record) -> Markup {
    html! { code { (Plain::new(short(&record.commit))) } }
}

fn deployments(data: &SiteData, longest_log: usize) -> Markup {
    let whole = data.records().filter_map(took).fold(0.0, f64::max).max(0.01);
    html! {
        section aria-labelledby="deployments" {
            h2 id="deployments" { "Deployments" }
            @if data.deployments.is_empty() {
                p {
                    "There is none yet. The first push makes one: "
                    code { "git push REMOTE HEAD:main" }
                }
            } @else {
                (legend())
                ol.deployments {
                    @for deployment in &data.deployments {
                        li { (row(deployment, data, whole, longest_log)) }
                    }
                }
                @if data.older > 0 {
                    p.note { (data.older) " older ones are not shown here: " code { "nyala list" } }
                }
            }
        }
    }
}

fn row(deployment: &Deployment, data: &SiteData, whole: f64, longest_log: usize) -> Markup {
    let Deployment { record, log } = deployment;
    let is_live = data.live == Some(record.id);
    let status = record.status.name();
    html! {
        details.deployment {
            summary {
                span.id { (record.id.to_string()) }
                span.status.(status) { (status) @if is_live { " " span.live { "live" } } }
                span.title {
                    (commit(record)) " "
                    bdi { (Plain::of_length(&record.message, 100)) }
                    span.by { bdi { (Plain::of_length(record.author_name(), 40)) } }
                }
                span.when { (time(record.created_at)) }
                span.env { (env(record)) }
                span.took {
                    @if let Some(took) = took(record) { (seconds(took)) } @else { "–" }
                }
                @if took(record).is_some() { (bar(record, whole)) }
                @if let Some(fact) = record.fact() { span.fact { (Plain::new(fact)) } }
            }
            (facts(record))
            (log::shown(log, longest_log, &format!("nyala build-log {}", record.id)))
        }
    }
}

fn env(record: &Record) -> Markup {
    html! {
        @if let Some(python) = &record.python { "Python " (Plain::of_length(&python.version, 20)) }
        @if let Some(env) = &record.env {
            @if record.python.is_some() { ", " }
            @if let Some(id) = env.id { "env " (id.to_string()) " " }
            (Plain::of_length(in_words(&env.decision), 40))
        }
    }
}

fn facts(record: &Record) -> Markup {
    let reasons = record.env.iter().flat_map(|env| &env.reasons).collect::<Vec<_>>();
    html! {
        @if !reasons.is_empty() {
            ul.reasons {
                @for reason in reasons.iter().take(REASONS) {
                    li { (Plain::of_length(reason, 200)) }
                }
                @if reasons.len() > REASONS { li { "and " (reasons.len() - REASONS) " more" } }
            }
        }
        @match (record.rolled_back_to, record.status) {
            (Some(release), Status::Succeeded) => {
                p { "A rollback: it made release " (release.to_string()) " live again." }
            }
            (_, Status::Superseded) => p { "Superseded by " (record.superseded_by_whom()) "." },
            _ => {}
        }
        @if let Some(error) = &record.error {
            pre.error {
                @for line in error.lines().take(ERROR) { (Plain::new(line)) "\n" }
            }
        }
        @for failure in &record.notify_failures {
            p.warning { "After it, " (Plain::new(&failure.to_string())) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::DeploymentId;

    fn deployment(id: u64, message: &str, log: &str) -> Deployment {
        let record = serde_json::json!({
            "id": id, "status": if id.is_multiple_of(7) { "failed" } else { "succeeded" },
            "commit": "1a2b3c4d".repeat(5), "message": message,
            "author": "Ada <ada@example.org>", "trigger": "push", "refname": "refs/heads/main",
            "old_oid": "", "new_oid": "",
            "python": { "version": "3.12.1", "wanted": "3.12", "origin": "runtime.txt" },
            "env": { "id": id / 5 + 1, "decision": "update", "reasons": ["a was added (x)"] },
            "steps": [{ "name": "plan", "seconds": 0.1 }, { "name": "install", "seconds": 2.5 }],
            "error": null, "superseded_by": null,
            "created_at": "2026-03-01T11:34:56Z", "started_at": "2026-03-01T11:34:56Z",
            "ended_at": "2026-03-01T11:34:59.5Z",
        });
        Deployment { record: serde_json::from_value(record).unwrap(), log: log.to_owned() }
    }

    fn site(deployments: Vec<Deployment>) -> SiteData {
        SiteData {
            name: "shop".into(),
            folder: "shop".into(),
            made_at: "2026-03-01T12:00:00Z".parse().unwrap(),
            live: deployments.first().map(|deployment| deployment.record.id),
            live_since: None,
            deployments,
            older: 0,
        }
    }

    #[test]
    fn short_logs_leave_room_to_long_ones() {
        assert_eq!(fair(vec![10, 500, 20, 900], 230), 100);
        assert_eq!(fair(vec![10, 20], 30), usize::MAX);
        assert_eq!(fair(Vec::new(), 30), usize::MAX);
    }

    #[test]
    fn a_site_without_deployments_has_a_page() {
        let page = page(&site(Vec::new()), 1 << 20);
        assert!(page.contains("Nothing is live yet.") && page.contains("There is none yet."));
    }

    #[test]
    fn five_hundred_deployments_fit_whatever_their_logs_are() {
        let log = format!("-----> Plan\n{}success: live\n", "       <<<<<<&&&\n".repeat(400));
        let all: Vec<_> =
            (1..=500).rev().map(|id| deployment(id, &"<".repeat(999), &log)).collect();
        let page = page(&site(all), 950_000);
        assert!(page.len() < 1_000_000, "{}", page.len());
        assert_eq!(page.matches("<details class=\"deployment\"").count(), 500);
    }

    #[test]
    fn hostile_texts_break_out_of_nothing() {
        let hostile = "</title></style></pre><script>alert(1)</script>\u{202e}\u{1b}[2J";
        let mut one = deployment(1, hostile, &format!("{hostile}\n-----> {hostile}\n"));
        one.record.author = hostile.to_owned();
        one.record.error = Some(hostile.to_owned());
        let mut data = site(vec![one]);
        data.name = hostile.to_owned();
        data.live = Some(DeploymentId::of(1));
        let page = page(&data, 1 << 20);
        assert!(!page.contains("<script") && !page.contains("</title></style>"));
        assert!(!page.contains(['\u{202e}', '\u{1b}']));
        assert_eq!(page.matches("</pre>").count(), page.matches("<pre").count());
    }
}
