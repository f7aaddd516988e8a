//! What a push by root has left in the repository of somebody else becomes the owner's.
//!
//! git has written the objects and refs of the push before any hook of nyala's runs. As root's they
//! would stop the owner's next push.
//!
//! Root gives away folders, and of the files those that git wrote for root alone, as with a umask
//! of 077. Other files the owner copies, so that none becomes readable that was not: what is in a
//! folder of the owner's may be a link to, or have been moved from, anywhere.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::process::Uid;

use super::of_git::{START, is_of_git};
use crate::disk;

/// Gives what is root's in a repository to the owner of the site, and returns the files that the
/// owner has to copy: see [`file`]. A repository of somebody else is left alone. `moves` is what
/// git tells its hooks of the refs that the push has moved.
pub(super) fn repository(repository: &Path, owner: u32, moves: &[u8]) -> Result<Vec<PathBuf>> {
    let repository = repository
        .canonicalize()
        .with_context(|| format!("cannot look at {}", repository.display()))?;
    let is_repository = repository.join("objects").is_dir() && repository.join("HEAD").is_file();
    if !is_repository {
        return Ok(Vec::new());
    }
    disk::give_below(&repository, Uid::from_raw(owner), &|path, file| {
        let mut start = vec![0; START];
        let read = file.read_at(&mut start, 0).unwrap_or(0);
        is_of_git(path, &start[..read], moves)
    })
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
