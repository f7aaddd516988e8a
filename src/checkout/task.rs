//! What there is to do for the threads that write a tree, what they know, and what they have done.

use std::borrow::Cow;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use git2::Oid;

use super::attributes::Inherited;
use super::entry::Kind;
use super::folder::Folder;
use super::manifest::{Folders, Manifest, Recorded, Writing};

/// What all threads of a pool know.
#[derive(Clone, Copy)]
pub(super) struct Job<'m> {
    pub(super) records: Records<'m>,
    /// What is there already; `None` when a new folder is filled.
    pub(super) before: Option<Before<'m>>,
}

/// Of which folders something is recorded, for a manifest.
#[derive(Clone, Copy)]
pub(super) enum Records<'m> {
    None,
    /// Of those of which something else is to be said than before.
    Changed,
    /// Of all; what is recorded is written as it comes, for in a large tree it is much.
    All(&'m Writing<'m>),
}

/// What is known of a folder that is updated forward, and who saves what goes there.
#[derive(Clone, Copy)]
pub(super) struct Before<'m> {
    pub(super) manifest: &'m Manifest,
    pub(super) folders: &'m Folders<'m>,
    pub(super) rescue: &'m Rescue<'m>,
}

/// Is called with a path in the tree before something there is removed or replaced that nyala may
/// not have written, and can move it away.
pub type Rescue<'a> = dyn Fn(&Path) -> Result<()> + Sync + 'a;

pub(super) enum Task<'m> {
    /// To fill a folder that is new and empty.
    Fill { folder: FolderRef, tree: Oid, inherited: Inherited },
    /// To bring a folder forward that is there.
    Update { folder: FolderRef, tree: Oid, inherited: Inherited, standing: Standing<'m> },
    /// To do some of the files of a large folder.
    Part { files: Files<'m>, inherited: Inherited, shared: Arc<Shared<'m>> },
}

/// Which folder a task is about. It is opened when the task is begun, so that waiting costs no open
/// file.
pub(super) enum FolderRef {
    Root(Folder),
    Below { above: Arc<Folder>, name: Vec<u8> },
}

/// What is to be recorded of a folder once its last file is written.
pub(super) struct Draft<'m> {
    pub(super) tree: Oid,
    pub(super) items: Vec<u8>,
    /// What is recorded of it already, for as long as there is nothing else to say.
    pub(super) as_before: Option<&'m [u8]>,
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

/// What is known of a folder that is there.
#[derive(Clone, Copy)]
pub(super) struct Standing<'m> {
    pub(super) recorded: Recorded<'m>,
    /// Whether a `.gitattributes` above it differs between the two trees, so that files may differ
    /// whose blobs do not.
    pub(super) attributes_differ: bool,
}

/// A folder with more files than this is split, so that all threads can write in it.
pub(super) const PART: usize = 64;

/// Some files and links of one folder.
pub(super) enum Files<'m> {
    /// Entries of a tree, from one offset to another. Folders between them are skipped.
    New { tree: Arc<[u8]>, id_length: usize, start: usize, end: usize },
    /// Items of a manifest, of files that may be there.
    Standing { items: Cow<'m, [u8]>, id_length: usize },
}

/// A large folder whose files several threads write.
pub(super) struct Shared<'m> {
    pub(super) folder: Arc<Folder>,
    pub(super) draft: Mutex<Draft<'m>>,
}

/// Beyond this, flushing files one by one costs more than flushing the file system.
pub(super) const MOST_TOUCHED: usize = 256;

/// What a thread did.
#[derive(Default)]
pub(super) struct Done {
    pub(super) exported: Exported,
    pub(super) written: u64,
    pub(super) removed: u64,
    pub(super) repaired: u64,
    /// Files and folders written or changed while a folder was updated forward; more than
    /// [`MOST_TOUCHED`] when there were too many.
    pub(super) touched: Vec<PathBuf>,
    /// Of the manifest: what is yet to be written.
    pub(super) blocks: Vec<u8>,
}

/// What a folder holds after its tree was written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
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
        let Exported { files, links, folders, bytes, submodules, pointers } = other;
        self.files += files;
        self.links += links;
        self.folders += folders;
        self.bytes += bytes;
        self.submodules.extend(submodules);
        self.pointers.extend(pointers);
    }
}
