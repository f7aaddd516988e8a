//! Whose the objects are that are there already.

use anyhow::{Result, bail};
use serde_json::Value;

use super::error;
use super::kubectl::Kubectl;
use super::manifests::{MANAGED_BY, NYALA, SITE};
use super::record::Rollout;
use crate::site::Site;

/// How the objects of a site name it: `HOST:FOLDER`, so that a person finds it.
pub(super) fn identity(site: &Site) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}:{}", site.root().display())
}

/// Fails when an object that is to be applied is there and belongs to somebody else. What this site
/// has applied before is its own, also if it has been moved since.
pub(super) fn check(kubectl: &Kubectl, rollout: &Rollout, live: Option<&Rollout>) -> Result<()> {
    let names: Vec<String> = rollout.objects.iter().filter_map(reference).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let get = [&["get", "--ignore-not-found", "-o", "json"], &names[..]].concat();
    let known = [Some(rollout.site.as_str()), live.map(|it| it.site.as_str())];
    for object in kubectl.items(&get)? {
        let owner = object["metadata"]["annotations"][SITE].as_str();
        let is_marked = object["metadata"]["labels"][MANAGED_BY] == NYALA;
        if !(is_marked && owner.is_some() && known.contains(&owner)) {
            let (kind, name) = kind_and_name(&object);
            bail!(error::not_ours(kind, name, &rollout.place, owner));
        }
    }
    Ok(())
}

/// An object as kubectl takes it: `deployment.v1.apps/shop-web`.
pub(super) fn reference(object: &Value) -> Option<String> {
    let (_, name) = kind_and_name(object);
    Some(format!("{}/{name}", resource(object)?))
}

/// Its kind with the version and the group.
pub(super) fn resource(object: &Value) -> Option<String> {
    let (kind, version) = (object["kind"].as_str()?, object["apiVersion"].as_str()?);
    Some(match version.split_once('/') {
        Some((group, version)) => format!("{}.{version}.{group}", kind.to_lowercase()),
        None => kind.to_lowercase(),
    })
}

pub(super) fn kind_and_name(object: &Value) -> (&str, &str) {
    let kind = object["kind"].as_str().unwrap_or("object");
    (kind, object["metadata"]["name"].as_str().unwrap_or_default())
}
