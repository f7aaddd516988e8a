//! What there is to do for the threads that write a tree, and what they have done.

use std::ops::AddAssign;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use git2::Oid;

use super::attributes::Inherited;
use super::convert::Conversion;
use super::entry::Kind;
use super::folder::Folder;

pub(super) enum Task {
    /// To fill a folder that is new and empty.
    Fill { folder: FolderRef, tree: Oid, inherited: Inherited },
    /// To make a folder that holds one tree hold another.
    Update { folder: FolderRef, trees: Trees },
    /// To write some of the files of a large folder.
    Part { folder: Arc<Folder>, files: Files },
}

/// Which folder a task is about. It is opened when the task is begun, so that waiting costs no open
/// file.
pub(super) enum FolderRef {
    Root(Folder),
    Below { above: Arc<Folder>, name: Vec<u8> },
}

impl FolderRef {
    pub(super) fn below(above: &Arc<Folder>, name: &[u8]) -> FolderRef {
        FolderRef::Below { above: Arc::clone(above), name: name.to_vec() }
    }

    pub(super) fn open(self) -> Result<Folder> {
        match self {
            FolderRef::Root(folder) => Ok(folder),
            FolderRef::Below { above, name } => above.open_below(&name),
        }
    }
}

/// What a folder holds, and what it is to hold.
pub(super) struct Trees {
    pub(super) old: Oid,
    pub(super) new: Oid,
    pub(super) attributes: Changing,
}

/// The attributes that hold above a folder in the old tree and in the new one.
#[derive(Clone)]
pub(super) struct Changing {
    pub(super) old: Inherited,
    pub(super) new: Inherited,
    /// Whether they may differ, so that files may differ whose blobs do not.
    pub(super) differ: bool,
}

/// A folder with more files than this is split, so that all threads can write in it.
pub(super) const PART: usize = 64;

/// Some files and links of one folder.
pub(super) enum Files {
    /// Entries of a tree, from one offset to another. Folders between them are skipped.
    New { tree: Arc<[u8]>, id_length: usize, start: usize, end: usize, inherited: Inherited },
    /// Those that differ between two trees.
    Changed(Vec<Change>),
}

/// A file or a link that is written while a folder is updated.
pub(super) struct Change {
    pub(super) name: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) id: Oid,
    pub(super) conversion: Conversion,
    /// What is there and goes.
    pub(super) replaces: Option<Kind>,
}

/// What a thread did.
#[derive(Default)]
pub(super) struct Done {
    /// What was written.
    pub(super) exported: Exported,
    /// What the folder held and does not hold any more, with the paths of it.
    pub(super) gone: Exported,
    pub(super) gone_paths: Vec<PathBuf>,
    /// Entries of the old tree that the new one lacks; a folder counts once.
    pub(super) removed: u64,
}

/// What a folder holds after its tree was written.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Exported {
    pub files: u64,
    pub links: u64,
    /// The one that was given is not counted, and neither are submodules.
    pub folders: u64,
    /// The sizes of the files as they are on disk, in bytes.
    pub bytes: u64,
    /// Where the tree names a commit of another repository: an empty folder was made. Relative to
    /// the tree, sorted.
    pub submodules: Vec<PathBuf>,
    /// Files whose content is what a pointer of Git LFS has; whether they are any, the tree's
    /// attributes say. Relative to the tree, sorted.
    pub pointers: Vec<PathBuf>,
    /// Files that a filter of git is meant to change on their way out, which nobody runs:
    /// git-crypt's, for one, stay encrypted. Relative to the tree, sorted.
    pub unfiltered: Vec<PathBuf>,
}

impl Exported {
    pub(super) fn count(&mut self, kind: Kind, size: u64) {
        match kind {
            Kind::File { .. } => {
                self.files += 1;
                self.bytes += size;
            }
            Kind::Link => self.links += 1,
            Kind::Folder => self.folders += 1,
            Kind::Submodule => {}
        }
    }
}

impl AddAssign for Exported {
    fn add_assign(&mut self, other: Exported) {
        let Exported { files, links, folders, bytes, submodules, pointers, unfiltered } = other;
        self.files += files;
        self.links += links;
        self.folders += folders;
        self.bytes += bytes;
        self.submodules.extend(submodules);
        self.pointers.extend(pointers);
        self.unfiltered.extend(unfiltered);
    }
}
