//! `nyala gc` and `nyala delete`: what is taken away by hand, and what that frees.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::prune::{Waits, envs_without, prune, salvage_release};
use super::salvage::{Look, Salvaged};
use crate::disk;
use crate::site::lock::DeployLock;
use crate::site::{DeploymentId, Settings, Site};
use crate::staging;

/// What `gc` or `delete` did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub freed: Vec<Freed>,
    /// What applications had written into releases that went.
    pub salvaged: Vec<Salvaged>,
}

/// One thing that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freed {
    /// What it was: `release 3`, `env 2`.
    pub what: String,
    /// What it took on the disk and nothing else takes now, in bytes. A file with another link
    /// elsewhere frees nothing.
    pub bytes: u64,
}

/// Takes away everything that no kept release needs: older releases and envs, what killed
/// deployments left behind ([`leftovers`](super::leftovers)), and what waited to be deleted. The caller holds the lock for as long as
/// this takes, so no deployment is in the middle of it.
///
/// `report` says what was done, also when this fails.
pub fn gc(site: &Site, settings: &Settings, _lock: &DeployLock, report: &mut Report) -> Result<()> {
    let pruned = prune(site, settings, Waits::Nobody, &mut report.salvaged);
    // It only saves time, and whoever calls this wants room.
    let discarded = staging::discard(site);
    report.freed = empty_trash(site);
    pruned.and(discarded)
}

/// Deletes the records, logs and releases of deployments, and the envs that only they needed. Their
/// numbers are never given again.
///
/// Fails, before anything is deleted, when one of them is live, has not ended, or is not there.
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
            bail!(
                "release {id} is live, and what is live is not deleted\n\
                 To make another one live first: nyala rollback"
            );
        }
        let record = site.record(*id)?;
        let record = record
            .with_context(|| format!("there is no deployment {id}\nWhat there is: nyala list"))?;
        if !record.status.is_final() && site.has_worker(*id)? {
            bail!(
                "deployment {id} is {}, and has to end first\nTo watch it: nyala log --follow {id}",
                record.status.name()
            );
        }
    }
    for id in ids {
        site.remember_number(*id)?;
        report.salvaged.extend(salvage_release(site, settings, *id, Look::AtFiles)?);
        site.discard(&site.release(*id))?;
        let releases = site.release_ids()?;
        for env in envs_without(site, &site.records()?, &releases)? {
            site.discard(&site.env(env))?;
        }
        // Last: what a kill leaves of a deployment that has its record is deleted when it is asked
        // for again.
        site.discard(&site.deployment(*id))?;
        report.freed.append(&mut empty_trash(site));
    }
    Ok(())
}

/// Deletes what was taken away, and says what it was and how much of the disk it took.
fn empty_trash(site: &Site) -> Vec<Freed> {
    let mut found: Vec<PathBuf> = fs::read_dir(site.trash())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    found.sort();
    let mut usage = Usage::default();
    let mut freed: Vec<Freed> =
        found.iter().map(|path| Freed { what: name_of(path), bytes: usage.of(path) }).collect();
    for (path, freed) in found.iter().zip(&mut freed) {
        if let Err(error) = disk::remove_tree(path) {
            freed.what = format!("{}, in part: {error:#}", freed.what);
        }
    }
    freed
}

/// `release 3` for `releases-3` in the trash, where [`Site::discard`] puts things under such names.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Some((kind, number)) = name.rsplit_once('-') else {
        return name;
    };
    let number = number.split('.').next().unwrap_or(number);
    match kind {
        "releases" => format!("release {number}"),
        "envs" => format!("env {number}"),
        "deployments" => format!("record and log of deployment {number}"),
        ".staging" => "the staging tree".to_owned(),
        "tmp" => format!("temporary files of deployment {number}"),
        _ => format!("leftover {name}"),
    }
}

/// Counts blocks of the disk, a file with several names only when all of them have been seen.
#[derive(Default)]
struct Usage {
    /// How many of the names of a file have been seen, by device and inode.
    names: HashMap<(u64, u64), u64>,
}

impl Usage {
    /// Bytes that deleting this frees, as far as one can see. No link is followed.
    fn of(&mut self, path: &Path) -> u64 {
        /// What `st_blocks` counts in, whatever the file system's own blocks are (stat(2)).
        const BLOCK: u64 = 512;
        let mut bytes = 0;
        let mut waiting = vec![path.to_owned()];
        while let Some(path) = waiting.pop() {
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            if metadata.is_dir() {
                waiting.extend(
                    fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()),
                );
            } else if metadata.nlink() > 1 {
                let seen = self.names.entry((metadata.dev(), metadata.ino())).or_default();
                *seen += 1;
                if *seen < metadata.nlink() {
                    continue;
                }
            }
            bytes += metadata.blocks() * BLOCK;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_two_names_counts_when_both_go() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
        for path in [&one, &two] {
            fs::create_dir(path).unwrap();
        }
        fs::write(one.join("file"), vec![1; 100_000]).unwrap();
        fs::hard_link(one.join("file"), two.join("file")).unwrap();
        assert!(Usage::default().of(&one) < 100_000);
        let mut both = Usage::default();
        assert!(both.of(&one) + both.of(&two) >= 100_000);
        assert!(both.of(&folder.path().join("gone")) == 0);
    }

    #[test]
    fn trash_is_named_as_people_know_it() {
        let of = |name: &str| name_of(&Path::new("/site/cache/trash").join(name));
        assert_eq!(of("releases-3"), "release 3");
        assert_eq!(of("envs-12.1"), "env 12");
        assert_eq!(of("tmp-4"), "temporary files of deployment 4");
        assert_eq!(of("cache-.nyala-77-x"), "leftover cache-.nyala-77-x");
    }
}
