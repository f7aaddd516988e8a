//! One of the threads that write a tree: takes tasks and carries them out.

use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use git2::{Odb, Oid};

use super::attributes::Attributes;
use super::convert::Conversion;
use super::entry::Kind;
use super::folder::{Content, Folder, LONGEST_PATH};
use super::name::shown;
use super::objects;
use super::pool::{self, Pool};
use super::stream;
use super::task::{Done, PART, Task};
use crate::disk;
use crate::git::{self, Repository};

/// How long a pointer of Git LFS can be, in bytes: its three lines, and git-lfs's own bound.
const POINTER: Range<u64> = 120..1024;

/// What the text of a pointer begins with, before its version.
pub const LFS_SPEC: &str = "version https://git-lfs.github.com/spec/";

/// A blob of more bytes is not held in memory.
const LARGE: usize = 32 << 20;

/// Carries a task out and all that it leads to. Fails with the first failure of a thread; the
/// others stop at their next file, and so do all once `is_cancelled` says so.
pub(super) fn carry_out(
    repository: &Repository,
    first: Task,
    is_cancelled: &IsCancelled,
) -> Result<Vec<Done>> {
    let path = repository.path();
    let work = |objects: &git2::Repository, pool: &Pool<Task>, first| {
        let odb = objects.odb().context("cannot read the repository's objects")?;
        Writer::new(&odb, path, pool, is_cancelled).run(first)
    };
    // libgit2's handle is for one thread. Another thread opens its own, and only when there is
    // something to do for it.
    let own = |pool: &Pool<_>, first| work(repository.objects(), pool, first);
    let help = |pool: &Pool<_>, first| work(&git::open_objects(path)?, pool, first);
    pool::work_together(first, own, help)
}

/// Is asked before each file.
pub type IsCancelled<'a> = dyn Fn() -> bool + Sync + 'a;

/// What a tree fails with that is not wanted any more.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

pub(super) struct Writer<'a> {
    pub(super) odb: &'a Odb<'a>,
    pub(super) attributes: Attributes,
    /// Those of the tree that a folder holds while it is updated.
    pub(super) old_attributes: Attributes,
    pub(super) done: Done,
    repository: &'a Path,
    /// What the task at hand has led to.
    found: Vec<Task>,
    pool: &'a Pool<Task>,
    is_cancelled: &'a IsCancelled<'a>,
}

impl<'a> Writer<'a> {
    fn new(
        odb: &'a Odb<'a>,
        repository: &'a Path,
        pool: &'a Pool<Task>,
        is_cancelled: &'a IsCancelled<'a>,
    ) -> Self {
        Writer {
            odb,
            attributes: Attributes::default(),
            old_attributes: Attributes::default(),
            done: Done::default(),
            repository,
            found: Vec::new(),
            pool,
            is_cancelled,
        }
    }

    /// Remembers what the task at hand has led to.
    pub(super) fn find(&mut self, task: Task) {
        self.found.push(task);
        if self.found.len() >= PART {
            self.pool.hand_over(&mut self.found);
        }
    }

    /// Carries out a task, and takes others until there are no more or another thread has failed.
    fn run(mut self, first: Task) -> Result<Done> {
        let mut next = Some(first);
        while let Some(task) = next {
            disk::point("checkout: a task");
            match task {
                Task::Fill { folder, tree, inherited } => {
                    self.fill(folder.open()?, tree, inherited)
                }
                Task::Update { folder, trees } => self.update(folder.open()?, &trees),
                Task::Part { folder, files } => self.part(&folder, files),
            }?;
            next = self.pool.next(&mut self.found, true);
        }
        Ok(self.done)
    }

    /// Writes a file or link that must not be there yet.
    pub(super) fn write(
        &mut self,
        folder: &Folder,
        name: &[u8],
        kind: Kind,
        id: Oid,
        conversion: Conversion,
    ) -> Result<()> {
        if (self.is_cancelled)() {
            return Err(Cancelled.into());
        }
        let about = || format!("cannot write {}", shown(&folder.path_of(name)));
        if conversion.is_unfiltered {
            self.done.exported.unfiltered.push(path_buf(&folder.path_of(name)));
        }
        let odb = self.odb;
        if let Kind::File { executable } = kind
            && objects::is_larger(odb, id, LARGE)
            && let Some(filter) = conversion.streamed()
        {
            let size = stream::blob(self.repository, id, |bytes| {
                let mut bytes = filter.read(bytes);
                folder.write(name, Content::Stream { executable, bytes: &mut bytes })
            })?;
            self.done.exported.count(kind, size);
            return Ok(());
        }
        if kind == Kind::Link && objects::is_larger(odb, id, LONGEST_PATH) {
            return Err(folder.link_too_long(name, objects::size(odb, id)));
        }
        let blob = objects::blob(odb, id).with_context(about)?;
        let size = if let Kind::File { executable } = kind {
            if is_pointer(blob.data()) {
                self.done.exported.pointers.push(path_buf(&folder.path_of(name)));
            }
            let bytes = conversion.apply(blob.data(), id).with_context(about)?;
            folder.write(name, Content::File { executable, bytes: &bytes })?
        } else {
            folder.write(name, Content::Link { target: blob.data() })?
        };
        self.done.exported.count(kind, size);
        Ok(())
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
