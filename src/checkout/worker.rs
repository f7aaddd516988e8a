//! One thread of the crew: takes tasks and carries them out.

use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use git2::{Odb, Oid};

use super::Exported;
use super::attributes::{Attributes, Inherited};
use super::convert::Conversion;
use super::crew::Crew;
use super::entry::Kind;
use super::folder::{Content, Folder};
use super::forward::Standing;
use super::manifest::{Folders, Item, Manifest, Writing, push_block};
use super::name::shown;
use super::objects;
use super::parts::{Files, PART, Shared};
use super::stat::Stat;
use crate::disk;

/// Beyond this, flushing files one by one costs more than flushing the file system.
pub(super) const MOST_TOUCHED: usize = 256;

/// How long a pointer of Git LFS can be, in bytes: its three lines, and git-lfs's own bound.
pub(super) const POINTER: Range<u64> = 120..1024;
/// What the text of a pointer begins with, before its version.
pub const LFS_SPEC: &str = "version https://git-lfs.github.com/spec/";

/// What all threads of a crew know.
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

/// How much a thread gathers before it writes, in bytes.
const GATHERED: usize = 64 << 10;

#[derive(Clone, Copy)]
pub(super) struct Before<'m> {
    pub(super) manifest: &'m Manifest,
    pub(super) folders: &'m Folders<'m>,
    pub(super) rescue: &'m Rescue<'m>,
}

/// Is called with a path in the tree before something there is removed or replaced that nyala may not have written, and can move it away.
pub type Rescue<'a> = dyn Fn(&Path) -> Result<()> + Sync + 'a;

pub(super) enum Task<'m> {
    /// To fill a folder that is new and empty.
    Fill { place: Place, tree: Oid, inherited: Inherited },
    /// To bring a folder forward that is there.
    Forward { place: Place, tree: Oid, inherited: Inherited, standing: Standing<'m> },
    /// To do some of the files of a large folder.
    Part { files: Files<'m>, inherited: Inherited, shared: Arc<Shared<'m>> },
}

/// Which folder a task is about. It is opened when the task is begun, so that waiting costs no open file.
pub(super) enum Place {
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

/// What a thread did.
#[derive(Default)]
pub(super) struct Done {
    pub(super) exported: Exported,
    pub(super) written: u64,
    pub(super) removed: u64,
    pub(super) put_right: u64,
    /// Files and folders written or changed while a folder was brought forward; more than [`MOST_TOUCHED`] when there were too many.
    pub(super) touched: Vec<PathBuf>,
    /// Of the manifest: what is yet to be written.
    pub(super) blocks: Vec<u8>,
}

pub(super) struct Worker<'a, 'm> {
    pub(super) odb: &'a Odb<'a>,
    pub(super) job: Job<'m>,
    pub(super) attributes: Attributes,
    pub(super) done: Done,
    /// What the task at hand has led to.
    found: Vec<Task<'m>>,
    crew: &'a Crew<'m>,
}

impl<'a, 'm> Worker<'a, 'm> {
    pub(super) fn new(odb: &'a Odb<'a>, crew: &'a Crew<'m>, job: Job<'m>) -> Self {
        Worker { odb, job, attributes: Attributes::default(), done: Done::default(), found: Vec::new(), crew }
    }

    /// Remembers what the task at hand has led to.
    pub(super) fn find(&mut self, task: Task<'m>) {
        self.found.push(task);
        if self.found.len() >= PART {
            self.crew.hand_over(&mut self.found);
        }
    }

    /// Carries out a task, and takes others until there are no more or another thread has failed.
    pub(super) fn run(mut self, first: Task<'m>) -> Result<Done> {
        let mut next = Some(first);
        while let Some(task) = next {
            disk::point("checkout: a task");
            self.carry_out(task)?;
            next = self.crew.next(&mut self.found, true);
        }
        self.write_blocks(0)?;
        Ok(self.done)
    }

    fn carry_out(&mut self, task: Task<'m>) -> Result<()> {
        match task {
            Task::Fill { place, tree, inherited } => self.fill(place.open()?, tree, inherited),
            Task::Forward { place, tree, inherited, standing } => {
                self.forward(place.open()?, tree, inherited, standing)
            }
            Task::Part { files, inherited, shared } => self.part(&files, &inherited, shared),
        }
    }

