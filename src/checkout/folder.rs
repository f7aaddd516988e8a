//! An open folder that is being written. Everything is made relative to it, one name at a time, and
//! no link is followed.

#![allow(clippy::disallowed_methods, reason = "it moves into src/disk")]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Error, Result, anyhow, ensure};
use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::name::shown;
use super::remove::{self, Found};
use super::stat::Stat;
use crate::disk;

/// What Linux and macOS let a path have, without the NUL. Nothing could open a longer one by its
/// name.
const LONGEST_PATH: usize = 4095;

/// A tree deeper than this is refused: nothing honest is, and what walks folders by recursion
/// (Python, among others) would not survive it.
const DEEPEST: usize = 1024;

/// Folders deeper than this are not kept open while those below them wait, but opened again for
/// each: a thousand levels must not take a thousand open files.
const KEPT_OPEN: usize = 48;

const OPEN_FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

const OPEN_FILE: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

const NEW_FILE: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

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
#[derive(Debug, Clone, Copy)]
pub(super) enum Content<'a> {
    File { executable: bool, bytes: &'a [u8] },
    Link { target: &'a [u8] },
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
        ensure!(
            depth <= DEEPEST,
            "the tree is deeper than {DEEPEST} folders\nfound: {}",
            shown(&path)
        );
        let open = |above: BorrowedFd| {
            fs::openat(above, name, OPEN_FOLDER, Mode::empty())
                .map_err(|error| self.failed("open the folder", name, error.into()))
        };
        let fd = match &self.fd {
            Some(fd) => open(fd.as_fd()),
            None => open(self.reopened()?.as_fd()),
        }?;
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
    pub(super) fn stat(&self) -> Result<Stat> {
        let raw = fs::fstat(self.fd()?)
            .with_context(|| format!("cannot look at the folder {}", shown(&self.path)))?;
        Ok(Stat::of(&raw))
    }

    /// `None` when there is nothing of that name.
    pub(super) fn stat_of(&self, name: &[u8]) -> Result<Option<Stat>> {
        match fs::statat(self.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(raw) => Ok(Some(Stat::of(&raw))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed("look at", name, error.into())),
        }
    }

    /// Fails when the folder is somebody else's: it could not be made what a new one is.
    pub(super) fn check_owner(&self) -> Result<()> {
        let stat = fs::fstat(self.fd()?)
            .with_context(|| format!("cannot look at the folder {}", shown(&self.path)))?;
        let own = rustix::process::geteuid().as_raw();
        ensure!(
            stat.st_uid == own,
            "the folder {} in {} belongs to another user\nfound: user {}; nyala runs as user {own}",
            shown(&self.path),
            self.root.display(),
            stat.st_uid
        );
        Ok(())
    }

    /// All that is in this folder.
    pub(super) fn found(&self) -> Result<Vec<Found>> {
        remove::found(self.fd()?)
            .with_context(|| format!("cannot read the folder {}", shown(&self.path)))
    }

    /// Whether a file or link holds just this. Its mode is not looked at.
    pub(super) fn holds(&self, name: &[u8], content: Content) -> Result<bool> {
        let looked = || -> io::Result<bool> {
            let fd = self.fd().map_err(io::Error::other)?;
            match content {
                Content::Link { target } => {
                    Ok(fs::readlinkat(fd, name, Vec::new())?.as_bytes() == target)
                }
                Content::File { bytes, .. } => {
                    let mut file = File::from(fs::openat(fd, name, OPEN_FILE, Mode::empty())?);
                    let mut found = Vec::with_capacity(bytes.len() + 1);
                    file.read_to_end(&mut found)?;
                    Ok(found == bytes)
                }
            }
        };
        looked().map_err(|error| self.failed("read", name, error))
    }
}

/// Changing.
impl Folder {
    /// Gives this folder the mode that folders have. Says whether it had another.
    pub(super) fn set_mode(&self) -> Result<bool> {
        let fd = self.fd()?;
        fs::fstat(fd)
            .and_then(|stat| set_mode(fd, stat.st_mode, EXECUTABLE))
            .with_context(|| format!("cannot change the mode of {}", shown(&self.path)))
    }

    /// Makes a folder that must not be there yet. Its mode is the umask's until
    /// [`Folder::set_mode`].
    pub(super) fn make_folder(&self, name: &[u8]) -> Result<()> {
        self.check_length(name)?;
        disk::point("checkout: folder");
        fs::mkdirat(self.fd()?, name, EXECUTABLE)
            .map_err(|error| self.failed("make the folder", name, error.into()))
    }

    /// Makes a file or link that must not be there yet. A link's target may be anything: it is not
    /// looked at.
    pub(super) fn write(&self, name: &[u8], content: Content) -> Result<Stat> {
        self.check_length(name)?;
        disk::point("checkout: file");
        let fd = self.fd()?;
        create(fd, name, content).map_err(|error| self.failed_to_write(name, content, error))
    }

    /// Makes a file or link in the place of the one that is there, which is not opened.
    pub(super) fn replace(&self, name: &[u8], content: Content) -> Result<Stat> {
        self.check_length(name)?;
        let fd = self.fd()?;
        let replaced = || -> io::Result<Stat> {
            let mut number = 0;
            let new = loop {
                let new = format!(".nyala-new-{number}");
                match create(fd, new.as_bytes(), content) {
                    Ok(_) => break new,
                    // Another thread is writing in this folder, or the tree has such a name.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                    Err(error) => {
                        let _ = fs::unlinkat(fd, new.as_str(), AtFlags::empty());
                        return Err(error);
                    }
                }
            };
            disk::point("checkout: replace");
            fs::renameat(fd, new.as_str(), fd, name)?;
            // The rename itself has changed it.
            Ok(Stat::of(&fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW)?))
        };
        replaced().map_err(|error| self.failed_to_write(name, content, error))
    }

    /// Removes a file, a link, or a folder with all that is in it.
    pub(super) fn remove(&self, found: &Found) -> Result<()> {
        disk::point("checkout: remove");
        remove::remove(self.fd()?, found)
            .map_err(|error| self.failed("remove", &found.name, error.into()))
    }
}

