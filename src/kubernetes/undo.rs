//! Brings the cluster back to what it had, after a rollout that failed or was killed.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::begun::Begun;
use super::kubectl::Kubectl;
use super::record::Rollout;
use super::{apply, error, removal, watch};
use crate::console;
use crate::disk;
use crate::site::Site;

/// Whether a rollout has begun and neither ended well nor was undone.
pub fn is_unsettled(site: &Site) -> bool {
    site.begun_rollout().exists()
}

/// Has the cluster have again what it had of the site: the recorded objects of that deployment, and
/// not what the cluster's own history says. Where there was nothing, the objects are removed. Says
/// whether there was anything to do.
///
/// With `wait`, waits as long until all of it is ready. When this fails, it is to be done again.
pub fn bring_back(site: &Site, wait: Option<Duration>) -> Result<bool> {
    let Some(begun) = Begun::read(site)? else { return Ok(false) };
    let Some(failed) = Rollout::read(site, begun.release)? else {
        // Killed before anything was applied: the record is written first.
        Begun::remove(site)?;
        return Ok(false);
    };
    let kubectl = failed.kubectl(site).despite_stop();
    disk::point("undo: before");
    if let Some(before) = before(site, &begun)? {
        apply_again(site, &kubectl, &before, wait)?;
    } else {
        let id = begun.release;
        let step = console::step(format_args!("Remove deployment {id} from the cluster"));
        removal::all(&kubectl, site, &failed.place)?;
        Begun::remove(site)?;
        step.done();
    }
    Ok(true)
}

/// What the cluster is to have: what is live, if the cluster had that, and else the newest of what
/// it had that was live once. `None` where it had nothing.
fn before(site: &Site, begun: &Begun) -> Result<Option<Rollout>> {
    let live = site.live()?;
    if live == Some(begun.release) {
        // Killed after it had become live.
        return Rollout::read(site, begun.release);
    }
    if begun.found.is_empty() {
        return Ok(None);
    }
    let others = begun.found.iter().rev().copied().filter(|id| Some(*id) != live);
    for id in live.filter(|live| begun.found.contains(live)).into_iter().chain(others) {
        let went_live = site.record(id)?.is_some_and(|record| record.went_live());
        let rollout = Rollout::read(site, id)?.filter(|it| went_live && it.is_applied);
        if rollout.is_some() {
            return Ok(rollout);
        }
    }
    bail!(error::unknown_before(&begun.found))
}

fn apply_again(
    site: &Site,
    kubectl: &Kubectl,
    before: &Rollout,
    wait: Option<Duration>,
) -> Result<()> {
    let id = before.release.id;
    let step = console::step(format_args!("Bring the cluster back to deployment {id}"));
    let kubernetes = site.settings().ok().and_then(|settings| settings.kubernetes);
    let objects: Vec<Value> = before
        .objects_now(site, kubernetes.as_ref())?
        .into_iter()
        .filter(Rollout::is_kept)
        .collect();
    // First, so that nothing that the failed one has brought, such as an autoscaler, goes on.
    removal::all_but(kubectl, site, before)?;
    apply::apply_by_force(kubectl, &objects)?;
    disk::point("undo: applied");
    before.end(site)?;
    if let Some(wait) = wait
        && let Err(why) = watch::until_ready(kubectl, before, Instant::now() + wait)
    {
        // It has what it is to have. That this is not well has another reason.
        console::warning(error::not_well_again(id).because(&why));
    }
    step.done();
    Ok(())
}
