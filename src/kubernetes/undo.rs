//! Brings the cluster back to what is live, after a rollout that failed or was killed.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use super::kubectl::Kubectl;
use super::record::{Begun, Rollout, counts};
use super::{apply, error, watch};
use crate::console;
use crate::disk;
use crate::site::Site;

/// Whether a rollout has begun and neither ended well nor was undone.
pub fn is_unsettled(site: &Site) -> bool {
    site.begun_rollout().exists()
}

/// Has the cluster have what is live again: the recorded objects of that deployment, and not what
/// the cluster's own history says. Where nothing was live, the objects are removed. Says whether
/// there was anything to do.
///
/// With `wait`, waits as long until all of it is ready. When this fails, it is to be done again.
pub fn bring_back(site: &Site, wait: Option<Duration>) -> Result<bool> {
    let Some(begun) = Begun::read(site)? else { return Ok(false) };
    let Some(failed) = Rollout::read(site, begun.release)? else {
        // Killed before anything was applied: the record is written first.
        Begun::remove(site)?;
        return Ok(false);
    };
    let live = Rollout::live(site)?;
    let live = live.filter(|live| live.place.is_same(&failed.place));
    // The kubeconfig of today, should it have moved.
    let kubectl = Kubectl::new(&failed.place).despite_stop();
    let kinds = apply::kinds_of_all(site)?;
    disk::point("undo: before");
    let Some(live) = live else {
        let step =
            console::step(format_args!("Remove deployment {} from the cluster", begun.release));
        apply::remove_others(&kubectl, &failed.place, None, &kinds)?;
        Begun::remove(site)?;
        step.done();
        return Ok(true);
    };
    let id = live.release.id;
    let step = console::step(format_args!("Bring the cluster back to deployment {id}"));
    let counts = counts(site, &site.settings().unwrap_or_default(), &live.release)?;
    let objects: Vec<Value> =
        live.objects_with(&counts).into_iter().filter(Rollout::is_kept).collect();
    apply::apply(&kubectl, &objects)?;
    disk::point("undo: applied");
    apply::remove_others(&kubectl, &live.place, Some(id), &kinds)?;
    Begun::remove(site)?;
    if let Some(wait) = wait
        && let Err(why) = watch::until_ready(&kubectl, &live, Instant::now() + wait)
    {
        // It has what it is to have. That this is not well has another reason.
        console::warning(error::not_well_again(id).because(&why));
    }
    step.done();
    Ok(true)
}
