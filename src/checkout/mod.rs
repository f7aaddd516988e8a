//! Writes the tree of a commit into a new, empty folder.
//!
//! The writer is our own, on git's objects: libgit2's checkout writes through links, makes setuid
//! files and is twice as slow as git. Here several threads share the folders, and the files of
//! large ones. Every path is made relative to an open folder, one name at a time, with `O_NOFOLLOW`
//! and `O_EXCL`, so that no tree, however hostile, reaches a byte outside of the folder it is
//! written into.
//!
//! What comes out is, byte for byte, what `git checkout -f` gives on Linux with git's default
//! configuration. The repository's own `core.autocrlf`, `core.eol`, `info/attributes` and filter
//! drivers are not asked on purpose: the same commit gives the same release on every server. Files
//! of `filter=lfs` are the pointers that they are in the commit, and are listed.

mod attributes;
mod convert;
mod encoding;
mod entry;
mod fill;
mod folder;
mod ident;
mod manifest;
mod name;
mod objects;
mod parts;
mod pool;
mod preview;
mod remove;
mod stat;
mod task;
mod update;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use git2::Oid;

use crate::disk;
use crate::git::Repository;
use attributes::Inherited;
use folder::Folder;
use manifest::{Manifest, Writing};
pub use preview::preview;
pub use task::{Exported, Rescue};
pub use writer::LFS_SPEC;

use task::{Before, Done, FolderRef, Job, MOST_TOUCHED, Records, Standing, Task};

/// What was done to a folder that was there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Updated {
    /// What the folder holds now.
    pub exported: Exported,
    /// Files and links that were written.
    pub written: u64,
    /// Entries of the old tree that the new one lacks; a folder with all that is in it counts once.
    pub removed: u64,
    /// Entries that somebody had changed, added or removed; those that had to be written for it are
    /// counted there as well.
    pub repaired: u64,
    /// The files and folders that have to be flushed to the disk, relative to the tree. `None` when
    /// there are so many that flushing the whole file system is cheaper.
    pub touched: Option<Vec<PathBuf>>,
}

/// Writes a whole tree into a folder.
///
/// `tree` is the id of a tree in the repository (it may be the tree of a subfolder; its own
/// `.gitattributes` are then the topmost), `into` an existing, empty folder. With a `manifest`, a
/// file of that name beside the tree (not in it) records what was written, for [`update`];
/// one that is there is replaced.
///
/// Modes are 0644, 0755, link and folder (0755) whatever the umask is. Fails on the first entry
/// that cannot be written, with its path, escaped; what was written until then stays, for the
/// caller to remove. Nothing is flushed to the disk.
pub fn export(
    repository: &Repository,
    tree: Oid,
    into: &Path,
    manifest: Option<&Path>,
) -> Result<Exported> {
    disk::point("export: before");
    let first = Task::Fill {
        folder: FolderRef::Root(Folder::open(into)?),
        tree,
        inherited: Inherited::None,
    };
    let writing = manifest.map(|path| Writing::new(path, tree.as_bytes().len())).transpose()?;
    let records = writing.as_ref().map_or(Records::None, Records::All);
    let done = writer::carry_out(repository, first, Job { records, before: None })?;
    disk::point("export: written");
    writing.map(Writing::finish).transpose()?;
    Ok(gather(done).exported)
}

/// Makes a folder that holds `old_tree` hold `new_tree`, by writing only what differs.
///
/// `manifest` is what [`export`] or this function recorded of the folder when it was made to hold
/// `old_tree`; it is updated forward as well. The folder may have been renamed since. What somebody
/// changed, added or removed in it is put right, so that the result is byte for byte what
/// [`export`] gives (access lists, extended attributes and groups of folders are not looked at). A
/// file is replaced by a rename, never written into, so that a process that has the old one open,
/// or a hard link to it, keeps what it has. Before anything goes that nyala may not have written,
/// `rescue` is told, from any of several threads: a file, or a folder with all that is in it, which
/// it may move away.
///
/// Fails when `rescue` does, when the manifest is of another tree, damaged or gone, when something
/// in the folder belongs to another user, and where [`export`] fails. The folder is then neither
/// the one nor the other; trying again with the same manifest is safe, and so is a new export
/// elsewhere.
pub fn update(
    repository: &Repository,
    folder: &Path,
    old_tree: Oid,
    new_tree: Oid,
    manifest: &Path,
    rescue: &Rescue,
) -> Result<Updated> {
    disk::point("bring forward: before");
    let before = Manifest::read(manifest)?;
    let folders =
        before.folders().with_context(|| format!("cannot read {}", manifest.display()))?;
    let recorded = folders
        .get(b"".as_slice())
        .filter(|topmost| topmost.tree == old_tree.as_bytes())
        .with_context(|| format!("{} is not of the tree {old_tree}", manifest.display()))?;
    ensure!(
        new_tree.as_bytes().len() == before.id_length(),
        "the trees {old_tree} and {new_tree} are not of one repository"
    );
    let first = Task::Update {
        folder: FolderRef::Root(Folder::open(folder)?),
        tree: new_tree,
        inherited: Inherited::None,
        standing: Standing { recorded: *recorded, attributes_differ: false },
    };
    let anew =
        before.is_worn(&folders).then(|| Writing::new(manifest, before.id_length())).transpose()?;
    let records = anew.as_ref().map_or(Records::Changed, Records::All);
    let job =
        Job { records, before: Some(Before { manifest: &before, folders: &folders, rescue }) };
    let mut done = writer::carry_out(repository, first, job)?;
    disk::point("bring forward: written");
    if let Some(anew) = anew {
        anew.finish()?;
    } else {
        let blocks: Vec<_> = done.iter_mut().map(|done| std::mem::take(&mut done.blocks)).collect();
        before.append(manifest, &blocks.concat())?;
    }
    Ok(gather(done))
}

/// Adds up what the threads did.
fn gather(done: Vec<Done>) -> Updated {
    let mut all = Updated::default();
    let mut touched = Vec::new();
    for part in done {
        let Done { exported, written, removed, repaired, touched: also_touched, blocks: _ } = part;
        all.exported += exported;
        all.written += written;
        all.removed += removed;
        all.repaired += repaired;
        touched.extend(also_touched);
    }
    all.exported.submodules.sort();
    all.exported.pointers.sort();
    all.exported.pointers.dedup();
    touched.sort();
    touched.dedup();
    all.touched = (touched.len() <= MOST_TOUCHED).then_some(touched);
    all
}
