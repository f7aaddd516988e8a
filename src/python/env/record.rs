//! The RECORD of an installed package, which lists its files with a hash and a size each.
//!
//! Source: <https://packaging.python.org/en/latest/specifications/recording-installed-packages/>.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::site_packages;
use crate::disk;

/// What a RECORD says of a file that was rewritten.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rewritten {
    hash: String,
    size: usize,
}

impl Rewritten {
    pub(super) fn of(bytes: &[u8]) -> Rewritten {
        Rewritten { hash: base64_url(&Sha256::digest(bytes)), size: bytes.len() }
    }
}

/// Corrects the RECORDs of an env for these files, which are named relative to the env.
pub(super) fn update(env: &Path, rewritten: &HashMap<PathBuf, Rewritten>) -> Result<()> {
    let Some(packages) = site_packages(env).filter(|_| !rewritten.is_empty()) else {
        return Ok(());
    };
    let within = packages.strip_prefix(env).unwrap_or(&packages).to_owned();
    let reading = || format!("cannot read {}", packages.display());
    for entry in fs::read_dir(&packages).with_context(reading)?.flatten() {
        let record = entry.path().join("RECORD");
        let Ok(text) = fs::read_to_string(&record) else { continue };
        let lines: Vec<String> = text
            .split_inclusive('\n')
            .map(|line| updated(line, &within, rewritten).unwrap_or_else(|| line.to_owned()))
            .collect();
        let new = lines.concat();
        if new != text {
            disk::write(&record, new.as_bytes(), 0o644)?;
        }
    }
    Ok(())
}

/// A line of a RECORD for a file that was rewritten; `None` when it is about another file, or has
/// no hash.
fn updated(line: &str, packages: &Path, rewritten: &HashMap<PathBuf, Rewritten>) -> Option<String> {
    let (rest, _) = line.trim_end().rsplit_once(',')?;
    let (path, _) = rest.rsplit_once(",sha256=")?;
    let name = path.trim_matches('"').replace("\"\"", "\"");
    let Rewritten { hash, size } = rewritten.get(&normal(&packages.join(name)))?;
    Some(format!("{path},sha256={hash},{size}\n"))
}

/// A path without `..` in it, whatever is there.
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// Base64 with the alphabet of URLs and without padding.
fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let mut all = [0; 4];
        all[1..=part.len()].copy_from_slice(part);
        let number = u32::from_be_bytes(all);
        for place in 0..=part.len() {
            let digit = (number >> (18 - 6 * place)) & 63;
            text.push(char::from(ALPHABET[digit as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_as_pip_does() {
        assert_eq!(
            Rewritten::of(b"").hash,
            "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
            "the SHA-256 of nothing"
        );
        assert_eq!(base64_url(b"ab"), "YWI");
    }

    #[test]
    fn only_lines_of_rewritten_files_change() {
        let rewritten = HashMap::from([(PathBuf::from("bin/x"), Rewritten::of(b"new"))]);
        let packages = Path::new("lib/python3.12/site-packages");
        let line = updated("../../../bin/x,sha256=old,1\n", packages, &rewritten).unwrap();
        assert_eq!(line, format!("../../../bin/x,sha256={},3\n", Rewritten::of(b"new").hash));
        for other in ["x,sha256=old,1\n", "../../../bin/x,,\n", "x.dist-info/RECORD,,"] {
            assert_eq!(updated(other, packages, &rewritten), None, "{other}");
        }
    }
}
