//! Applies objects, and removes what is no longer among them.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use super::complaint::may_pass;
use super::kubectl::Kubectl;
use super::manifests::{DEPLOYMENT, selector};
use super::owner::resource;
use super::place::Place;
use super::record::{Begun, Rollout};
use crate::console;
use crate::site::{DeploymentId, Site};

/// How long an API server may be away while something is applied, and how often it is tried.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_secs(3);

/// What every site may have in a cluster.
const KINDS: [&str; 4] =
    ["deployment.v1.apps", "service", "ingress.v1.networking.k8s.io", "job.v1.batch"];

/// What has data or many other objects in it, and is never removed by nyala; and Secrets, which go
/// with their deployments.
const NEVER: [&str; 5] = [
    "persistentvolumeclaim",
    "persistentvolume",
    "namespace",
    "customresourcedefinition",
    "secret",
];

/// Applies objects. An API server that is away for a moment is waited for: applied twice is the
/// same as once.
pub(super) fn apply(kubectl: &Kubectl, objects: &[Value]) -> Result<()> {
    if objects.is_empty() {
        return Ok(());
    }
    patiently(kubectl, || kubectl.apply(objects, &[]).map(drop))
}

/// Tries again what may go well in a moment.
fn patiently(kubectl: &Kubectl, act: impl Fn() -> Result<()>) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    let mut is_said = false;
    loop {
        match act() {
            Err(why) if may_pass(&why) && Instant::now() < end && !kubectl.is_stopped() => {
                if !is_said {
                    console::info("The API server does not answer; trying again.");
                    is_said = true;
                }
                thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// The kinds of objects that the releases of a site have in the cluster, and of a rollout that has
/// begun.
pub(super) fn kinds_of_all(site: &Site) -> Result<Vec<String>> {
    let mut kinds: BTreeSet<String> = KINDS.iter().map(|it| (*it).to_owned()).collect();
    let begun = Begun::read(site)?.map(|begun| begun.release);
    for id in site.release_ids()?.into_iter().chain(begun) {
        if let Some(rollout) = Rollout::read(site, id)? {
            kinds.extend(rollout.objects.iter().filter_map(resource));
        }
    }
    let is_removable =
        |kind: &String| !NEVER.iter().any(|never| kind.split('.').next() == Some(never));
    Ok(kinds.into_iter().filter(is_removable).collect())
}

/// Removes the objects of a site that the deployment to `keep` has not applied; all of them without
/// one. The label says which: whatever is applied again gets it again.
pub(super) fn remove_others(
    kubectl: &Kubectl,
    place: &Place,
    keep: Option<DeploymentId>,
    kinds: &[String],
) -> Result<()> {
    let mut selector = selector(&place.name);
    let mut kinds = kinds.join(",");
    match keep {
        Some(keep) => selector.push_str(&format!(",{DEPLOYMENT}!={keep}")),
        None => kinds.push_str(",secret"),
    }
    let delete =
        ["delete", &kinds, "-l", &selector, "--ignore-not-found", "--wait=false", "-o", "name"];
    patiently(kubectl, || {
        // An older kubectl says here that it has found nothing.
        let removed = kubectl.run(&delete)?;
        for name in removed.lines().filter(|line| line.contains('/')) {
            console::detail(format_args!("Removed {name}."));
        }
        Ok(())
    })
}
