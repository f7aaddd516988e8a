//! Replaces the Git LFS pointers of a commit by the files that they stand for.
//!
//! Objects that were pushed to this server are in its repository (`lfs/objects`, where git-lfs puts
//! them). They are copied from there, without git-lfs. Others are fetched by `git lfs fetch`, which
//! reads `.lfsconfig` and the remotes.

mod error;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::checkout::{self, LFS_SPEC};
use crate::console;
use crate::disk;
use crate::git;
use crate::hex::hex;
use crate::process;
use crate::submodules::{Fetching, Filled};
use crate::user_error::UserError;

/// The longest pointer that git-lfs reads, in bytes.
const LONGEST: u64 = 1024;

/// What a pointer stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pointer {
    /// SHA-256 of the content, in hex.
    oid: String,
    /// Of the content, in bytes.
    size: u64,
}

/// Replaces the pointers in what was written below `release`. Fails when the content of one is
/// missing: a site of pointers is a broken site.
pub fn smudge(fetching: &Fetching<'_>, release: &Path, filled: &Filled) -> Result<()> {
    let Filled { repository, folder, pointers, .. } = filled;
    let root = release.join(folder);
    let wanted: Vec<_> = with_the_filter(filled, pointers)?
        .into_iter()
        .filter_map(|path| Some((path, read(&root.join(path))?)))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let step = console::step(format_args!(
        "Git LFS: {} file{}",
        wanted.len(),
        if wanted.len() == 1 { "" } else { "s" }
    ));
    let is_missing = |(_, pointer): &&(&PathBuf, Pointer)| !pointer.is_in(repository);
    let missing: Vec<_> = wanted.iter().filter(is_missing).collect();
    if let Some((path, _)) = missing.first() {
        let fetched = fetch(fetching, filled);
        if let Some((path, pointer)) = missing.iter().find(|entry| is_missing(entry)) {
            let objects = repository.join("lfs/objects");
            let fetched = fetched.err().map(|error| UserError::of(&error));
            let path = folder.join(path);
            bail!(error::not_here(&objects, &path, pointer, missing.len(), fetched));
        }
        tracing::debug!("fetched {} objects for {} and others", missing.len(), path.display());
    }
    for (path, pointer) in &wanted {
        let file = root.join(path);
        pointer
            .put(repository, &file)
            .with_context(|| format!("{} cannot be filled", folder.join(path).display()))?;
    }
    step.done();
    Ok(())
}

/// Those of the paths that the commit's attributes give to Git LFS. A file that looks like a
/// pointer may be an example of one.
fn with_the_filter<'p>(filled: &Filled, paths: &'p [PathBuf]) -> Result<Vec<&'p PathBuf>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let objects = git::open_objects(&filled.repository)?;
    let in_whole: Vec<PathBuf> = paths.iter().map(|path| filled.project.join(path)).collect();
    // The attributes of a path that is not UTF-8 are not looked up: what looks like a pointer is
    // taken for one.
    let names = in_whole.iter().filter_map(|path| path.to_str());
    let filters = checkout::filters(&objects, filled.whole, names)?;
    let mut filters = filters.into_iter();
    let is_lfs = |(_, path): &(&PathBuf, &PathBuf)| {
        path.to_str().is_none() || filters.next().flatten().is_some_and(|name| name == b"lfs")
    };
    Ok(paths.iter().zip(&in_whole).filter(is_lfs).map(|(path, _)| path).collect())
}

fn fetch(fetching: &Fetching<'_>, filled: &Filled) -> Result<()> {
    let fetch = fetching
        .git(&filled.repository)
        .args(["lfs", "fetch", "origin", &filled.commit])
        .named("git lfs fetch");
    process::capture(&fetch)?;
    Ok(())
}

/// The pointer in a file; `None` when the file is not a pointer.
fn read(path: &Path) -> Option<Pointer> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > LONGEST {
        return None;
    }
    Pointer::parse(&fs::read_to_string(path).ok()?)
}

impl Pointer {
    /// Parses a pointer:
    /// <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>.
    fn parse(text: &str) -> Option<Pointer> {
        let mut lines = text.lines();
        lines.next()?.strip_prefix(LFS_SPEC)?.strip_prefix('v')?;
        let (mut oid, mut size) = (None, None);
        for line in lines {
            match line.split_once(' ')? {
                ("oid", value) => oid = value.strip_prefix("sha256:").filter(|oid| is_sha256(oid)),
                ("size", value) => size = value.parse().ok(),
                _ => {}
            }
        }
        Some(Pointer { oid: oid?.to_owned(), size: size? })
    }

    fn object(&self, repository: &Path) -> PathBuf {
        repository.join("lfs/objects").join(&self.oid[..2]).join(&self.oid[2..4]).join(&self.oid)
    }

    fn is_in(&self, repository: &Path) -> bool {
        fs::metadata(self.object(repository))
            .is_ok_and(|metadata| metadata.is_file() && metadata.len() == self.size)
    }

    /// Replaces the pointer by its content, whose hash is checked.
    fn put(&self, repository: &Path, to: &Path) -> Result<()> {
        let object = self.object(repository);
        let reading = || format!("cannot read {}", object.display());
        let mut from = File::open(&object).with_context(reading)?;
        let mode = fs::symlink_metadata(to)?.permissions().mode();
        disk::replace_file(to, mode & 0o777, |file| {
            let mut hash = Sha256::new();
            let mut buffer = vec![0; 256 << 10];
            loop {
                let count = from.read(&mut buffer).with_context(reading)?;
                if count == 0 {
                    break;
                }
                hash.update(&buffer[..count]);
                file.write_all(&buffer[..count])?;
            }
            let found = hex(&hash.finalize());
            if found != self.oid {
                bail!(error::damaged(&object, &found));
            }
            Ok(())
        })
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_pointers_are_pointers() {
        let oid = "ab".repeat(32);
        let text =
            format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n");
        assert_eq!(Pointer::parse(&text), Some(Pointer { oid: oid.clone(), size: 12345 }));
        let path = Pointer::parse(&text).unwrap().object(Path::new("/r.git"));
        assert_eq!(path, Path::new("/r.git/lfs/objects/ab/ab").join(oid));
        for wrong in [
            "hello\n".to_owned(),
            text.replace("sha256", "md5"),
            text.replace("abab", "../x"),
            text.replace("size 12345\n", ""),
            text.replace("version", "Version"),
        ] {
            assert_eq!(Pointer::parse(&wrong), None, "{wrong}");
        }
    }
}
