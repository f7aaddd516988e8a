//! Which files of a release its application has written.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use crate::site::ENV_LINK;

/// How thoroughly a release is scanned for what the application wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// At every file.
    EveryFile,
    /// At the files of those folders in which a name is new. What was written in place without
    /// making one is not seen.
    NewNames,
}

/// When the application wrote, and nobody else did.
pub(super) struct Written {
    pub(super) since: SystemTime,
}

impl Written {
    /// The files below a path in a release that were written then, relative to the release and
    /// sorted. What Python caches is left out, and so is the env, which is not the release's; links
    /// are no data. Fails when something cannot be looked at.
    ///
    /// A folder that was moved here as a whole, with the old times of all that is in it, is told by
    /// its change time, by the new names of the folder it is in, and by `is_known`, which says
    /// whether the commit has such a folder.
    pub(super) fn below(
        &self,
        root: &Path,
        at: &Path,
        scan: Scan,
        is_known: &dyn Fn(&Path) -> bool,
    ) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut folders = Vec::new();
        let path = root.join(at);
        match unless_gone(fs::symlink_metadata(&path), &path)? {
            _ if is_no_data(at) => {}
            Some(there) if there.is_dir() => folders.push((at.to_owned(), there, false)),
            Some(there) if there.is_file() => {
                let folder =
                    at.parent().and_then(|folder| fs::symlink_metadata(root.join(folder)).ok());
                if self.has(&there, folder.is_some_and(|folder| self.has_new_names(&folder))) {
                    found.push(at.to_owned());
                }
            }
            _ => {}
        }
        while let Some((folder, metadata, was_moved)) = folders.pop() {
            let path = root.join(&folder);
            let has_new_names = self.has_new_names(&metadata);
            let looks_at_files = was_moved || has_new_names || scan == Scan::EveryFile;
            for entry in unless_gone(fs::read_dir(&path), &path)?.into_iter().flatten() {
                let entry = entry.with_context(|| cannot_look(&path))?;
                let inside = folder.join(entry.file_name());
                let Some(kind) = unless_gone(entry.file_type(), &path)? else { continue };
                if is_no_data(&inside) {
                    continue;
                }
                if kind.is_dir() {
                    // From its own folder, which is open: a whole path costs more to look up.
                    let Some(there) = unless_gone(entry.metadata(), &path)? else { continue };
                    let is_moved = was_moved
                        || has_new_names && changed(&there) > self.since && !is_known(&inside);
                    if is_moved || scan == Scan::EveryFile || self.may_have_new_names(&there) {
                        folders.push((inside, there, is_moved));
                    }
                } else if looks_at_files
                    && kind.is_file()
                    && (was_moved
                        || unless_gone(entry.metadata(), &path)?
                            .is_some_and(|metadata| self.has(&metadata, has_new_names)))
                {
                    found.push(inside);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Whether a name is new in a folder or in one below it, as far as the folder itself says.
    fn may_have_new_names(&self, folder: &Metadata) -> bool {
        // Its names are two, the own one and `.`, when no folder in it adds a `..`. Where a file
        // system does not count so, it is 1.
        folder.nlink() != 2 || self.has_new_names(folder)
    }

    fn has_new_names(&self, folder: &Metadata) -> bool {
        is_after(folder.modified(), self.since)
    }

    /// Whether a file was made or written then. One that was moved here with its old times is told
    /// by its folder, which has new names, and by its change time. That alone says nothing: `chown
    /// -R` and a new hard link change it as well.
    fn has(&self, file: &Metadata, folder_has_new_names: bool) -> bool {
        is_after(file.modified(), self.since)
            || is_after(file.created(), self.since)
            || (folder_has_new_names && file.nlink() == 1 && changed(file) > self.since)
    }
}

/// The change time, which nobody can set.
fn changed(metadata: &Metadata) -> SystemTime {
    let seconds = u64::try_from(metadata.ctime()).unwrap_or_default();
    let nanoseconds = u32::try_from(metadata.ctime_nsec()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}

/// What was seen at a path; `None` when it is gone meanwhile.
fn unless_gone<T>(seen: io::Result<T>, path: &Path) -> Result<Option<T>> {
    match seen {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        seen => seen.map(Some).with_context(|| cannot_look(path)),
    }
}

fn cannot_look(path: &Path) -> String {
    format!("cannot access {}", path.display())
}

/// Whether this path in a release is the env or in it, or is what Python caches.
fn is_no_data(path: &Path) -> bool {
    path.starts_with(ENV_LINK)
        || path.components().any(|name| name.as_os_str() == "__pycache__")
        || path.extension().is_some_and(|it| it == "pyc")
}

/// A time that a file system does not keep is none.
fn is_after(time: io::Result<SystemTime>, since: SystemTime) -> bool {
    time.is_ok_and(|time| time > since)
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    #[test]
    fn a_folder_that_cannot_be_looked_at_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let [release, other] = ["release", "other"].map(|name| folder.path().join(name));
        let deep = iter::repeat_n("d".repeat(200), 12).collect::<PathBuf>();
        fs::create_dir_all(release.join(&deep)).unwrap();
        let written = Written { since: SystemTime::UNIX_EPOCH };
        fs::write(release.join(&deep).join("file"), "").unwrap();
        assert_eq!(
            written.below(&release, Path::new(""), Scan::EveryFile, &|_| true).unwrap(),
            [deep.join("file")]
        );
        assert!(
            written
                .below(&release, Path::new("gone/file"), Scan::EveryFile, &|_| true)
                .unwrap()
                .is_empty()
        );
        assert!(
            written
                .below(&release, &deep.join("file/below"), Scan::EveryFile, &|_| true)
                .unwrap()
                .is_empty()
        );

        // No path is so long.
        fs::create_dir_all(other.join(&deep)).unwrap();
        fs::rename(other, release.join(&deep).join("other")).unwrap();
        assert!(written.below(&release, Path::new(""), Scan::EveryFile, &|_| true).is_err());
    }
}
