//! `nyala gc`.

use std::fs;

use anyhow::Result;

use crate::console::text::bytes;
use crate::site::Site;
use crate::site::lock::DeployLock;
use crate::worker::tidy::{Freed, Report, collect};

pub(super) fn run(site: &Site) -> Result<()> {
    reported(|report| collect(site, &site.settings()?, &lock(site)?, report))?;
    if fs::read_dir(site.root().join("kept")).is_ok_and(|mut entries| entries.next().is_some()) {
        say!(
            "What applications wrote into older releases is in {}/kept, and is yours to delete.",
            site.root().display()
        );
    }
    Ok(())
}

/// Takes the site's deployment lock, and says so when that means waiting.
pub(super) fn lock(site: &Site) -> Result<DeployLock> {
    if let Some(lock) = site.try_deploy_lock()? {
        return Ok(lock);
    }
    say!("A deployment is running; waiting for it.");
    site.deploy_lock()
}

/// Says what was done, also when it was cut short: what was moved is not found again.
pub(super) fn reported(tidy: impl FnOnce(&mut Report) -> Result<()>) -> Result<()> {
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
