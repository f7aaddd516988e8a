//! Empties the trash, and says how much of the disk that frees.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::holders::{Held, holders};
use super::prune::unless_mounted;
use crate::disk;
use crate::site::{Site, entry_name};
use crate::user_error::UserError;

/// What emptying the trash came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrashReport {
    pub freed: Vec<Freed>,
    pub held: Vec<Held>,
}

/// One thing that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freed {
    /// What it was: `release 3`, `env 2`.
    pub what: String,
    /// What it took on the disk and nothing else takes now, in bytes. A file with another link
    /// elsewhere frees nothing.
    pub bytes: u64,
}

/// Removes what has been discarded, but for what a process still uses or something is mounted in.
/// Needs no lock: two that remove the same do no harm.
pub fn empty_trash(site: &Site) -> TrashReport {
    let trash = site.trash();
    let paths: Vec<PathBuf> = trash.iter().map(|trash| trash.path.clone()).collect();
    let mut held = holders(&paths);
    let (mut emptied, mut usage) = (TrashReport::default(), Usage::default());
    for trash in trash {
        let what = entry_name(&trash.was);
        if let Some(holder) = held.remove(&trash.path) {
            emptied.held.push(Held { what, holder });
            continue;
        }
        let bytes = usage.of(&trash.path);
        match unless_mounted(trash.remove()) {
            Ok(None) => emptied.freed.push(Freed { what, bytes }),
            Ok(Some(holder)) => emptied.held.push(Held { what, holder }),
            Err(error) => {
                tracing::debug!("{what} is removed in part: {error:#}");
                let what = format!("{what}, in part: {}", UserError::of(&error).fact);
                emptied.freed.push(Freed { what, bytes: 0 });
            }
        }
    }
    emptied
}

/// Counts blocks of the disk, a file with several names only when all of them have been seen.
#[derive(Default)]
pub(super) struct Usage {
    /// How many of the names of a file have been seen, by device and inode.
    names: HashMap<(u64, u64), u64>,
}

impl Usage {
    /// Bytes that deleting this frees, as far as one can see. No link is followed.
    pub(super) fn of(&mut self, path: &Path) -> u64 {
        /// What `st_blocks` counts in, whatever the file system's own blocks are (stat(2)).
        const BLOCK: u64 = 512;
        let mut bytes = 0;
        let mut waiting = vec![path.to_owned()];
        while let Some(path) = waiting.pop() {
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            if metadata.is_dir() {
                waiting.extend(
                    fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()),
                );
            } else if metadata.nlink() > 1 {
                let seen = self.names.entry(disk::file_id(&metadata)).or_default();
                *seen += 1;
                if *seen < metadata.nlink() {
                    continue;
                }
            }
            bytes += metadata.blocks() * BLOCK;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_two_names_counts_when_both_go() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
        for path in [&one, &two] {
            fs::create_dir(path).unwrap();
        }
        fs::write(one.join("file"), vec![1; 100_000]).unwrap();
        fs::hard_link(one.join("file"), two.join("file")).unwrap();
        assert!(Usage::default().of(&one) < 100_000);
        let mut both = Usage::default();
        assert!(both.of(&one) + both.of(&two) >= 100_000);
        assert!(both.of(&folder.path().join("gone")) == 0);
    }

    #[test]
    fn trash_is_named_as_people_know_it() {
        let of = |name: &str| entry_name(Path::new(name));
        assert_eq!(of("releases/3"), "release 3");
        assert_eq!(of("envs/12"), "env 12");
        assert_eq!(of("cache/tmp/4"), "temporary files of deployment 4");
        assert_eq!(of("cache/x"), "leftover cache/x");
    }
}
