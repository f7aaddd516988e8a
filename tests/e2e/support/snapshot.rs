//! The contents of a folder, to be compared later.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::wait_until;

/// The paths below a folder, and what they are.
pub(crate) type Snapshot = BTreeMap<PathBuf, Entry>;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    File { mode: u32, digest: [u8; 32] },
    Link(PathBuf),
    Folder { mode: u32 },
    Other,
}

pub(crate) fn snapshot(folder: &Path) -> Snapshot {
    snapshot_without(folder, &[])
}

/// Skips everything with one of these names.
pub(crate) fn snapshot_without(folder: &Path, names: &[&str]) -> Snapshot {
    let mut found = Snapshot::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap().map(Result::unwrap) {
            if names.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            let path = entry.path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let mode = metadata.permissions().mode() & 0o7777;
            let seen = if metadata.is_dir() {
                folders.push(path.clone());
                Entry::Folder { mode }
            } else if metadata.is_symlink() {
                Entry::Link(fs::read_link(&path).unwrap())
            } else if metadata.is_file() {
                let digest = Sha256::digest(fs::read(&path).unwrap()).into();
                Entry::File { mode, digest }
            } else {
                Entry::Other
            };
            found.insert(path.strip_prefix(folder).unwrap().to_owned(), seen);
        }
    }
    found
}

/// A snapshot of a site, once nothing of it is being cleaned up any more.
pub(crate) fn snapshot_at_rest(site: &Path) -> Snapshot {
    wait_until_quiet(site);
    snapshot(site)
}

/// Waits until no hook and no worker of this site is running: each holds a lock on the log of its
/// deployment. A worker still cleans up when its push has ended.
pub(crate) fn wait_until_quiet(site: &Path) {
    let writer_is_gone = |folder: PathBuf| {
        let log = File::open(folder.join("log.txt"));
        log.is_ok_and(|log| log.try_lock_shared().is_ok()) || !folder.join("log.txt").exists()
    };
    wait_until("the site is quiet", || {
        let entries = fs::read_dir(site.join("deployments")).unwrap();
        entries.flatten().all(|entry| writer_is_gone(entry.path()))
    });
}
