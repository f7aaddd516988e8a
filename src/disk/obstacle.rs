//! What keeps a folder from being removed, found without an attempt.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::geteuid;

/// Something that this user cannot remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    pub path: PathBuf,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is protected from everybody: the attributes `i` and `a` of chattr(1).
    Protected,
    /// It belongs to this user, or is in a folder that does.
    Foreign(u32),
}

/// The first thing at or below a path that keeps it from being removed; no link is followed.
/// `None` when there is none that can be seen.
pub fn obstacle(path: &Path) -> Option<Obstacle> {
    let mut ahead = vec![path.to_owned()];
    while let Some(path) = ahead.pop() {
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        if is_protected(&path) {
            return Some(Obstacle { path, why: Why::Protected });
        }
        if !found.is_dir() {
            continue;
        }
        let own = geteuid();
        let is_foreign = !own.is_root() && found.uid() != own.as_raw();
        let inside: Vec<_> = match fs::read_dir(&path) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            // The remover opens the folders of its user.
            Err(_) if !is_foreign => Vec::new(),
            Err(_) => return Some(Obstacle { path, why: Why::Foreign(found.uid()) }),
        };
        if is_foreign && let Some(entry) = entry_that_stays(&path, &found, &inside) {
            return Some(Obstacle { path: entry.clone(), why: Why::Foreign(found.uid()) });
        }
        ahead.extend(inside);
    }
    None
}

/// What this user cannot remove from a folder of another one.
fn entry_that_stays<'p>(
    folder: &Path,
    found: &Metadata,
    inside: &'p [PathBuf],
) -> Option<&'p PathBuf> {
    if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return inside.first();
    }
    let is_own = |path: &Path| {
        fs::symlink_metadata(path).is_ok_and(|entry| entry.uid() == geteuid().as_raw())
    };
    let is_sticky = found.mode() & 0o1000 != 0;
    inside.iter().find(|path| is_sticky && !is_own(path))
}

/// Whether nobody can change a file, or the names in a folder.
#[cfg(target_os = "linux")]
pub fn is_protected(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let protected = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
    statx(CWD, path, flags, StatxFlags::TYPE)
        .is_ok_and(|found| found.stx_attributes.intersects(protected))
}

#[cfg(not(target_os = "linux"))]
pub fn is_protected(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_its_owner_has_closed_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("a/b");
        fs::create_dir_all(&closed).unwrap();
        fs::write(closed.join("file"), "").unwrap();
        fs::set_permissions(&closed, PermissionsExt::from_mode(0o000)).unwrap();
        assert_eq!(obstacle(folder.path()), None);
        fs::set_permissions(&closed, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(obstacle(&folder.path().join("gone")), None);
    }
}
