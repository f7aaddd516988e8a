//! Links what must outlive releases (uploads, a database file) from `SITE/shared` into a release.

mod error;

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::console;
use crate::disk;
use crate::site::{DeploymentId, SharedPath, Site};
use crate::user_error::Explain;

/// Links every shared path into a release that has been checked out and is not live yet.
///
/// A path that is not in `SITE/shared` yet is seeded with what the tree has there, which is all
/// that a failed deployment leaves behind: no release was linked to it before. Later what is in
/// `SITE/shared` counts, and the tree's own is not used. Fails when a folder above the path is a
/// link: whatever it leads to would be changed.
pub fn link(site: &Site, release: DeploymentId, paths: &[SharedPath]) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    let step = console::step("Link shared paths");
    for path in paths {
        link_one(site, release, path).explain(|| error::cannot_be_linked(path))?;
    }
    step.done();
    Ok(())
}

fn link_one(site: &Site, release: DeploymentId, path: &SharedPath) -> Result<()> {
    let (in_release, in_shared) =
        (site.release(release).join(path.path()), site.shared().join(path.path()));
    make_folders_above(&site.shared(), path)?;
    make_folders_above(&site.release(release), path)?;
    let is_new = fs::symlink_metadata(&in_shared).is_err();
    let tree_has = fs::symlink_metadata(&in_release).ok().map(|metadata| metadata.file_type());
    let note = match tree_has {
        Some(kind) if is_new && !kind.is_symlink() => {
            seed(site, &in_release, &in_shared)?;
            "made from what the tree has there"
        }
        // Where a link of the tree leads to is none of the site's.
        Some(_) if is_new => make_empty(path, &in_shared, "the tree's own link is not used")?,
        None if is_new => make_empty(path, &in_shared, "")?,
        Some(_) => "the tree's own is not used",
        None => "",
    };
    disk::remove_tree(&in_release)?;
    disk::symlink(&site.shared_link_target(path), &in_release)?;
    let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
    console::info(format_args!("{path} -> shared/{path}{note}"));
    if is_new {
        say_what_is_left_behind(site, path)?;
    }
    Ok(())
}

pub(crate) fn make_folders_above(root: &Path, path: &SharedPath) -> Result<()> {
    for folder in path.folders_above() {
        let folder = root.join(folder);
        match fs::symlink_metadata(&folder) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(metadata) => {
                let found = if metadata.is_symlink() { "a link" } else { "a file" };
                bail!(error::not_a_folder(
                    &folder,
                    folder.strip_prefix(root).unwrap_or(&folder),
                    found
                ));
            }
            Err(_) => disk::create_dir(&folder)?,
        }
    }
    Ok(())
}

/// Copies what the tree has. It is not moved: an incremental checkout may share the file with an
/// older release.
fn seed(site: &Site, from: &Path, to: &Path) -> Result<()> {
    let aside = disk::create_temporary_dir(&site.shared())?;
    let copy = aside.join("seed");
    disk::copy_tree(from, &copy)?;
    disk::rename(&copy, to)?;
    disk::remove_tree(&aside)
}

fn make_empty(path: &SharedPath, in_shared: &Path, note: &'static str) -> Result<&'static str> {
    if !path.is_folder() {
        return Ok(if note.is_empty() { "not there yet: the application makes it" } else { note });
    }
    disk::create_dir(in_shared)?;
    Ok(if note.is_empty() { "an empty folder" } else { note })
}

/// What the application wrote into the live release before the path was shared does not come along
/// by itself.
fn say_what_is_left_behind(site: &Site, path: &SharedPath) -> Result<()> {
    let Some(live) = site.live()? else { return Ok(()) };
    let old = site.release(live).join(path.path());
    let Ok(metadata) = fs::symlink_metadata(&old) else { return Ok(()) };
    if metadata.is_symlink() {
        return Ok(());
    }
    let all_of_it = if metadata.is_dir() { "/." } else { "" };
    console::hint(format_args!(
        "release {live} has {path} of its own, with files that the application wrote. \
         To copy them: cp -a {}{all_of_it} {}",
        old.display(),
        site.shared().join(path.path()).display()
    ));
    Ok(())
}
