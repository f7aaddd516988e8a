//! The one room that changes the disk. Every change says which path it was about, and is a named
//! point at which a test build can be told to die.

#![expect(clippy::disallowed_methods, reason = "this is the one room that changes the disk")]

pub mod at;
#[cfg(feature = "faults")]
mod faults;
mod file;
mod identity;
pub mod mounts;
mod read;
mod remove;
mod sharing;
pub mod space;

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink as std_symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use identity::Maker;
pub use remove::Mounted;

pub use file::{
    append, append_line, can_clone, copy_file, create_reserve, give_folder, open_lock_file,
    unshare, write_new, write_new_like,
};
pub use read::{read, read_to_string};
pub use sharing::{mode, share_with_group, umask};

/// Makes one folder. Fails when it is there already.
pub fn create_dir(path: &Path) -> Result<()> {
    point_at("create_dir", path);
    fs::create_dir(path).with_context(|| format!("cannot create the folder {}", path.display()))
}

/// Makes one folder that only its owner can open. Fails when it is there already.
pub fn create_private_dir(path: &Path) -> Result<()> {
    point_at("create_dir", path);
    DirBuilder::new()
        .mode(sharing::private_mode(path))
        .create(path)
        .with_context(|| format!("cannot create the folder {}", path.display()))
}

/// Makes a folder and those above it; one that is there already is fine.
pub fn create_dir_all(path: &Path) -> Result<()> {
    point_at("create_dir_all", path);
    fs::create_dir_all(path).with_context(|| format!("cannot create the folder {}", path.display()))
}

/// Makes a folder and those above it that are missing, for their owner alone; one that is there
/// already is fine, and stays as it is.
pub fn create_private_dir_all(path: &Path) -> Result<()> {
    point_at("create_private_dir_all", path);
    DirBuilder::new()
        .recursive(true)
        .mode(sharing::private_mode(path))
        .create(path)
        .with_context(|| format!("cannot create the folder {}", path.display()))
}

/// Replaces a file as a whole: readers see the old bytes or the new ones, also after a loss of
/// power. Which of the two a loss of power leaves is only certain after [`sync`] of its folder,
/// which costs as much again.
///
/// `mode` is the file's permission bits, whatever the umask says.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    replace(path, bytes, mode, true)
}

/// Replaces a file as a whole, as [`write_atomic`] does, without a flush: after a loss of power it
/// may be torn.
pub fn write_atomic_unflushed(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    replace(path, bytes, mode, false)
}

fn replace(path: &Path, bytes: &[u8], mode: u32, is_flushed: bool) -> Result<()> {
    let new = write_aside(path, bytes, mode)?;
    if is_flushed {
        new.flush()?;
    }
    new.put()
}

/// The new bytes of a file, which has its old ones until [`Aside::put`].
#[derive(Debug)]
pub struct Aside {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Aside {
    pub fn flush(&self) -> Result<()> {
        point_at("aside: flush", &self.path);
        self.file
            .as_file()
            .sync_all()
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Replaces the file by one rename.
    pub fn put(self) -> Result<()> {
        let Aside { file, path } = self;
        point_at("write_atomic: written", &path);
        file.persist(&path).with_context(|| format!("cannot replace {}", path.display()))?;
        point_at("write_atomic: renamed", &path);
        Ok(())
    }
}

/// Writes what a file is to hold beside it, without a flush.
///
/// `mode` is the file's permission bits, whatever the umask says.
pub fn write_aside(path: &Path, bytes: &[u8], mode: u32) -> Result<Aside> {
    let folder = parent(path)?;
    point_at("write_atomic: before", path);
    let mut file = tempfile::Builder::new()
        .prefix(&temporary_prefix())
        .permissions(Permissions::from_mode(self::mode(mode)))
        .tempfile_in(folder)
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    point_at("write_atomic: made", path);
    file.write_all(bytes)
        .and_then(|()| file.as_file().set_permissions(Permissions::from_mode(self::mode(mode))))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Aside { file, path: path.to_owned() })
}

/// Writes a file in place, for what nobody reads before it is published in another way: a folder
/// that is being filled.
///
/// `mode` is the file's permission bits, whatever the umask says.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    point_at("write", path);
    fs::write(path, bytes)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(self::mode(mode))))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Replaces a file by one that `fill` writes, with these permission bits. Nothing is flushed to the
