//! Is what is live complete, and do its env and those of the kept releases still work?

use std::fs;

use super::{Finding, FindingId};
use crate::process::Environment;
use crate::python::env;
use crate::site::Site;
use crate::worker::rollback::kept_releases;

pub(super) fn check(site: &Site) -> Option<Finding> {
    match site.live() {
        Err(error) => Some(Finding::from_error(FindingId::Wwwroot, &error, "nyala redeploy")),
        Ok(Some(id)) if !site.release(id).is_dir() => {
            let fact = format!(
                "wwwroot points to {}, which does not exist: nothing is served",
                site.release(id).display()
            );
            Some(Finding::new(FindingId::WwwrootDangling, fact, "nyala redeploy"))
        }
        Ok(Some(_)) => None,
        Ok(None) => {
            let newest = *kept_releases(site).ok()?.last()?;
            let fact = format!("nothing is live: {} is gone", site.wwwroot().display());
            Some(Finding::new(FindingId::NothingLive, fact, format!("nyala rollback {newest}")))
        }
    }
}

/// The envs of all releases, the live one first. An env that was retired works, and is no finding.
pub(super) fn check_envs(site: &Site) -> Vec<Finding> {
    let mut findings = Vec::new();
    let live = site.live().ok().flatten();
    let mut seen = Vec::new();
    let mut releases = site.release_ids().unwrap_or_default();
    releases.sort_by_key(|id| Some(*id) != live);
    for id in releases {
        let fix = if Some(id) == live {
            "nyala redeploy".to_owned()
        } else {
            format!("nothing, unless you want to roll back to release {id}: nyala redeploy {id}")
        };
        let Some(number) = site.env_of_release(id) else {
            let had =
                site.record(id).ok().flatten().and_then(|record| record.env).and_then(|env| env.id);
            if let Some(had) = had.filter(|_| fs::symlink_metadata(site.env_link(id)).is_err()) {
                let fact = format!("the link from release {id} to env {had} is missing");
                findings.push(Finding::new(FindingId::EnvUnlinked, fact, fix));
            }
            continue;
        };
        if seen.contains(&number) {
            continue;
        }
        seen.push(number);
        let folder = site.env(number);
        let gone = folder.is_dir() && !env::python(&folder).exists();
        for fact in env::inspect(&folder, &Environment::clean()).damage {
            let id = if gone { FindingId::InterpreterGone } else { FindingId::EnvDamaged };
            let fact = format!("env {number} is damaged: {fact}");
            findings.push(Finding::new(id, fact, fix.clone()));
        }
    }
    findings
}
