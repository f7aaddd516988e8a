//! By what it is noticed that somebody has written into the staging tree: a person, or a command
//! for all of a site, such as `sed -i` or `chmod -R`.
//!
//! The change time of what is in it says so, which nobody can set. To look at a file takes some
//! microseconds while a pusher waits, so of a large tree only the folders are looked at: names that
//! come, go or are replaced change those, and so do most editors and `sed -i`.

use std::fs::File;

use anyhow::{Context, Result};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat};
use xxhash_rust::xxh3::Xxh3;

/// In a tree of more files than this, only folders are looked at.
const MOST_FILES: usize = 2_000;

/// What is to be looked at in a tree: paths relative to it. A path that is not UTF-8 is left out.
pub(super) fn paths(tree: &File) -> Result<Vec<String>> {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    let mut ahead = vec![String::new()];
    while let Some(folder) = ahead.pop() {
        let at = if folder.is_empty() { "." } else { &folder };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = openat(tree, at, flags, Mode::empty()).with_context(|| cannot_look(&folder))?;
        for entry in Dir::read_from(open).with_context(|| cannot_look(&folder))? {
            let entry = entry.with_context(|| cannot_look(&folder))?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." {
                continue;
            }
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            let kind = match entry.file_type() {
                FileType::Unknown => kind_of(&look(tree, &path)?),
                known => known,
            };
            if kind == FileType::Directory {
                ahead.push(path.clone());
                folders.push(path);
            } else if files.len() <= MOST_FILES {
                files.push(path);
            }
        }
    }
    if files.len() <= MOST_FILES {
        folders.append(&mut files);
    }
    Ok(folders)
}

/// What these paths look like: something else once any of them has been changed. Fails when one is
/// gone.
pub(super) fn of(tree: &File, paths: &[String]) -> Result<u64> {
    let mut seen = Xxh3::new();
    for path in paths {
        let found = look(tree, path)?;
        let Stat { st_ino, st_ctime, st_ctime_nsec, .. } = found;
        seen.update(format!("{st_ino} {st_ctime} {st_ctime_nsec} {path}\0").as_bytes());
    }
    Ok(seen.digest())
}

fn look(tree: &File, path: &str) -> Result<Stat> {
    statat(tree, path, AtFlags::SYMLINK_NOFOLLOW).with_context(|| cannot_look(path))
}

fn kind_of(found: &Stat) -> FileType {
    FileType::from_raw_mode(found.st_mode)
}

fn cannot_look(path: &str) -> String {
    format!("cannot look at {path} in the staging tree")
}
