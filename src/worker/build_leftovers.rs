//! What builds leave behind in a release, where something is installed with `-e`: it is built in
//! the release itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::disk;
use crate::python::dependencies::{Local, LocalKind, leads_above};
use crate::python::env;

/// What a build would leave behind, and is there before anything is built: it is the project's own.
#[derive(Debug)]
pub(super) struct BuildLeftovers {
    release: PathBuf,
    local: Vec<Local>,
    before: BTreeSet<PathBuf>,
}

impl BuildLeftovers {
    /// Looks at the folders that are about to be built.
    pub(super) fn before(release: &Path, local: &[Local]) -> BuildLeftovers {
        let is_built = |local: &&Local| local.kind != LocalKind::File && !leads_above(&local.path);
        let local: Vec<_> = local.iter().filter(is_built).cloned().collect();
        let before = found(release, &local);
        BuildLeftovers { release: release.to_owned(), local, before }
    }

    /// Removes what is new. An old pip links to the `*.egg-info` in the release and reads it from
    /// there; then it stays.
    pub(super) fn remove(&self, env: &Path) -> Result<()> {
        if env::has_egg_links(env) {
            return Ok(());
        }
        let after = found(&self.release, &self.local);
        after.difference(&self.before).try_for_each(|path| disk::remove_tree(path))
    }
}

fn found(release: &Path, local: &[Local]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for Local { path, .. } in local {
        for folder in [release.join(path), release.join(path).join("src")] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let is_build = match name {
                    "build" => !has_strict_editables(&entry.path()),
                    ".pdm-build" => true,
                    name => name.ends_with(".egg-info"),
                };
                if is_folder && is_build {
                    found.insert(entry.path());
                }
            }
        }
    }
    found
}

/// Whether setuptools has put links in it that an env leads to, as its `editable_mode=strict` does.
fn has_strict_editables(build: &Path) -> bool {
    let mut names = fs::read_dir(build).into_iter().flatten().flatten().map(|it| it.file_name());
    names.any(|name| name.as_encoded_bytes().starts_with(b"__editable__"))
}
