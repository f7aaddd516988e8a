//! Opens folders below a folder, and stays on its mount.

use std::ffi::CStr;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, fstat, openat};
use rustix::io::Errno;

/// How a folder is opened: its last name is no link.
pub(super) const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// How it is known that a folder is on the same mount as the one it was found in. Devices do
/// not tell: a bind mount of the same file system has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// The kernel opens no folder of another mount: `openat2(2)`, since Linux 5.6.
    Kernel,
    /// The ids of the mounts are compared. For an older kernel, and for a sandbox that refuses
    /// system calls it does not know.
    MountIds,
}

impl Guard {
    #[cfg(target_os = "linux")]
    pub(super) fn of_this_system(folder: BorrowedFd<'_>) -> Guard {
        match Guard::Kernel.open(folder, c".", OFlags::PATH) {
            Err(Errno::NOSYS | Errno::PERM) => Guard::MountIds,
            _ => Guard::Kernel,
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn of_this_system(_folder: BorrowedFd<'_>) -> Guard {
        Guard::MountIds
    }

    /// Opens a folder by its name in another one. EXDEV when it is on another mount; no link is
    /// followed.
    pub(super) fn open(
        self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        flags: OFlags,
    ) -> rustix::io::Result<OwnedFd> {
        match self {
            #[cfg(target_os = "linux")]
            Guard::Kernel => {
                use rustix::fs::{ResolveFlags, openat2};
                let resolve = ResolveFlags::NO_XDEV
                    | ResolveFlags::BENEATH
                    | ResolveFlags::NO_SYMLINKS
                    | ResolveFlags::NO_MAGICLINKS;
                openat2(parent, name, FOLDER | flags, Mode::empty(), resolve)
            }
            #[cfg(not(target_os = "linux"))]
            Guard::Kernel => Guard::MountIds.open(parent, name, flags),
            Guard::MountIds => {
                let folder = openat(parent, name, FOLDER | flags, Mode::empty())?;
                if mount_of(folder.as_fd())? == mount_of(parent)? {
                    Ok(folder)
                } else {
                    Err(Errno::XDEV)
                }
            }
        }
    }
}

/// The device and, where the system says it, the id of the mount that a folder was opened on.
fn mount_of(folder: BorrowedFd<'_>) -> rustix::io::Result<(u64, Option<u64>)> {
    Ok((fstat(folder)?.st_dev, mount_id(folder).or_else(|| mount_id_of_proc(folder))))
}

/// Since Linux 5.8.
#[cfg(target_os = "linux")]
fn mount_id(folder: BorrowedFd<'_>) -> Option<u64> {
    use rustix::fs::{StatxFlags, statx};
    let found = statx(folder, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).ok()?;
    (found.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(found.stx_mnt_id)
}

#[cfg(not(target_os = "linux"))]
fn mount_id(_folder: BorrowedFd<'_>) -> Option<u64> {
    None
}

/// `proc_pid_fdinfo(5)`, since Linux 3.15.
fn mount_id_of_proc(folder: BorrowedFd<'_>) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", folder.as_raw_fd())).ok()?;
    text.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use rustix::fs::open;

    use super::*;

    #[test]
    fn the_mounts_id_is_known_in_two_ways() {
        let folder = open("/", FOLDER | OFlags::PATH, Mode::empty()).unwrap();
        let Some(id) = mount_id(folder.as_fd()) else { return };
        assert_eq!(mount_id_of_proc(folder.as_fd()), Some(id));
    }
}
