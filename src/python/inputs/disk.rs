//! Inputs that lie on the machine, outside of the commit.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::python::dependencies::requirements_txt::{self, Reference};
use crate::python::dependencies::{Found, Input, MutableReference};

/// Of a longer file, only its size and its time of change count.
const LONGEST: u64 = 10 << 20;
/// More files in a folder than this are recorded as one.
const MOST_FILES: usize = 5000;
/// How many files may include each other.
const MOST_INCLUDES: usize = 1000;

/// The bytes of a plain file.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !is_plain(path) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// SHA-256 of what a file says, in hex. Credentials in URLs are left out: a digest of a short
/// password can be guessed, and a token that is renewed installs nothing else.
pub(super) fn digest(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    hex(&Sha256::digest(requirements_txt::without_credentials(&text).as_bytes()))
}

/// A file as it is now; `None` when it is not there.
pub(super) fn input(path: &Path, by: &str) -> Option<Input> {
    let metadata = fs::metadata(path).ok().filter(Metadata::is_file)?;
    let digest = match read(path) {
        Ok(bytes) if metadata.len() < LONGEST => digest(&bytes),
        _ => identity(&metadata),
    };
    Some(Input { path: path.display().to_string(), by: by.to_owned(), digest })
}

/// A requirements file and everything that it includes.
pub(super) fn requirements(
    path: &Path,
    by: &str,
    files: &mut Vec<Input>,
    found: &mut Vec<Found>,
    mutable: &mut Vec<MutableReference>,
) {
    let mut seen = BTreeSet::new();
    let mut ahead = vec![(path.to_owned(), by.to_owned())];
    while let Some((path, by)) = ahead.pop() {
        if seen.len() >= MOST_INCLUDES || !seen.insert(path.clone()) {
            continue;
        }
        let Some(input) = input(&path, &by) else { continue };
        files.push(input);
        let folder = path.parent().unwrap_or(&path);
        for reference in requirements_txt::references(&read(&path).unwrap_or_default()) {
            match reference {
                Reference::Include(other) => {
                    ahead.push((folder.join(other), path.display().to_string()));
                }
                Reference::FindLinks(other) => found.extend(offered(&folder.join(other))),
                Reference::Archive(other) => {
                    files.extend(self::input(Path::new(&other), &path.display().to_string()));
                }
                Reference::Mutable { text, why, fix } => mutable.push(MutableReference {
                    file: path.display().to_string(),
                    number: 0,
                    text: requirements_txt::without_secrets(&text),
                    why: why.to_owned(),
                    fix: fix.to_owned(),
                }),
            }
        }
    }
}

/// What a folder for `--find-links` offers. Archives are known by size, time of change and inode:
/// reading gigabytes at each push would cost more than a rebuild now and then.
pub(super) fn offered(path: &Path) -> Vec<Found> {
    let found = |path: PathBuf, id| Found { path: path.display().to_string(), id };
    if is_plain(path) {
        return input(path, "").map(|it| found(path.to_owned(), it.digest)).into_iter().collect();
    }
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut offered: Vec<Found> = entries
        .flatten()
        .filter(|entry| requirements_txt::is_offered(&entry.file_name().to_string_lossy()))
        .filter_map(|entry| {
            let metadata = fs::metadata(entry.path()).ok().filter(Metadata::is_file)?;
            Some(found(entry.path(), identity(&metadata)))
        })
        .collect();
    offered.sort();
    if offered.len() > MOST_FILES {
        let mut hash = Sha256::new();
        for Found { path, id } in &offered {
            hash.update(format!("{path}\0{id}\0"));
        }
        offered = vec![found(path.to_owned(), hex(&hash.finalize()))];
    }
    offered
}

/// Never a device or a pipe, which would be read for ever.
fn is_plain(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}

fn identity(metadata: &Metadata) -> String {
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    format!("{} bytes, {seconds}.{nanoseconds:09}, inode {}", metadata.len(), metadata.ino())
}
