//! What `nyala status` says of the application.

use serde::Serialize;

use crate::control::{Control, ProcessState};
use crate::doctor;
use crate::kubernetes::{self, Live, Pod};
use crate::site::{Settings, Site, Stopped};
use crate::text::clean;
use crate::user_error::UserError;

/// What is known of the application.
#[derive(Debug, Serialize)]
pub(super) struct Application {
    listen: Option<String>,
    /// The address at which visitors are taken, which may still be one before.
    listening: Option<String>,
    /// Whether a `nyala serve` serves it.
    served: bool,
    stopped: Option<Stopped>,
    /// Of what is live.
    processes: Vec<ProcessState>,
    problems: Vec<UserError>,
    /// Where it runs in a cluster, and its pods, where the cluster says.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Cluster>,
}

#[derive(Debug, Serialize)]
struct Cluster {
    place: String,
    pods: Vec<Pod>,
    /// A rollout was cut short, and the cluster may have some of it.
    unsettled: bool,
}

impl Application {
    pub(super) fn of(site: &Site, settings: &Settings) -> Application {
        let control = Control::connect(site).ok().flatten();
        let served = control.is_some();
        let running = control.and_then(|mut control| control.processes().ok());
        let running = running.unwrap_or_default();
        let findings = doctor::application::check(site, settings, false);
        Application {
            listen: settings.run.listen.as_ref().map(ToString::to_string),
            listening: running.listening,
            served,
            stopped: site.stopped().ok().flatten(),
            processes: running.live,
            problems: findings.into_iter().map(|finding| finding.error).collect(),
            cluster: None,
        }
        .in_cluster(site, settings)
    }

    /// A cluster that does not answer is a problem, and hides nothing else.
    fn in_cluster(mut self, site: &Site, settings: &Settings) -> Application {
        if !settings.runs_in_cluster() || !matches!(site.live(), Ok(Some(_))) {
            return self;
        }
        let found = Live::of(site, settings).and_then(|live| {
            let Some(live) = live else { return Ok(None) };
            let (place, unsettled) = (live.place(), kubernetes::is_unsettled(site));
            Ok(Some(Cluster { place, pods: live.pods()?, unsettled }))
        });
        match found {
            Ok(found) => self.cluster = found,
            Err(why) => self.problems.push(UserError::of(&why)),
        }
        self
    }

    pub(super) fn print(&self) {
        if let Some(stopped) = &self.stopped {
            say!("Runs:   no, it has been stopped {} (start it: nyala start)", stopped.in_words());
            return;
        }
        if let Some(Cluster { place, pods, unsettled }) = &self.cluster {
            let ready = pods.iter().filter(|pod| pod.is_ready).count();
            say!("Runs:   {place}, {ready} of {} pods ready (nyala ps)", pods.len());
            if *unsettled {
                say!("Wrong:  a rollout was cut short (nyala doctor --fix, or deploy again)");
            }
        }
        if !self.processes.is_empty() {
            let names: Vec<_> = self.processes.iter().map(|it| it.process.as_str()).collect();
            // Where it does not listen, one of the problems says why.
            let on = self.listening.as_ref().map(|listening| format!(" on {listening}"));
            say!("Runs:   {}{}", names.join(", "), on.unwrap_or_default());
        }
        for problem in &self.problems {
            say!("Wrong:  {} (nyala doctor)", clean(&problem.fact));
        }
    }
}
