//! `nyala ps`: the processes of the application.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::entry::serve_of;
use crate::control::ProcessState;
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
        let processes = serve_of(site)?.processes()?;
        if self.json {
            say!("{:#}", json!(processes));
            return Ok(());
        }
        if processes.is_empty() {
            match site.stopped()? {
                Some(stopped) => {
                    say!("The application has been stopped {} (nyala start).", stopped.in_words());
                }
                None => say!("No processes are running."),
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
    let pid = or_dash(pid.map(|pid| pid.to_string()));
    let since = or_dash(since.map(|since| format!("{since:.0}")));
    let memory = or_dash(memory.map(bytes));
    let healthy = yes_or_no(*healthy);
    format!("{process:<12} {release:>7} {pid:>8} {since:<20} {restarts:>8} {memory:>10} {healthy}")
}

/// A cell of a table.
pub(super) fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// A cell that says whether something holds, if that is known.
pub(super) fn yes_or_no(holds: Option<bool>) -> &'static str {
    holds.map_or("-", |holds| if holds { "yes" } else { "no" })
}
