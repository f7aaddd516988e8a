//! What is known of an error of the disk or of another limit of the system, and what to do.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Error;
use rustix::io::Errno;

use super::FileSystem;
use crate::disk::is_protected;
use crate::user_error::{DEPLOY_AGAIN, UserError};

/// How each fix of a full disk begins; by that it is known whether an error has one.
const FREE_SPACE: &str = "Free some space at ";

/// What to do about a full disk that the site is on.
pub fn free_space(system: &FileSystem) -> String {
    format!(
        "{FREE_SPACE}{}, and {DEPLOY_AGAIN}; `keep` in nyala.toml sets how many releases are kept",
        system.mounted_on.display()
    )
}

/// Whether an error says already what to do about a full disk.
pub fn is_about_space(error: &UserError) -> bool {
    error.fixes.iter().any(|fix| fix.starts_with(FREE_SPACE))
}

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
            // pip unpacks and builds in a folder of its own.
            let temporary = FileSystem::of(&std::env::temp_dir()).ok();
            no_space(&system, temporary.filter(|it| it.mounted_on != system.mounted_on).as_ref())
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
            if errno == Errno::PERM
                && let Some(path) = protected(site)
            {
                let path = path.display();
                return told
                    .found(format!("chattr has protected {path}, as lsattr shows"))
                    .fix(format!("Allow changes, as root: chattr -i -a {path}"));
            }
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

/// There is no space left on the file system of the site, or on another one for temporary files:
/// by now, what had filled it is mostly removed again.
fn no_space(system: &FileSystem, temporary: Option<&FileSystem>) -> UserError {
    let found = format!("{system} has {} free", system.free);
    let Some(temporary) = temporary else {
        return UserError::default().found(found).fix(free_space(system));
    };
    let told = UserError::default()
        .found(format!("{found}, and for temporary files {temporary} has {}", temporary.free));
    let at = temporary.mounted_on.display();
    match (system.is_full(), temporary.is_full()) {
        (true, false) => told.fix(free_space(system)),
        (false, true) => told.fix(format!("{FREE_SPACE}{at}, and {DEPLOY_AGAIN}")),
        _ => told.fix(format!(
            "{FREE_SPACE}{} or {at}, whichever was full, and {DEPLOY_AGAIN}",
            system.mounted_on.display()
        )),
    }
}

/// A path or the nearest folder above it that exists, and whom it belongs to.
fn nearest(path: &Path) -> Option<(&Path, u32)> {
    path.ancestors().find_map(|folder| {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Some((folder, fs::metadata(folder).ok()?.uid()))
    })
}

/// What nobody can change of a site: the site itself, what is in it, or what is in one of its
/// folders.
fn protected(site: &Path) -> Option<PathBuf> {
    let inside = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let first = inside(site);
    let second = first.iter().flat_map(|folder| inside(folder));
    let all = [site.to_owned()].into_iter().chain(first.clone()).chain(second);
    all.filter(|path| !path.is_symlink()).find(|path| is_protected(path))
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

#[cfg(test)]
mod tests {
    use super::super::DiskUsage;
    use super::*;

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
    fn the_file_system_that_is_full_is_named() {
        let at = |path: &str, bytes| FileSystem {
            mounted_on: path.into(),
            kind: "ext4".to_owned(),
            free: DiskUsage { bytes, inodes: 1000 },
            read_only: false,
            has_blocks: true,
        };
        let fix = |site, temporary: Option<u64>| {
            let temporary = temporary.map(|bytes| at("/tmp", bytes));
            no_space(&at("/srv", site), temporary.as_ref()).fixes.join("; ")
        };
        let keep = "`keep` in nyala.toml sets how many releases are kept";
        let of_site = format!("Free some space at /srv, and deploy again; {keep}");
        assert_eq!(fix(0, None), of_site);
        assert_eq!(fix(0, Some(1 << 30)), of_site);
        assert_eq!(fix(1 << 30, Some(0)), "Free some space at /tmp, and deploy again");
        assert_eq!(
            fix(1 << 30, Some(1 << 30)),
            "Free some space at /srv or /tmp, whichever was full, and deploy again"
        );
    }
}
