//! Virtual environments: made, copied, looked at, and marked.

mod background_copy;
pub mod compile;
pub mod compiled;
mod copy;
pub mod create;
mod distutils;
mod error;
pub mod inspect;
mod installed;
mod local;
mod made;
pub mod marker;
mod names;
mod prune;
mod record;
pub mod references;
mod requires_python;
mod rewritten;
mod seed;
pub mod settings;
mod shebang;
mod written;

use std::path::{Path, PathBuf};

pub use background_copy::BackgroundCopy;
pub use compile::compile;
pub use compiled::adopt;
pub use copy::NotCopyable;
pub use create::{PROMPT, check_new, create};
pub use distutils::check_distutils;
pub use inspect::{Inspection, inspect};
pub use installed::{check_installed, takes_system_packages};
pub use local::{no_longer_required, required_by_local};
pub use made::made_by_commands;
pub use marker::{Marker, is_marker, keep, retire};
pub use names::spellings;
pub use prune::prune;
pub use record::{Row, normal, rows};
pub use references::unshare;
pub use requires_python::for_other_python;
pub use settings::DecidingSettings;
pub use written::written_since;

/// The interpreter of an env.
pub fn python(env: &Path) -> PathBuf {
    env.join("bin").join("python")
}

/// Whether something was linked into the env as pips of old do it, with its metadata left in its
/// folder.
pub fn has_egg_links(env: &Path) -> bool {
    let entries = site_packages(env).and_then(|folder| std::fs::read_dir(folder).ok());
    let mut names = entries.into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.any(|name| name.as_encoded_bytes().ends_with(b".egg-link"))
}

/// The folder an env's packages are installed in; `None` when there is none that can be found.
///
/// It is looked for and not computed, because what the env should be and what it is are two things.
pub fn site_packages(env: &Path) -> Option<PathBuf> {
    let lib = std::fs::read_dir(env.join("lib")).ok()?;
    lib.flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"python"))
        .map(|entry| entry.path().join("site-packages"))
        .find(|path| path.is_dir())
}
