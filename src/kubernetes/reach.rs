//! Which kinds of objects a site may have, and those that are there.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::Value;

use super::error;
use super::kubectl::Kubectl;
use super::owner::{reference, resource};
use super::record::Rollout;
use crate::site::Site;

/// What every site may have in a cluster. All clusters know these kinds.
pub(super) const KINDS: [&str; 4] =
    ["deployment.apps", "service", "ingress.networking.k8s.io", "job.batch"];

pub(super) const SECRET: &str = "secret";

/// What has data or many other objects in it, and is never removed by nyala; and Secrets, which go
/// with their deployments.
const NEVER: [&str; 5] = [
    "persistentvolumeclaim",
    "persistentvolume",
    "namespace",
    "customresourcedefinition.apiextensions.k8s.io",
    SECRET,
];

/// The kinds of what may be removed of a site: of all that its recorded rollouts have applied.
pub(super) fn removable(site: &Site) -> Result<BTreeSet<String>> {
    let rollouts = Rollout::all(site)?;
    let applied = rollouts.iter().flat_map(|rollout| &rollout.objects).filter_map(resource);
    let kinds = KINDS.iter().map(|kind| (*kind).to_owned()).chain(applied);
    Ok(kinds.filter(|kind| !NEVER.contains(&kind.as_str())).collect())
}

/// The same with Secrets.
pub(super) fn removable_and_secrets(site: &Site) -> Result<BTreeSet<String>> {
    let mut kinds = removable(site)?;
    kinds.insert(SECRET.to_owned());
    Ok(kinds)
}

/// The objects of some kinds that a selector selects. Of a kind that the cluster does not know
/// there are none.
pub(super) fn list(kubectl: &Kubectl, kinds: &[&str], selector: &str) -> Result<Vec<Value>> {
    let (known, others): (Vec<&str>, Vec<&str>) = kinds.iter().partition(|kind| is_known(kind));
    let mut found = Vec::new();
    for kinds in [known.join(",")].iter().map(String::as_str).chain(others) {
        if kinds.is_empty() {
            continue;
        }
        let get = ["get", kinds, "-l", selector, "--ignore-not-found", "-o", "json"];
        found.extend(of_known_kind(kubectl.items(&get))?);
    }
    Ok(found)
}

/// Those of some objects that are there.
pub(super) fn get(kubectl: &Kubectl, objects: &[Value]) -> Result<Vec<Value>> {
    let (known, others): (Vec<&Value>, Vec<&Value>) =
        objects.iter().partition(|object| resource(object).is_some_and(|kind| is_known(&kind)));
    let mut found = Vec::new();
    // One unknown kind would hide all others.
    for some in [&known[..]].into_iter().chain(others.chunks(1)) {
        let references: Vec<String> = some.iter().copied().filter_map(reference).collect();
        if references.is_empty() {
            continue;
        }
        let references: Vec<&str> = references.iter().map(String::as_str).collect();
        let get = [&["get", "--ignore-not-found", "-o", "json"], &references[..]].concat();
        found.extend(of_known_kind(kubectl.items(&get))?);
    }
    Ok(found)
}

/// Whether every cluster has such objects.
fn is_known(kind: &str) -> bool {
    KINDS.contains(&kind) || kind == SECRET
}

fn of_known_kind(found: Result<Vec<Value>>) -> Result<Vec<Value>> {
    match found {
        Err(why) if error::is(&why, error::UNKNOWN_KIND) => Ok(Vec::new()),
        found => found,
    }
}
