//! `nyala delete` and `nyala gc`.

use std::fs;

use anyhow::Result;
use clap::Args;

use crate::console::text::bytes;
use crate::site::lock::DeployLock;
use crate::site::{DeploymentId, Site};
use crate::worker::tidy::{Freed, Report, collect, delete};

#[derive(Debug, Args)]
pub(super) struct Delete {
    /// The numbers of the deployments
    #[arg(required = true)]
    ids: Vec<DeploymentId>,
}

impl Delete {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        reported(|report| delete(site, &site.settings()?, &self.ids, &lock(site)?, report))
    }
}

pub(super) fn gc(site: &Site) -> Result<()> {
    reported(|report| collect(site, &site.settings()?, &lock(site)?, report))?;
    if fs::read_dir(site.root().join("kept")).is_ok_and(|mut entries| entries.next().is_some()) {
        say!(
            "What applications wrote into older releases is in {}/kept, and is yours to delete.",
            site.root().display()
        );
    }
    Ok(())
}

fn lock(site: &Site) -> Result<DeployLock> {
    if let Some(lock) = site.try_deploy_lock()? {
        return Ok(lock);
    }
    say!("A deployment is running; waiting for it.");
    site.deploy_lock()
}

/// Says what was done, also when it was cut short: what was moved is not found again.
fn reported(tidy: impl FnOnce(&mut Report) -> Result<()>) -> Result<()> {
    let mut report = Report::default();
    let outcome = tidy(&mut report);
    if outcome.is_ok() || report != Report::default() {
        print(&report);
    }
    outcome
}

fn print(Report { freed, kept }: &Report) {
    for kept in kept {
        say!("Note: {kept}");
    }
    for Freed { what, bytes: size } in freed {
        say!("Removed {what}: {}", bytes(*size));
    }
    let all: u64 = freed.iter().map(|freed| freed.bytes).sum();
    match freed.len() {
        0 => say!("There is nothing to remove."),
        _ => say!("Freed {} ({all} bytes).", bytes(all)),
    }
}
