//! Prunes a site after a deployment: releases beyond `keep`, and envs that no release needs.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::error::cannot_be_salvaged;
use super::holders::{Held, Holder, holders, holders_but_processes};
use super::salvage::{Salvage, Salvaged, Scan, salvage};
use crate::site::{DeploymentId, EnvId, Record, Settings, Site, entry_name};
use crate::user_error::Explain;

/// A release with more files than this is looked through when nobody waits. Before that, only those
/// of its folders are looked at in which a name is new, so that hardly anything is said late.
const LOOKED_AT_ONCE: u64 = 2_000;

/// What pruning came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// What applications had written into releases that went.
    pub salvaged: Vec<Salvaged>,
    /// What is not needed, and stays for now.
    pub held: Vec<Held>,
}

impl Pruned {
    pub fn log(&self) {
        self.salvaged.iter().for_each(Salvaged::log);
        Held::log(&self.held);
    }

    /// Takes down what was to be removed and stays. Fails when something could not be removed.
    fn unless_held(&mut self, what: String, removed: Result<Option<Holder>>) -> Result<()> {
        self.held.extend(removed?.map(|holder| Held { what, holder }));
        Ok(())
    }
}

/// Prunes the releases in which the application wrote something new, and finds what is mounted in
/// others: there is something to say of those, while somebody reads the log. [`prune`] does the
/// rest. Before there is something new in it, a release is only looked at by the names of its
/// folders, and a large one stays until then.
///
/// Which processes use a release is asked only of one with something to save: there may be
/// thousands of processes.
pub fn prune_written(site: &Site, settings: &Settings, pruned: &mut Pruned) -> Result<()> {
    let Unneeded { releases, envs } = unneeded(site, settings.keep)?;
    let paths = releases.iter().map(|id| site.release(*id));
    let paths: Vec<_> = paths.chain(envs.iter().map(|id| site.env(*id))).collect();
    let mut mounted = holders_but_processes(&paths);
    let (mut outcome, mut written) = (Ok(()), Vec::new());
    for id in releases {
        if let Some(holder) = mounted.remove(&site.release(id)) {
            pruned.held.push(Held { what: format!("release {id}"), holder });
            continue;
        }
        match has_something_to_save(site, settings, id) {
            Ok(true) => written.push(id),
            Ok(false) => {}
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    for id in envs {
        let holder = mounted.remove(&site.env(id));
        pruned.held.extend(holder.map(|holder| Held { what: format!("env {id}"), holder }));
    }
    let mut held = holders(&written.iter().map(|id| site.release(*id)).collect::<Vec<_>>());
    for id in written {
        let removed = match held.remove(&site.release(id)) {
            Some(holder) => Ok(Some(holder)),
            None => unless_mounted(
                scan_in_time(site, id).and_then(|scan| remove(site, settings, id, scan, pruned)),
            ),
        };
        outcome = outcome.and(pruned.unless_held(format!("release {id}"), removed));
    }
    outcome
}

fn has_something_to_save(site: &Site, settings: &Settings, id: DeploymentId) -> Result<bool> {
    let salvage = Salvage::new(site, settings, id, site.release(id))?;
    Ok(!salvage.written(Path::new(""), Scan::NewNames)?.is_empty())
}

/// How closely a release can be looked at while somebody waits.
pub fn scan_in_time(site: &Site, id: DeploymentId) -> Result<Scan> {
    let usage = site.record(id)?.and_then(|record| record.usage.release);
    let is_large = usage.is_some_and(|usage| usage.inodes > LOOKED_AT_ONCE);
    Ok(if is_large { Scan::NewNames } else { Scan::EveryFile })
}

/// Keeps the last `keep` good releases with their envs, and the live one always. The rest is
/// discarded, but for what a process still uses or something is mounted in. Failed deployments left
/// no release and do not count. What the application wrote into a release is saved first.
///
/// Looks through all processes, and at every file of what goes: nobody should have to wait for it.
/// One that cannot go holds up none of the others: fails with the first of them in the end.
/// `pruned` says what was done, also when this fails.
pub fn prune(site: &Site, settings: &Settings, pruned: &mut Pruned) -> Result<()> {
    let Unneeded { releases, envs } = unneeded(site, settings.keep)?;
    let (mut outcome, mut envs_that_stay) = (Ok(()), Vec::new());
    let paths = releases.iter().map(|id| site.release(*id));
    let paths: Vec<_> = paths.chain(envs.iter().map(|id| site.env(*id))).collect();
    let mut held = holders(&paths);
    for id in releases {
        let removed = match held.remove(&site.release(id)) {
            Some(holder) => Ok(Some(holder)),
            None => unless_mounted(remove(site, settings, id, Scan::EveryFile, pruned)),
        };
        if !matches!(removed, Ok(None)) {
            envs_that_stay.extend(site.env_of_release(id));
            envs_that_stay.extend(site.record(id).ok().flatten().and_then(|it| it.env?.id));
        }
        outcome = outcome.and(pruned.unless_held(format!("release {id}"), removed));
    }
    for id in envs.into_iter().filter(|id| !envs_that_stay.contains(id)) {
        let removed = match held.remove(&site.env(id)) {
            Some(holder) => Ok(Some(holder)),
            None => unless_mounted(site.discard(&site.env(id))),
        };
        outcome = outcome.and(pruned.unless_held(format!("env {id}"), removed));
    }
    outcome
}

/// Something may have been mounted a moment ago.
pub(super) fn unless_mounted(removed: Result<()>) -> Result<Option<Holder>> {
    match removed {
        Ok(()) => Ok(None),
        Err(error) => error.downcast().map(|mounted| Some(Holder::Mount(mounted))),
    }
}

/// Discards these folders and files of the site, each after `salvage`. What is held stays, and is
/// returned. Fails with the first that cannot be discarded, after the others.
pub fn discard_unheld(
    site: &Site,
    paths: &[PathBuf],
    mut salvage: impl FnMut(&Path) -> Result<()>,
) -> (Vec<Held>, Result<()>) {
    let folders: Vec<_> = paths.iter().filter(|path| path.is_dir()).cloned().collect();
    let mut holder_of = holders(&folders);
    let (mut held, mut outcome) = (Vec::new(), Ok(()));
    for path in paths {
        let discarded = match holder_of.remove(path) {
            Some(holder) => Ok(Some(holder)),
            None => unless_mounted(salvage(path).and_then(|()| site.discard(path))),
        };
        match discarded {
            Ok(holder) => {
                let was = path.strip_prefix(site.root()).unwrap_or(path);
                held.extend(holder.map(|holder| Held { what: entry_name(was), holder }));
            }
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    (held, outcome)
}

/// Saves what the application wrote into a release, and discards it if each of its files was
/// looked at.
fn remove(
    site: &Site,
    settings: &Settings,
    id: DeploymentId,
    scan: Scan,
    pruned: &mut Pruned,
) -> Result<()> {
    pruned.salvaged.extend(salvage_release(site, settings, id, scan)?);
    if scan == Scan::NewNames { Ok(()) } else { site.discard(&site.release(id)) }
}

/// Saves what the application wrote into a release, so that it can be removed.
pub fn salvage_release(
    site: &Site,
    settings: &Settings,
    id: DeploymentId,
    scan: Scan,
) -> Result<Option<Salvaged>> {
    salvage(site, settings, id, scan).explain(|| cannot_be_salvaged(id))
}

/// The releases that are no longer kept, and the envs that no kept release needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unneeded {
    pub releases: Vec<DeploymentId>,
    pub envs: Vec<EnvId>,
}

/// What a site has beyond the last `keep` good releases. Failed deployments do not count, and the
/// live release is kept always. A release that was rolled back to is as new as that rollback: it
/// was found to be good.
pub fn unneeded(site: &Site, keep: usize) -> Result<Unneeded> {
    let live = site.live()?;
    let mut good = site.release_ids()?;
    // A release is older than all that is said of it.
    let records = good.first().map_or(Ok(Vec::new()), |first| site.records_from(*first))?;
    let newest_use = |id: DeploymentId| {
        let uses = records
            .iter()
            .filter(|record| record.rolled_back_to == Some(id))
            .map(|record| record.id);
        uses.max().unwrap_or(id)
    };
    good.retain(|id| {
        let went_live = |record: &Record| record.id == *id && record.went_live();
        live == Some(*id) || records.iter().any(went_live)
    });
    good.sort_by_key(|id| (live == Some(*id), newest_use(*id)));
    let kept = good.split_off(good.len().saturating_sub(keep));
    Ok(Unneeded { envs: envs_without(site, &records, &kept)?, releases: good })
}

/// The envs that none of these releases needs.
pub(super) fn envs_without(
    site: &Site,
    records: &[Record],
    releases: &[DeploymentId],
) -> Result<Vec<EnvId>> {
    // A release's processes go on running in the env they were started with, also when somebody has
    // deleted the link.
    let recorded = records.iter().filter(|record| releases.contains(&record.id));
    let recorded = recorded.filter_map(|record| record.env.as_ref()?.id);
    let linked = releases.iter().filter_map(|id| site.env_of_release(*id));
    let needed: Vec<EnvId> = recorded.chain(linked).collect();
    let mut envs = site.env_ids()?;
    envs.retain(|id| !needed.contains(id));
    Ok(envs)
}
