//! Writes the tree of a commit into a folder: an empty one, or one that has an earlier tree.
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
mod error;
mod fill;
mod folder;
mod ident;
mod name;
mod objects;
mod parts;
mod pool;
mod preview;
mod stream;
mod task;
mod update;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use git2::Oid;

use crate::disk;
use crate::git::Repository;
use attributes::Inherited;
use folder::Folder;
pub use preview::{filters, preview};
pub use task::Exported;
use task::{Changing, Done, FolderRef, Task, Trees};
pub use writer::{Cancelled, IsCancelled, LFS_SPEC};

/// What was done to a folder that held another tree.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Updated {
    /// What the folder holds now.
    pub exported: Exported,
    /// Files and links that were written.
    pub written: u64,
    /// Entries of the old tree that the new one lacks; a folder with all that is in it counts once.
    pub removed: u64,
}

/// Writes a whole tree into a folder.
///
/// `tree` is the id of a tree in the repository (it may be the tree of a subfolder; its own
/// `.gitattributes` are then the topmost), `into` an existing, empty folder.
///
/// Modes are 0644, 0755, link and folder (0755) whatever the umask is. Fails on the first entry
/// that cannot be written, with its path, escaped; what was written until then stays, for the
/// caller to remove. Nothing is flushed to the disk.
pub fn export(repository: &Repository, tree: Oid, into: &Path) -> Result<Exported> {
    export_unless(repository, tree, into, &|| false)
}

/// [`export`] that fails with [`Cancelled`] as soon as `is_cancelled` says so, which is asked
/// before each file, from any of several threads.
pub fn export_unless(
    repository: &Repository,
    tree: Oid,
    into: &Path,
    is_cancelled: &IsCancelled,
) -> Result<Exported> {
    disk::point("export: before");
    let folder = FolderRef::Root(Folder::open(into)?);
    let first = Task::Fill { folder, tree, inherited: Inherited::None };
    let Done { mut exported, .. } = gather(writer::carry_out(repository, first, is_cancelled)?);
    exported.sort();
    disk::point("export: written");
    Ok(exported)
}

/// Makes a folder that holds `old_tree` hold `new_tree`, by writing only what differs: the result
/// is what [`export`] gives. `held` is what [`export`] or this function returned of the folder.
///
/// Nobody else may ever have written there: what the two trees share is not looked at.
///
/// Fails when a file that has to go is not there, when there is something in a folder that has to
/// go, and where [`export`] fails. The folder is then neither the one nor the other.
pub fn update(
    repository: &Repository,
    folder: &Path,
    (old_tree, held): (Oid, Exported),
    new_tree: Oid,
) -> Result<Updated> {
    disk::point("update: before");
    let attributes = Changing { old: Inherited::None, new: Inherited::None, differ: false };
    let done = if old_tree == new_tree {
        Done::default()
    } else {
        let trees = Trees { old: old_tree, new: new_tree, attributes };
        let first = Task::Update { folder: FolderRef::Root(Folder::open(folder)?), trees };
        gather(writer::carry_out(repository, first, &|| false)?)
    };
    disk::point("update: written");
    let Done { exported: new, gone, gone_paths, removed } = done;
    let written = new.files + new.links;
    let mut exported = held;
    exported.subtract(&gone, &gone_paths)?;
    exported += new;
    exported.sort();
    Ok(Updated { exported, written, removed })
}

/// Adds up what the threads did.
fn gather(done: Vec<Done>) -> Done {
    let mut all = Done::default();
    for Done { exported, gone, gone_paths, removed } in done {
        all.exported += exported;
        all.gone += gone;
        all.gone_paths.extend(gone_paths);
        all.removed += removed;
    }
    all
}

impl Exported {
    fn subtract(&mut self, gone: &Exported, paths: &[PathBuf]) -> Result<()> {
        let numbers = [
            (&mut self.files, gone.files),
            (&mut self.links, gone.links),
            (&mut self.folders, gone.folders),
            (&mut self.bytes, gone.bytes),
        ];
        for (number, gone) in numbers {
            ensure!(*number >= gone, "the folder held more than is known of it");
            *number -= gone;
        }
        let paths: HashSet<&Path> = paths.iter().map(PathBuf::as_path).collect();
        let stays = |path: &PathBuf| !path.ancestors().any(|above| paths.contains(above));
        self.submodules.retain(stays);
        self.pointers.retain(stays);
        self.unfiltered.retain(stays);
        Ok(())
    }

    fn sort(&mut self) {
        self.submodules.sort();
        self.pointers.sort();
        self.unfiltered.sort();
    }
}
