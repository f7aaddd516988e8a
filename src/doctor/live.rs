//! Is what is live complete, and do its env and those of the kept releases still work?

use std::fs;

use super::error;
use super::{Finding, FindingId};
use crate::process::Environment;
use crate::python::env;
use crate::site::Site;
use crate::worker::rollback::kept_releases;

pub(super) fn check(site: &Site) -> Option<Finding> {
    match site.live() {
        Err(error) => Some(Finding::from_error(FindingId::Wwwroot, &error, "nyala redeploy")),
        Ok(Some(id)) if !site.release(id).is_dir() => {
            let error = error::release_is_gone(&site.release(id));
            Some(Finding::new(FindingId::WwwrootDangling, error))
        }
        Ok(Some(id)) => {
            // Settings that cannot be read are a finding of their own.
            let shared = site.settings().map(|settings| settings.shared).unwrap_or_default();
            let (link, meant) = site.wrong_link(id, &shared)?;
            let error = error::link_leads_elsewhere(&link, &meant);
            Some(Finding::new(FindingId::BrokenLink, error))
        }
        Ok(None) => {
            let newest = *kept_releases(site).ok()?.last()?;
            let error = error::nothing_is_live(&site.wwwroot(), newest);
            Some(Finding::new(FindingId::NothingLive, error))
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
        let is_live = Some(id) == live;
        let Some(number) = site.env_of_release(id) else {
            let had =
                site.record(id).ok().flatten().and_then(|record| record.env).and_then(|env| env.id);
            if let Some(had) = had.filter(|_| fs::symlink_metadata(site.env_link(id)).is_err()) {
                let error = error::env_is_unlinked(id, had, is_live);
                findings.push(Finding::new(FindingId::EnvUnlinked, error));
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
            let finding = if gone { FindingId::InterpreterGone } else { FindingId::EnvDamaged };
            let error = error::env_is_damaged(number, &fact, id, is_live);
            findings.push(Finding::new(finding, error));
        }
    }
    findings
}
