//! A folder for the layers that are written.

use std::path::PathBuf;

use anyhow::Result;

use crate::disk;
use crate::site::Site;

/// A folder for the files of this process, which is removed at its end. After a kill, the next
/// image or deployment removes it.
pub(super) struct Temporary {
    pub(super) folder: PathBuf,
}

impl Temporary {
    pub(super) fn new(site: &Site) -> Result<Temporary> {
        disk::create_dir_all(&site.cache())?;
        disk::remove_abandoned(&site.cache());
        let folder = disk::create_temporary_dir(&site.cache())?;
        Ok(Temporary { folder })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What is left is found by its name.
        let _ = disk::remove_tree(&self.folder);
    }
}
