//! One of the threads that write a tree: takes tasks and carries them out.

use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use git2::{Odb, Oid};

use super::attributes::Attributes;
use super::convert::Conversion;
use super::entry::Kind;
use super::folder::{Content, Folder};
use super::manifest::{Item, push_block};
use super::name::shown;
use super::objects;
use super::pool::{self, Pool};
use super::stat::Stat;
use super::task::{Done, Draft, Job, MOST_TOUCHED, PART, Records, Task};
use crate::disk;
use crate::git::{self, Repository};

/// How long a pointer of Git LFS can be, in bytes: its three lines, and git-lfs's own bound.
pub(super) const POINTER: Range<u64> = 120..1024;

/// What the text of a pointer begins with, before its version.
pub const LFS_SPEC: &str = "version https://git-lfs.github.com/spec/";

/// How much a thread gathers before it writes, in bytes.
const GATHERED: usize = 64 << 10;

/// Does a task and all that follow from it. Fails with the first failure of a thread; the others
/// stop at their next file.
pub(super) fn carry_out<'m>(
    repository: &Repository,
    first: Task<'m>,
    job: Job<'m>,
) -> Result<Vec<Done>> {
    let work = |objects: &git2::Repository, pool: &Pool<Task<'m>>, first| {
        let odb = objects.odb().context("cannot read the repository's objects")?;
        Writer::new(&odb, pool, job).run(first)
    };
    // libgit2's handle is for one thread. Another thread opens its own, and only when there is
    // something to do for it.
    let path = repository.path();
    let own = |pool: &Pool<_>, first| work(repository.objects(), pool, first);
    pool::work_together(first, own, |pool, first| work(&git::open_objects(path)?, pool, first))
}

pub(super) struct Writer<'a, 'm> {
    pub(super) odb: &'a Odb<'a>,
    pub(super) job: Job<'m>,
    pub(super) attributes: Attributes,
    pub(super) done: Done,
    /// What the task at hand has led to.
    found: Vec<Task<'m>>,
    pool: &'a Pool<Task<'m>>,
}

impl<'a, 'm> Writer<'a, 'm> {
    pub(super) fn new(odb: &'a Odb<'a>, pool: &'a Pool<Task<'m>>, job: Job<'m>) -> Self {
        Writer {
            odb,
            job,
            attributes: Attributes::default(),
            done: Done::default(),
            found: Vec::new(),
            pool,
        }
    }

    /// Remembers what the task at hand has led to.
    pub(super) fn find(&mut self, task: Task<'m>) {
        self.found.push(task);
        if self.found.len() >= PART {
            self.pool.hand_over(&mut self.found);
        }
    }

    /// Carries out a task, and takes others until there are no more or another thread has failed.
    pub(super) fn run(mut self, first: Task<'m>) -> Result<Done> {
        let mut next = Some(first);
        while let Some(task) = next {
            disk::point("checkout: a task");
            self.carry_out(task)?;
            next = self.pool.next(&mut self.found, true);
        }
        self.write_blocks(0)?;
        Ok(self.done)
    }

    fn carry_out(&mut self, task: Task<'m>) -> Result<()> {
        match task {
            Task::Fill { folder, tree, inherited } => self.fill(folder.open()?, tree, inherited),
            Task::Update { folder, tree, inherited, standing } => {
                self.update_folder(folder.open()?, tree, inherited, standing)
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
        self.pool.has_stopped()
    }
}

/// Whether a blob begins as a pointer of Git LFS does, and is as short (docs/spec.md of git-lfs).
fn is_pointer(blob: &[u8]) -> bool {
    POINTER.contains(&(blob.len() as u64))
        && blob.strip_prefix(LFS_SPEC.as_bytes()).is_some_and(|rest| rest.starts_with(b"v"))
}

pub(super) fn path_buf(path: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(path))
}
