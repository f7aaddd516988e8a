//! What killed deployments left behind.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::disk;
use crate::plan::observe::kept_env;
use crate::site::{DeploymentId, Record, Site};

/// Releases and envs that no succeeded deployment has, and what deployments used while they ran.
pub fn leftovers(site: &Site, live: Option<DeploymentId>) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut kept_envs = Vec::new();
    for id in site.release_ids()? {
        let Ok(record) = site.record(id) else {
            // Nothing is known of it, and something may be in it.
            kept_envs.extend(site.env_of_release(id));
            continue;
        };
        let good = record.as_ref().is_some_and(Record::went_live);
        if good || live == Some(id) {
            kept_envs.extend(site.env_of_release(id));
            // Its processes go on running in the env they were started with, also when somebody has
            // deleted the link.
            kept_envs.extend(record.and_then(|record| record.env).and_then(|env| env.id));
        } else {
            found.push(site.release(id));
        }
    }
    if live.is_none() {
        kept_envs.extend(kept_env(site)?);
    }
    let envs = site.env_ids()?.into_iter().filter(|id| !kept_envs.contains(id));
    found.extend(envs.map(|id| site.env(id)));
    found.extend(site.temporary_ids()?.into_iter().map(|id| site.temporary(id)));
    Ok(found)
}

/// Files and folders that were made aside to be renamed into place, by a process that is gone: in
/// the site's own folders, and in those of some deployments.
pub fn temporary_files(site: &Site, deployments: &[DeploymentId]) -> Result<Vec<PathBuf>> {
    let folders = [
        site.root().to_owned(),
        site.deployments(),
        site.cache(),
        site.staging(),
        site.envs(),
        site.shared(),
    ]
    .into_iter();
    let kept = fs::read_dir(site.kept()).into_iter().flatten().flatten();
    let folders = folders
        .chain(kept.map(|entry| entry.path()))
        .chain(deployments.iter().map(|id| site.deployment(*id)))
        .chain(site.env_ids()?.into_iter().map(|id| site.env(id)));
    let mut found = Vec::new();
    for folder in folders {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            if disk::is_abandoned(&entry.file_name()) {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}
