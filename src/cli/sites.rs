//! `nyala sites`: every site in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::error;
use super::ps::{or_dash, yes_or_no};
use super::say_warning;
use crate::control::Control;
use crate::disk::space;
use crate::server::Server;
use crate::site::{DeploymentId, Site};
use crate::text::{bytes, clean};
use crate::user_error::UserError;

#[derive(Debug, Args)]
pub(super) struct Sites {
    /// The folder that contains the sites [default: the working directory, or the folder of the
    /// site that contains it]
    folder: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A site, as it is now.
#[derive(Debug, Serialize)]
struct Row {
    site: String,
    path: PathBuf,
    /// The release that is live.
    live: Option<DeploymentId>,
    /// Since when it is.
    since: Option<Timestamp>,
    /// Where visitors connect.
    address: Option<String>,
    /// Whether the application takes requests; `None` when it does not run, or when this user may
    /// not know.
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
        let rows: Vec<_> = seen.sites.iter().map(Row::of).collect();
        if self.json {
            say!("{}", serde_json::to_string_pretty(&rows)?);
        } else if rows.is_empty() {
            say!("There is no site in {}.", folder.display());
        } else {
            print(&rows);
        }
        Ok(())
    }
}

impl Row {
    /// Whatever of a site cannot be known is left open: the others are shown all the same.
    fn of(site: &Site) -> Row {
        let root = site.root();
        let live = site.live().ok().flatten();
        let switched = || fs::symlink_metadata(site.wwwroot()).ok()?.modified().ok();
        Row {
            site: root.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            path: root.to_owned(),
            live,
            since: live.and_then(|_| Timestamp::try_from(switched()?).ok()),
            address: site.settings().ok().and_then(|it| it.run.listen).map(|it| it.to_string()),
            healthy: is_healthy(site).unwrap_or_else(|error| {
                let error = UserError::of(&error);
                say_warning(&format!("{}: {error}", root.display()));
                None
            }),
            size: space::used_by(root).bytes,
        }
    }
}

/// Fails when whoever serves the site does not tell.
fn is_healthy(site: &Site) -> Result<Option<bool>> {
    // To another user, it is not open.
    let Ok(Some(mut control)) = Control::connect(site) else { return Ok(None) };
    let processes = control.processes()?;
    let Some(live) = site.live().ok().flatten() else { return Ok(None) };
    let of_live = processes.iter().filter(|process| process.release == live);
    // Only what answers requests is healthy or not. One of several is enough.
    Ok(of_live.filter_map(|process| process.healthy).reduce(|one, other| one || other))
}

fn print(rows: &[Row]) {
    let cells = rows.iter().map(|row| {
        [
            clean(&row.site).into_owned(),
            or_dash(row.live.map(|live| live.to_string())),
            or_dash(row.since.map(|since| format!("{since:.0}"))),
            or_dash(row.address.as_deref().map(|address| clean(address).into_owned())),
            yes_or_no(row.healthy).to_owned(),
            bytes(row.size),
        ]
    });
    let head = ["SITE", "LIVE", "SINCE", "ADDRESS", "HEALTHY", "SIZE"].map(str::to_owned);
    let table: Vec<_> = std::iter::once(head).chain(cells).collect();
    let width = |column: usize| {
        table.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    for [site, live, since, address, healthy, size] in &table {
        say!(
            "{site:<0$}  {live:>1$}  {since:<2$}  {address:<3$}  {healthy:<7}  {size:>4$}",
            width(0),
            width(1),
            width(2),
            width(3),
            width(5)
        );
    }
}

/// The folder that the site around the working directory is in, or else that itself.
fn here() -> Result<PathBuf> {
    let (here, site) = Site::here()?;
    Ok(site.as_deref().and_then(Path::parent).map_or(here, PathBuf::from))
}
