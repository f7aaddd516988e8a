//! Removes a folder with all that is in it, and stays on its own mount: what is mounted below it is
//! somebody's data.

use std::ffi::{CStr, CString, OsStr};
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, open, openat, unlinkat};
use rustix::io::Errno;
use thiserror::Error;

use super::guard::{FOLDER, Guard};

/// How many folders are kept open. Those above them are found again as `..`.
const OPEN: usize = 64;

/// How often a folder is read into which somebody writes while it is emptied.
const TIMES: usize = 3;

/// Something is mounted at or below a path, which therefore stays.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("something is mounted at {}{}, so {} is not removed", .mounts[0].display(),
    if .mounts.len() > 1 { format!(" (and {} more)", .mounts.len() - 1) } else { String::new() },
    .path.display())]
pub struct Mounted {
    pub path: PathBuf,
    /// Where; never empty.
    pub mounts: Vec<PathBuf>,
}

/// Removes a folder. Goes on with the rest when something cannot be removed, and fails with the
/// first of it in the end; with [`Mounted`] when something is mounted there.
pub(super) fn remove_folder(path: &Path) -> Result<()> {
    let (parent, name) = open_parent(path)?;
    let guard = Guard::of_this_system(parent.as_fd());
    remove_with(guard, path, parent.as_fd(), &name)
}

fn open_parent(path: &Path) -> Result<(OwnedFd, CString)> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let name = path.file_name().with_context(|| format!("{} has no name", path.display()))?;
    let name = CString::new(name.as_bytes()).context("a path has a NUL in it")?;
    // `releases`, say, may be a link to a folder on another disk.
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::PATH;
    let parent = open(parent, flags, Mode::empty())
        .with_context(|| format!("cannot access {}", parent.display()))?;
    Ok((parent, name))
}

fn remove_with(guard: Guard, path: &Path, parent: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    let mut remover = Remover { path, guard, levels: Vec::new(), mounts: Vec::new(), error: None };
    remover.remove(parent, name);
    let Remover { mut mounts, error, .. } = remover;
    if !mounts.is_empty() {
        mounts.sort();
        return Err(Mounted { path: path.to_owned(), mounts }.into());
    }
    error.map_or(Ok(()), Err)
}

struct Remover<'a> {
    path: &'a Path,
    guard: Guard,
    /// The folder that is being emptied now, and those above it.
    levels: Vec<Level>,
    /// Where somebody's data begins.
    mounts: Vec<PathBuf>,
    /// The first of what went wrong otherwise.
    error: Option<Error>,
}

struct Level {
    name: CString,
    /// Closed while the remover is far below it.
    folder: Option<OwnedFd>,
    identity: (u64, u64),
    /// What is in it and has not been tried yet.
    entries: Vec<Entry>,
    times_read: usize,
    /// Something in it cannot be removed, so it cannot either.
    stays: bool,
}

struct Entry {
    name: CString,
    is_folder: bool,
}

