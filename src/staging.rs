//! The staging tree: a pristine copy of the live tree, from which the next deployment starts.
//!
//! The worker writes it when a deployment is over and nobody waits, from the object database. The
//! next deployment moves it to its place and writes only what differs between the two trees.
//! Nothing ever ran there, so what it holds is known. It lives where the releases are, in a folder
//! that only the owner can open; what the owner changes in it by hand is noticed (see [`seal`]):
//!
//! ```text
//! releases/.staging/            locked while somebody writes here
//! releases/.staging/tree/       becomes releases/N
//! releases/.staging/tree.json   which tree it holds; written last
//! ```
//!
//! It only saves time. Whatever is wrong with it, the whole tree is written instead.

mod seal;

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use git2::Oid;
use rustix::fs::Mode;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use crate::checkout::{Cancelled, Exported, export_unless};
use crate::console;
use crate::disk::space::{DiskUsage, free_at, shortage};
use crate::disk::{self, Changed, at, mounts};
use crate::git::Repository;
use crate::process;
use crate::site::{DeploymentId, Record, Site};

/// A tree with fewer files, links and folders is written as fast as it is staged and flushed.
const WORTHWHILE: u64 = 100;

/// What has to stay free beside a staging tree and the tree of the next deployment.
const FLOOR: DiskUsage = DiskUsage { bytes: 256 << 20, inodes: 10_000 };

/// A file takes a block or two, however small it is.
const BLOCK: u64 = 4096;

/// What the staging tree holds.
#[derive(Debug, Deserialize, Serialize)]
struct Marker {
    /// The nyala that wrote it: another one may write other bytes for the same tree.
    version: String,
    tree: String,
    holds: Exported,
    folder: Identity,
    /// What is looked at in it, and what that looked like.
    sealed: Vec<String>,
    seal: u64,
}

/// By this, a copy of the folder (of a whole site, perhaps by hard links) is told from the folder
/// that was written, and so is one in which a name was added or removed.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Identity {
    inode: u64,
    changed: i64,
    changed_nanoseconds: i64,
}

/// A look at the staging tree, by a thread: a deployment has other things to do before it needs it.
/// There is none where there was no marker.
#[derive(Debug)]
pub struct Look(Option<JoinHandle<Found>>);

/// A marker as it was read, and what it says if the tree is what it was when that was written.
type Found = (Vec<u8>, Option<Marker>);

/// Begins to look whether the staging tree can be used.
pub fn look(site: &Site) -> Look {
    let tree = site.staging_tree();
    let look = |bytes: Vec<u8>| {
        let look = move || {
            let marker = Marker::read(&bytes, &tree);
            (bytes, marker)
        };
        // Where the system allows no more threads, it is looked when the tree is taken.
        thread::Builder::new().name("staging".to_owned()).spawn(look).ok()
    };
    Look(disk::read(site.staging_marker()).ok().and_then(look))
}

impl Look {
    /// What the staging tree holds; `None` when it is not what it was when it was written.
    fn marker(self, site: &Site) -> Option<Marker> {
        let found = self.0.and_then(|thread| thread.join().ok());
        let bytes = disk::read(site.staging_marker()).ok()?;
        match found {
            Some((then, marker)) if then == bytes => marker,
            // It has been written meanwhile.
            _ => Marker::read(&bytes, &site.staging_tree()),
        }
    }
}

/// Makes the staging tree the folder `into`, which must not be there yet. Returns which tree it
/// holds; `None` when there is none that can be used, as when it belongs to another user.
pub fn take(
    site: &Site,
    repository: &Repository,
    into: &Path,
    look: Look,
) -> Option<(Oid, Exported)> {
    let taken = || -> Result<Option<(Oid, Exported)>> {
        if !site.staging_marker().exists() {
            return Ok(None);
        }
        let folder = open(&site.staging())?;
        match folder.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let marker = look.marker(site);
        // First: whatever becomes of the tree, nobody takes it for what it was.
        disk::remove_file(&site.staging_marker())?;
        // What is mounted over a file changes nothing that is looked at.
        let marker = marker
            .filter(|_| mounts::below(&site.staging_tree()).is_ok_and(|mounts| mounts.is_empty()));
        let Some(marker) = marker else {
            console::detail("The staging tree is not used: it is not as nyala wrote it.");
            return Ok(None);
        };
        let tree = repository.oid(&marker.tree)?;
        // In a shared site, another member cannot change the modes and times of its files.
        let owner = fs::symlink_metadata(site.staging_tree())?.uid();
        if owner != geteuid().as_raw() {
            return Ok(None);
        }
        disk::rename(&site.staging_tree(), into)?;
        Ok(Some((tree, marker.holds)))
    };
    taken().unwrap_or_else(|error| {
        tracing::debug!("the staging tree is not used: {error:#}");
        None
    })
}

/// Takes back what [`take`] gave and cannot be used: it is removed when nobody waits.
pub fn give_back(site: &Site, folder: &Path) -> Result<()> {
    if fs::symlink_metadata(site.staging_tree()).is_ok() {
        return site.discard(folder);
    }
    disk::rename(folder, &site.staging_tree())
}