/// disk. Whoever has the old file open, or another name for it, keeps what it has.
pub fn replace_file(
    path: &Path,
    mode: u32,
    fill: impl FnOnce(&mut File) -> Result<()>,
) -> Result<()> {
    let folder = parent(path)?;
    let mut new = tempfile::Builder::new()
        .prefix(&temporary_prefix())
        .tempfile_in(folder)
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    fill(new.as_file_mut()).with_context(|| format!("cannot write {}", path.display()))?;
    new.as_file()
        .set_permissions(Permissions::from_mode(self::mode(mode)))
        .with_context(|| format!("cannot write {}", path.display()))?;
    point_at("replace_file: written", path);
    new.persist(path).with_context(|| format!("cannot replace {}", path.display()))?;
    point_at("replace_file: renamed", path);
    Ok(())
}

/// Sets the permission bits of a file or folder. A link is not followed.
pub fn set_mode(path: &Path, mode: u32) -> Result<()> {
    point_at("set_mode", path);
    let set = || {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
        file.set_permissions(Permissions::from_mode(self::mode(mode)))
    };
    set().with_context(|| format!("cannot change the mode of {}", path.display()))
}

/// Makes a file that must not be there yet, with these permission bits, open for appending.
pub fn create_file(path: &Path, mode: u32) -> Result<File> {
    point_at("create_file", path);
    OpenOptions::new()
        .create_new(true)
        .append(true)
        .mode(self::mode(mode))
        .open(path)
        .with_context(|| format!("cannot create the file {}", path.display()))
}

/// Gives a file or folder another name on the same file system, replacing a file or an empty folder
/// of that name.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    point_at("rename: before", from);
    fs::rename(from, to)
        .with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))?;
    point_at("rename: after", to);
    Ok(())
}

/// Exchanges two names of one file system, at one instant. Fails where the file system cannot.
pub fn exchange(one: &Path, other: &Path) -> Result<()> {
    point_at("exchange: before", one);
    #[cfg(target_os = "linux")]
    let exchanged = {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(std::io::Error::from)
    };
    #[cfg(not(target_os = "linux"))]
    let exchanged = Err(std::io::Error::from(ErrorKind::Unsupported));
    exchanged
        .with_context(|| format!("cannot exchange {} and {}", one.display(), other.display()))?;
    point_at("exchange: after", one);
    Ok(())
}

/// Gives a file a second name, which must not be there yet.
pub fn hard_link(file: &Path, name: &Path) -> Result<()> {
    point_at("hard_link", name);
    fs::hard_link(file, name)
        .with_context(|| format!("cannot link {} to {}", name.display(), file.display()))
}

/// Whether a rename failed because the two names are on different file systems.
pub fn is_across_file_systems(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == ErrorKind::CrossesDevices)
}

/// Lets everybody run a file that they may read.
pub fn make_executable(path: &Path) -> Result<()> {
    let mode = fs::metadata(path)
        .with_context(|| format!("cannot access {}", path.display()))?
        .permissions()
        .mode();
    if mode & 0o111 == 0 {
        point_at("make_executable", path);
        let permissions = Permissions::from_mode((mode | (mode & 0o444) >> 2) & 0o777);
        fs::set_permissions(path, permissions)
            .with_context(|| format!("cannot make {} executable", path.display()))?;
    }
    Ok(())
}

/// Makes a symbolic link that must not be there yet.
pub fn symlink(target: &Path, link: &Path) -> Result<()> {
    point_at("symlink", link);
    std_symlink(target, link)
        .with_context(|| format!("cannot link {} to {}", link.display(), target.display()))
}

/// Points a link somewhere else by one rename: at every instant it names the old target or the new
/// one.
pub fn replace_symlink(target: &Path, link: &Path) -> Result<()> {
    let folder = parent(link)?;
    point_at("replace_symlink: before", link);
    let new = tempfile::Builder::new()
        .prefix(&temporary_prefix())
        .make_in(folder, |path| std_symlink(target, path))
        .with_context(|| format!("cannot create a link in {}", folder.display()))?
        .into_temp_path();
    point_at("replace_symlink: made", link);
    new.persist(link).with_context(|| format!("cannot replace the link {}", link.display()))?;
    point_at("replace_symlink: renamed", link);
    sync(folder)
}

/// Copies a file, a link, or a folder with all that is in it. `to` must not be there; no link is
/// followed. Sockets and the like are left out.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    point_at("copy_tree", to);
    let reading = || format!("cannot read {}", from.display());
    let writing = || format!("cannot make {}", to.display());
    let metadata = fs::symlink_metadata(from).with_context(reading)?;
    if metadata.is_dir() {
        fs::create_dir(to).with_context(writing)?;
        for entry in fs::read_dir(from).with_context(reading)? {
            let name = entry.with_context(reading)?.file_name();
            copy_tree(&from.join(&name), &to.join(&name))?;
        }
    } else if metadata.is_symlink() {
        std_symlink(fs::read_link(from).with_context(reading)?, to).with_context(writing)?;
    } else if metadata.is_file() {
        copy_file(from, to)?;
    }
    Ok(())
}

