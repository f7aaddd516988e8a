//! What `nyala status` says of the application.

use serde::Serialize;

use crate::control::{Control, ProcessState};
use crate::doctor;
use crate::site::{Settings, Site, Stopped};
use crate::text::clean;
use crate::user_error::UserError;

/// What is known of the application, without asking it.
#[derive(Debug, Serialize)]
pub(super) struct Application {
    listen: Option<String>,
    /// Whether a `nyala serve` serves it.
    served: bool,
    stopped: Option<Stopped>,
    processes: Vec<ProcessState>,
    problems: Vec<UserError>,
}

impl Application {
    pub(super) fn of(site: &Site, settings: &Settings) -> Application {
        let control = Control::connect(site).ok().flatten();
        let served = control.is_some();
        let processes = control.and_then(|mut control| control.processes().ok());
        let findings = doctor::application::check(site, settings, false);
        Application {
            listen: settings.run.listen.as_ref().map(ToString::to_string),
            served,
            stopped: site.stopped().ok().flatten(),
            processes: processes.unwrap_or_default(),
            problems: findings.into_iter().map(|finding| finding.error).collect(),
        }
    }

    pub(super) fn print(&self) {
        if let Some(stopped) = &self.stopped {
            say!("Runs:   no, it was stopped {} (nyala start)", stopped.in_words());
            return;
        }
        if let (false, Some(listen)) = (self.processes.is_empty(), &self.listen) {
            let names: Vec<_> = self.processes.iter().map(|it| it.process.as_str()).collect();
            say!("Runs:   {} on {listen}", names.join(", "));
        }
        for problem in &self.problems {
            say!("Wrong:  {} (nyala doctor)", clean(&problem.fact));
        }
    }
}
