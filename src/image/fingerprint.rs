//! Whether the files of a layer are still what they were, so that it need not be written again.

use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::layer::{Entry, Link, Part, Rules, cannot_read, entries};
use crate::hex::hex;

/// The digest of the names, sizes, times and places on disk of all that goes into a layer, and of
/// what else decides about it.
pub(super) fn fingerprint(parts: &[Part<'_>], more: &[&[u8]]) -> Result<String> {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for bytes in more {
        add(bytes);
    }
    for part in parts {
        match part {
            Part::Folder { to, owner } => add(format!("{to} {owner:?}").as_bytes()),
            Part::Bytes { to, bytes, mode } => {
                add(format!("{to} {mode}").as_bytes());
                add(bytes);
            }
            Part::Link { to, target } => add(format!("{to} {target}").as_bytes()),
            Part::Copy { from, to } => {
                add(to.as_bytes());
                let metadata = fs::metadata(from).with_context(|| cannot_read(from))?;
                look(from, &metadata, &mut add);
            }
            Part::Tree { from, to, rules } => {
                add(to.as_bytes());
                look_into(from, Path::new(""), *rules, &mut add)?;
            }
        }
    }
    Ok(hex(&hash.finalize()))
}

fn look_into(from: &Path, at: &Path, rules: &dyn Rules, add: &mut impl FnMut(&[u8])) -> Result<()> {
    for Entry { inside, path, metadata } in entries(from, at, rules)? {
        if metadata.is_dir() {
            add(inside.as_os_str().as_bytes());
            look_into(from, &inside, rules, add)?;
        } else {
            look(&inside, &metadata, add);
        }
        if metadata.is_symlink() {
            // What becomes of it depends on what is elsewhere, too.
            let target = fs::read_link(&path).with_context(|| cannot_read(&path))?;
            match rules.link(&inside, &target)? {
                Link::To(target) => add(target.as_os_str().as_bytes()),
                Link::Folder(owner) => add(format!("{owner:?}").as_bytes()),
                Link::File(file) => {
                    let metadata = fs::metadata(&file).with_context(|| cannot_read(&file))?;
                    look(&file, &metadata, add);
                }
                Link::Nothing => add(b""),
            }
        }
    }
    Ok(())
}

fn look(path: &Path, metadata: &Metadata, add: &mut impl FnMut(&[u8])) {
    add(path.as_os_str().as_bytes());
    let numbers = [
        u64::from(metadata.mode()),
        metadata.len(),
        metadata.dev(),
        metadata.ino(),
        metadata.mtime().cast_unsigned(),
        metadata.mtime_nsec().cast_unsigned(),
        metadata.ctime().cast_unsigned(),
        metadata.ctime_nsec().cast_unsigned(),
    ];
    for number in numbers {
        add(&number.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::super::layer::Owner;
    use super::*;

    /// Every link becomes this file, or an empty folder when it is not there.
    struct Follows(PathBuf);

    impl Rules for Follows {
        fn skips(&self, _: &Path, _: &Metadata) -> bool {
            false
        }

        fn link(&self, _: &Path, _: &Path) -> Result<Link> {
            let is_there = self.0.exists();
            Ok(if is_there { Link::File(self.0.clone()) } else { Link::Folder(Owner::default()) })
        }

        fn content(&self, _: &Path, _: &[u8]) -> Result<Option<Vec<u8>>> {
            Ok(None)
        }
    }

    #[test]
    fn what_a_link_becomes_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, elsewhere) = (folder.path().join("tree"), folder.path().join("elsewhere"));
        fs::create_dir(&tree).unwrap();
        symlink(&elsewhere, tree.join("link")).unwrap();
        let rules = Follows(elsewhere.clone());
        let part = Part::Tree { from: tree, to: "srv/app".to_owned(), rules: &rules };
        let parts = [part];
        let now = || fingerprint(&parts, &[]).unwrap();
        let without = now();
        assert_eq!(now(), without);
        fs::write(&elsewhere, "one").unwrap();
        let with = now();
        assert_ne!(with, without);
        fs::write(&elsewhere, "more").unwrap();
        assert_ne!(now(), with);
    }
}
