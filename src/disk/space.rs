//! How much room a file system has, whether that is enough, and what to say when it is not.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::text;
use crate::user_error::{DEPLOY_AGAIN, UserError};

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
        let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let status = rustix::fs::statvfs(there)
            .with_context(|| format!("cannot get the free space at {}", there.display()))?;
        // A file system without a number of inodes (btrfs) says that it has none at all.
        let inodes = if status.f_files == 0 { u64::MAX } else { status.f_ffree };
        let (mounted_on, kind) =
            mount_of(there).unwrap_or_else(|| (there.to_owned(), String::new()));
        Ok(FileSystem {
            mounted_on,
            kind,
            free: DiskUsage { bytes: free_bytes(&status), inodes },
            read_only: status.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
            has_blocks: status.f_blocks > 0,
        })
    }
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

/// How much space has to stay free on a file system, whatever a step of a deployment does there:
/// the live application writes too.
#[derive(Debug)]
pub struct Floor {
    path: PathBuf,
    device: u64,
    bytes: u64,
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

    /// A hundredth of the file system that the path is on, or will be: at least 2 MiB, at most
    /// 64 MiB, and not more than half of what is free now. `None` where the system does not say.
    fn at(path: &Path) -> Option<Floor> {
        let path = path.ancestors().find(|path| path.exists())?;
        let status = rustix::fs::statvfs(path).ok()?;
        let size = status.f_blocks.saturating_mul(status.f_frsize);
        let bytes = (size / 100).clamp(2 << 20, 64 << 20).min(free_bytes(&status) / 2);
        Some(Floor { path: path.to_owned(), device: fs::metadata(path).ok()?.dev(), bytes })
    }

    /// The file system, when less is free on it.
    pub fn reached(&self) -> Option<FileSystem> {
        let free = free_bytes(&rustix::fs::statvfs(&self.path).ok()?);
        if free < self.bytes { FileSystem::of(&self.path).ok() } else { None }
    }
}

/// Some blocks are root's alone.
fn free_bytes(status: &rustix::fs::StatVfs) -> u64 {
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

/// What to do about a full disk.
pub const FREE_SPACE: &str = "Free some space there, and deploy again; \
                              `keep` in nyala.toml sets how many releases are kept";

/// What is known of an error of the disk or of another limit of the system: what was found, and
/// what to do. Empty for every other error. `site` is where the error happened; it may also have
/// been a child's.
pub fn explain(error: &Error, site: &Path) -> UserError {
    let told = UserError::default();
    let Ok(system) = FileSystem::of(site) else { return told };
    // A child may have said why only in the log.
    let Some(errno) = errno(error).or_else(|| system.is_full().then_some(Errno::NOSPC)) else {
        return told;
    };
    let user = rustix::process::geteuid().as_raw();
    match errno {
        Errno::NOSPC => {
            let mut found = format!("{system} has {} free", system.free);
            // pip unpacks and builds in a folder of its own.
            let temporary = FileSystem::of(&std::env::temp_dir());
            if let Ok(temporary) = temporary
                && temporary.mounted_on != system.mounted_on
            {
                found += &format!(", and for temporary files {temporary} has {}", temporary.free);
            }
            told.found(found).fix(FREE_SPACE)
        }
        Errno::DQUOT => told
            .found(format!("the quota of user {user} on {system} is used up"))
            .fix(format!("Raise it or free some space, and {DEPLOY_AGAIN}")),
        Errno::ROFS => {
            let at = system.mounted_on.display();
            told.found(format!("{system} is read-only"))
                .fix("Check whether the kernel did that after a disk error: dmesg | tail")
                .fix(format!("Make it writable: mount -o remount,rw {at}"))
                .fix("Deploy again")
        }
        Errno::MFILE | Errno::NFILE => {
            let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
            let limit = limit.map_or("any number of".to_owned(), |limit| limit.to_string());
            let all = fs::read_to_string("/proc/sys/fs/file-max");
            let all = all.unwrap_or_else(|_| "an unknown number".to_owned());
            told.found(format!(
                "a process may have {limit} open files here (ulimit -n), and the whole system {}",
                all.trim()
            ))
            .fix(
                "Raise it for the pushing user, in /etc/security/limits.conf \
                 or with LimitNOFILE= of the service",
            )
        }
        Errno::ACCESS | Errno::PERM => {
            let Some((folder, owner)) = nearest(site) else { return told };
            let told = told.found(format!(
                "nyala runs as user {user}, and {} belongs to user {owner}",
                folder.display()
            ));
            let is_there = folder == site;
            let site = site.display();
            if !is_there {
                told.fix(format!(
                    "Create the folder for this user first: sudo install -d -o {user} {site}"
                ))
            } else if owner == user {
                told.fix(format!(
                    "Give all of it to its owner, as root: chown -R -h {owner} {site}"
                ))
            } else {
                told.fix(format!("Act as the owner: sudo -u '#{owner}' nyala …"))
            }
        }
        _ => told,
    }
}

/// A path or the nearest folder above it that exists, and whom it belongs to.
fn nearest(path: &Path) -> Option<(&Path, u32)> {
    path.ancestors().find_map(|folder| {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Some((folder, fs::metadata(folder).ok()?.uid()))
    })
}

/// The system's own word for what went wrong, also where a child said it.
fn errno(error: &Error) -> Option<Errno> {
    let own = error.chain().find_map(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        let io = io.and_then(|io| Errno::from_io_error(io).or_else(|| of_kind(io.kind())));
        io.or_else(|| cause.downcast_ref::<Errno>().copied())
    });
    let said = |text: &str| error.chain().any(|cause| cause.to_string().contains(text));
    own.or_else(|| said("No space left on device").then_some(Errno::NOSPC))
        .or_else(|| said("Disk quota exceeded").then_some(Errno::DQUOT))
        .or_else(|| said("Too many open files").then_some(Errno::MFILE))
}

/// An error that somebody has put a path into keeps only its kind.
fn of_kind(kind: io::ErrorKind) -> Option<Errno> {
    match kind {
        io::ErrorKind::StorageFull => Some(Errno::NOSPC),
        io::ErrorKind::QuotaExceeded => Some(Errno::DQUOT),
        io::ErrorKind::ReadOnlyFilesystem => Some(Errno::ROFS),
        io::ErrorKind::PermissionDenied => Some(Errno::ACCESS),
        _ => None,
    }
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
    fn what_a_child_says_counts_too() {
        let said = anyhow::anyhow!("pip exited\nERROR: [Errno 28] No space left on device")
            .context("not installed");
        assert_eq!(errno(&said), Some(Errno::NOSPC));
        let own = Error::new(io::Error::from_raw_os_error(30)).context("cannot write");
        assert_eq!(errno(&own), Some(Errno::ROFS));
        let other = anyhow::anyhow!("something else");
        assert_eq!(explain(&other, Path::new("/")), UserError::default());
        let told = explain(&own, Path::new("/"));
        assert!(told.found[0].ends_with("is read-only"), "{told:?}");
        let denied = Error::new(io::Error::from(io::ErrorKind::PermissionDenied));
        let told = explain(&denied, Path::new("/nowhere/site"));
        assert!(told.found[0].ends_with("/ belongs to user 0"), "{told:?}");
        assert!(told.fixes[0].contains("sudo install -d -o "), "{told:?}");
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
