//! Compiled Python files: whether they are current, and what other envs have of them.
//!
//! Compiling is half of what a new env takes when the wheels are in pip's cache. When a site goes
//! back to a Python that it had, an env with the same packages is often still there.

use std::fs::{self, Metadata};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::marker::Marker;
use super::site_packages;
use crate::disk::{self, Changed};
use crate::python::version::Version;

/// Gives an env the compiled files that other whole envs of the same Python have for the same
/// sources. Returns the sources to compile, and those whose compiled file was adopted: it may be
/// half a file, as Python leaves on a full disk.
///
/// Which path a compiled file names does not matter: Python puts that of the source in its place
/// when it imports the file.
///
/// What was not changed `since` then is in a copy, whose compiled files are current.
pub fn adopt(env: &Path, python: &Version, since: Option<Changed>) -> Result<Vec<PathBuf>> {
    let (Some(packages), Some(beside)) = (site_packages(env), env.parent()) else {
        return Ok(Vec::new());
    };
    let others =
        fs::read_dir(beside).with_context(|| format!("cannot read {}", beside.display()))?;
    let mut others: Vec<_> = others
        .flatten()
        .map(|entry| entry.path())
        .filter(|other| other != env)
        .filter_map(|other| {
            let marker = Marker::read(&other).filter(|marker| marker.python == *python)?;
            Some((marker.deployment, site_packages(&other)?))
        })
        .collect();
    // The newest is the most likely to be the same.
    others.sort_by_key(|(deployment, _)| std::cmp::Reverse(*deployment));
    let others: Vec<_> = others.into_iter().map(|(_, packages)| packages).collect();
    let mut adopting = Adopting { format: Format::of(python), since, left: Vec::new() };
    adopting.folder(&packages, &others)?;
    Ok(adopting.left)
}

/// How a Python names and stamps its compiled files.
struct Format {
    /// `cpython-312`
    tag: String,
    /// Where the time and size of the source are, four bytes each.
    stamp: usize,
}

impl Format {
    fn of(python: &Version) -> Format {
        // PEP 552 added flags, which say that a file is checked by time and size when all are zero.
        let stamp = if (python.major, python.minor) >= (3, 7) { 8 } else { 4 };
        Format { tag: format!("cpython-{}{}", python.major, python.minor), stamp }
    }

    fn header(&self) -> usize {
        self.stamp + 8
    }

    /// Whether this is the start of a compiled file that Python uses for a source as it is now.
    fn is_current(&self, start: &[u8], source: &Metadata) -> bool {
        start.len() >= self.header()
            && (!self.is_by_time(start) || start[self.stamp..self.header()] == stamp(source))
    }

    fn is_by_time(&self, start: &[u8]) -> bool {
        start[4..self.stamp].iter().all(|flag| *flag == 0)
    }
}

struct Adopting {
    format: Format,
    since: Option<Changed>,
    left: Vec<PathBuf>,
}

impl Adopting {
    fn folder(&mut self, folder: &Path, others: &[PathBuf]) -> Result<()> {
        let cache = folder.join("__pycache__");
        let entries =
            fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && name != "__pycache__" {
                let within: Vec<_> = others.iter().map(|other| other.join(&name)).collect();
                self.folder(&path, &within)?;
            } else if let (true, Some(stem)) =
                (kind.is_file(), name.to_str().and_then(|name| name.strip_suffix(".py")))
                && let Ok(metadata) = entry.metadata()
                && self.since.is_none_or(|since| Changed::of(&metadata) >= since)
            {
                let compiled = format!("{stem}.{}.pyc", self.format.tag);
                if self.format.is_current(&start(&cache.join(&compiled)), &metadata) {
                    continue;
                }
                let found = others
                    .iter()
                    .find_map(|other| self.found(&path, &metadata, &other.join(&name), &compiled));
                let Some(bytes) = found else {
                    self.left.push(path);
                    continue;
                };
                if !cache.is_dir() {
                    disk::create_dir(&cache)?;
                }
                // As Python does: readable as its source is, and replaceable.
                let mode = metadata.permissions().mode() & 0o777 | 0o200;
                let target = cache.join(&compiled);
                // What is there may be another name of a file elsewhere.
                disk::remove_file(&target)?;
                disk::write(&target, &bytes, mode)?;
                self.left.push(path);
            }
        }
        Ok(())
    }

    /// What `source` compiles to, from the file `compiled` of another source that is the same byte
    /// for byte; `None` when it is not the same, or not compiled by time and size.
    fn found(
        &self,
        source: &Path,
        metadata: &Metadata,
        other: &Path,
        compiled: &str,
    ) -> Option<Vec<u8>> {
        let there = fs::symlink_metadata(other)
            .ok()
            .filter(|there| there.is_file() && there.len() == metadata.len())?;
        let mut bytes = fs::read(other.parent()?.join("__pycache__").join(compiled)).ok()?;
        let header = self.format.header();
        let is_current = bytes.len() > header
            && self.format.is_by_time(&bytes)
            && self.format.is_current(&bytes, &there);
        if !is_current || fs::read(source).ok()? != fs::read(other).ok()? {
            return None;
        }
        bytes[self.format.stamp..header].copy_from_slice(&stamp(metadata));
        Some(bytes)
    }
}

