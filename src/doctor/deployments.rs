//! Did a worker die, and what did it leave?

use super::{Finding, FindingId, Repair, and_more};
use crate::retention;
use crate::site::{Record, Site};
use crate::user_error::UserError;
use crate::worker;

const FIX: &str = "nyala doctor --fix, or push again";

pub(super) fn check(site: &Site) -> Vec<Finding> {
    let mut findings = Vec::new();
    for id in site.deployment_ids().unwrap_or_default() {
        match site.record(id) {
            Err(error) => {
                let fix = format!("rm -r {}", site.deployment(id).display());
                let fact = UserError::of(&error).fact;
                findings.push(Finding::new(FindingId::Record, fact, fix));
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
    let mounted = retention::mounted(site);
    for stays in &mounted {
        let fact = format!("{} can never be removed: {}", stays.what, stays.holder);
        findings.push(Finding::new(FindingId::Mounted, fact, stays.fix()));
    }
    let mut leftovers = worker::leftovers(site).unwrap_or_default();
    leftovers.retain(|path| !mounted.iter().any(|stays| stays.path() == Some(path)));
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

fn has_lost_its_worker(site: &Site, record: &Record) -> bool {
    !record.status.is_final() && matches!(site.has_worker(record.id), Ok(false))
}
