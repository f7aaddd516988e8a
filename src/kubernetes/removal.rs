//! Removes objects of a site, and only of that one.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use serde_json::Value;

use super::apply::patiently;
use super::kubectl::Kubectl;
use super::manifests::{DEPLOYMENT, selector};
use super::owner::{Owner, deployment, named_site, reference};
use super::place::Place;
use super::reach;
use super::record::Rollout;
use super::{error, secret};
use crate::console;
use crate::site::Site;

/// Removes what a site has in the place of a rollout beside the objects of that.
pub(super) fn all_but(kubectl: &Kubectl, site: &Site, rollout: &Rollout) -> Result<()> {
    let is_kept = |object: &Value| is_among(object, rollout);
    remove(kubectl, &Owner::of(site)?, &rollout.place, &reach::removable(site)?, &is_kept)
}

/// Whether an object of the cluster is one of a rollout's that stay.
fn is_among(object: &Value, rollout: &Rollout) -> bool {
    let namespace = |object: &Value| object["metadata"]["namespace"].as_str().map(str::to_owned);
    let of_cluster = namespace(object);
    rollout.objects.iter().filter(|it| Rollout::is_kept(it)).any(|it| {
        let wanted = namespace(it).unwrap_or_else(|| rollout.place.namespace().to_owned());
        reference(it) == reference(object) && of_cluster.as_ref().is_none_or(|it| *it == wanted)
    })
}

/// Removes all that a site has in a place, with the Secrets of its app settings, but not the
/// objects that were `taken` from what is live.
pub(super) fn all(
    kubectl: &Kubectl,
    site: &Site,
    place: &Place,
    taken: &BTreeSet<String>,
) -> Result<()> {
    let is_taken = |object: &Value| reference(object).is_some_and(|name| taken.contains(&name));
    let is_kept = |object: &Value| is_secret_of_patch(object) || is_taken(object);
    let kinds = reach::removable_and_secrets(site)?;
    remove(kubectl, &Owner::of(site)?, place, &kinds, &is_kept)
}

/// Removes what a site has where it was before `rollout`, which is somewhere else. Both may be one
/// place, should only the context have another name: what the rollout has applied stays, and the
/// Secrets that are needed.
pub(super) fn of_before(
    kubectl: &Kubectl,
    site: &Site,
    place: &Place,
    rollout: &Rollout,
) -> Result<()> {
    let needed = secret::kept(site)?;
    let needed = place.is_same_but_for_context(&rollout.place).then_some(needed);
    let is_kept = |object: &Value| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let is_new = deployment(object) == Some(rollout.release.id);
        let is_needed = || needed.as_ref().is_some_and(|needed| needed.contains(name));
        is_new || is_secret_of_patch(object) || object["kind"] == "Secret" && is_needed()
    };
    let kinds = reach::removable_and_secrets(site)?;
    // A copy of the site must not remove what the other one has.
    let (alone, owner) = (Owner::alone(site)?, Owner::of(site)?);
    remove(kubectl, &alone, place, &kinds, &is_kept)?;
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    let left = reach::list(kubectl, &kinds, &selector(&place.name))?;
    let is_unsure = |it: &&Value| owner.has(it) && !alone.has(it) && !is_kept(it);
    match left.iter().find(is_unsure) {
        Some(object) => bail!(error::names_another_machine(named_site(object).unwrap_or_default())),
        None => Ok(()),
    }
}

/// Only the Secrets of app settings are without a deployment: several may share one.
fn is_secret_of_patch(object: &Value) -> bool {
    object["kind"] == "Secret" && !object["metadata"]["labels"][DEPLOYMENT].is_null()
}

fn remove(
    kubectl: &Kubectl,
    owner: &Owner,
    place: &Place,
    kinds: &BTreeSet<String>,
    is_kept: &dyn Fn(&Value) -> bool,
) -> Result<()> {
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    let selector = selector(&place.name);
    patiently(kubectl, || {
        let found = reach::list(kubectl, &kinds, &selector)?;
        let old = found.iter().filter(|object| owner.has(object) && !is_kept(object));
        let old: Vec<String> = old.filter_map(reference).collect();
        if old.is_empty() { Ok(()) } else { delete(kubectl, &old) }
    })
}

/// Removes objects by their names.
pub(super) fn delete(kubectl: &Kubectl, names: &[String]) -> Result<()> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let delete = ["delete", "--ignore-not-found", "--wait=false", "-o", "name"];
    // An older kubectl says here that it has found nothing.
    let removed = kubectl.run(&[&delete[..], &names[..]].concat())?;
    for name in removed.lines().filter(|line| line.contains('/')) {
        console::detail(format_args!("Removed {name}."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, name: &str, namespace: Option<&str>) -> Value {
        json!({ "apiVersion": "v1", "kind": kind,
            "metadata": { "name": name, "namespace": namespace } })
    }

    #[test]
    fn an_object_stays_only_where_it_was_applied() {
        let rollout: Rollout = serde_json::from_value(json!({
            "place": { "name": "shop", "namespace": "web" }, "site": "here", "secret": null,
            "is_applied": true, "counts": {},
            "release": { "id": 7, "commit": "c", "image": "i", "python": null, "commands": {} },
            "objects": [
                object("Service", "shop", Some("web")),
                object("ConfigMap", "texts", None),
                object("ConfigMap", "shared", Some("other")),
                object("ClusterRole", "reader", None),
            ],
        }))
        .unwrap();
        let stays = |kind, name, namespace| is_among(&object(kind, name, namespace), &rollout);
        assert!(stays("Service", "shop", Some("web")));
        assert!(stays("ConfigMap", "texts", Some("web")));
        assert!(stays("ConfigMap", "shared", Some("other")));
        assert!(stays("ClusterRole", "reader", None));
        assert!(!stays("ConfigMap", "shared", Some("web")));
        assert!(!stays("Service", "shop-old", Some("web")));
    }
}
