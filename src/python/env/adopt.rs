//! Takes the compiled files of another env over, for sources that are the same byte for byte.
//!
//! Compiling is half of what a new env takes when the wheels are in pip's cache, and when a site
//! goes back to a Python that it had, an env with the same packages is often still there.

use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::marker::Marker;
use super::site_packages;
use crate::disk;
use crate::ids::DeploymentId;
use crate::python::version::Version;

/// The start of a `.pyc`: magic number, flags, time and size of its source (PEP 552); since Python
/// 3.7.
const HEADER: usize = 16;

/// Gives an env the compiled files that whole envs of the same Python beside it have for the same
/// sources. Returns how many.
///
/// Where a compiled file says that it came from does not matter: Python puts in the path of the
/// source that it is loaded for.
pub fn adopt(env: &Path, python: &Version) -> Result<usize> {
    let (Some(packages), Some(beside)) = (site_packages(env), env.parent()) else { return Ok(0) };
    if (python.major, python.minor) < (3, 7) {
        return Ok(0);
    }
    let others =
        fs::read_dir(beside).with_context(|| format!("cannot read {}", beside.display()))?;
    let mut others: Vec<(DeploymentId, PathBuf)> = others
        .flatten()
        .map(|entry| entry.path())
        .filter(|other| other != env)
        .filter_map(|other| {
            let marker = Marker::read(&other).filter(|marker| marker.python == *python)?;
            Some((marker.deployment, site_packages(&other)?))
        })
        .collect();
    // Most likely to be the same is what was made last.
    others.sort_by_key(|(deployment, _)| std::cmp::Reverse(*deployment));
    let others: Vec<_> = others.into_iter().map(|(_, packages)| packages).collect();
    let tag = format!("cpython-{}{}", python.major, python.minor);
    adopt_folder(&packages, &others, &tag)
}

fn adopt_folder(folder: &Path, others: &[PathBuf], tag: &str) -> Result<usize> {
    let others: Vec<PathBuf> = others.iter().filter(|other| other.is_dir()).cloned().collect();
    if others.is_empty() {
        return Ok(0);
    }
    let mut adopted = 0;
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?.flatten()
    {
        let (name, path) = (entry.file_name(), entry.path());
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() && name != "__pycache__" {
            let within: Vec<_> = others.iter().map(|other| other.join(&name)).collect();
            adopted += adopt_folder(&path, &within, tag)?;
        } else if let (true, Some(stem)) =
            (metadata.is_file(), name.to_str().and_then(|name| name.strip_suffix(".py")))
        {
            let compiled = format!("{stem}.{tag}.pyc");
            let cache = folder.join("__pycache__");
            if cache.join(&compiled).exists() {
                continue;
            }
            let found = others
                .iter()
                .find_map(|other| compiled_of(&path, &metadata, &other.join(&name), &compiled));
            if let Some(bytes) = found {
                if !cache.is_dir() {
                    disk::create_dir(&cache)?;
                }
                // As Python does: readable as its source is, and replaceable.
                disk::write(
                    &cache.join(&compiled),
                    &bytes,
                    metadata.permissions().mode() & 0o777 | 0o200,
                )?;
                adopted += 1;
            }
        }
    }
    Ok(adopted)
}

/// What `source` compiles to, from the file `compiled` of another source that is the same; `None`
/// when it is not the same, or not compiled by time and size.
fn compiled_of(
    source: &Path,
    metadata: &Metadata,
    other: &Path,
    compiled: &str,
) -> Option<Vec<u8>> {
    let there = fs::symlink_metadata(other)
        .ok()
        .filter(|there| there.is_file() && there.len() == metadata.len())?;
    let mut bytes = fs::read(other.parent()?.join("__pycache__").join(compiled)).ok()?;
    let stamp = |of: &Metadata| -> [u8; 8] {
        // Both are kept modulo 2^32.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "PEP 552 asks for the lowest 32 bits"
        )]
        let (time, size) = (of.mtime() as u32, of.len() as u32);
        let mut stamp = [0; 8];
        stamp[..4].copy_from_slice(&time.to_le_bytes());
        stamp[4..].copy_from_slice(&size.to_le_bytes());
        stamp
    };
    let is_current =
        bytes.len() > HEADER && bytes[4..8] == [0; 4] && bytes[8..HEADER] == stamp(&there);
    if !is_current || fs::read(source).ok()? != fs::read(other).ok()? {
        return None;
    }
    bytes[8..HEADER].copy_from_slice(&stamp(metadata));
    Some(bytes)
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
            let metadata = fs::metadata(&source).unwrap();
            let time = u32::try_from(metadata.mtime()).unwrap().to_le_bytes();
            let size = u32::try_from(metadata.len()).unwrap().to_le_bytes();
            let bytes = [b"magi", [0; 4].as_slice(), &time, &size, code].concat();
            fs::write(folder.join("__pycache__/a.cpython-312.pyc"), bytes).unwrap();
        }
    }

    #[test]
    fn only_what_is_the_same_and_current_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let (new, other) = (folder.path().join("new"), folder.path().join("other"));
        let adopt = || adopt_folder(&new, std::slice::from_ref(&other), "cpython-312").unwrap();
        write(&other, "x = 1\n", Some(b"code"));
        write(&new, "x = 1\n", None);
        let old = fs::File::options().write(true).open(new.join("a.py")).unwrap();
        old.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(7)).unwrap();
        assert_eq!(adopt(), 1);
        let compiled = fs::read(new.join("__pycache__/a.cpython-312.pyc")).unwrap();
        assert_eq!(
            compiled,
            [b"magi".as_slice(), &[0; 4], &[7, 0, 0, 0, 6, 0, 0, 0], b"code"].concat()
        );

        assert_eq!(adopt(), 0, "what is there stays");
        fs::remove_file(new.join("__pycache__/a.cpython-312.pyc")).unwrap();
        write(&new, "x = 2\n", None);
        assert_eq!(adopt(), 0, "another text of the same length");
        write(&new, "x = 1\n", None);
        let other_source = fs::File::options().write(true).open(other.join("a.py")).unwrap();
        other_source.set_modified(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(adopt(), 0, "compiled from another state of it");
    }
}
