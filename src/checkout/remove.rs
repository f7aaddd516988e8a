//! Removing what should not be in a folder. No link is followed.

#![allow(clippy::disallowed_methods, reason = "it moves into src/disk")]

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: Vec<u8>,
    pub(super) is_folder: bool,
}

/// All that is in a folder, in no order.
pub(super) fn found(folder: BorrowedFd) -> Result<Vec<Found>, Errno> {
    let mut all = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        let is_folder = match entry.file_type() {
            // Some file systems do not say.
            FileType::Unknown => {
                let stat = fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode).is_dir()
            }
            known => known.is_dir(),
        };
        all.push(Found { name: name.to_vec(), is_folder });
    }
    Ok(all)
}

/// Removes a file, a link, or a folder with all that is in it; what is gone already is fine. Each
/// level of a folder is one level of recursion and one open file.
pub(super) fn remove(folder: BorrowedFd, what: &Found) -> Result<(), Errno> {
    let removed = if what.is_folder {
        empty(folder, &what.name)
            .and_then(|()| fs::unlinkat(folder, what.name.as_slice(), AtFlags::REMOVEDIR))
    } else {
        fs::unlinkat(folder, what.name.as_slice(), AtFlags::empty())
    };
    match removed {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

fn empty(above: BorrowedFd, name: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = fs::openat(above, name, flags, Mode::empty())?;
    // A package manager's cache or an application may have made it read-only.
    let mode = Mode::from_raw_mode(fs::fstat(&folder)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        fs::fchmod(&folder, Mode::RWXU)?;
    }
    for inside in found(folder.as_fd())? {
        remove(folder.as_fd(), &inside)?;
    }
    Ok(())
}
