//! A folder for the files of one process: layers that are written, objects that are patched.

use std::path::PathBuf;

use anyhow::Result;

use super::Site;
use crate::disk;

/// A folder for the files of this process, which is removed at its end. After a kill, the next one
/// or a deployment removes it. Unlike [`Site::temporary`], no other process removes it.
#[derive(Debug)]
pub struct Temporary {
    pub folder: PathBuf,
}

impl Temporary {
    pub fn new(site: &Site) -> Result<Temporary> {
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
