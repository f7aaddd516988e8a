//! What commands do with a site that runs in a cluster.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::entry::say_warning;
use super::format::Format;
use super::gc;
use super::ps::healthy;
use super::table::{self, Align, Cell, Column};
use crate::console::{self, leaves_within};
use crate::control::Control;
use crate::kubernetes::{Live, Logs, Pod};
use crate::site::Site;
use crate::site::lock::DeployLock;
use crate::worker::session::own_deployment;

/// What is live in a cluster; `None` for a site that runs on this machine.
pub(super) fn live(site: &Site) -> Result<Option<Live>> {
    match site.settings() {
        Ok(settings) => Live::of(site, &settings),
        Err(_) if runs_here(site) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether this machine runs what is live, whatever is written in the settings now.
fn runs_here(site: &Site) -> bool {
    let control = Control::connect(site).ok().flatten();
    let running = control.and_then(|mut control| control.processes().ok());
    running.is_some_and(|running| !running.live.is_empty())
}

/// [`live`] for what changes it. No deployment runs until the lock is freed: it would be applied
/// over. What is run by a deployment, as an action is, does not wait for that one.
pub(super) fn live_to_change(site: &Site) -> Result<Option<(Live, Option<DeployLock>)>> {
    match site.settings() {
        Ok(settings) if settings.runs_in_cluster() => {}
        Err(error) if !runs_here(site) => return Err(error),
        _ => return Ok(None),
    }
    let is_own = own_deployment(site)?.is_some();
    let lock = if is_own { None } else { Some(gc::lock(site)?) };
    Ok(live(site)?.map(|live| (live, lock)))
}

/// Whether a person sits before this process.
pub(super) fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

const COLUMNS: [Column; 8] = [
    Column { head: "PROCESS", align: Align::Left },
    Column { head: "POD", align: Align::Left },
    Column { head: "RELEASE", align: Align::Right },
    Column { head: "SINCE", align: Align::Left },
    Column { head: "RESTARTS", align: Align::Right },
    Column { head: "HEALTHY", align: Align::Left },
    Column { head: "STATUS", align: Align::Left },
    Column { head: "NODE", align: Align::Left },
];

pub(super) fn print_pods(live: &Live, json: bool) -> Result<()> {
    let pods = live.pods()?;
    if json {
        say!("{:#}", json!(pods));
        return Ok(());
    }
    if pods.is_empty() {
        say!("No pods are running: {}.", live.place());
        return Ok(());
    }
    let format = Format::of_stdout();
    let cells = |pod: &Pod| {
        let Pod { process, name, release, is_ready, status, restarts, since, node } = pod;
        vec![
            Cell::new(process.clone()),
            Cell::new(name.clone()),
            Cell::or_dash(Some(release.clone()).filter(|it| !it.is_empty())),
            Cell::or_dash(since.map(|since| format.when(since))),
            Cell::new(restarts.to_string()),
            healthy(Some(*is_ready), &format),
            Cell::new(status.clone()),
            Cell::or_dash(node.clone()),
        ]
    };
    console::say(table::draw(&COLUMNS, &pods.iter().map(cells).collect::<Vec<_>>(), &format));
    Ok(())
}

/// Prints what the pods have printed, each line behind the name of its pod.
pub(super) fn print_logs(
    live: &Live,
    process: Option<&str>,
    lines: usize,
    follow: bool,
) -> Result<()> {
    let print = |line: &str| say!("{line}");
    // A reader who has gone is noticed although nothing is printed.
    let is_over = || {
        console::write_error().is_some()
            || leaves_within(rustix::stdio::stdout(), Duration::from_millis(1))
    };
    let (say, warn, is_over) = (&print, &say_warning, &is_over);
    live.logs(Logs { process, lines, follow, say, warn, is_over })
}
