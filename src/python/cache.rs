//! Where nyala keeps what holds for every site of a user on this machine, and only saves time: what
//! the interpreters said, unpacked pips, and uv where the machine has none.
//!
//! `$XDG_CACHE_HOME/nyala`, else `~/.cache/nyala`, as the XDG Base Directory Specification has it:
//! <https://specifications.freedesktop.org/basedir-spec/latest/>. Services often have no home, or
//! one that they may not write to. Their sites have a cache each.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::disk;
use crate::process::Environment;

/// The file of what the interpreters said.
pub(super) const INTERPRETERS: &str = "interpreters.json";

/// The folders that a cache may be kept in, best first. The last one is the site's own.
#[derive(Clone, Debug)]
pub struct Caches {
    folders: Vec<PathBuf>,
}

impl Caches {
    /// The user's cache where it can be made, then the one of the site.
    pub fn of(site: PathBuf) -> Caches {
        let user = of_user().filter(|folder| can_be_made(folder));
        Caches { folders: user.into_iter().chain([site]).collect() }
    }

    /// The cache to use first.
    pub fn first(&self) -> &Path {
        &self.folders[0]
    }

    /// All of them: where the first cannot be written to after all, the next one is tried.
    pub fn all(&self) -> &[PathBuf] {
        &self.folders
    }

    /// What the interpreters of this machine said.
    pub fn interpreters_file(&self) -> PathBuf {
        self.first().join(INTERPRETERS)
    }

    /// Whether the site's own cache is the only one, because the user has none.
    pub fn only_of_site(&self) -> bool {
        self.folders.len() == 1
    }
}

/// The cache of this user, which may not be there yet.
pub(super) fn of_user() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name);
    let folder = user_cache(variable("XDG_CACHE_HOME"), variable("HOME"))?;
    Some(folder.join("nyala"))
}

/// The cache of whoever runs in this environment.
pub(super) fn of_user_in(environment: &Environment) -> Option<PathBuf> {
    let variable = |name| environment.get(name).map(OsString::from);
    Some(user_cache(variable("XDG_CACHE_HOME"), variable("HOME"))?.join("nyala"))
}

/// Where programs of this user keep their caches. Relative paths are to be ignored.
fn user_cache(xdg: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    xdg.and_then(absolute).or_else(|| Some(home.and_then(absolute)?.join(".cache")))
}

/// Makes a folder that this user may write to, unless it is there. One of somebody else's is not
/// used, nor is one made in there, whatever its mode: who owns it can replace what is in it.
fn can_be_made(folder: &Path) -> bool {
    let there = folder.ancestors().find_map(|path| fs::metadata(path).ok());
    let own = rustix::process::geteuid().as_raw();
    there.is_some_and(|there| there.is_dir() && there.uid() == own)
        && disk::create_private_dir_all(folder).is_ok()
        && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_folders_are_ignored() {
        let user = |xdg: Option<&str>, home: Option<&str>| {
            user_cache(xdg.map(OsString::from), home.map(OsString::from))
        };
        assert_eq!(user(Some("/x"), Some("/h")), Some("/x".into()));
        for xdg in [None, Some(""), Some("x")] {
            assert_eq!(user(xdg, Some("/h")), Some("/h/.cache".into()), "{xdg:?}");
            assert_eq!(user(xdg, None), None, "{xdg:?}");
        }
    }

    #[test]
    fn a_cache_is_used_where_it_can_be_made() {
        let home = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            assert!(can_be_made(&home.path().join(".cache/nyala")));
        }
        fs::write(home.path().join("file"), "").unwrap();
        assert!(!can_be_made(&home.path().join("file/.cache/nyala")));
        assert!(!can_be_made(Path::new("/proc/nyala")));
    }
}
