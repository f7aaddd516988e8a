//! `nyala ps`: the processes of the application.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use super::error;
use crate::control::{Answer, Control, ProcessState, Request};
use crate::site::Site;
use crate::text::bytes;

#[derive(Debug, Args)]
pub(super) struct Ps {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Ps {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let Some(mut control) = Control::connect(site)? else {
            bail!(error::not_served(site.root()));
        };
        let Answer::Processes(processes) = control.ask(&Request::Processes, &mut |_| {})? else {
            bail!(error::not_served(site.root()));
        };
        if self.json {
            say!("{:#}", json!(processes));
            return Ok(());
        }
        if processes.is_empty() {
            match site.stopped()? {
                Some(stopped) => {
                    say!(
                        "No processes run: the application has been stopped {} (nyala start).",
                        stopped.in_words()
                    );
                }
                None => say!("No processes run."),
            }
            return Ok(());
        }
        say!(
            "{:<12} {:>7} {:>8} {:<20} {:>8} {:>10} HEALTHY",
            "PROCESS",
            "RELEASE",
            "PID",
            "SINCE",
            "RESTARTS",
            "MEMORY"
        );
        for process in &processes {
            say!("{}", row(process));
        }
        Ok(())
    }
}

fn row(process: &ProcessState) -> String {
    let ProcessState { process, release, pid, since, restarts, memory, healthy } = process;
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let pid = or_dash(pid.map(|pid| pid.to_string()));
    let since = or_dash(since.map(|since| format!("{since:.0}")));
    let memory = or_dash(memory.map(bytes));
    let healthy = healthy.map_or("-", |healthy| if healthy { "yes" } else { "no" });
    format!("{process:<12} {release:>7} {pid:>8} {since:<20} {restarts:>8} {memory:>10} {healthy}")
}
