//! Replaces files and links as a whole, by one rename: readers see the old one or the new one.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};

use super::identity::{self, ProcessIdentity};
use super::{parent, point_at, sync};

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
    ///
    /// A file that is itself a mount point, as containers are often given their settings, cannot be
    /// renamed over (EBUSY in rename(2)): it is written in place, and may be torn when the power
    /// fails meanwhile.
    pub fn put(self) -> Result<()> {
        let Aside { file, path } = self;
        point_at("write_atomic: written", &path);
        match file.persist(&path) {
            Ok(_) => {}
            Err(error) if error.error.kind() == ErrorKind::ResourceBusy => {
                write_in_place(&path, error.file.path())
                    .with_context(|| format!("cannot write {}, a mount point", path.display()))?;
            }
            Err(error) => {
                return Err(error.error)
                    .with_context(|| format!("cannot replace {}", path.display()));
            }
        }
        point_at("write_atomic: renamed", &path);
        Ok(())
    }
}

/// Gives a file the bytes of another one. It is not emptied first: a reader sees at worst the old
/// end for a moment.
fn write_in_place(path: &Path, new: &Path) -> std::io::Result<()> {
    let bytes = fs::read(new)?;
    let mut file = File::options().write(true).open(path)?;
    file.write_all(&bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

/// Writes what a file is to hold beside it, without a flush.
///
/// `mode` is the file's permission bits, whatever the umask says.
pub fn write_aside(path: &Path, bytes: &[u8], mode: u32) -> Result<Aside> {
    let folder = parent(path)?;
    point_at("write_atomic: before", path);
    let mut file = tempfile::Builder::new()
        .prefix(&temporary_prefix())
        .permissions(Permissions::from_mode(super::mode(mode)))
        .tempfile_in(folder)
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    point_at("write_atomic: made", path);
    file.write_all(bytes)
        .and_then(|()| file.as_file().set_permissions(Permissions::from_mode(super::mode(mode))))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Aside { file, path: path.to_owned() })
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
        .set_permissions(Permissions::from_mode(super::mode(mode)))
        .with_context(|| format!("cannot write {}", path.display()))?;
    point_at("replace_file: written", path);
    new.persist(path).with_context(|| format!("cannot replace {}", path.display()))?;
    point_at("replace_file: renamed", path);
    Ok(())
}

/// [`replace_symlink_unflushed`], on the disk when it returns.
pub fn replace_symlink(target: &Path, link: &Path) -> Result<()> {
    replace_symlink_unflushed(target, link)?;
    sync(parent(link)?)
}

/// Points a link somewhere else by one rename: at every instant it names the old target or the new
/// one. A loss of power may undo it until the folder of the link is flushed.
pub fn replace_symlink_unflushed(target: &Path, link: &Path) -> Result<()> {
    let folder = parent(link)?;
    point_at("replace_symlink: before", link);
    let new = tempfile::Builder::new()
        .prefix(&temporary_prefix())
        .make_in(folder, |path| symlink(target, path))
        .with_context(|| format!("cannot create a link in {}", folder.display()))?
        .into_temp_path();
    point_at("replace_symlink: made", link);
    new.persist(link).with_context(|| format!("cannot replace the link {}", link.display()))?;
    point_at("replace_symlink: renamed", link);
    Ok(())
}

/// Makes a folder aside, to be filled and renamed into place.
pub fn create_temporary_dir(folder: &Path) -> Result<PathBuf> {
    point_at("create_temporary_dir", folder);
    tempfile::Builder::new()
        .prefix(&temporary_prefix())
        .permissions(Permissions::from_mode(super::mode(0o700)))
        .tempdir_in(folder)
        .map(tempfile::TempDir::keep)
        .with_context(|| format!("cannot create a folder in {}", folder.display()))
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

/// Whether a name is that of something made aside by a process that is gone, so that nobody will
/// rename it any more.
pub fn is_abandoned(name: &OsStr) -> bool {
    let rest = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    rest.and_then(ProcessIdentity::parse).is_some_and(|process| !process.is_alive())
}

/// Removes from a folder what is abandoned. What cannot be removed stays: it is in nobody's way.
pub fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_abandoned(&entry.file_name())
            && let Err(error) = super::remove_tree(&entry.path())
        {
            tracing::debug!("{error:#}");
        }
    }
}
