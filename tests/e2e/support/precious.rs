//! A folder beside a site that no push may read or change.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use sha2::{Digest, Sha256};

use super::Site;

/// The contents of its files, which must appear nowhere else.
const SECRET: &str = "root:x:0:0:correct-horse-battery-staple";

/// Files that look like what nyala, git, pip and Python read, a program, a fifo that whoever opens
/// it waits at, and a link.
#[derive(Debug)]
pub(crate) struct Precious {
    pub path: PathBuf,
    /// What is in the folder that the site is in, too.
    beside: Vec<PathBuf>,
    before: BTreeMap<PathBuf, FileState>,
}

/// Everything that changes with a write: all times to the nanosecond, including ctime.
#[derive(Debug, PartialEq, Eq)]
struct FileState {
    mode: u32,
    owner: u32,
    modified: (i64, i64),
    changed: (i64, i64),
    digest: Vec<u8>,
}

impl Precious {
    /// Makes the folder `precious` beside a site: `../../../precious` as a link in a release has
    /// it.
    pub(crate) fn beside(site: &Site) -> Self {
        let path = site.sandbox.path("precious");
        for folder in ["bin", "folder"] {
            fs::create_dir_all(path.join(folder)).unwrap();
        }
        for name in
            ["file", "requirements.txt", "pyvenv.cfg", "folder/file", "folder/requirements.txt"]
        {
            fs::write(path.join(name), format!("{SECRET}\n")).unwrap();
        }
        fs::set_permissions(path.join("file"), Permissions::from_mode(0o600)).unwrap();
        for name in ["bin/python", "bin/post_compile"] {
            fs::write(
                path.join(name),
                format!("#!/bin/sh\necho {SECRET}\ntouch \"$(dirname \"$0\")/ran\"\n"),
            )
            .unwrap();
            fs::set_permissions(path.join(name), Permissions::from_mode(0o755)).unwrap();
        }
        symlink("file", path.join("link")).unwrap();
        mknodat(CWD, path.join("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let (beside, before) = (names_in(&site.sandbox.path("")), seen_in(&path));
        Self { path, beside, before }
    }

    /// As a link or a line of a pushed file names something in it.
    pub(crate) fn name(&self, of: &str) -> String {
        self.path.join(of).to_str().unwrap().to_owned()
    }

    /// Nothing in it was written or deleted, and nothing was added beside it.
    #[track_caller]
    pub(crate) fn assert_untouched(&self, site: &Site) {
        assert_eq!(seen_in(&self.path), self.before);
        assert_eq!(names_in(&site.sandbox.path("")), self.beside);
    }

    /// This text contains nothing from any such folder.
    #[track_caller]
    pub(crate) fn assert_not_in(text: &str) {
        assert!(!text.contains("correct-horse"), "{text}");
    }

    /// No file of the site contains anything from such a folder, except git's objects (they are
    /// compressed) and envs.
    #[track_caller]
    pub(crate) fn assert_nowhere_in(site: &Site) {
        let mut folders = vec![site.path.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
                let kind = entry.file_type().unwrap();
                if kind.is_dir()
                    && !["objects", "envs"].iter().any(|name| entry.file_name() == *name)
                {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    Self::assert_not_in(&String::from_utf8_lossy(&fs::read(entry.path()).unwrap()));
                }
            }
        }
    }
}

fn seen_in(folder: &Path) -> BTreeMap<PathBuf, FileState> {
    let mut found = BTreeMap::new();
    let mut paths = vec![folder.to_owned()];
    while let Some(path) = paths.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let digest = if metadata.is_dir() {
            paths.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            Vec::new()
        } else if metadata.is_symlink() {
            fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
        } else if metadata.is_file() {
            Sha256::digest(fs::read(&path).unwrap()).to_vec()
        } else {
            Vec::new()
        };
        let seen = FileState {
            mode: metadata.mode(),
            owner: metadata.uid(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            digest,
        };
        found.insert(path, seen);
    }
    found
}

/// The contents of a folder, except the work trees of the test itself.
fn names_in(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> =
        paths.filter(|path| !path.to_string_lossy().contains("/project-")).collect();
    names.sort();
    names
}
