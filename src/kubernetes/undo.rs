//! Brings the cluster back to what it had, after a rollout that failed or was killed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::begun::Begun;
use super::kubectl::Kubectl;
use super::owner::{self, Owner, reference};
use super::record::{Rollout, is_in_cluster, todays};
use super::{apply, error, removal, watch};
use crate::console;
use crate::disk;
use crate::site::{DeploymentId, Site};

/// Whether a rollout has begun and neither ended well nor was undone.
pub fn is_unsettled(site: &Site) -> bool {
    site.begun_rollout().exists()
}

/// Whether a deployment is needed to undo a rollout that has begun.
pub fn is_needed(site: &Site, id: DeploymentId) -> bool {
    Begun::read(site).ok().flatten().is_some_and(|begun| begun.deployments().any(|it| it == id))
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
    let live = site.live()?;
    if live != begun.live && live != Some(begun.release) {
        // What is live now was applied by something else, or elsewhere.
        if let Some(live) = live {
            console::warning(error::not_removed_elsewhere(&failed.place, live));
        }
        Begun::remove(site)?;
        return Ok(false);
    }
    if !is_in_cluster(site) {
        bail!(error::no_longer_applied(begun.release, &failed.place, &site.begun_rollout()));
    }
    let kubectl = failed.kubectl(site).despite_stop();
    disk::point("undo: before");
    match before(site, &begun)? {
        Some(before) => apply_again(site, &kubectl, &before, wait)?,
        None => remove(site, &kubectl, &failed, &begun.found.taken)?,
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
    let found = &begun.found.deployments;
    if found.is_empty() {
        return Ok(None);
    }
    if let Some(of_live) = Rollout::live(site)?.filter(|it| found.contains(&it.release.id)) {
        return Ok(Some(of_live));
    }
    for id in found.iter().rev().copied() {
        let went_live = site.record(id)?.is_some_and(|record| record.went_live());
        let rollout = Rollout::read(site, id)?.filter(|it| went_live && it.is_applied);
        if rollout.is_some() {
            return Ok(rollout);
        }
    }
    bail!(error::unknown_before(found))
}

fn apply_again(
    site: &Site,
    kubectl: &Kubectl,
    before: &Rollout,
    wait: Option<Duration>,
) -> Result<()> {
    let id = before.release.id;
    let step = console::step(format_args!("Bring the cluster back to deployment {id}"));
    let owner = Owner::of(site)?;
    apply::patiently(kubectl, || owner::check(kubectl, before, &owner).map(drop))?;
    // First, so that nothing that the failed one has brought, such as an autoscaler, goes on. What
    // cannot be removed keeps nothing from coming back.
    let removed = removal::all_but(kubectl, site, before);
    apply::apply_by_force(kubectl, &before.kept_now(site, todays(site).as_ref())?)?;
    disk::point("undo: applied");
    before.end(site, removed)?;
    if let Some(wait) = wait
        && let Err(why) = watch::until_ready(kubectl, before, Instant::now() + wait)
    {
        // It has what it is to have. That this is not well has another reason.
        console::warning(error::not_well_again(id).because(&why));
    }
    step.done();
    Ok(())
}

/// Removes the objects of a rollout to where nothing of the site was. Some were `taken`, such as
/// those of a patch: they had been there under their names for what is live.
fn remove(
    site: &Site,
    kubectl: &Kubectl,
    failed: &Rollout,
    taken: &BTreeSet<String>,
) -> Result<()> {
    let id = failed.release.id;
    let step = console::step(format_args!("Remove deployment {id} from the cluster"));
    removal::all(kubectl, site, &failed.place, taken)?;
    if let Some(live) = Rollout::live(site)? {
        let mut shared = live.kept_now(site, todays(site).as_ref())?;
        shared.retain(|object| reference(object).is_some_and(|name| taken.contains(&name)));
        apply::apply_by_force(&live.kubectl(site).despite_stop(), &shared)?;
    }
    Begun::remove(site)?;
    step.done();
    Ok(())
}
