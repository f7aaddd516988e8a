//! What a push by root has left in the repository of somebody else becomes the owner's.
//!
//! git has written the objects and refs of the push before any hook of nyala's runs. As root's they
//! would stop the owner's next push.
//!
//! Root gives away folders alone. Files the owner copies, so that none becomes readable that was
//! not: what is in a folder of the owner's may be a link to, or have been moved from, anywhere.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::process::{Gid, Uid};

use crate::disk;

/// Gives the folders of a repository that are root's to the owner of the site, and returns the
/// files that are root's: see [`file`]. A repository of somebody else is left alone.
pub(super) fn folders(repository: &Path, owner: u32) -> Result<Vec<PathBuf>> {
    let look = || format!("cannot look at {}", repository.display());
    let repository = repository.canonicalize().with_context(look)?;
    let top = fs::symlink_metadata(&repository).with_context(look)?;
    let is_repository = repository.join("objects").is_dir() && repository.join("HEAD").is_file();
    let mut files = Vec::new();
    if is_repository && top.uid() == owner {
        below(&repository, Uid::from_raw(owner), Gid::from_raw(top.gid()), &mut files)
            .with_context(|| format!("cannot give {} to its owner", repository.display()))?;
    }
    Ok(files)
}

fn below(folder: &Path, owner: Uid, group: Gid, files: &mut Vec<PathBuf>) -> Result<()> {
    let reading = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(reading)?.flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        let path = entry.path();
        if metadata.is_dir() {
            if metadata.uid() == 0 {
                disk::give_folder(&path, owner, group)?;
            }
            below(&path, owner, group, files)?;
        } else if metadata.is_file() && metadata.uid() == 0 {
            files.push(path);
        }
    }
    Ok(())
}

/// Replaces a file that is somebody else's by a copy of it that belongs to this process.
pub(super) fn file(path: &Path) -> Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.is_file() || metadata.uid() == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let copy = path.with_file_name(format!("{}{name}", disk::temporary_prefix()));
    disk::copy_file(path, &copy)?;
    disk::rename(&copy, path)
}
