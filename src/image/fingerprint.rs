//! Whether the files of a layer are still what they were, so that it need not be written again.

use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::layer::{Part, Rules, cannot_read, names};
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
    let folder = from.join(at);
    for name in names(&folder)? {
        let (inside, path) = (at.join(&name), folder.join(&name));
        let metadata = fs::symlink_metadata(&path).with_context(|| cannot_read(&path))?;
        if rules.skips(&inside, &metadata) {
            continue;
        }
        if metadata.is_dir() {
            add(inside.as_os_str().as_bytes());
            look_into(from, &inside, rules, add)?;
        } else {
            look(&inside, &metadata, add);
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
