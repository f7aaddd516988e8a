//! Did a worker die, and what did it leave?

use std::path::PathBuf;

use super::{Finding, FindingId, Repair, and_more};
use crate::retention;
use crate::site::record::{NotifyFailure, NotifyKind};
use crate::site::{Record, Site, Status};
use crate::user_error::UserError;
use crate::worker;

const FIX: &str = "nyala doctor --fix, or push again";

pub(super) fn check(site: &Site) -> Vec<Finding> {
    let mut findings = Vec::new();
    for id in site.deployment_ids().unwrap_or_default() {
        match site.record(id) {
            Err(error) => {
                let fix = format!("rm -r {}", site.deployment(id).display());
                findings.push(if Finding::is_denied(&error) {
                    Finding::from_error(FindingId::Record, &error, fix)
                } else {
                    Finding::new(FindingId::Record, UserError::of(&error).fact, fix)
                });
            }
            Ok(Some(record)) if has_lost_its_worker(site, &record) => {
                let fact =
                    format!("deployment {id} is {}, but its worker is dead", record.status.name());
                let finding = Finding::new(FindingId::WorkerDead, fact, FIX);
                findings.push(finding.with_repair(Repair::Recover));
            }
            Ok(_) => {}
        }
    }
    findings.extend(notify_failures(site));
    let mounted = retention::mounted(site);
    for held in &mounted {
        let fact = format!("{} can never be removed: {}", held.what, held.holder);
        findings.push(Finding::new(FindingId::Mounted, fact, held.fix()));
    }
    let mut leftovers = leftovers(site);
    leftovers.retain(|path| !mounted.iter().any(|held| held.path() == Some(path)));
    if let [first, rest @ ..] = &leftovers[..] {
        let fact = format!(
            "{}{} is not needed by any kept release",
            first.display(),
            and_more(rest.len())
        );
        let finding = Finding::new(FindingId::Leftovers, fact, FIX);
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
        let fact = format!("after deployment {}, {failure}", record.id);
        let fix = format!("see nyala log {}, fix it, and deploy again: nyala redeploy", record.id);
        Finding::new(id, fact, fix)
    };
    record.notify_failures.iter().map(to_finding).collect()
}

fn has_lost_its_worker(site: &Site, record: &Record) -> bool {
    !record.status.is_final() && matches!(site.has_worker(record.id), Ok(false))
}