impl Remover<'_> {
    fn remove(&mut self, parent: BorrowedFd<'_>, name: &CStr) {
        let opened = Level::open(self.guard, parent, name);
        self.enter(opened, name);
        while let Some(level) = self.levels.last_mut() {
            let Some(entry) = level.entries.pop() else {
                self.leave(parent);
                continue;
            };
            let Some(folder) = level.folder.as_ref().map(AsFd::as_fd) else { continue };
            let unlinked = if entry.is_folder {
                Err(Errno::ISDIR)
            } else {
                unlink(folder, &entry.name, AtFlags::empty())
            };
            match unlinked {
                Err(Errno::ISDIR) => {
                    let opened = Level::open(self.guard, folder, &entry.name);
                    self.enter(opened, &entry.name);
                }
                unlinked => self.note(unlinked, &entry.name),
            }
        }
    }

    fn enter(&mut self, opened: rustix::io::Result<Level>, name: &CStr) {
        match opened {
            Ok(level) => {
                self.levels.push(level);
                if let Some(far) = self.levels.len().checked_sub(OPEN + 1) {
                    self.levels[far].folder = None;
                }
            }
            Err(error) => self.note(Err(error), name),
        }
    }

    /// Removes a folder whose entries have all been tried.
    fn leave(&mut self, top: BorrowedFd<'_>) {
        let Some(mut level) = self.levels.pop() else { return };
        let parent = match self.levels.last_mut() {
            None => Ok(top),
            Some(above) => above.reopen(&level),
        };
        let removed = match parent {
            Ok(_) if level.stays => Err(Errno::NOTEMPTY),
            Ok(parent) => unlink(parent, &level.name, AtFlags::REMOVEDIR),
            Err(error) => Err(error),
        };
        match removed {
            Err(_) if level.stays => self.levels.last_mut().into_iter().for_each(Level::keep),
            // Somebody writes into it.
            Err(Errno::NOTEMPTY | Errno::EXIST) if level.times_read < TIMES => {
                level.times_read += 1;
                level.entries =
                    level.folder.as_ref().and_then(|it| read(it.as_fd()).ok()).unwrap_or_default();
                self.levels.push(level);
            }
            removed => self.note(removed, &level.name),
        }
    }

    /// Remembers what could not be removed from the innermost folder.
    fn note(&mut self, removed: rustix::io::Result<()>, name: &CStr) {
        let error = match removed {
            Ok(()) | Err(Errno::NOENT) => return,
            Err(error) => error,
        };
        let names = self.levels.iter().skip(1).map(|level| level.name.as_c_str());
        let names = names.chain((!self.levels.is_empty()).then_some(name));
        let path = names
            .fold(self.path.to_owned(), |path, name| path.join(OsStr::from_bytes(name.to_bytes())));
        self.levels.last_mut().into_iter().for_each(Level::keep);
        // A mount point cannot be unlinked (EBUSY), and is not opened (EXDEV).
        if matches!(error, Errno::XDEV | Errno::BUSY) {
            self.mounts.push(path);
        } else if self.error.is_none() {
            let cannot = format!("cannot remove {}", path.display());
            self.error = Some(Error::new(io::Error::from(error)).context(cannot));
        }
    }
}

impl Level {
    fn open(guard: Guard, parent: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<Level> {
        let folder = match guard.open(parent, name, OFlags::RDONLY) {
            // Its owner may have taken the permission away from himself.
            Err(Errno::ACCESS) => {
                allow(guard.open(parent, name, OFlags::PATH)?.as_fd())?;
                guard.open(parent, name, OFlags::RDONLY)?
            }
            opened => opened?,
        };
        let stat = fstat(&folder)?;
        Ok(Level {
            name: name.to_owned(),
            identity: (stat.st_dev, stat.st_ino),
            entries: read(folder.as_fd())?,
            folder: Some(folder),
            times_read: 1,
            stays: false,
        })
    }

    /// This folder, which the other one was found in.
    fn reopen(&mut self, below: &Level) -> rustix::io::Result<BorrowedFd<'_>> {
        if self.folder.is_none() {
            let below = below.folder.as_ref().ok_or(Errno::BADF)?;
            let folder = openat(below, c"..", FOLDER | OFlags::RDONLY, Mode::empty())?;
            let stat = fstat(&folder)?;
            if (stat.st_dev, stat.st_ino) != self.identity {
                // Somebody has moved the lower one. What is left here is found the next time.
                self.entries.clear();
                return Err(Errno::STALE);
            }
            self.folder = Some(folder);
        }
        self.folder.as_ref().map(AsFd::as_fd).ok_or(Errno::BADF)
    }

    fn keep(&mut self) {
        self.stays = true;
    }
}

fn unlink(folder: BorrowedFd<'_>, name: &CStr, flags: AtFlags) -> rustix::io::Result<()> {
    match unlinkat(folder, name, flags) {
        Err(Errno::ACCESS) => {
            allow(folder)?;
            unlinkat(folder, name, flags)
        }
        unlinked => unlinked,
    }
}

/// Lets the owner of a folder change it. It may have been opened without any permission.
fn allow(folder: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
    fs::set_permissions(path, Permissions::from_mode(0o700))
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::ACCESS))
}

/// What is in a folder, read as a whole before any of it is removed.
fn read(folder: BorrowedFd<'_>) -> rustix::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            let is_folder = entry.file_type() == FileType::Directory;
            entries.push(Entry { name: name.to_owned(), is_folder });
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests;
