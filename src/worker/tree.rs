//! Where a release's tree comes from: a spare one that is brought forward, or the whole tree written anew.
//!
//! What clean-up takes out of `releases` is kept as the spare: most of its files are those of the next release. Nothing
//! is lost when it is gone, or is not what was recorded of it; then the tree is written as a whole.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use git2::Oid;
use serde::{Deserialize, Serialize};

use crate::checkout::{self, Exported};
use crate::disk;
use crate::git::Repository;
use crate::site::Site;

/// A release's folder that holds a tree, and what has to be flushed to the disk before it goes live.
#[derive(Debug)]
pub(super) struct Written {
    pub exported: Exported,
    /// What was changed in a spare that was brought forward; `None` when the whole tree was written.
    pub changed: Option<u64>,
    /// The files and folders that were touched, relative to the release; `None` for so many that the whole file system is flushed.
    pub touched: Option<Vec<PathBuf>>,
}

/// What is known of the spare, beside it.
#[derive(Deserialize, Serialize)]
struct Spare {
    release: u64,
    tree: String,
}

/// Makes the folder of a release and writes a tree into it.
pub(super) fn write(site: &Site, repository: &Repository, tree: Oid, release: u64) -> Result<Written> {
    disk::create_dir_all(&site.manifests())?;
    match bring_spare_forward(site, repository, tree, release) {
        Ok(Some(written)) => return Ok(written),
        Ok(None) => {}
        Err(error) => {
            tracing::debug!("the spare release cannot be brought forward: {error:#}");
            site.discard(&site.release(release))?;
        }
    }
    let folder = site.release(release);
    disk::create_dir(&folder)?;
    let exported = checkout::export(repository, tree, &folder, Some(&site.manifest(release)))?;
    Ok(Written { exported, changed: None, touched: None })
}

/// Keeps a release that is thrown away for the next deployment. There is one spare; another one goes.
pub(super) fn keep_spare(site: &Site, release: u64) -> Result<()> {
    let tree = site.record(release)?.and_then(|record| record.tree);
    let Some(tree) = tree.filter(|_| site.manifest(release).is_file()) else {
        // A worker that was killed has not recorded which tree it wrote.
        disk::remove_file(&site.manifest(release))?;
        return site.discard(&site.release(release));
    };
    forget_spare(site)?;
    let record = serde_json::to_vec(&Spare { release, tree }).context("cannot write what the spare is")?;
    disk::write_atomic(&site.spare_record(), &record, 0o600)?;
    disk::rename(&site.release(release), &site.spare())
}

/// The release that the spare was.
pub(super) fn spare_release(site: &Site) -> Option<u64> {
    read_spare(site).map(|spare| spare.release)
}

fn read_spare(site: &Site) -> Option<Spare> {
    serde_json::from_slice(&fs::read(site.spare_record()).ok()?).ok()
}

fn bring_spare_forward(site: &Site, repository: &Repository, tree: Oid, release: u64) -> Result<Option<Written>> {
    let Some(spare) = read_spare(site).filter(|_| site.spare().is_dir()) else { return Ok(None) };
    let manifest = site.manifest(release);
    let (folder, recorded) = (site.release(release), site.manifest(spare.release));
    disk::remove_file(&site.spare_record())?;
    disk::rename(&recorded, &manifest)?;
    disk::rename(&site.spare(), &folder)?;
    // The link to the env it ran in is nyala's, and no part of the tree.
    disk::remove_file(&folder.join("env"))?;
    let old = repository.oid(&spare.tree)?;
    let brought = checkout::bring_forward(repository, &folder, old, tree, &manifest)?;
    Ok(Some(Written {
        changed: Some(brought.written + brought.removed),
        touched: brought.touched,
        exported: brought.exported,
    }))
}

/// Gives up the spare release. The next deployment writes its whole tree.
pub(super) fn forget_spare(site: &Site) -> Result<()> {
    site.discard(&site.spare())?;
    disk::remove_file(&site.spare_record())
}
