//! Discards what a site no longer needs: it is gone at once, by a rename, and is removed later.
//!
//! A folder is renamed within the folder it is in, so that it does not matter which file system
//! that is on.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::Site;
use crate::disk::{self, Mounted, mounts};

/// What the name of a discarded folder begins with.
pub(super) const PREFIX: &str = ".trash-";

/// Something that waits to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trash {
    pub path: PathBuf,
    /// The name it had, `releases/3`, relative to the site.
    pub was: PathBuf,
    /// A file that says that it has been discarded, where it could not be renamed.
    mark: Option<PathBuf>,
}

impl Site {
    /// Discards a folder of the site: from now on it is not there. A file is removed at once. What
    /// is not there is fine.
    ///
    /// Fails with [`Mounted`] when something is mounted below it, which stays where it is.
    pub fn discard(&self, path: &Path) -> Result<()> {
        let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
        if !metadata.is_dir() {
            return disk::remove_file(path);
        }
        let mounts = mounts::below(path)?;
        if !mounts.is_empty() {
            return Err(Mounted { path: path.to_owned(), mounts }.into());
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            bail!("{} is not in a folder of the site", path.display());
        };
        let to = unused(folder, name);
        match disk::rename(path, &to) {
            Ok(()) => Ok(()),
            // On an overlay, a folder of a lower layer cannot be renamed (see "redirect_dir" in the
            // kernel's overlayfs.rst).
            Err(error) if disk::is_across_file_systems(&error) => {
                let numbered = [self.releases(), self.envs(), self.deployments()];
                if numbered.iter().any(|it| it == folder) {
                    return disk::create_file(&to, 0o600).map(drop);
                }
                disk::remove_tree(path)
            }
            Err(error) => Err(error),
        }
    }

    /// What has been discarded and is still there.
    pub fn trash(&self) -> Vec<Trash> {
        let mut found = Vec::new();
        for folder in self.trash_folders() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let (name, path) = (entry.file_name(), entry.path());
                let Some(was) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else {
                    continue;
                };
                let id = was.split('.').next().unwrap_or(was);
                let inside = folder.strip_prefix(self.root()).unwrap_or(&folder).join(id);
                found.push(if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    Trash { path, was: inside, mark: None }
                } else {
                    Trash { path: folder.join(id), was: inside, mark: Some(path) }
                });
            }
        }
        // Where nyala 0.1 before this put them.
        let old = self.cache().join("trash");
        for entry in fs::read_dir(old).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let (folder, id) = name.rsplit_once('-').unwrap_or(("cache", &name));
            let id = id.split('.').next().unwrap_or(id);
            found.push(Trash { path: entry.path(), was: Path::new(folder).join(id), mark: None });
        }
        found.sort_by(|one, other| one.was.cmp(&other.was));
        found
    }

    /// The folders whose folders are discarded.
    fn trash_folders(&self) -> [PathBuf; 6] {
        [
            self.releases(),
            self.envs(),
            self.deployments(),
            self.temporaries(),
            self.cache(),
            self.staging(),
        ]
    }
}

impl Trash {
    /// Removes it. Needs no lock: two that remove the same do no harm.
    pub fn remove(&self) -> Result<()> {
        disk::remove_tree(&self.path)?;
        self.mark.as_deref().map_or(Ok(()), disk::remove_file)
    }
}

/// A name in a folder that nothing has: `.trash-3`, or `.trash-3.1`.
fn unused(folder: &Path, name: &std::ffi::OsStr) -> PathBuf {
    let mut number = 0;
    loop {
        let mut new = OsString::from(PREFIX);
        new.push(name);
        if number > 0 {
            new.push(format!(".{number}"));
        }
        let path = folder.join(new);
        if fs::symlink_metadata(&path).is_err() {
            return path;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_discarded_is_gone_and_waits_beside_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("nyala.toml"), "").unwrap();
        let site = Site::open(folder.path()).unwrap();
        let release = site.releases().join("3");
        for time in 0..2 {
            fs::create_dir_all(release.join("app")).unwrap();
            site.discard(&release).unwrap();
            assert!(site.release_ids().unwrap().is_empty(), "{time}");
        }
        site.discard(&release).unwrap();
        let trash = site.trash();
        assert_eq!(trash.len(), 2);
        assert!(trash.iter().all(|trash| trash.was == Path::new("releases/3")), "{trash:?}");
        // One that could not be renamed is not there any more either.
        fs::create_dir_all(release.join("app")).unwrap();
        fs::create_dir_all(site.releases().join("4")).unwrap();
        for trash in trash {
            trash.remove().unwrap();
        }
        fs::write(site.releases().join(".trash-3"), "").unwrap();
        assert_eq!(site.release_ids().unwrap().len(), 1);
        for trash in site.trash() {
            trash.remove().unwrap();
        }
        assert!(site.trash().is_empty() && !release.exists());
        assert!(site.releases().join("4").exists());
    }
}
