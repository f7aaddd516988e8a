//! By what it is noticed that somebody has written into the staging tree: a person, or a command
//! for all of a site, such as `sed -i` or `chmod -R`.
//!
//! The change time of its folders says so, which nobody can set: names that come, go or are
//! replaced change it, so `sed -i`, most editors, and `chmod -R` do. What is written in place is
//! not noticed: to look at each file would cost a pusher more than the whole push may.

use std::fs::File;

use anyhow::{Context, Result};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat};
use xxhash_rust::xxh3::Xxh3;

/// The folders in a tree: paths relative to it. A path that is not UTF-8 is left out.
pub(super) fn folders(tree: &File) -> Result<Vec<String>> {
    let mut found = Vec::new();
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
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// What these folders look like: something else once any of them has been changed. Fails when one
/// is gone.
pub(super) fn of(tree: &File, folders: &[String]) -> Result<u64> {
    let mut seen = Xxh3::new();
    for path in folders {
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
