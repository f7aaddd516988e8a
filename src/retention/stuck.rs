//! What is not needed any more, and cannot be removed by the owner of the site.

use std::path::{Path, PathBuf};

use super::prune::{Unneeded, unneeded};
use crate::disk::{Obstacle, obstacle};
use crate::site::{Site, entry_name};

/// Something that stays although nothing uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// What it is: `release 3`, `env 2`.
    pub what: String,
    pub path: PathBuf,
    pub obstacle: Obstacle,
}

/// Looks at every file of what was discarded, of what is no longer kept, and of `leftovers`.
pub fn stuck(site: &Site, leftovers: &[PathBuf]) -> Vec<Stuck> {
    let keep = site.settings().map(|settings| settings.keep);
    let Unneeded { releases, envs } =
        keep.and_then(|keep| unneeded(site, keep)).unwrap_or_default();
    let releases = releases.into_iter().map(|id| site.release(id));
    let envs = envs.into_iter().map(|id| site.env(id));
    let mut paths: Vec<_> = releases.chain(envs).chain(leftovers.iter().cloned()).collect();
    paths.sort();
    paths.dedup();
    let was = |path: &Path| path.strip_prefix(site.root()).unwrap_or(path).to_owned();
    let paths = paths.into_iter().map(|path| (was(&path), path));
    let trash = site.trash().into_iter().map(|trash| (trash.was, trash.path));
    let stays = |(was, path): (PathBuf, PathBuf)| {
        Some(Stuck { what: entry_name(&was), obstacle: obstacle(&path)?, path })
    };
    trash.chain(paths).filter_map(stays).collect()
}