/// Writes the staging tree of what is live, unless there is one already. For a worker whose
/// deployment is over: gives up as soon as there is a newer deployment. Never fails a deployment.
pub fn prepare(site: &Site, deployment: DeploymentId) {
    match try_prepare(site, deployment) {
        Ok(()) => {}
        // A push has arrived. The next worker removes what is there.
        Err(error) if error.is::<Cancelled>() => {}
        Err(error) => {
            tracing::debug!("there is no staging tree: {error:#}");
            let _ = disk::remove_tree(&site.staging_tree());
        }
    }
}

fn try_prepare(site: &Site, deployment: DeploymentId) -> Result<()> {
    if site.deployment_ids()?.last().is_some_and(|last| *last > deployment) {
        return Ok(());
    }
    let exists = fs::symlink_metadata(site.staging()).is_ok();
    let folder = if exists { Some(open(&site.staging())?) } else { None };
    let settings = site.settings()?;
    let live = site.live()?.map(|id| site.record(id)).transpose()?.flatten();
    let Some(Record { tree: Some(tree), usage, .. }) = live else { return Ok(()) };
    let usage = usage.release.unwrap_or_default();
    let is_wanted = settings.staging.unwrap_or(usage.inodes >= WORTHWHILE);
    let folder = match folder {
        Some(folder) => folder,
        None if !is_wanted => return Ok(()),
        None => {
            disk::create_private_dir(&site.staging())?;
            open(&site.staging())?
        }
    };
    at::ensure_mode(&folder, Mode::RWXU).context("cannot close the staging folder to others")?;
    // Whoever wrote here before gives up as this does.
    folder.lock().context("cannot lock the staging folder")?;
    if is_wanted && is_there(site) {
        return Ok(());
    }
    process::lower_priority();
    disk::remove_file(&site.staging_marker())?;
    disk::remove_tree(&site.staging_tree())?;
    if !is_wanted || !has_room(site, usage)? || site.has_newer(deployment) {
        return Ok(());
    }
    let repository = Repository::open(&site.repository(&settings))?;
    let oid = repository.oid(&tree)?;
    disk::create_dir(&site.staging_tree())?;
    let is_cancelled = || site.has_newer(deployment);
    let holds = export_unless(&repository, oid, &site.staging_tree(), &is_cancelled)?;
    disk::sync_filesystem(&site.staging_tree())?;
    let folder = Identity::of(&site.staging_tree())?;
    let open = open(&site.staging_tree())?;
    let sealed = seal::sealed(&open)?;
    let seal = seal::of(&open, &sealed)?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let marker = serde_json::to_vec(&Marker { version, tree, holds, folder, sealed, seal })
        .context("cannot write what the staging tree holds")?;
    disk::write_atomic(&site.staging_marker(), &marker, 0o600)
}

/// Moves the staging tree to the trash, for whoever needs its room; waits until nobody writes
/// there. What is not there is fine.
pub fn discard(site: &Site) -> Result<()> {
    if fs::symlink_metadata(site.staging()).is_err() {
        return Ok(());
    }
    let folder = open(&site.staging())?;
    folder.lock().context("cannot lock the staging folder")?;
    disk::remove_file(&site.staging_marker())?;
    site.discard(&site.staging_tree())
}

/// Whether there is a staging tree that the next deployment starts from.
pub fn is_there(site: &Site) -> bool {
    let marker = disk::read(site.staging_marker());
    marker.is_ok_and(|marker| Marker::read(&marker, &site.staging_tree()).is_some())
}

fn has_room(site: &Site, usage: DiskUsage) -> Result<bool> {
    let DiskUsage { bytes, inodes } = usage;
    let tree = DiskUsage { bytes: bytes.saturating_add(inodes.saturating_mul(BLOCK)), inodes };
    Ok(shortage(tree.and(tree).and(FLOOR), free_at(&site.releases())?).is_none())
}

/// Fails when it is a link.
fn open(folder: &Path) -> Result<File> {
    File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY)
        .open(folder)
        .with_context(|| format!("cannot open {}", folder.display()))
}

impl Marker {
    /// `None` when there is no staging tree that is what it was when it was written.
    fn read(marker: &[u8], tree: &Path) -> Option<Marker> {
        let marker: Marker = serde_json::from_slice(marker).ok()?;
        if marker.version != env!("CARGO_PKG_VERSION") {
            return None;
        }
        let is_same = Identity::of(tree).ok()? == marker.folder;
        let seal = || seal::of(&open(tree)?, &marker.sealed);
        (is_same && seal().ok() == Some(marker.seal)).then_some(marker)
    }
}

impl Identity {
    fn of(folder: &Path) -> Result<Identity> {
        let metadata = fs::symlink_metadata(folder)
            .with_context(|| format!("cannot access {}", folder.display()))?;
        let (inode, Changed(changed, changed_nanoseconds)) = disk::change_id(&metadata);
        Ok(Identity { inode, changed, changed_nanoseconds })
    }
}
