//! Where a release's tree comes from: a spare one that is brought forward, or the whole tree
//! written anew.
//!
//! What clean-up takes out of `releases` is kept as the spare: most of its files are those of the
//! next release. Where it is gone, or is not what was recorded of it, the tree is written as a
//! whole. What an application wrote into it may be nowhere else: in a large release not all is
//! looked at before.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use git2::Oid;
use serde::{Deserialize, Serialize};

use crate::checkout::{self, Exported, Updated};
use crate::console;
use crate::disk;
use crate::git::Repository;
use crate::retention::salvage::{Look, Salvage, Salvaged, salvage};
use crate::site::{DeploymentId, ENV_LINK, Settings, Site};

/// A release's folder that holds a tree, and what has to be flushed to the disk before it goes
/// live.
#[derive(Debug)]
pub(super) struct Written {
    pub exported: Exported,
    /// What was changed in a spare that was brought forward; `None` when the whole tree was
    /// written.
    pub changed: Option<u64>,
    /// The files and folders that were touched, relative to the release; `None` for so many that
    /// the whole file system is flushed.
    pub touched: Option<Vec<PathBuf>>,
}

/// What is known of the spare, beside it.
#[derive(Deserialize, Serialize)]
struct Spare {
    release: DeploymentId,
    tree: String,
}

/// Makes the folder of a release and writes a tree into it. The log names what the application
/// wrote into the spare, also when this fails.
pub(super) fn write(
    site: &Site,
    settings: &Settings,
    repository: &Repository,
    tree: Oid,
    release: DeploymentId,
) -> Result<Written> {
    disk::create_dir_all(&site.manifests())?;
    // The whole tree can be written whatever is wrong with the spare.
    if let Some(spare) = read_spare(site).unwrap_or_default().filter(|_| site.spare().is_dir()) {
        let brought = rescue_of(site, settings, &spare).and_then(|rescue| {
            let brought = bring_forward(site, repository, &spare, tree, release, &rescue);
            rescue.salvaged().iter().for_each(Salvaged::log);
            brought
        });
        match brought {
            Ok(brought) => {
                return Ok(Written {
                    changed: Some(brought.written + brought.removed),
                    touched: brought.touched,
                    exported: brought.exported,
                });
            }
            Err(error) => {
                tracing::debug!("the spare release cannot be brought forward: {error:#}");
                match forget_spare(site, settings) {
                    Ok(kept) => kept.iter().for_each(Salvaged::log),
                    // It stays to be tried again. The whole tree is written elsewhere, and can go
                    // live all the same.
                    Err(error) => console::warning(format_args!(
                        "what the application wrote into release {} cannot be saved, so {} stays: {error:#}",
                        spare.release,
                        site.spare().display()
                    )),
                }
            }
        }
    }
    let folder = site.release(release);
    disk::create_dir(&folder)?;
    let exported = checkout::export(repository, tree, &folder, Some(&site.manifest(release)))?;
    Ok(Written { exported, changed: None, touched: None })
}

/// Keeps a release that is thrown away for the next deployment. There is one spare; another one
/// goes.
pub(crate) fn keep_spare(
    site: &Site,
    settings: &Settings,
    release: DeploymentId,
) -> Result<Option<Salvaged>> {
    let tree = site.record(release)?.and_then(|record| record.tree);
    let Some(tree) = tree.filter(|_| site.manifest(release).is_file()) else {
        // A worker that was killed has not recorded which tree it wrote.
        let kept = salvage(site, settings, release, Look::AtFiles)?;
        disk::remove_file(&site.manifest(release))?;
        site.discard(&site.release(release))?;
        return Ok(kept);
    };
    let kept = forget_spare(site, settings)?;
    let record =
        serde_json::to_vec(&Spare { release, tree }).context("cannot write what the spare is")?;
    disk::write_atomic(&site.spare_record(), &record, 0o600)?;
    disk::rename(&site.release(release), &site.spare())?;
    Ok(kept)
}

/// The release that the spare was.
pub(crate) fn spare_release(site: &Site) -> Result<Option<DeploymentId>> {
    Ok(read_spare(site)?.map(|spare| spare.release))
}

/// `None` when there is none, or nothing is known of it. Fails when that cannot be told: the spare
/// must not be thrown away then.
fn read_spare(site: &Site) -> Result<Option<Spare>> {
    let path = site.spare_record();
    match fs::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The spare becomes the release once all in it is what it should be: after a kill it is there to
/// be tried again, or to be looked through for what the application wrote.
fn bring_forward(
    site: &Site,
    repository: &Repository,
    spare: &Spare,
    tree: Oid,
    release: DeploymentId,
    rescue: &Salvage,
) -> Result<Updated> {
    let folder = site.spare();
    if !site.spare_begun().exists() {
        disk::write(&site.spare_begun(), b"", 0o600)?;
    }
    // The link to the env it ran in is nyala's, and no part of the tree. A folder is: an env that
    // is committed.
    let env = folder.join(ENV_LINK);
    if env.is_symlink() {
        disk::remove_file(&env)?;
    }
    let old = repository.oid(&spare.tree)?;
    let manifest = site.manifest(spare.release);
    let rescue = |path: &Path| rescue.look(path, Look::AtFiles);
    let brought = checkout::update(repository, &folder, old, tree, &manifest, &rescue)?;
    disk::rename(&manifest, &site.manifest(release))?;
    disk::remove_file(&site.spare_record())?;
    disk::remove_file(&site.spare_begun())?;
    disk::rename(&folder, &site.release(release))?;
    Ok(brought)
}

/// Gives up the spare release, but for what the application wrote there. The next deployment writes
/// its whole tree.
pub(crate) fn forget_spare(site: &Site, settings: &Settings) -> Result<Option<Salvaged>> {
    let mut kept = None;
    if let Some(spare) = read_spare(site)? {
        let rescue = rescue_of(site, settings, &spare)?;
        rescue.look(Path::new(""), Look::AtFiles)?;
        kept = rescue.salvaged();
        disk::remove_file(&site.manifest(spare.release))?;
    }
    site.discard(&site.spare())?;
    disk::remove_file(&site.spare_record())?;
    disk::remove_file(&site.spare_begun())?;
    Ok(kept)
}

/// Where bringing the spare forward was cut short, what nyala has written there meanwhile is not
/// the application's.
fn rescue_of<'a>(site: &'a Site, settings: &'a Settings, spare: &Spare) -> Result<Salvage<'a>> {
    let begun = fs::metadata(site.spare_begun()).and_then(|begun| begun.modified()).ok();
    Salvage::new(site, settings, spare.release, site.spare(), begun)
}
