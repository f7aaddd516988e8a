//! `nyala ps`: the processes of the application.

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::cluster;
use super::entry::serve_of;
use super::format::Format;
use super::table::{self, Align, Cell, Column};
use crate::console;
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
        if let Some(live) = cluster::live(site)? {
            return cluster::print_pods(&live, self.json);
        }
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
        console::say(drawn(&processes, &Format::of_stdout()));
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

fn drawn(processes: &[ProcessState], format: &Format) -> String {
    let cells = |state: &ProcessState| {
        let ProcessState { process, release, pid, since, restarts, memory, healthy: is_healthy } =
            state;
        vec![
            Cell::styled(process, format.style(Style::new().bold())),
            Cell::new(release.to_string()),
            Cell::or_dash(pid.map(|pid| pid.to_string())),
            Cell::or_dash(since.map(|since| format.when(since))),
            Cell::new(restarts.to_string()),
            Cell::or_dash(memory.map(bytes)),
            healthy(*is_healthy, format),
        ]
    };
    table::draw(&COLUMNS, &processes.iter().map(cells).collect::<Vec<_>>(), format)
}

/// A cell that says whether something is healthy, if that is known.
pub(super) fn healthy(is_healthy: Option<bool>, format: &Format) -> Cell {
    match is_healthy {
        Some(true) => Cell::styled("yes", format.style(AnsiColor::Green.on_default())),
        Some(false) => Cell::styled("no", format.style(AnsiColor::Red.on_default().bold())),
        None => Cell::new("-"),
    }
}
