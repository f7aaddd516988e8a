//! An open folder that is being written. Everything is made relative to it, one name at a time, and
//! no link is followed.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Error, Result, bail};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::error;
use super::name::shown;
use crate::disk::{self, at};

/// What Linux and macOS let a path have, without the NUL. Nothing could open a longer one by its
/// name.
pub(super) const LONGEST_PATH: usize = 4095;

/// A tree deeper than this is refused: nothing honest is, and what walks folders by recursion
/// (Python, among others) would not survive it.
const DEEPEST: usize = 1024;

/// Folders deeper than this are not kept open while those below them wait, but opened again for
/// each: a thousand levels must not take a thousand open files.
const KEPT_OPEN: usize = 48;

const OPEN_FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

const PLAIN: Mode = Mode::from_raw_mode(0o644);
const EXECUTABLE: Mode = Mode::from_raw_mode(0o755);

#[derive(Debug)]
pub(super) struct Folder {
    /// `None` while it is kept closed.
    fd: Option<OwnedFd>,
    above: Option<Arc<Folder>>,
    /// Where the tree is written to.
    root: Arc<PathBuf>,
    /// In the tree: empty, or ending in a slash.
    path: Vec<u8>,
    depth: usize,
}

/// What a file or a link is to hold.
pub(super) enum Content<'a> {
    File {
        executable: bool,
        bytes: &'a [u8],
    },
    /// A file that is too large to be held in memory.
    Stream {
        executable: bool,
        bytes: &'a mut dyn Read,
    },
    Link {
        target: &'a [u8],
    },
}

/// Opening, and knowing where one is.
impl Folder {
    /// Opens the folder a tree is to be written into.
    pub(super) fn open(root: &Path) -> Result<Folder> {
        let root = std::path::absolute(root)
            .with_context(|| format!("cannot find the folder {}", root.display()))?;
        let fd = fs::open(&root, OPEN_FOLDER, Mode::empty())
            .with_context(|| format!("cannot open the folder {}", root.display()))?;
        Ok(Folder { fd: Some(fd), above: None, root: Arc::new(root), path: Vec::new(), depth: 0 })
    }

    /// Opens a folder of this one. Fails when it is a link.
    pub(super) fn open_below(self: &Arc<Self>, name: &[u8]) -> Result<Folder> {
        let depth = self.depth + 1;
        let path = [&self.path, name, b"/"].concat();
        if depth > DEEPEST {
            bail!(error::too_deep(&path, DEEPEST));
        }
        let fd = self
            .with_fd(|above| fs::openat(above, name, OPEN_FOLDER, Mode::empty()))?
            .map_err(|error| self.failed("open the folder", name, error.into()))?;
        Ok(Folder {
            fd: Some(fd),
            above: Some(Arc::clone(self)),
            root: Arc::clone(&self.root),
            path,
            depth,
        })
    }

    /// This folder, for those below it to be opened from when their time comes.
    pub(super) fn for_those_below(self: &Arc<Self>) -> Arc<Folder> {
        if self.depth <= KEPT_OPEN {
            return Arc::clone(self);
        }
        Arc::new(Folder {
            fd: None,
            above: self.above.clone(),
            root: Arc::clone(&self.root),
            path: self.path.clone(),
            depth: self.depth,
        })
    }

    /// Goes down again from the nearest folder above that is open.
    fn reopened(&self) -> Result<OwnedFd> {
        let mut closed = vec![self];
        let mut above = self.above.as_ref();
        let start = loop {
            let folder = above.context("the topmost folder is not open")?;
            match &folder.fd {
                Some(fd) => break fd,
                None => closed.push(folder),
            }
            above = folder.above.as_ref();
        };
        let mut fd: Option<OwnedFd> = None;
        for folder in closed.into_iter().rev() {
            let from = fd.as_ref().unwrap_or(start);
            let opened = fs::openat(from, folder.name(), OPEN_FOLDER, Mode::empty())
                .with_context(|| format!("cannot open the folder {}", shown(&folder.path)))?;
            fd = Some(opened);
        }
        fd.context("the folder is open already")
    }

    /// Does something in this folder, which is opened for it when it is kept closed.
    fn with_fd<T>(&self, act: impl FnOnce(BorrowedFd) -> T) -> Result<T> {
        Ok(match &self.fd {
            Some(fd) => act(fd.as_fd()),
            None => act(self.reopened()?.as_fd()),
        })
    }

