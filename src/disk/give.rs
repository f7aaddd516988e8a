//! Gives to another user what root has made in a folder of theirs.
//!
//! That user may rename things and put links there at any moment. So nothing is looked at or given
//! away by its path: each folder and file is opened once, by its name in the open folder above it.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::fs::{fchown, fstat, open, openat, statat};

use super::guard::{FOLDER, Guard};
use super::point_at;

/// Folders further down than this stay as they are. Each one above stays open.
const DEPTH: usize = 200;

/// Gives the folders below `top` that are root's to `owner`, and of the files that are root's those
/// that only root can read and that `is_wanted`, which gets a file and its path in `top`. Returns
/// the paths of root's other files.
///
/// Does nothing unless `top` belongs to `owner`. Stays on the mount of `top`.
pub fn give_below(
    top: &Path,
    owner: Uid,
    is_wanted: &dyn Fn(&Path, &File) -> bool,
) -> Result<Vec<PathBuf>> {
    point_at("give_below", top);
    let cannot = || format!("cannot give {} to its owner", top.display());
    let folder = open(top, FOLDER | OFlags::RDONLY, Mode::empty()).with_context(cannot)?;
    let found = fstat(&folder).with_context(cannot)?;
    if found.st_uid != owner.as_raw() {
        return Ok(Vec::new());
    }
    let mut giver = Giver {
        guard: Guard::of_this_system(folder.as_fd()),
        owner,
        group: Gid::from_raw(found.st_gid),
        device: found.st_dev,
        is_wanted,
        path: PathBuf::new(),
        others: Vec::new(),
    };
    giver.below(folder.as_fd(), DEPTH).with_context(cannot)?;
    Ok(giver.others.into_iter().map(|path| top.join(path)).collect())
}

struct Giver<'a> {
    guard: Guard,
    owner: Uid,
    group: Gid,
    device: u64,
    is_wanted: &'a dyn Fn(&Path, &File) -> bool,
    /// That of the folder which is looked at now, in the one at the top.
    path: PathBuf,
    others: Vec<PathBuf>,
}

impl Giver<'_> {
    fn below(&mut self, folder: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            // What is gone by now is nobody's.
            let Ok(found) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            self.path.push(OsStr::from_bytes(name.to_bytes()));
            match FileType::from_raw_mode(found.st_mode) {
                FileType::Directory if depth > 0 => self.folder(folder, name, depth - 1)?,
                FileType::RegularFile if found.st_uid == 0 => self.file(folder, name, &found)?,
                _ => {}
            }
            self.path.pop();
        }
        Ok(())
    }

    fn folder(&mut self, parent: BorrowedFd<'_>, name: &CStr, depth: usize) -> io::Result<()> {
        // A link by now, or another mount.
        let Ok(folder) = self.guard.open(parent, name, OFlags::RDONLY) else { return Ok(()) };
        if fstat(&folder)?.st_uid == 0 {
            self.give(&folder)?;
        }
        self.below(folder.as_fd(), depth)
    }

    fn file(&mut self, parent: BorrowedFd<'_>, name: &CStr, found: &Stat) -> io::Result<()> {
        let is_open = found.st_mode & 0o004 != 0;
        if is_open || !self.give_file(parent, name)? {
            self.others.push(self.path.clone());
        }
        Ok(())
    }

    /// A file that has a second name is also somewhere else, where it may not be for everybody.
    fn give_file(&self, parent: BorrowedFd<'_>, name: &CStr) -> io::Result<bool> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = openat(parent, name, flags, Mode::empty()) else { return Ok(false) };
        let found = fstat(&file)?;
        let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
        let is_roots_alone = found.st_uid == 0 && found.st_nlink == 1;
        if !is_file || !is_roots_alone || found.st_dev != self.device {
            return Ok(false);
        }
        let file = File::from(file);
        if !(self.is_wanted)(&self.path, &file) {
            return Ok(false);
        }
        self.give(&file.into())?;
        Ok(true)
    }

    fn give(&self, open: &OwnedFd) -> io::Result<()> {
        Ok(fchown(open, Some(self.owner), Some(self.group))?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    use std::thread;

    use super::*;

    const OWNER: u32 = 4321;

    /// A folder of [`OWNER`]'s; `None` for others than root.
    fn theirs() -> Option<tempfile::TempDir> {
        let top = tempfile::tempdir().unwrap();
        chown(top.path(), Some(OWNER), Some(OWNER)).is_ok().then_some(top)
    }

    fn give(top: &Path) -> Vec<PathBuf> {
        let is_wanted = |path: &Path, _: &File| path.ends_with("wanted");
        give_below(top, Uid::from_raw(OWNER), &is_wanted).unwrap()
    }

    fn owner(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().uid()
    }

    fn secret(path: &Path) {
        fs::write(path, "secret").unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o400)).unwrap();
    }

    #[test]
    fn folders_and_what_is_wanted_are_given() {
        let Some(top) = theirs() else { return };
        let path = |name: &str| top.path().join(name);
        fs::create_dir_all(path("a/b")).unwrap();
        for name in ["a/wanted", "a/other", "a/b/linked"] {
            secret(&path(name));
        }
        fs::hard_link(path("a/b/linked"), path("a/b/wanted")).unwrap();
        fs::write(path("open"), "for all").unwrap();
        fs::set_permissions(path("open"), PermissionsExt::from_mode(0o644)).unwrap();
        let mut others = give(top.path());
        others.sort();
        assert_eq!(others, ["a/b/linked", "a/b/wanted", "a/other", "open"].map(path));
        for name in ["a", "a/b", "a/wanted"] {
            assert_eq!(owner(&path(name)), OWNER, "{name}");
        }
        for name in ["a/other", "a/b/wanted", "open"] {
            assert_eq!(owner(&path(name)), 0, "{name}");
        }
    }

    #[test]
    fn the_folder_of_somebody_else_is_left_alone() {
        let Some(top) = theirs() else { return };
        chown(top.path(), Some(OWNER + 1), None).unwrap();
        fs::create_dir(top.path().join("a")).unwrap();
        assert!(give(top.path()).is_empty());
        assert_eq!(owner(&top.path().join("a")), 0);
    }

    #[test]
    fn nothing_outside_is_given_whatever_the_owner_puts_in_place_of_a_folder() {
        let Some(top) = theirs() else { return };
        let outside = tempfile::tempdir().unwrap();
        let inner = outside.path().join("folder");
        fs::create_dir(&inner).unwrap();
        secret(&inner.join("wanted"));
        let [folder, link] = ["folder", "link"].map(|name| top.path().join(name));
        fs::create_dir_all(folder.join("folder")).unwrap();
        symlink(outside.path(), &link).unwrap();
        thread::scope(|scope| {
            let giving = scope.spawn(|| {
                for _ in 0..2000 {
                    give(top.path());
                }
            });
            while !giving.is_finished() {
                super::super::exchange(&folder, &link).unwrap();
            }
        });
        assert_eq!((owner(&inner), owner(&inner.join("wanted"))), (0, 0));
    }
}
