//! The marker of a rollout that has begun: until it is gone, the cluster may have something else
//! than what is live.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::error;
use super::owner::Found;
use super::record::Rollout;
use crate::disk;
use crate::site::{DeploymentId, Site};

#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Begun {
    /// The deployment whose objects are applied.
    pub(super) release: DeploymentId,
    /// What was there before.
    pub(super) found: Found,
    /// Those whose rollouts had begun earlier, and were not undone either.
    pub(super) left: BTreeSet<DeploymentId>,
    /// What was live then.
    pub(super) live: Option<DeploymentId>,
}

impl Begun {
    /// Notes that a rollout begins. What an earlier one has left there, which could not be undone,
    /// is nothing to go back to: what there was before that counts. Fails where it has left it in
    /// another place, which would be forgotten.
    pub(super) fn begin(site: &Site, rollout: &Rollout, found: Found) -> Result<()> {
        let (release, live) = (rollout.release.id, site.live()?);
        let mut begun = Begun { release, found, left: BTreeSet::new(), live };
        if let Some(earlier) = Begun::read(site)? {
            let had_ended_well = live == Some(earlier.release);
            if !had_ended_well && let Some(left) = Rollout::read(site, earlier.release)? {
                if !left.place.is_same(&rollout.place) {
                    let marker = site.begun_rollout();
                    bail!(error::left_elsewhere(earlier.release, &left.place, &marker));
                }
                begun.found = earlier.found.clone();
            }
            begun.left = earlier.deployments().filter(|id| *id != release).collect();
        }
        begun.write(site)
    }

    /// All whose objects the cluster may have.
    pub(super) fn deployments(&self) -> impl Iterator<Item = DeploymentId> {
        let found = self.found.deployments.iter().chain(&self.left).copied();
        found.chain([self.release]).collect::<BTreeSet<_>>().into_iter()
    }

    pub(super) fn read(site: &Site) -> Result<Option<Begun>> {
        let path = site.begun_rollout();
        let Some(bytes) = disk::read_if_there(&path)? else { return Ok(None) };
        let reading = || format!("cannot read {}", path.display());
        serde_json::from_slice(&bytes).map(Some).with_context(reading)
    }

    fn write(&self, site: &Site) -> Result<()> {
        let bytes = serde_json::to_vec(self).context("cannot write the marker")?;
        disk::write_atomic(&site.begun_rollout(), &bytes, 0o600)
    }

    pub(super) fn remove(site: &Site) -> Result<()> {
        let path = site.begun_rollout();
        if path.exists() { disk::remove_file(&path) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::*;

    struct World {
        _folder: tempfile::TempDir,
        site: Site,
    }

    impl World {
        fn new() -> World {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("nyala.toml"), "").unwrap();
            let site = Site::open(folder.path()).unwrap();
            site.make_folders().unwrap();
            World { _folder: folder, site }
        }

        /// Records a rollout, and begins it where the cluster has these deployments of the site.
        fn begin(&self, release: u64, namespace: &str, found: &[u64]) -> Result<()> {
            let rollout: Rollout = serde_json::from_value(json!({
                "place": { "name": "shop", "namespace": namespace }, "site": "here",
                "secret": null, "is_applied": true, "counts": {}, "objects": [],
                "release": { "id": release, "commit": "c", "image": "i", "python": null,
                    "commands": {} },
            }))
            .unwrap();
            fs::create_dir_all(self.site.deployment(id(release))).unwrap();
            rollout.write(&self.site).unwrap();
            let deployments = found.iter().copied().map(id).collect();
            Begun::begin(&self.site, &rollout, Found { deployments, ..Found::default() })
        }

        fn go_live(&self, release: u64) {
            fs::create_dir_all(self.site.release(id(release))).unwrap();
            let _ = fs::remove_file(self.site.wwwroot());
            symlink(format!("releases/{release}"), self.site.wwwroot()).unwrap();
        }

        fn found(&self) -> Vec<String> {
            let begun = Begun::read(&self.site).unwrap().unwrap();
            begun.found.deployments.iter().map(ToString::to_string).collect()
        }
    }

    fn id(number: u64) -> DeploymentId {
        number.to_string().parse().unwrap()
    }

    #[test]
    fn what_a_rollout_has_left_that_was_not_undone_is_nothing_to_go_back_to() {
        let world = World::new();
        world.begin(1, "web", &[]).unwrap();
        world.begin(2, "web", &[1]).unwrap();
        assert_eq!(world.found(), [""; 0], "there was nothing at first");
        world.go_live(2);
        world.begin(3, "web", &[2]).unwrap();
        assert_eq!(world.found(), ["2"], "2 is live although its marker is still there");
        world.begin(4, "web", &[2, 3]).unwrap();
        assert_eq!(world.found(), ["2"]);
        let begun = Begun::read(&world.site).unwrap().unwrap();
        assert_eq!(begun.deployments().collect::<Vec<_>>(), [1, 2, 3, 4].map(id));
    }

    #[test]
    fn what_was_left_in_another_place_is_not_forgotten() {
        let world = World::new();
        world.begin(1, "web", &[]).unwrap();
        let error = world.begin(2, "other", &[]).unwrap_err().to_string();
        assert!(error.contains("shop in the namespace web"), "{error}");
        assert_eq!(Begun::read(&world.site).unwrap().unwrap().release, id(1));
    }
}
