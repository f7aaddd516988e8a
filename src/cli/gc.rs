//! `nyala gc`.

use std::fs;

use anyhow::Result;

use crate::retention::Freed;
use crate::retention::gc::{self, Report};
use crate::site::Site;
use crate::site::lock::DeployLock;
use crate::text::bytes;
use crate::worker::{self, session};

pub(super) fn run(site: &Site) -> Result<()> {
    reported(|report| {
        let (settings, lock) = (site.settings()?, lock(site)?);
        report.pruned.held = worker::recover_with(site, &lock)?;
        gc::gc(site, &settings, &lock, report)
    })?;
    if fs::read_dir(site.kept()).is_ok_and(|mut entries| entries.next().is_some()) {
        say!(
            "Files that applications wrote into removed releases are in {}; delete them yourself.",
            site.kept().display()
        );
    }
    Ok(())
}

/// Takes the site's deployment lock, and says so when that means waiting.
pub(super) fn lock(site: &Site) -> Result<DeployLock> {
    if let Some(lock) = site.try_deploy_lock()? {
        return Ok(lock);
    }
    session::check_wait(site, "itself to end")?;
    say!("Waiting for the running deployment to end.");
    site.deploy_lock()
}

/// Prints what was done even after an error, since a second run would not find it again.
pub(super) fn reported(remove: impl FnOnce(&mut Report) -> Result<()>) -> Result<()> {
    let mut report = Report::default();
    let outcome = remove(&mut report);
    if outcome.is_ok() || report != Report::default() {
        print(&report);
    }
    outcome
}

fn print(Report { freed, pruned }: &Report) {
    for salvaged in &pruned.salvaged {
        say!("Note: {salvaged}");
    }
    for Freed { what, bytes: size } in freed {
        say!("Removed {what}: {}", bytes(*size));
    }
    let mut said = Vec::new();
    for held in &pruned.held {
        // Killed deployments' leftovers are looked at twice.
        if said.contains(&held) {
            continue;
        }
        said.push(held);
        say!("Note: {held}\n  {}", held.fix());
    }
    let all: u64 = freed.iter().map(|freed| freed.bytes).sum();
    match freed.len() {
        0 if pruned.held.is_empty() => say!("Nothing to remove."),
        0 => say!("Nothing else to remove."),
        _ => say!("Freed {} ({all} bytes).", bytes(all)),
    }
}
