//! `nyala sites`: every site in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anstyle::Style;
use anyhow::{Result, bail};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::error;
use super::format::Format;
use super::ps::healthy;
use super::table::{self, Align, Cell, Column};
use super::{or_warn, say_warning};
use crate::console;
use crate::control::{Control, Running};
use crate::disk::space;
use crate::server::Server;
use crate::site::{DeploymentId, Site};
use crate::text::{bytes, clean};

#[derive(Debug, Args)]
pub(super) struct Sites {
    /// The folder that contains the sites [default: the working directory, or the folder of the
    /// site that contains it]
    folder: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How many sites are asked at the same time.
const AT_ONCE: usize = 32;

/// A site, as it is now.
#[derive(Debug, Serialize)]
struct Row {
    site: String,
    path: PathBuf,
    /// The release that is live.
    live: Option<DeploymentId>,
    /// Since when it is.
    since: Option<Timestamp>,
    /// Where visitors connect, or should be able to.
    address: Option<String>,
    /// Whether visitors are answered as they should; `None` when the application does not run, or
    /// when this user may not know.
    healthy: Option<bool>,
    /// What the site takes on the disk, in bytes.
    size: u64,
}

impl Sites {
    pub(super) fn run(&self) -> Result<()> {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => here()?,
        };
        if !folder.is_dir() {
            bail!(error::no_folder(&folder));
        }
        let seen = Server::look(&folder)?;
        for closed in &seen.closed {
            say_warning(&error::closed_folder(closed).to_string());
        }
        let rows = rows(&seen.sites);
        if self.json {
            say!("{}", serde_json::to_string_pretty(&rows)?);
        } else if rows.is_empty() {
            say!("There is no site in {}.", folder.display());
        } else {
            console::say(drawn(&rows, &Format::of_stdout()));
        }
        Ok(())
    }
}

/// Several at once: an application that hangs is waited for, and often it is not the only one.
fn rows(sites: &[Site]) -> Vec<Row> {
    let rows_of = |some: &[Site]| {
        thread::scope(|scope| {
            let rows: Vec<_> = some.iter().map(|site| scope.spawn(|| Row::of(site))).collect();
            rows.into_iter().filter_map(|row| row.join().ok()).collect::<Vec<_>>()
        })
    };
    sites.chunks(AT_ONCE).flat_map(rows_of).collect()
}

impl Row {
    /// Whatever of a site cannot be known is left open: the others are shown all the same.
    fn of(site: &Site) -> Row {
        let root = site.root();
        let live = site.live().ok().flatten();
        let switched = || fs::symlink_metadata(site.wwwroot()).ok()?.modified().ok();
        let running = or_warn(site, running(site));
        let wanted = || site.settings().ok()?.run.listen.map(|listen| listen.to_string());
        Row {
            site: site.name().into_owned(),
            path: root.to_owned(),
            live,
            since: live.and_then(|_| Timestamp::try_from(switched()?).ok()),
            healthy: running.as_ref().and_then(Running::is_healthy),
            address: running.and_then(|running| running.listening).or_else(wanted),
            size: space::used_by(root).bytes,
        }
    }
}

/// Fails when whoever serves the site does not tell.
fn running(site: &Site) -> Result<Option<Running>> {
    // To another user, it is not open.
    let Ok(Some(mut control)) = Control::connect(site) else { return Ok(None) };
    control.processes().map(Some)
}

const COLUMNS: [Column; 6] = [
    Column { head: "SITE", align: Align::Cut },
    Column { head: "LIVE", align: Align::Right },
    Column { head: "SINCE", align: Align::Left },
    Column { head: "ADDRESS", align: Align::Cut },
    Column { head: "HEALTHY", align: Align::Left },
    Column { head: "SIZE", align: Align::Right },
];

fn drawn(rows: &[Row], format: &Format) -> String {
    let cells = |row: &Row| {
        vec![
            Cell::styled(clean(&row.site), format.style(Style::new().bold())),
            Cell::or_dash(row.live.map(|live| live.to_string())),
            Cell::or_dash(row.since.map(|since| format.when(since))),
            Cell::or_dash(row.address.as_deref().map(clean)),
            healthy(row.healthy, format),
            Cell::new(bytes(row.size)),
        ]
    };
    table::draw(&COLUMNS, &rows.iter().map(cells).collect::<Vec<_>>(), format)
}

/// The folder that the site around the working directory is in, or else that itself.
fn here() -> Result<PathBuf> {
    let (here, site) = Site::here()?;
    Ok(site.as_deref().and_then(Path::parent).map_or(here, PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_aligned_and_fit_a_narrow_terminal() {
        let row = |site: &str, live: Option<u64>, healthy| Row {
            site: site.to_owned(),
            path: PathBuf::new(),
            live: live.map(DeploymentId::of),
            since: live.map(|_| "2026-03-01T09:00:00Z".parse().unwrap()),
            address: live.map(|_| "127.0.0.1:8000".to_owned()),
            healthy,
            size: 95_000_000,
        };
        let rows = [row("shop", Some(11), Some(true)), row("a-site-that-is-new", None, None)];
        insta::assert_snapshot!(drawn(&rows, &Format::terminal(66)), @r"
        SITE                LIVE  SINCE        ADDRESS      HEALTHY   SIZE
        shop                  11  3 hours ago  127.0.0.1:…  yes      95 MB
        a-site-that-is-new     -  -            -            -        95 MB
        ");
        insta::assert_snapshot!(drawn(&rows, &Format::plain()), @r"
        SITE                LIVE  SINCE                 ADDRESS         HEALTHY   SIZE
        shop                  11  2026-03-01T09:00:00Z  127.0.0.1:8000  yes      95 MB
        a-site-that-is-new     -  -                     -               -        95 MB
        ");
    }
}
