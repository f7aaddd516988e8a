//! The one room that changes the disk. Every change says which path it was about, and is a named
//! point at which a test build can be told to die.

#![expect(clippy::disallowed_methods, reason = "this is the one room that changes the disk")]

pub mod at;
#[cfg(feature = "faults")]
mod faults;
mod file;
mod flush;
mod give;
mod guard;
mod identity;
pub mod mounts;
mod obstacle;
mod read;
mod remove;
mod replace;
mod sharing;
pub mod space;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink as std_symlink};
use std::path::Path;

use anyhow::{Context, Result};

pub use file::{
    Changed, append, append_line, can_clone, change_id, copy_file, create_reserve, file_id,
    move_file, open_lock_file, open_to_append, unshare, write_new, write_new_like,
};
pub use flush::{begin_to_sync_filesystem, each_at_once, each_in_threads, sync, sync_filesystem};
pub use give::give_below;
pub use obstacle::{Obstacle, Why, is_protected, obstacle};
pub use read::{read, read_if_there, read_to_string};
pub use remove::Mounted;
pub use replace::{
    Aside, create_temporary_dir, is_abandoned, remove_abandoned, replace_file, replace_symlink,
    replace_symlink_unflushed, temporary_prefix, write_aside, write_atomic, write_atomic_unflushed,
};
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

/// Sets the permission bits of a file or folder. A link is not followed.
pub fn set_mode(path: &Path, mode: u32) -> Result<()> {
    point_at("set_mode", path);
    let set = || {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
        file.set_permissions(Permissions::from_mode(self::mode(mode)))
    };
    set().with_context(|| format!("cannot change the mode of {}", path.display()))
}

/// Sets the modification time of a file or folder to now.
pub fn touch(path: &Path) -> Result<()> {
    point_at("touch", path);
    File::open(path)
        .and_then(|file| file.set_modified(std::time::SystemTime::now()))
        .with_context(|| format!("cannot set the modification time of {}", path.display()))
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

/// Sets the permission bits of a socket, which cannot be opened.
pub fn set_socket_mode(path: &Path, mode: u32) -> Result<()> {
    point_at("set_socket_mode", path);
    fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("cannot change the mode of {}", path.display()))
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