/// Removes a file or a link; one that is not there is fine. A folder is an error.
pub fn remove_file(path: &Path) -> Result<()> {
    point_at("remove_file", path);
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Removes a folder with all that is in it, or a file; what is not there is fine. No link is
/// followed, and nothing below a mount point is touched: [`Mounted`] says that there is one.
pub fn remove_tree(path: &Path) -> Result<()> {
    point_at("remove_tree", path);
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot access {}", path.display()));
        }
    };
    if metadata.is_dir() { remove::remove_folder(path) } else { remove_file(path) }
}

/// Flushes a file, or the entries of a folder, so that a loss of power does not take them back. A
/// link has nothing of its own to flush: it is an entry of its folder.
pub fn sync(path: &Path) -> Result<()> {
    point_at("sync", path);
    if path.is_symlink() {
        return Ok(());
    }
    File::open(path)
        .and_then(|file| file.sync_all())
        .with_context(|| format!("cannot flush {}", path.display()))
}

/// Does something for each of these that waits for the disk, several at a time: a file system with
/// a journal, for one, writes it once for all who wait for a flush. Where the system allows no more
/// threads, this one does it all. Fails when one of them does.
pub fn each_at_once<T: Sync>(items: &[T], act: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    each_in_threads(16, items, act)
}

/// Does something for each of these in this many threads, or in fewer where the system allows no
/// more. Fails when one of them does.
pub fn each_in_threads<T: Sync>(
    threads: usize,
    items: &[T],
    act: impl Fn(&T) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            act(item)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let spawned = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..items.len().min(threads)).filter_map(spawned).collect();
        let own = work();
        let joined = |other: thread::ScopedJoinHandle<'_, Result<()>>| {
            other.join().unwrap_or_else(|_| bail!("a thread that waits for the disk has panicked"))
        };
        others.into_iter().map(joined).fold(own, Result::and)
    })
}

/// Flushes everything that was written to the file system that `path` is on.
///
/// One call for a whole tree: the file system flushes in the order that suits it, which is many
/// times faster than file by file.
#[cfg(target_os = "linux")]
pub fn sync_filesystem(path: &Path) -> Result<()> {
    point_at("sync_filesystem", path);
    File::open(path)
        .and_then(|folder| Ok(rustix::fs::syncfs(folder)?))
        .with_context(|| format!("cannot flush the file system of {}", path.display()))
}

#[cfg(not(target_os = "linux"))]
pub fn sync_filesystem(path: &Path) -> Result<()> {
    point_at("sync_filesystem", path);
    rustix::fs::sync();
    Ok(())
}

/// Makes a folder aside, to be filled and renamed into place.
pub fn create_temporary_dir(folder: &Path) -> Result<PathBuf> {
    point_at("create_temporary_dir", folder);
    tempfile::Builder::new()
        .prefix(&temporary_prefix())
        .permissions(Permissions::from_mode(mode(0o700)))
        .tempdir_in(folder)
        .map(tempfile::TempDir::keep)
        .with_context(|| format!("cannot create a folder in {}", folder.display()))
}

/// Whether a name is that of something made aside by a process that is gone, so that nobody will
/// rename it any more.
pub fn is_abandoned(name: &OsStr) -> bool {
    let rest = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    rest.and_then(Maker::parse).is_some_and(|maker| !maker.is_alive())
}

const PREFIX: &str = ".nyala-";

/// Says who made it, so that what a killed process left behind can be told from what a living one
/// is about to rename.
pub fn temporary_prefix() -> String {
    static OWN: OnceLock<String> = OnceLock::new();
    OWN.get_or_init(|| {
        let pid = rustix::process::getpid();
        format!("{PREFIX}{pid}-{}-", identity::started(pid).unwrap_or_default())
    })
    .clone()
}

fn parent(path: &Path) -> Result<&Path> {
    path.parent().with_context(|| format!("{} has no folder above it", path.display()))
}

/// A moment between two changes of the disk. In a build with the feature `faults`, a test can have
/// the process kill itself here (see `faults.rs`); in every other build this is nothing.
#[cfg(not(feature = "faults"))]
pub fn point(_name: &str) {}

#[cfg(feature = "faults")]
pub fn point(name: &str) {
    faults::passed(name, None);
}

/// The same, and which path is changed.
#[cfg(not(feature = "faults"))]
pub fn point_at(_name: &str, _path: &Path) {}

#[cfg(feature = "faults")]
pub fn point_at(name: &str, path: &Path) {
    faults::passed(name, Some(path));
}
