//! Changes of what is in a folder that is open: one name at a time, and no link is followed.
//!
//! Whoever calls knows the path in a tree that a name stands for, and says it in the error.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};

use super::sharing;

const NEW_FILE: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Makes a folder that must not be there yet. The umask takes bits away from `mode`.
pub fn create_dir_at(folder: BorrowedFd, name: &[u8], mode: Mode) -> io::Result<()> {
    Ok(fs::mkdirat(folder, name, mode)?)
}

/// Makes a file that must not be there yet. The umask takes bits away from `mode`.
pub fn create_file_at(folder: BorrowedFd, name: &[u8], mode: Mode) -> io::Result<File> {
    Ok(File::from(fs::openat(folder, name, NEW_FILE, mode)?))
}

/// Makes a link that must not be there yet. Its target may be anything: it is not looked at.
pub fn symlink_at(folder: BorrowedFd, name: &[u8], target: &[u8]) -> io::Result<()> {
    Ok(fs::symlinkat(target, folder, name)?)
}

/// Removes a file or a link. Fails when it is a folder, or is not there.
pub fn remove_file_at(folder: BorrowedFd, name: &[u8]) -> io::Result<()> {
    Ok(fs::unlinkat(folder, name, AtFlags::empty())?)
}

/// Removes a folder in which nothing is.
pub fn remove_dir_at(folder: BorrowedFd, name: &[u8]) -> io::Result<()> {
    Ok(fs::unlinkat(folder, name, AtFlags::REMOVEDIR)?)
}

/// The mode of a folder that has another one: in a shared site it stays the group's.
fn folder_mode(mode: Mode, found: u32) -> Mode {
    match sharing::mode(mode.as_raw_mode()) {
        shared if shared != mode.as_raw_mode() => Mode::from_raw_mode(shared | found & 0o2000),
        _ => mode,
    }
}

/// Gives a file or folder this mode, whatever the umask and a folder's default access list have
/// made of the one it was given. Looking is much cheaper than changing the mode of every file.
pub fn ensure_mode(open: impl AsFd, mode: Mode) -> io::Result<()> {
    let found = fs::fstat(&open)?.st_mode;
    let mode =
        if FileType::from_raw_mode(found).is_dir() { folder_mode(mode, found) } else { mode };
    if Mode::from_raw_mode(found) != mode {
        fs::fchmod(&open, mode)?;
    }
    Ok(())
}