/// Failing.
impl Folder {
    fn check_length(&self, name: &[u8]) -> Result<()> {
        let length = self.root.as_os_str().len() + 1 + self.path.len() + name.len();
        ensure!(
            length <= LONGEST_PATH,
            "the path {} is too long\nfound: {length} bytes below {}; the system allows {LONGEST_PATH}",
            shown(&self.path_of(name)),
            self.root.display()
        );
        Ok(())
    }

    fn failed_to_write(&self, name: &[u8], content: Content, error: io::Error) -> Error {
        let what = match content {
            Content::File { .. } => "write the file",
            Content::Link { .. } => "make the link",
        };
        self.failed(what, name, error)
    }

    fn failed(&self, what: &str, name: &[u8], error: io::Error) -> Error {
        let found = match Errno::from_io_error(&error) {
            Some(Errno::EXIST) => Some(
                "the tree has two entries of that name, or two that this file system takes for one"
                    .to_owned(),
            ),
            Some(Errno::NAMETOOLONG) => {
                Some(format!("a name of {} bytes; file systems allow 255", name.len()))
            }
            _ => None,
        };
        let path = shown(&self.path_of(name));
        let fact = match found {
            Some(found) => anyhow!("{error}\nfound: {found}"),
            None => error.into(),
        };
        fact.context(format!("cannot {what} {path} in {}", self.root.display()))
    }
}

fn create(folder: BorrowedFd, name: &[u8], content: Content) -> io::Result<Stat> {
    match content {
        Content::Link { target } => {
            fs::symlinkat(target, folder, name)?;
            let raw = fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok(Stat::of(&raw))
        }
        Content::File { executable, bytes } => {
            let mode = if executable { EXECUTABLE } else { PLAIN };
            let mut file = File::from(fs::openat(folder, name, NEW_FILE, mode)?);
            file.write_all(bytes)?;
            let mut raw = fs::fstat(&file)?;
            if set_mode(file.as_fd(), raw.st_mode, mode)? {
                raw = fs::fstat(&file)?;
            }
            Ok(Stat::of(&raw))
        }
    }
}

/// The umask and a folder's default access list take bits away from what `open` and `mkdir` are
/// given. Looking is much cheaper than changing the mode of every file. Says whether it was
/// changed.
fn set_mode(fd: BorrowedFd, found: fs::RawMode, wanted: Mode) -> Result<bool, Errno> {
    let differs = Mode::from_raw_mode(found) != wanted;
    if differs {
        fs::fchmod(fd, wanted)?;
    }
    Ok(differs)
}
