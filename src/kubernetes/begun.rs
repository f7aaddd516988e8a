//! The marker of a rollout that has begun: until it is gone, the cluster may have something else
//! than what is live.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::record::Rollout;
use crate::disk;
use crate::site::{DeploymentId, Site};

#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Begun {
    /// The deployment whose objects are applied.
    pub(super) release: DeploymentId,
    /// The deployments whose objects were there before; none where there was nothing of the site.
    pub(super) found: BTreeSet<DeploymentId>,
    /// What was live then.
    pub(super) live: Option<DeploymentId>,
}

impl Begun {
    /// Notes that a rollout begins. What an earlier one has left there, which could not be undone,
    /// is nothing to go back to: what there was before that counts.
    pub(super) fn begin(
        site: &Site,
        rollout: &Rollout,
        found: BTreeSet<DeploymentId>,
    ) -> Result<()> {
        let found = match Begun::read(site).unwrap_or_default() {
            Some(earlier) if earlier.is_in_same_place(site, rollout) => earlier.found,
            _ => found,
        };
        Begun { release: rollout.release.id, found, live: site.live()? }.write(site)
    }

    fn is_in_same_place(&self, site: &Site, rollout: &Rollout) -> bool {
        let earlier = Rollout::read(site, self.release).ok().flatten();
        earlier.is_some_and(|earlier| earlier.place.is_same(&rollout.place))
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
