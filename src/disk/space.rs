//! How much room a file system has, whether that is enough, and what to say when it is not.

mod explain;

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{StatVfs, StatVfsMountFlags, statvfs};
use serde::{Deserialize, Serialize};

pub use explain::{explain, free_space, is_about_space};

use crate::text;

/// How much of a disk is used, or free.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct DiskUsage {
    pub bytes: u64,
    /// Files, folders and links.
    pub inodes: u64,
}

impl DiskUsage {
    #[must_use]
    pub fn and(self, more: DiskUsage) -> DiskUsage {
        DiskUsage {
            bytes: self.bytes.saturating_add(more.bytes),
            inodes: self.inodes.saturating_add(more.inodes),
        }
    }
}

impl fmt::Display for DiskUsage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DiskUsage { bytes, inodes } = *self;
        formatter.write_str(&text::bytes(bytes))?;
        // btrfs, for one, has no fixed number of inodes.
        if inodes == u64::MAX { Ok(()) } else { write!(formatter, " and {inodes} inodes") }
    }
}

/// A file system, and what is free on it for the user this process runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    pub mounted_on: PathBuf,
    /// `ext4`, `tmpfs`; empty where the system does not say.
    pub kind: String,
    pub free: DiskUsage,
    pub read_only: bool,
    /// Whether anything can be stored there at all: `/proc` has no blocks, of which none is free.
    pub has_blocks: bool,
}

impl FileSystem {
    /// The one that a path, or the nearest folder above it that is there, is on.
    pub fn of(path: &Path) -> Result<FileSystem> {
        let (there, status) = status_at(path)?;
        let (mounted_on, kind) =
            mount_of(there).unwrap_or_else(|| (there.to_owned(), String::new()));
        Ok(FileSystem {
            mounted_on,
            kind,
            free: free(&status),
            read_only: status.f_flag.contains(StatVfsMountFlags::RDONLY),
            has_blocks: status.f_blocks > 0,
        })
    }
}

/// What is free on the file system that a path, or the nearest folder above it that is there, is
/// on. Unlike [`FileSystem::of`], this reads no list of mounts.
pub fn free_at(path: &Path) -> Result<DiskUsage> {
    status_at(path).map(|(_, status)| free(&status))
}

fn status_at(path: &Path) -> Result<(&Path, StatVfs)> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let status = statvfs(there)
        .with_context(|| format!("cannot get the free space at {}", there.display()))?;
    Ok((there, status))
}

impl FileSystem {
    /// Whether hardly a record fits any more, so that whatever has failed has probably failed for
    /// want of room.
    pub fn is_full(&self) -> bool {
        self.has_blocks && (self.free.bytes < 64 << 10 || self.free.inodes < 8)
    }
}

/// `the file system at /srv (ext4)`
impl fmt::Display for FileSystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the file system at {}", self.mounted_on.display())?;
        if self.kind.is_empty() { Ok(()) } else { write!(formatter, " ({})", self.kind) }
    }
}

/// What has to stay free on a file system, whatever a step of a deployment does there: the live
/// application writes too.
#[derive(Debug)]
pub struct Floor {
    path: PathBuf,
    device: u64,
    least: DiskUsage,
}

impl Floor {
    /// One for each file system that these paths are on.
    pub fn under<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Vec<Floor> {
        let mut floors: Vec<Floor> = Vec::new();
        for floor in paths.into_iter().filter_map(Floor::at) {
            if floors.iter().all(|there| there.device != floor.device) {
                floors.push(floor);
            }
        }
        floors
    }

    /// Of the file system that the path is on, or will be; `None` where the system does not say.
    fn at(path: &Path) -> Option<Floor> {
        let path = path.ancestors().find(|path| path.exists())?;
        let status = statvfs(path).ok()?;
        let bytes = status.f_blocks.saturating_mul(status.f_frsize);
        let least = least(DiskUsage { bytes, inodes: status.f_files }, free(&status));
        Some(Floor { path: path.to_owned(), device: fs::metadata(path).ok()?.dev(), least })
    }

    /// The file system, when less is free on it.
    pub fn reached(&self) -> Option<FileSystem> {
        let free = free(&statvfs(&self.path).ok()?);
        shortage(self.least, free).and_then(|_| FileSystem::of(&self.path).ok())
    }
}

/// A hundredth of a file system of this size: at least 2 MiB and 200 inodes, at most 64 MiB and
/// 5,000 inodes, and not more than half of what is free now.
fn least(size: DiskUsage, free: DiskUsage) -> DiskUsage {
    DiskUsage {
        bytes: (size.bytes / 100).clamp(2 << 20, 64 << 20).min(free.bytes / 2),
        inodes: (size.inodes / 100).clamp(200, 5000).min(free.inodes / 2),
    }
}

fn free(status: &StatVfs) -> DiskUsage {
    // A file system without a number of inodes (btrfs) says that it has none at all.
    let inodes = if status.f_files == 0 { u64::MAX } else { status.f_ffree };
    DiskUsage { bytes: free_bytes(status), inodes }
}

