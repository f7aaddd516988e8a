//! The caches of packages that were built with settings of their own: one for each set of settings,
//! `built/DIGEST` in the user's cache. Every change of such a setting makes another one, so those
//! that nobody has used for long are removed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;

use super::cache;
use crate::disk;
use crate::process::Environment;

/// How long one stays that is not used.
const KEPT: Duration = Duration::from_hours(30 * 24);

/// The cache for one set of settings, which counts as used from now on. `None` when it cannot be
/// made.
pub(super) fn cache_for(digest: &str, environment: &Environment) -> Option<PathBuf> {
    let all = folder(&cache::of_user_in(environment)?);
    used(&all, digest).map_err(|error| tracing::debug!("{error:#}")).ok()
}

/// Puts the caches aside that have not been used for long, for the caller to remove. No installer
/// uses one of them any more.
pub fn put_unused_aside() -> Vec<PathBuf> {
    let Some(user) = cache::of_user() else { return Vec::new() };
    put_aside(&folder(&user), SystemTime::now())
}

/// Where all of them are. What was put aside there by a process that is gone can be removed.
pub fn folder_of_user() -> Option<PathBuf> {
    cache::of_user().map(|user| folder(&user))
}

fn folder(user: &Path) -> PathBuf {
    user.join("built")
}

/// Marks a cache as used, by its modification time, while nobody puts any aside.
fn used(all: &Path, digest: &str) -> Result<PathBuf> {
    disk::create_private_dir_all(all)?;
    // Where there are no locks, nothing is ever put aside.
    let _lock = File::open(all).and_then(|all| all.lock_shared().map(|()| all));
    let cache = all.join(digest);
    disk::create_private_dir_all(&cache)?;
    disk::touch(&cache)?;
    Ok(cache)
}

fn put_aside(all: &Path, now: SystemTime) -> Vec<PathBuf> {
    let Ok(lock) = File::open(all) else { return Vec::new() };
    if lock.try_lock().is_err() {
        return Vec::new();
    }
    let mut aside = Vec::new();
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        if !is_digest(&name) || !is_unused(&path, now) {
            continue;
        }
        let to = all.join(format!("{}{}", disk::temporary_prefix(), name.display()));
        match disk::rename(&path, &to) {
            Ok(()) => aside.push(to),
            Err(error) => tracing::debug!("{error:#}"),
        }
    }
    aside
}

fn is_digest(name: &OsStr) -> bool {
    name.as_encoded_bytes().iter().all(u8::is_ascii_hexdigit)
}

fn is_unused(cache: &Path, now: SystemTime) -> bool {
    let used = fs::symlink_metadata(cache).and_then(|metadata| metadata.modified());
    used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_that_nobody_uses_is_put_aside() {
        let home = tempfile::tempdir().unwrap();
        let all = home.path().join("built");
        let now = SystemTime::now();
        assert!(put_aside(&all, now).is_empty());
        let cache = used(&all, "0a1b").unwrap();
        fs::write(cache.join("wheel"), "").unwrap();
        assert!(put_aside(&all, now).is_empty());
        let much_later = now + KEPT + Duration::from_mins(1);
        let aside = put_aside(&all, much_later);
        assert!(aside[0].join("wheel").exists() && !cache.exists(), "{aside:?}");
        assert!(put_aside(&all, much_later).is_empty(), "what is aside is not put aside again");
    }

    #[test]
    fn using_a_cache_keeps_it() {
        let home = tempfile::tempdir().unwrap();
        let all = home.path().join("built");
        let cache = used(&all, "0a1b").unwrap();
        let long_ago = SystemTime::now() - KEPT - KEPT;
        File::open(&cache).unwrap().set_modified(long_ago).unwrap();
        used(&all, "0a1b").unwrap();
        assert!(put_aside(&all, SystemTime::now()).is_empty());
    }
}
