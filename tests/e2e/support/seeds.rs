//! Pip, unpacked and compiled, and what the machine's interpreters said, shared between the sites
//! of a run.
//!
//! Each sandbox has a home of its own, whose first site would unpack and compile the same pip again
//! and run every interpreter: seconds of processor time a test. What is in a user's cache may be
//! deleted or added at any moment, so what the first sandbox of a run made serves them all. nyala
//! replaces what is there and never writes into it, so a link to it will do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Sandbox;

const INTERPRETERS: &str = "interpreters.json";

/// How long seeds are lent: nyala makes a pip anew that is a week old, and so would every test.
const PERIOD: Duration = Duration::from_hours(3 * 24);

/// Gives the user of a new sandbox what earlier ones have made.
pub(crate) fn lend(sandbox: &Sandbox) {
    let cache = cache(sandbox);
    fs::create_dir_all(&cache).unwrap();
    lend_pips(&cache);
    link(&shared().join(INTERPRETERS), &cache);
}

/// Gives a cache only the pips that earlier sandboxes have unpacked.
pub(crate) fn lend_pips(cache: &Path) {
    for pip in pips(shared()) {
        link(&pip, cache);
    }
}

/// Takes what the user of a sandbox has made, for those that come after it.
///
/// With settings of its own (`has_own_pip`), its pip is another one, which nobody else would use.
pub(crate) fn collect(sandbox: &Sandbox, has_own_pip: bool) {
    let cache = cache(sandbox);
    let pips = if has_own_pip { Vec::new() } else { pips(&cache) };
    for pip in pips {
        let target = shared().join(pip.file_name().unwrap());
        if !pip.is_symlink() && !target.exists() {
            keep(&pip, &target);
        }
    }
    // It is replaced when an interpreter was asked that had not been asked before.
    let (interpreters, target) = (cache.join(INTERPRETERS), shared().join(INTERPRETERS));
    if !interpreters.is_symlink()
        && let Ok(text) = fs::read(&interpreters)
        && fs::read(&target).ok() != Some(text)
    {
        keep(&interpreters, &target);
    }
}

/// Copies a seed aside and renames it: tests run at once, and a half-copied pip is no pip.
fn keep(seed: &Path, target: &Path) {
    let aside = tempfile::tempdir_in(shared()).unwrap();
    let copy = aside.path().join("copy");
    let ran = Command::new("cp").arg("-a").args([seed, &copy]).output().unwrap();
    assert!(ran.status.success(), "cannot copy {}: {ran:?}", seed.display());
    // Another test that was faster has made the same.
    let _ = fs::rename(&copy, target);
}

/// Links a seed into a cache that does not have it.
fn link(seed: &Path, cache: &Path) {
    let link = cache.join(seed.file_name().unwrap());
    if fs::symlink_metadata(&link).is_err() {
        symlink(seed, link).unwrap();
    }
}

fn pips(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"pip-"))
        .map(|entry| entry.path())
        .collect()
}

fn cache(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("home/.cache/nyala")
}

/// The seeds of these days. Those of the days before go when these begin.
fn shared() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seeds");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let period = now.as_secs() / PERIOD.as_secs();
        let folder = all.join(period.to_string());
        fs::create_dir_all(&all).unwrap();
        if fs::create_dir(&folder).is_ok() {
            // A test that still runs may use the last ones.
            let current = [period, period - 1].map(|it| it.to_string());
            let others = fs::read_dir(&all).unwrap().flatten();
            for other in others.filter(|it| !current.iter().any(|name| it.file_name() == **name)) {
                let _ = fs::remove_dir_all(other.path());
            }
        }
        folder
    })
}
