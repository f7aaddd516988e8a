//! The links in a release that lead to what outlives it: its env, and what is shared.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::layout::{CACHE, DEPLOYMENTS, ENVS, RELEASES, SHARED};
use super::{SharedPath, Site, error, id_in};
use crate::disk;
use crate::ids::{DeploymentId, EnvId};

/// From the folder of a release to that of the site.
const TO_ROOT: &str = "../..";

impl Site {
    /// Where the link to an env leads: from the release's folder, and to a number that never
    /// changes.
    pub fn env_link_target(&self, id: EnvId) -> PathBuf {
        self.root_from_release().join(ENVS).join(id.to_string())
    }

    /// Where the link of a shared path leads: `../../shared/media` for `releases/7/media`.
    pub fn shared_link_target(&self, path: &SharedPath) -> PathBuf {
        shared_link(&self.root_from_release(), path)
    }

    /// Whether a link in a release that leads to `target` is that of a shared path.
    pub fn is_shared_link(&self, path: &SharedPath, target: &Path) -> bool {
        [Path::new(TO_ROOT), self.root()].iter().any(|root| shared_link(root, path) == target)
    }

    /// The env that a release is linked to; `None` when its `env` is missing or is not a link of
    /// nyala's.
    pub fn env_of_release(&self, release: DeploymentId) -> Option<EnvId> {
        let target = fs::read_link(self.env_link(release)).ok()?;
        let within = target.strip_prefix(TO_ROOT).or_else(|_| target.strip_prefix(self.root()));
        id_in(within.ok()?, ENVS)
    }

    /// Fails when a link that nyala made in a release does not lead to its env, or to what is
    /// shared.
    pub fn check_links(&self, release: DeploymentId, shared: &[SharedPath]) -> Result<()> {
        match self.wrong_link(release, shared) {
            Some((link, meant)) => bail!(error::link_leads_elsewhere(&link, &meant)),
            None => Ok(()),
        }
    }

    /// A link that nyala made in a release and that does not lead to its env, or to what is shared;
    /// and where it should lead.
    pub fn wrong_link(
        &self,
        release: DeploymentId,
        shared: &[SharedPath],
    ) -> Option<(PathBuf, PathBuf)> {
        let env = self.env_of_release(release);
        let env = env.map(|env| (self.env_link(release), self.env(env)));
        let shared = shared.iter().filter_map(|path| {
            let link = self.release(release).join(path.path());
            let target = fs::read_link(&link).ok()?;
            let is_ours = self.is_shared_link(path, &target);
            is_ours.then(|| (link, self.shared().join(path.path())))
        });
        let identity = |path: &Path| fs::metadata(path).map(|it| disk::file_id(&it)).ok();
        env.into_iter().chain(shared).find(|(link, meant)| {
            // What is not there at all is not the fault of the link.
            let there = identity(meant);
            there.is_some() && identity(link) != there
        })
    }

    /// The folders in which a site removes what it knows nothing of.
    fn cleaned(&self) -> impl Iterator<Item = PathBuf> + '_ {
        [RELEASES, ENVS, DEPLOYMENTS, CACHE].into_iter().map(|name| self.root().join(name))
    }

    /// Whether one of the folders of this site is a link, as to another disk. A copy of the site
    /// has that link, too.
    pub fn has_linked_folders(&self) -> bool {
        self.cleaned().any(|path| path.is_symlink())
    }

    /// A folder of this site that is also that of another one: each would remove what only the
    /// other one knows of.
    pub fn folder_in_common(&self, other: &Site) -> Option<PathBuf> {
        let identity = |path: &Path| fs::metadata(path).map(|it| disk::file_id(&it)).ok();
        let mut pairs = self.cleaned().zip(other.cleaned());
        let (own, _) = pairs.find(|(own, other)| {
            let there = identity(own);
            there.is_some() && there == identity(other)
        })?;
        Some(own)
    }

    /// Where `releases` is a link to another place, `..` of a release is there, and not in the
    /// site.
    fn root_from_release(&self) -> PathBuf {
        let is_elsewhere =
            self.releases().canonicalize().is_ok_and(|it| it != self.root().join(RELEASES));
        if is_elsewhere { self.root().to_owned() } else { TO_ROOT.into() }
    }
}

fn shared_link(root: &Path, path: &SharedPath) -> PathBuf {
    let mut target = root.to_owned();
    if target.is_relative() {
        target.extend(path.folders_above().map(|_| ".."));
    }
    target.join(SHARED).join(path.path())
}
