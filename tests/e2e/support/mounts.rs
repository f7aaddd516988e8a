//! Mounts that only a test sees, and that are gone when it ends.

use std::path::Path;
use std::process::Command;

use super::skip;

/// A mount namespace of the test's own, which its children are in as well.
#[derive(Debug)]
pub(crate) struct Mounts;

impl Mounts {
    /// Enters one; false, saying so, where this user may not. It holds for the thread that calls
    /// it, and for the children that it starts.
    pub(crate) fn own() -> bool {
        // SAFETY: it takes no pointers, and changes nothing but what this thread and its children
        // see mounted.
        #[expect(unsafe_code, reason = "the standard library has no way to do this")]
        let entered = unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0;
        if !entered || !ran("mount", &["--make-rprivate".as_ref(), "/".as_ref()]) {
            skip("needs to mount, as root");
            return false;
        }
        true
    }

    #[track_caller]
    pub(crate) fn bind(from: &Path, at: &Path) {
        assert!(ran("mount", &["--bind".as_ref(), from, at]), "cannot mount {}", at.display());
    }

    #[track_caller]
    pub(crate) fn tmpfs(at: &Path) {
        let arguments = ["-t", "tmpfs", "tmpfs"].map(Path::new);
        assert!(ran("mount", &[&arguments[..], &[at]].concat()), "cannot mount {}", at.display());
    }

    /// Shows what is in `lower` at `at`, and writes what changes into `upper`. False where that
    /// cannot be done.
    pub(crate) fn overlay(lower: &Path, upper: &Path, work: &Path, at: &Path) -> bool {
        let [lower, upper, work] = [lower, upper, work].map(|path| path.to_str().unwrap());
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work},redirect_dir=off");
        ran(
            "mount",
            &["-t", "overlay", "overlay", "-o", &options]
                .map(Path::new)
                .iter()
                .copied()
                .chain([at])
                .collect::<Vec<_>>(),
        )
    }

    #[track_caller]
    pub(crate) fn unmount(at: &Path) {
        assert!(ran("umount", &[at]), "cannot unmount {}", at.display());
    }
}

fn ran(program: &str, arguments: &[&Path]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|ran| ran.status.success())
}
