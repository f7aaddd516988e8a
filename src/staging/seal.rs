//! By what it is noticed that somebody has written into the staging tree: a person, or a command
//! for all of a site, such as `sed -i` or `chmod -R`.
//!
//! A change time says so, which nobody can set. That of a folder changes with the names in it, so
//! `sed -i` and most editors are noticed by their folder; what is written in place changes that of
//! the file alone. A push can look at some files within a millisecond, and not at all of a large
//! tree: at 20,000 it would take as long as the rest of the push does. So those count that are
//! nearest to the top, which are all files of most sites.

use std::collections::VecDeque;
use std::fs::File;

use anyhow::{Context, Result};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat};
use xxhash_rust::xxh3::Xxh3;

/// How many files are looked at.
const MOST_FILES: usize = 1000;

/// What is looked at in a tree, as paths relative to it: each folder, and the files nearest to the
/// top. A path that is not UTF-8 is left out.
pub(super) fn sealed(tree: &File) -> Result<Vec<String>> {
    let (mut found, mut files) = (Vec::new(), 0);
    let mut ahead = VecDeque::from([String::new()]);
    while let Some(folder) = ahead.pop_front() {
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
            match kind {
                FileType::Directory => ahead.push_back(path.clone()),
                FileType::RegularFile if files < MOST_FILES => files += 1,
                _ => continue,
            }
            found.push(path);
        }
    }
    Ok(found)
}

/// What these folders and files look like: something else once any of them has been changed. Fails
/// when one is gone.
pub(super) fn of(tree: &File, sealed: &[String]) -> Result<u64> {
    let mut seen = Xxh3::new();
    for path in sealed {
        let Stat { st_ino, st_ctime, st_ctime_nsec, .. } = look(tree, path)?;
        seen.update(&st_ino.to_le_bytes());
        seen.update(&st_ctime.to_le_bytes());
        seen.update(&st_ctime_nsec.to_le_bytes());
        seen.update(path.as_bytes());
        seen.update(b"\0");
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn all_folders_count_and_the_files_nearest_to_the_top() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        fs::create_dir_all(&below).unwrap();
        for number in 0..MOST_FILES {
            fs::write(below.join(format!("{number}")), "").unwrap();
        }
        for path in ["top", "a/one"] {
            fs::write(folder.path().join(path), "").unwrap();
        }
        let tree = File::open(folder.path()).unwrap();
        let sealed = sealed(&tree).unwrap();
        assert_eq!(sealed.len(), MOST_FILES + 2);
        for path in ["a", "a/b", "top", "a/one"] {
            assert!(sealed.iter().any(|it| it == path), "{path}");
        }
    }
}
