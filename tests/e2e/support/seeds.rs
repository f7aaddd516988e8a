//! Pip, unpacked and compiled, and what the machine's interpreters said, shared between the sites
//! of a run.
//!
//! Each sandbox has a home of its own, whose first site would unpack and compile the same pip again
//! and run every interpreter: seconds of processor time a test. What is in a user's cache may be
//! deleted or added at any moment, so what the first sandbox of a run made serves them all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Sandbox;

/// Gives the user of a new sandbox what earlier ones have made.
pub(crate) fn lend(sandbox: &Sandbox) {
    let cache = cache(sandbox);
    fs::create_dir_all(&cache).unwrap();
    copy_seeds(&shared(), &cache);
}

/// Takes what the user of a sandbox has made, for those that come after it.
pub(crate) fn collect(sandbox: &Sandbox) {
    let shared = shared();
    fs::create_dir_all(&shared).unwrap();
    copy_seeds(&cache(sandbox), &shared);
}

fn cache(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("home/.cache/nyala")
}

fn shared() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("seeds")
}

/// Each is copied aside and renamed: tests run at once, and a half-copied pip is no pip. Hard links
/// will do, since nobody writes into what is there.
fn copy_seeds(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let target = to.join(&name);
        let is_seed = name == "interpreters.json" || name.to_string_lossy().starts_with("pip-");
        if !is_seed || target.exists() {
            continue;
        }
        let aside = to.join(format!(".copy-{}", std::process::id()));
        let copy = |how: &str| {
            Command::new("cp").arg(how).arg(entry.path()).arg(&aside).output().unwrap().status
        };
        if !copy("-al").success() {
            let _ = fs::remove_dir_all(&aside);
            assert!(copy("-a").success(), "cannot copy {}", entry.path().display());
        }
        if fs::rename(&aside, &target).is_err() {
            // Another test was faster; only a folder does not replace a folder.
            fs::remove_dir_all(&aside).unwrap();
        }
    }
}