    fn fd(&self) -> Result<BorrowedFd<'_>> {
        self.fd
            .as_ref()
            .map(AsFd::as_fd)
            .with_context(|| format!("the folder {} is not open", shown(&self.path)))
    }

    fn name(&self) -> &[u8] {
        let path = self.path.strip_suffix(b"/").unwrap_or_default();
        path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }

    /// The path in the tree: empty, or ending in a slash.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The path in the tree of an entry of this folder.
    pub(super) fn path_of(&self, name: &[u8]) -> Vec<u8> {
        [&self.path, name].concat()
    }
}

/// Looking.
impl Folder {
    /// The size of a file, in bytes; 0 for a link. Fails when there is neither of that name.
    pub(super) fn size_of(&self, name: &[u8]) -> Result<u64> {
        let looked = self.with_fd(|fd| fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW))?;
        let stat = looked.map_err(|error| self.failed("look at", name, error.into()))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(stat.st_size.cast_unsigned()),
            FileType::Symlink => Ok(0),
            _ => bail!("{} is no longer a file", shown(&self.path_of(name))),
        }
    }
}

/// Changing.
impl Folder {
    /// Gives this folder the mode that folders have.
    pub(super) fn set_mode(&self) -> Result<()> {
        at::ensure_mode(self.fd()?, EXECUTABLE)
            .with_context(|| format!("cannot change the mode of {}", shown(&self.path)))
    }

    /// Makes a folder that must not be there yet. Its mode is the umask's until
    /// [`Folder::set_mode`].
    pub(super) fn make_folder(&self, name: &[u8]) -> Result<()> {
        self.check_length(name)?;
        disk::point("checkout: folder");
        at::create_dir_at(self.fd()?, name, EXECUTABLE)
            .map_err(|error| self.failed("make the folder", name, error))
    }

    /// Makes a file or link that must not be there yet. Returns the size of the file, in bytes; 0
    /// for a link.
    pub(super) fn write(&self, name: &[u8], content: Content) -> Result<u64> {
        self.check_length(name)?;
        disk::point("checkout: file");
        let what = match content {
            Content::File { .. } | Content::Stream { .. } => "write the file",
            Content::Link { .. } => "make the link",
        };
        create(self.fd()?, name, content).map_err(|error| self.failed(what, name, error))
    }

    /// Removes a file or a link. Fails when there is none.
    pub(super) fn remove_file(&self, name: &[u8]) -> Result<()> {
        disk::point("checkout: remove");
        self.with_fd(|fd| at::remove_file_at(fd, name))?
            .map_err(|error| self.failed("remove", name, error))
    }

    /// Removes a folder in which nothing is.
    pub(super) fn remove_folder(&self, name: &[u8]) -> Result<()> {
        disk::point("checkout: remove");
        self.with_fd(|fd| at::remove_dir_at(fd, name))?
            .map_err(|error| self.failed("remove the folder", name, error))
    }
}

/// Failing.
impl Folder {
    fn check_length(&self, name: &[u8]) -> Result<()> {
        let length = self.root.as_os_str().len() + 1 + self.path.len() + name.len();
        if length > LONGEST_PATH {
            bail!(error::path_too_long(&self.path_of(name), length, LONGEST_PATH, &self.root));
        }
        Ok(())
    }

    pub(super) fn link_too_long(&self, name: &[u8], size: usize) -> Error {
        error::link_too_long(&self.path_of(name), &self.root, size, LONGEST_PATH).into()
    }

    fn failed(&self, what: &str, name: &[u8], why: io::Error) -> Error {
        let (path, root) = (self.path_of(name), &self.root);
        let told = match Errno::from_io_error(&why) {
            Some(Errno::EXIST) => error::exists(what, &path, root),
            Some(Errno::NAMETOOLONG) => error::name_too_long(what, &path, root, name.len()),
            _ => return Error::new(why).context(error::cannot(what, &path, root).fact),
        };
        told.explaining(why)
    }
}

fn create(folder: BorrowedFd, name: &[u8], content: Content) -> io::Result<u64> {
    let make = |executable| {
        let mode = if executable { EXECUTABLE } else { PLAIN };
        at::create_file_at(folder, name, mode).map(|file| (file, mode))
    };
    let (file, mode, size) = match content {
        Content::Link { target } => return at::symlink_at(folder, name, target).map(|()| 0),
        Content::File { executable, bytes } => {
            let (mut file, mode) = make(executable)?;
            file.write_all(bytes)?;
            (file, mode, bytes.len() as u64)
        }
        Content::Stream { executable, bytes } => {
            let (mut file, mode) = make(executable)?;
            let size = io::copy(bytes, &mut file)?;
            (file, mode, size)
        }
    };
    at::ensure_mode(&file, mode)?;
    Ok(size)
}