    /// Records a folder in which nothing will be changed any more.
    pub(super) fn record(&mut self, folder: &Folder, draft: &Draft) -> Result<()> {
        if let Some(block) = draft.as_before {
            return self.record_as_before(block);
        }
        if self.records() {
            let stat = folder.stat()?;
            push_block(&mut self.done.blocks, folder.path(), draft.tree, stat, &draft.items);
        }
        self.write_blocks(GATHERED)
    }

    /// Records a folder of which nothing else is to be said than before.
    pub(super) fn record_as_before(&mut self, block: &[u8]) -> Result<()> {
        if matches!(self.job.records, Records::All(_)) {
            self.done.blocks.extend_from_slice(block);
        }
        self.write_blocks(GATHERED)
    }

    fn write_blocks(&mut self, gathered: usize) -> Result<()> {
        match self.job.records {
            Records::All(writing) if self.done.blocks.len() > gathered => {
                writing.add(&self.done.blocks)?;
                self.done.blocks.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn records(&self) -> bool {
        !matches!(self.job.records, Records::None)
    }

    /// Records an entry of a folder.
    pub(super) fn record_item(&self, items: &mut Vec<u8>, item: &Item) {
        if self.records() {
            item.push_to(items);
        }
    }

    /// Remembers a file or folder that will have to be flushed to the disk.
    pub(super) fn touch(&mut self, path: &[u8]) {
        let touched = &mut self.done.touched;
        let path = path_buf(path);
        if touched.len() <= MOST_TOUCHED && touched.last() != Some(&path) {
            touched.push(path);
        }
    }

    /// Lets somebody save what is in a folder under a name, before it goes.
    pub(super) fn rescue(&self, folder: &Folder, name: &[u8]) -> Result<()> {
        match self.job.before {
            Some(before) => (before.rescue)(&path_buf(&folder.path_of(name))),
            None => Ok(()),
        }
    }

    /// Adds to what the whole tree has.
    pub(super) fn count(&mut self, kind: Kind, stat: Stat) {
        self.done.exported.count(kind, stat.size);
    }

    pub(super) fn count_submodule(&mut self, folder: &Folder, name: &[u8]) {
        let path = folder.path_of(name);
        self.done.exported.submodules.push(path_buf(&path));
    }

    /// Reads what a file or link is to hold, and gives it to `act`.
    pub(super) fn with_content<T>(
        &mut self,
        folder: &Folder,
        name: &[u8],
        (kind, id, conversion): (Kind, Oid, Conversion),
        act: impl FnOnce(Content) -> Result<T>,
    ) -> Result<T> {
        let about = || format!("cannot write {}", shown(&folder.path_of(name)));
        let odb = self.odb;
        let blob = objects::blob(odb, id).with_context(about)?;
        match kind {
            Kind::File { executable } => {
                if is_pointer(blob.data()) {
                    self.done.exported.pointers.push(path_buf(&folder.path_of(name)));
                }
                let bytes = conversion.apply(blob.data(), id).with_context(about)?;
                act(Content::File { executable, bytes: &bytes })
            }
            _ => act(Content::Link { target: blob.data() }),
        }
    }

    /// Whether another thread has failed, so that what this one does is of no use any more.
    pub(super) fn is_useless(&self) -> bool {
        self.crew.has_stopped()
    }
}

/// Whether a blob begins as a pointer of Git LFS does, and is as short (docs/spec.md of git-lfs).
fn is_pointer(blob: &[u8]) -> bool {
    POINTER.contains(&(blob.len() as u64))
        && blob.strip_prefix(LFS_SPEC.as_bytes()).is_some_and(|rest| rest.starts_with(b"v"))
}

impl Place {
    pub(super) fn below(above: &Arc<Folder>, name: &[u8]) -> Place {
        Place::Below { above: Arc::clone(above), name: name.to_vec() }
    }

    fn open(self) -> Result<Folder> {
        match self {
            Place::Root(folder) => Ok(folder),
            Place::Below { above, name } => above.open_below(&name),
        }
    }
}

pub(super) fn path_buf(path: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(path))
}