/// Some blocks are root's alone.
fn free_bytes(status: &StatVfs) -> u64 {
    let blocks =
        if rustix::process::geteuid().is_root() { status.f_bfree } else { status.f_bavail };
    blocks.saturating_mul(status.f_frsize)
}

/// What is missing of the room that is needed; `None` when there is enough.
pub fn shortage(needed: DiskUsage, free: DiskUsage) -> Option<&'static str> {
    match (needed.bytes > free.bytes, needed.inodes > free.inodes) {
        (false, false) => None,
        (true, false) => Some("room"),
        (false, true) => Some("inodes"),
        (true, true) => Some("room and inodes"),
    }
}

/// What a folder with all that is in it takes, as the file system counts it. What cannot be read
/// does not count.
pub fn used_by(folder: &Path) -> DiskUsage {
    let mut taken = DiskUsage::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            taken = taken.and(DiskUsage { bytes: metadata.blocks() * 512, inodes: 1 });
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    taken
}

/// Where the file system of a path is mounted, and of which kind it is, from
/// `proc_pid_mountinfo(5)`.
fn mount_of(path: &Path) -> Option<(PathBuf, String)> {
    let device = fs::metadata(path).ok()?.dev();
    let wanted = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let path = path.canonicalize().ok()?;
    let text = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mount_in(&text, &wanted, &path)
}

/// A device may be mounted at several places: the deepest one that holds the path is meant.
fn mount_in(mountinfo: &str, device: &str, path: &Path) -> Option<(PathBuf, String)> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (front, back) = line.split_once(" - ")?;
        let fields: Vec<_> = front.split(' ').collect();
        let (id, at) = (fields.get(2)?, fields.get(4)?);
        let at = PathBuf::from(at.replace("\\040", " "));
        (*id == device && path.starts_with(&at))
            .then(|| (at, back.split(' ').next().unwrap_or_default().to_owned()))
    });
    mounts.max_by_key(|(at, _)| at.components().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_may_be_short() {
        let room = |bytes, inodes| DiskUsage { bytes, inodes };
        let free = room(100, 10);
        assert_eq!(shortage(room(100, 10), free), None);
        assert_eq!(shortage(room(101, 10), free), Some("room"));
        assert_eq!(shortage(room(1, 11), free), Some("inodes"));
        assert_eq!(shortage(room(101, 11), free), Some("room and inodes"));
        assert_eq!(room(u64::MAX, 1).and(room(1, 1)), room(u64::MAX, 2));
    }

    #[test]
    fn each_file_system_has_one_floor() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("not/there/yet");
        let floors = Floor::under([folder.path(), new.as_path(), Path::new("/proc")]);
        assert_eq!(floors.len(), 2, "{floors:?}");
        assert_eq!(floors[0].path, folder.path());
        assert_eq!(floors[0].reached(), None);
    }

    #[test]
    fn room_and_inodes_are_left_to_the_live_application() {
        let usage = |bytes, inodes| DiskUsage { bytes, inodes };
        assert_eq!(least(usage(1 << 40, 1 << 24), usage(1 << 30, 1 << 20)), usage(64 << 20, 5000));
        assert_eq!(least(usage(1 << 30, 30_000), usage(1 << 20, 100)), usage(512 << 10, 50));
        // btrfs does not count them.
        let none = least(usage(1 << 30, 0), usage(1 << 30, u64::MAX));
        assert_eq!(shortage(none, usage(1 << 30, u64::MAX)), None);
    }

    #[test]
    fn room_is_said_in_words() {
        assert_eq!(DiskUsage { bytes: 4096, inodes: 3 }.to_string(), "4.1 kB and 3 inodes");
        assert_eq!(DiskUsage { bytes: 12_345_678, inodes: 3 }.to_string(), "12 MB and 3 inodes");
    }

    #[test]
    fn the_deepest_mount_of_the_device_is_found() {
        let text = "22 1 254:0 / / rw - ext4 /dev/vda rw\n\
                    23 22 0:40 / /srv rw shared:1 - tmpfs tmpfs rw\n\
                    24 23 254:0 /x /srv/my\\040site rw - ext4 /dev/vda rw\n";
        let found = |device, path| mount_in(text, device, Path::new(path)).unwrap();
        assert_eq!(
            found("254:0", "/srv/my site/releases"),
            ("/srv/my site".into(), "ext4".to_owned())
        );
        assert_eq!(found("0:40", "/srv/other"), ("/srv".into(), "tmpfs".to_owned()));
        assert_eq!(found("254:0", "/home"), ("/".into(), "ext4".to_owned()));
    }

    #[test]
    fn everything_below_a_folder_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b"), [1; 5000]).unwrap();
        let taken = used_by(folder.path());
        assert_eq!(taken.inodes, 2);
        assert!(taken.bytes >= 5000, "{taken:?}");
    }
}