/// The first bytes of a file, as many as there are; none when it cannot be read.
fn start(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16);
    if let Ok(file) = fs::File::open(path) {
        let _ = file.take(16).read_to_end(&mut bytes);
    }
    bytes
}

/// Time and size of a source, as a compiled file records them: both modulo 2^32.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "PEP 552 asks for the lowest 32 bits"
)]
fn stamp(of: &Metadata) -> [u8; 8] {
    let (time, size) = (of.mtime() as u32, of.len() as u32);
    let mut stamp = [0; 8];
    stamp[..4].copy_from_slice(&time.to_le_bytes());
    stamp[4..].copy_from_slice(&size.to_le_bytes());
    stamp
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source with a compiled file that says when and from how much it was made.
    fn write(folder: &Path, text: &str, compiled: Option<&[u8]>) {
        fs::create_dir_all(folder.join("__pycache__")).unwrap();
        let source = folder.join("a.py");
        fs::write(&source, text).unwrap();
        if let Some(code) = compiled {
            let stamp = stamp(&fs::metadata(&source).unwrap());
            let bytes = [b"magi", [0; 4].as_slice(), &stamp, code].concat();
            fs::write(folder.join("__pycache__/a.cpython-312.pyc"), bytes).unwrap();
        }
    }

    fn set_modified(source: &Path, seconds: u64) {
        let file = fs::File::options().write(true).open(source).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn only_what_is_the_same_and_current_is_adopted() {
        let folder = tempfile::tempdir().unwrap();
        let (new, other) = (folder.path().join("new"), folder.path().join("other"));
        let left = || {
            let format = Format::of(&"3.12.1".parse().unwrap());
            let mut adopting = Adopting { format, since: None, left: Vec::new() };
            adopting.folder(&new, std::slice::from_ref(&other)).unwrap();
            adopting.left.len()
        };
        let compiled = new.join("__pycache__/a.cpython-312.pyc");
        write(&other, "x = 1\n", Some(b"code"));
        write(&new, "x = 1\n", None);
        set_modified(&new.join("a.py"), 7);
        assert_eq!(left(), 1);
        assert_eq!(
            fs::read(&compiled).unwrap(),
            [b"magi".as_slice(), &[0; 4], &[7, 0, 0, 0, 6, 0, 0, 0], b"code"].concat()
        );

        fs::write(&compiled, [b"magi".as_slice(), &[0; 4], &[7, 0, 0, 0, 6, 0, 0, 0]].concat())
            .unwrap();
        set_modified(&new.join("a.py"), 7);
        assert_eq!(left(), 0, "what is there and current stays");
        assert_eq!(fs::read(&compiled).unwrap().len(), 16);

        write(&new, "x = 2\n", None);
        assert_eq!(left(), 1, "another text of the same length");
        write(&new, "x = 1\n", None);
        set_modified(&other.join("a.py"), 0);
        assert_eq!(left(), 1, "compiled from another state of it");
    }

    #[test]
    fn before_python_3_7_the_header_is_shorter() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "x = 1\n", None);
        let source = fs::metadata(folder.path().join("a.py")).unwrap();
        let bytes = [b"magi".as_slice(), &stamp(&source), b"code"].concat();
        assert!(Format::of(&"3.6.15".parse().unwrap()).is_current(&bytes, &source));
        assert!(!Format::of(&"3.7.1".parse().unwrap()).is_current(&bytes[..12], &source));
    }
}
