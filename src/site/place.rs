//! What is at a path that somebody has named as the folder of a site, and is none.

mod error;

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

pub use error::check_new;
pub(super) use error::no_site;

use super::layout::{DEPLOYMENTS, RELEASES};
use super::{REPOSITORY, Site};

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Missing,
    /// A link that leads nowhere: the path, or one above it.
    Dangling(PathBuf),
    Empty,
    /// A folder in which an earlier `nyala init` was interrupted.
    Begun,
    /// A site whose `nyala.toml` somebody has removed.
    Unsettled,
    /// The path, or one above it.
    File(PathBuf),
    InSite(PathBuf),
    Repository,
    WorkTree,
    /// A folder with something else in it, of which this is one.
    Other(String),
    /// This user may not look into the path, or one above it.
    Closed(PathBuf),
}

fn look(path: &Path) -> Place {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // From the root down, so that what is in the way is found where it is.
    let mut there = PathBuf::new();
    for part in path.components() {
        there.push(part);
        if access(&there, Access::EXISTS).is_err() && fs::symlink_metadata(&there).is_ok() {
            return Place::Dangling(there);
        }
        if !there.exists() {
            let at = there.parent().unwrap_or(&there).to_owned();
            return in_site(&at).map_or(Place::Missing, Place::InSite);
        }
        if !there.is_dir() {
            let site = there.parent().and_then(in_site);
            return site.map_or(Place::File(there), Place::InSite);
        }
        if access(&there, Access::EXEC_OK).is_err() {
            return Place::Closed(there);
        }
    }
    if let Some(site) = path.canonicalize().ok().as_deref().and_then(Path::parent).and_then(in_site)
    {
        return Place::InSite(site);
    }
    if path.join("HEAD").exists() && path.join("objects").is_dir() {
        return Place::Repository;
    }
    if path.join(".git").exists() {
        return Place::WorkTree;
    }
    if [RELEASES, DEPLOYMENTS].iter().all(|name| path.join(name).is_dir()) {
        return Place::Unsettled;
    }
    let Ok(entries) = fs::read_dir(&path) else { return Place::Closed(path) };
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    match names.iter().find(|name| *name != REPOSITORY) {
        Some(name) => Place::Other(name.to_string_lossy().escape_debug().to_string()),
        None if names.is_empty() => Place::Empty,
        None => Place::Begun,
    }
}

/// The site that a folder is, or is in.
fn in_site(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    // A project may have a nyala.toml of its own, and no releases.
    let is_site = |folder: &&Path| Site::is_at(folder) && folder.join(RELEASES).is_dir();
    folder.ancestors().find(is_site).map(Path::to_owned)
}

/// One of the sites in a folder.
fn a_site_in(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).filter(|path| Site::is_at(path)).min()
}
