//! What a hook of ours says.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::{error, hooks_folder, is_own_hook};
use crate::disk;
use crate::site::Site;

/// The binary that one of our hooks runs, and the site that it names.
pub fn named_in_hook(hook: &[u8]) -> (Option<PathBuf>, Option<PathBuf>) {
    let hook = String::from_utf8_lossy(hook);
    let words = hook
        .lines()
        .find(|line| line.starts_with("exec "))
        .and_then(shlex::split)
        .unwrap_or_default();
    let after = |word: &str| words.iter().skip_while(|it| *it != word).nth(1).map(PathBuf::from);
    (after("exec"), after("--site"))
}

/// The site to which pushes to a repository are deployed, where that is another one than `root`,
/// which need not be there yet. A site that is gone, for example since it was moved, is none.
pub fn other_site(repository: &Path, root: &Path) -> Result<Option<Site>> {
    let hook = disk::read(hooks_folder(repository)?.join("post-receive")).unwrap_or_default();
    let named = named_in_hook(&hook).1.filter(|_| is_own_hook(&hook));
    let named = named.and_then(|named| Site::open(&named).ok());
    Ok(named.filter(|named| root.canonicalize().ok().as_deref() != Some(named.root())))
}

/// Fails when there is an [`other_site`].
pub fn check_not_of_another_site(repository: &Path, root: &Path) -> Result<()> {
    match other_site(repository, root)? {
        Some(named) => bail!(error::of_another_site(repository, named.root(), root)),
        None => Ok(()),
    }
}

/// Fails when a site has a folder in common with the [`other_site`] of its repository: one of them
/// is a copy, with the original's links.
pub fn check_folders_are_own(repository: &Path, site: &Site) -> Result<()> {
    // What is wrong with the hook is told elsewhere.
    let Ok(Some(other)) = other_site(repository, site.root()) else { return Ok(()) };
    match site.folder_in_common(&other) {
        Some(folder) => {
            let place = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            bail!(error::folder_of_two_sites(&folder, &place, other.root()))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_says_what_it_runs() {
        let hook = include_str!("../../hooks/post-receive")
            .replace("@NYALA@", "'/a b/nyala'")
            .replace("@SITE@", "/s");
        assert_eq!(named_in_hook(hook.as_bytes()), (Some("/a b/nyala".into()), Some("/s".into())));
        assert_eq!(named_in_hook(b"#!/bin/sh\n"), (None, None));
    }
}
