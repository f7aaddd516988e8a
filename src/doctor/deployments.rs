//! Did a worker die, and what did it leave?

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::error;
use super::{Finding, FindingId, Repair};
use crate::kubernetes;
use crate::retention;
use crate::site::record::{NotifyFailure, NotifyKind};
use crate::site::{Record, Site, Status};
use crate::user_error::UserError;
use crate::worker;

pub(super) fn check(site: &Site) -> Vec<Finding> {
    let mut findings = Vec::new();
    for id in site.deployment_ids().unwrap_or_default() {
        match site.record(id) {
            Err(error) => {
                findings.push(if Finding::is_denied(&error) {
                    Finding::from_error(FindingId::Record, &error, "")
                } else {
                    let fact = UserError::of(&error).fact;
                    let error = error::unreadable_record(&fact, &site.deployment(id));
                    Finding::new(FindingId::Record, error)
                });
            }
            Ok(Some(record)) if has_lost_its_worker(site, &record) => {
                let error = error::worker_is_dead(id, record.status.name());
                let finding = Finding::new(FindingId::WorkerDead, error);
                findings.push(finding.with_repair(Repair::Recover));
            }
            Ok(_) => {}
        }
    }
    if kubernetes::is_unsettled(site) && !matches!(site.try_look_lock(), Ok(None)) {
        let finding = Finding::new(FindingId::RolloutCutShort, error::rollout_cut_short());
        findings.push(finding.with_repair(Repair::Recover));
    }
    findings.extend(notify_failures(site));
    let mounted = retention::mounted(site);
    for held in &mounted {
        let error = error::is_mounted(&held.what, &held.holder, held.fix());
        findings.push(Finding::new(FindingId::Mounted, error));
    }
    let mut leftovers = leftovers(site);
    // What is in use goes by itself, and what is mounted was found before.
    let held = retention::holders(&leftovers);
    leftovers.retain(|path| !held.contains_key(path));
    let mut stuck = retention::stuck(site, &leftovers);
    leftovers.retain(|path| !stuck.iter().any(|it| it.path == *path));
    stuck.retain(|it| !mounted.iter().any(|held| held.path() == Some(&it.path)));
    let owner = fs::metadata(site.root()).map_or(0, |folder| folder.uid());
    findings.extend(stuck.iter().map(|stuck| {
        Finding::new(FindingId::NotRemovable, error::cannot_be_removed(stuck, owner))
    }));
    if let [first, rest @ ..] = &leftovers[..] {
        let error = error::left_over(first, rest.len());
        let finding = Finding::new(FindingId::Leftovers, error);
        findings.push(finding.with_repair(Repair::Recover));
    }
    findings
}

/// What no worker is going to remove. One that is running prunes after its deployment is live, and
/// removes what others have left before it begins.
fn leftovers(site: &Site) -> Vec<PathBuf> {
    let found = worker::leftovers(site).unwrap_or_default();
    if found.is_empty() {
        return found;
    }
    match site.try_look_lock() {
        Ok(None) => Vec::new(),
        Ok(Some(_lock)) => worker::leftovers(site).unwrap_or_default(),
        // Who may not lock the site may still see what is wrong with it.
        Err(_) => found,
    }
}

/// What failed after the newest deployment that has ended. Those before it are history.
fn notify_failures(site: &Site) -> Vec<Finding> {
    let records = site.records().unwrap_or_default();
    let newest = records.into_iter().rev().find(|record| {
        record.has_ended() && matches!(record.status, Status::Succeeded | Status::Failed)
    });
    let Some(record) = newest else { return Vec::new() };
    let to_finding = |failure: &NotifyFailure| {
        let id = match failure.kind {
            NotifyKind::Action => FindingId::ActionFailed,
            NotifyKind::Webhook => FindingId::WebhookFailed,
        };
        Finding::new(id, error::notify_failed(record.id, failure))
    };
    record.notify_failures.iter().map(to_finding).collect()
}

fn has_lost_its_worker(site: &Site, record: &Record) -> bool {
    !record.status.is_final() && matches!(site.has_worker(record.id), Ok(false))
}
