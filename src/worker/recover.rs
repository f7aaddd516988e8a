//! Repairs what a killed worker, or a loss of power, left behind. Runs under the lock, before
//! every deployment, so that the next push deploys with no hand on it.

use std::path::Path;

use anyhow::Result;
use jiff::Timestamp;

use super::error;
use super::publish::publish;
use super::ref_transaction;
use super::what_is_live;
use crate::console;
use crate::disk;
use crate::git::Repository;
use crate::kubernetes;
use crate::process::left_behind;
use crate::retention::salvage::{Salvaged, Scan};
use crate::retention::{Held, discard_unheld, leftovers, salvage_release, temporary_files};
use crate::setup;
use crate::site::{DeploymentId, Record, Site, Status};

/// Marks deployments whose worker is dead as interrupted, and removes everything that belongs to
/// no kept release. `own` is the deployment that is about to begin, if one is; without it, nothing
/// is trusted to be as it should, and every deployment that there ever was is looked at. Returns
/// what has to stay for now.
pub(super) fn recover(site: &Site, own: Option<DeploymentId>) -> Result<Vec<Held>> {
    check_folders_are_own(site)?;
    site.make_folders()?;
    let live = site.live()?;
    forget_lost(site, live)?;
    let records = if own.is_some() { site.unsettled()? } else { site.records()? };
    let mut looked_at: Vec<DeploymentId> = records.iter().map(|record| record.id).collect();
    looked_at.append(&mut site.release_ids()?);
    for mut record in records {
        let id = record.id;
        if Some(id) != own
            && record.status.is_final()
            && !record.has_ended()
            && !site.has_worker(id)?
        {
            end_what_was_cut_short(site, record)?;
            continue;
        }
        if Some(id) == own || record.status.is_final() || site.has_worker(id)? {
            continue;
        }
        let left = left_behind::end(site.root(), id);
        if left > 0 {
            console::info(format_args!(
                "Ended {left} processes that deployment {id}, which was killed, had left running."
            ));
        }
        let release = record.rolled_back_to.unwrap_or(id);
        if let Err(why) = complete_push(site, live, &record) {
            console::warning(error::push_not_completed(id).because(&why));
        }
        let error = error::worker_was_killed(live == Some(release));
        log_of(
            site,
            id,
            &format!("error: deployment {id} was interrupted: {error}; {}", what_is_live(site)),
        );
        record.status = Status::Interrupted;
        if live == Some(id) && record.activated_at.is_none() {
            record.activated_at = site.live_since();
        }
        record.set_error(Some(error));
        record.ended_at = Some(Timestamp::now());
        publish(site, &record, None);
        site.save(&record)?;
    }
    let paths: Vec<_> =
        leftovers(site, live)?.into_iter().chain(temporary_files(site, &looked_at)?).collect();
    let salvage = |path: &Path| {
        let Some(id) = site.release_at(path) else { return Ok(()) };
        // Broken settings stop the deployment itself. Here they only make less known of what was
        // shared.
        let settings = site.settings().unwrap_or_default();
        salvage_release(site, &settings, id, Scan::EveryFile)?.iter().for_each(Salvaged::log);
        Ok(())
    };
    if let Err(why) = kubernetes::bring_back(site, None) {
        console::warning(error::cluster_not_brought_back().because(&why));
    }
    // What cannot go now is found again by the next deployment.
    let (held, outcome) = discard_unheld(site, &paths, salvage);
    if let Err(why) = outcome {
        console::warning(error::leftovers_not_removed().because(&why));
    }
    Ok(held)
}

/// Fails when this site is a copy that has folders in common with the original.
fn check_folders_are_own(site: &Site) -> Result<()> {
    // Asking git where the hooks are takes a while.
    if !site.has_linked_folders() {
        return Ok(());
    }
    let settings = site.settings().unwrap_or_default();
    setup::check_folders_are_own(&site.repository(&settings), site)
}

/// Removes what a loss of power has left of deployments whose records it has taken. Their
/// numbers are never given again.
fn forget_lost(site: &Site, live: Option<DeploymentId>) -> Result<()> {
    for id in site.lost()? {
        let is_needed = live == Some(id) || kubernetes::is_needed(site, id);
        if is_needed || site.has_worker(id).unwrap_or_default() {
            continue;
        }
        site.remember_number(id)?;
        site.discard(&site.release(id))?;
        site.discard(&site.deployment(id))?;
        console::info(format_args!(
            "Removed what a loss of power had left of deployment {id}, which never went live."
        ));
    }
    Ok(())
}

/// In a strict site the branch follows what is live, also when the worker was killed in between.
fn complete_push(site: &Site, live: Option<DeploymentId>, record: &Record) -> Result<()> {
    if live == Some(record.id) && !record.moves.is_empty() {
        let repository = Repository::open(&site.repository(&site.settings()?))?;
        ref_transaction::finish(&repository, live, record)?;
    }
    Ok(())
}

/// A worker that was killed in what comes after a deployment changed nothing about how that
/// deployment came out.
fn end_what_was_cut_short(site: &Site, mut record: Record) -> Result<()> {
    let id = record.id;
    let cut = "its worker was killed in what comes after a deployment";
    let line = match record.status {
        Status::Succeeded => format!("success: deployment {id} went live; {cut}"),
        _ => format!("error: deployment {id} failed; {cut}; {}", what_is_live(site)),
    };
    log_of(site, id, &line);
    record.ended_at = Some(Timestamp::now());
    site.save(&record)
}

/// Writes a line at the end of another deployment's log. A log that cannot be written stops
/// nothing.
pub(super) fn log_of(site: &Site, id: DeploymentId, line: &str) {
    let log = site.log_file(id);
    if let Err(error) = console::settle(&log).and_then(|()| disk::append_line(&log, line)) {
        tracing::debug!("{error:#}");
    }
}
