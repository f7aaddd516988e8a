//! What is known of layers that were written or read before, so that they need not be again. It
//! only saves time.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::disk;
use crate::site::Site;

/// How many are kept.
const MOST: usize = 64;

/// The digest of nyala's own source, which `build.rs` takes: any other build may write or read
/// layers in another way, also one of the same version.
const CODE: &str = env!("NYALA_CODE");

pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(super) fn of(site: &Site) -> Cache {
        let folder = site.cache().join("images");
        disk::remove_abandoned(&folder);
        Cache { folder }
    }

    pub(super) fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let bytes = disk::read(self.file(name)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    pub(super) fn put(&self, name: &str, value: &impl Serialize) -> Result<()> {
        disk::create_private_dir_all(&self.folder)?;
        disk::write_atomic_unflushed(&self.file(name), &serde_json::to_vec(value)?, 0o600)?;
        self.prune()
    }

    pub(super) fn forget(&self, name: &str) -> Result<()> {
        disk::remove_file(&self.file(name))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{CODE}-{}.json", name.replace(':', "-")))
    }

    /// Removes the oldest.
    fn prune(&self) -> Result<()> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<(SystemTime, PathBuf)> = entries
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort();
        let more = files.len().saturating_sub(MOST);
        files[..more].iter().try_for_each(|(_, path)| disk::remove_file(path))
    }
}
