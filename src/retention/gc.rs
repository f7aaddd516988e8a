//! `nyala gc` and `nyala delete`: what is taken away by hand, and what that frees.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::caches::remove_unused_caches;
use super::error;
use super::holders::{Held, holders, holders_but_processes};
use super::prune::{Pruned, envs_without, prune, salvage_release, unless_mounted};
use super::salvage::Scan;
use super::trash::{Freed, TrashReport, empty_trash};
use crate::site::lock::DeployLock;
use crate::site::{DeploymentId, Settings, Site, entry_name, no_deployment};
use crate::staging;

/// What `gc` or `delete` did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub freed: Vec<Freed>,
    pub pruned: Pruned,
}

impl Report {
    fn empty_trash(&mut self, site: &Site) {
        let TrashReport { mut freed, mut held } = empty_trash(site);
        self.freed.append(&mut freed);
        self.pruned.held.append(&mut held);
    }
}

/// Removes what no kept release needs: older releases and their envs, what has been discarded, and
/// what the user's cache has that nobody has used for long.
/// The caller holds the lock for as long as this takes, so no deployment is in the middle of it,
/// and has removed what killed deployments left behind.
///
/// `report` says what was done, also when this fails.
pub fn gc(site: &Site, settings: &Settings, _lock: &DeployLock, report: &mut Report) -> Result<()> {
    let pruned = prune(site, settings, &mut report.pruned);
    // It only saves time, and whoever calls this wants space.
    let discarded = unless_mounted(staging::discard(site)).map(|holder| {
        let what = entry_name(&site.staging_tree());
        report.pruned.held.extend(holder.map(|holder| Held { what, holder }));
    });
    report.empty_trash(site);
    report.freed.extend(remove_unused_caches());
    pruned.and(discarded)
}

/// Deletes the records, logs and releases of deployments, and the envs that only they needed. Their
/// numbers are never given again.
///
/// Fails, before anything is deleted, when one of them is live, has not ended, is still used or has
/// something mounted in it, or is not there.
/// `report` says what was done, also when this fails.
pub fn delete(
    site: &Site,
    settings: &Settings,
    ids: &[DeploymentId],
    _lock: &DeployLock,
    report: &mut Report,
) -> Result<()> {
    let live = site.live()?;
    for id in ids {
        if live == Some(*id) {
            bail!(error::is_live(*id));
        }
        let record = site.record(*id)?.ok_or_else(|| no_deployment(*id))?;
        if !record.status.is_final() && site.has_worker(*id)? {
            bail!(error::has_not_ended(*id, record.status.name()));
        }
    }
    let releases: Vec<_> = ids.iter().map(|id| site.release(*id)).collect();
    let records: Vec<_> = ids.iter().map(|id| site.deployment(*id)).collect();
    let mut held = holders(&releases);
    held.extend(holders_but_processes(&records));
    for path in releases.iter().chain(&records) {
        if let Some(holder) = held.remove(path) {
            let what = entry_name(path);
            bail!(error::is_held(&Held { what, holder }));
        }
    }
    for id in ids {
        site.remember_number(*id)?;
        report.pruned.salvaged.extend(salvage_release(site, settings, *id, Scan::EveryFile)?);
        site.discard(&site.release(*id))?;
        let releases = site.release_ids()?;
        let envs = envs_without(site, &site.records()?, &releases)?;
        let paths: Vec<PathBuf> = envs.iter().map(|env| site.env(*env)).collect();
        let mut held = holders(&paths);
        for (env, path) in envs.iter().zip(&paths) {
            let holder = match held.remove(path) {
                Some(holder) => Some(holder),
                None => unless_mounted(site.discard(path))?,
            };
            let what = format!("env {env}");
            report.pruned.held.extend(holder.map(|holder| Held { what, holder }));
        }
        // Last: what a kill leaves of a deployment that has its record is deleted when it is asked
        // for again.
        site.discard(&site.deployment(*id))?;
        report.empty_trash(site);
    }
    Ok(())
}
