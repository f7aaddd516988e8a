//! `nyala ps`: the processes of the application.

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::cluster;
use super::entry::{say_warning, serve_of};
use super::format::Format;
use super::table::{self, Align, Cell, Column};
use crate::console;
use crate::control::{ProcessState, Running};
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
        if let Some(live) = cluster::live(site)? {
            return cluster::print_pods(&live, self.json);
        }
        let running = serve_of(site)?.processes()?;
        if self.json {
            say!("{:#}", json!(running.all()));
            return Ok(());
        }
        if let Some(error) = &running.not_listening {
            say_warning(&error.to_string());
        }
        if running.live.is_empty() && running.leaving.is_empty() {
            match site.stopped()? {
                Some(stopped) => {
                    say!("The application has been stopped {} (nyala start).", stopped.in_words());
                }
                None => say!("No processes are running."),
            }
            return Ok(());
        }
        console::say(drawn(&running, &Format::of_stdout()));
        Ok(())
    }
}

const COLUMNS: [Column; 7] = [
    Column { head: "PROCESS", align: Align::Left },
    Column { head: "RELEASE", align: Align::Right },
    Column { head: "PID", align: Align::Right },
    Column { head: "SINCE", align: Align::Left },
    Column { head: "RESTARTS", align: Align::Right },
    Column { head: "MEMORY", align: Align::Right },
    Column { head: "HEALTHY", align: Align::Left },
];

fn drawn(running: &Running, format: &Format) -> String {
    let cells = |state: &ProcessState, health: Cell| {
        let ProcessState { process, release, pid, since, restarts, memory, healthy: _ } = state;
        vec![
            Cell::styled(process, format.style(Style::new().bold())),
            Cell::new(release.to_string()),
            Cell::or_dash(pid.map(|pid| pid.to_string())),
            Cell::or_dash(since.map(|since| format.when(since))),
            Cell::new(restarts.to_string()),
            Cell::or_dash(memory.map(bytes)),
            health,
        ]
    };
    let live = running.live.iter().map(|it| cells(it, healthy(it.healthy, format)));
    let leaving = running.leaving.iter().map(|it| cells(it, Cell::new("leaving")));
    table::draw(&COLUMNS, &live.chain(leaving).collect::<Vec<_>>(), format)
}

/// A cell that says whether something is healthy, if that is known.
pub(super) fn healthy(is_healthy: Option<bool>, format: &Format) -> Cell {
    match is_healthy {
        Some(true) => Cell::styled("yes", format.style(AnsiColor::Green.on_default())),
        Some(false) => Cell::styled("no", format.style(AnsiColor::Red.on_default().bold())),
        None => Cell::new("-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::DeploymentId;

    #[test]
    fn a_release_that_leaves_is_neither_healthy_nor_sick() {
        let state = |process: &str, release, healthy| ProcessState {
            process: process.to_owned(),
            release: DeploymentId::of(release),
            pid: Some(4711),
            since: Some("2026-03-01T09:00:00Z".parse().unwrap()),
            restarts: 0,
            memory: Some(21_000_000),
            healthy,
        };
        let running = Running {
            live: vec![state("web", 8, Some(true)), state("worker", 8, None)],
            leaving: vec![state("web", 7, None)],
            ..Running::default()
        };
        insta::assert_snapshot!(drawn(&running, &Format::plain()), @r"
        PROCESS  RELEASE   PID  SINCE                 RESTARTS  MEMORY  HEALTHY
        web            8  4711  2026-03-01T09:00:00Z         0   21 MB  yes
        worker         8  4711  2026-03-01T09:00:00Z         0   21 MB  -
        web            7  4711  2026-03-01T09:00:00Z         0   21 MB  leaving
        ");
    }
}
