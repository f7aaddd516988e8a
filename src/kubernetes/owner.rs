//! Whose the objects are that are there already: each names its site in an annotation. Two sites
//! may have one name, so labels alone say nothing.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::Value;

use super::error;
use super::kubectl::Kubectl;
use super::manifests::{DEPLOYMENT, MANAGED_BY, NYALA, SITE, selector};
use super::reach::{self, KINDS};
use super::record::Rollout;
use crate::site::{DeploymentId, Site};

/// How the objects of a site name it: `HOST:FOLDER`, so that a person finds it.
pub(super) fn identity(site: &Site) -> String {
    format!("{}:{}", host(), site.root().display())
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A site as its objects name it.
pub(super) struct Owner {
    /// What it is called now, and what it was called before it was moved.
    names: BTreeSet<String>,
}

impl Owner {
    pub(super) fn of(site: &Site) -> Result<Owner> {
        let recorded = Rollout::all(site)?.into_iter().map(|rollout| rollout.site);
        let recorded = recorded.filter(|name| !is_another(name, site));
        Ok(Owner { names: recorded.chain([identity(site)]).collect() })
    }

    pub(super) fn has(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        metadata["labels"][MANAGED_BY] == NYALA
            && metadata["annotations"][SITE].as_str().is_some_and(|it| self.names.contains(it))
    }
}

/// Whether a name is that of another site, which is there: a copy of a site has its records, too.
fn is_another(name: &str, site: &Site) -> bool {
    let Some((named_host, folder)) = name.split_once(':') else { return true };
    let folder = Path::new(folder);
    let is_same = || folder.canonicalize().ok() == site.root().canonicalize().ok();
    named_host == host() && folder.join("deployments").is_dir() && !is_same()
}

/// Fails when an object that is to be applied, or any with the name of the site, is there and
/// belongs to somebody else. Gives the deployments that have applied what is there.
pub(super) fn check(
    kubectl: &Kubectl,
    rollout: &Rollout,
    owner: &Owner,
) -> Result<BTreeSet<DeploymentId>> {
    let named = reach::list(kubectl, &KINDS, &selector(&rollout.place.name), None)?;
    let same = reach::get(kubectl, &rollout.objects)?;
    if let Some(object) = named.iter().chain(&same).find(|object| !owner.has(object)) {
        let (kind, name) = kind_and_name(object);
        let owner = object["metadata"]["annotations"][SITE].as_str();
        bail!(error::not_ours(kind, name, &rollout.place, owner));
    }
    let kept = named.iter().filter(|object| object["kind"] != "Job");
    Ok(kept.filter_map(deployment).collect())
}

/// The deployment that has applied an object last.
pub(super) fn deployment(object: &Value) -> Option<DeploymentId> {
    object["metadata"]["labels"][DEPLOYMENT].as_str()?.parse().ok()
}

/// An object as kubectl takes it: `deployment.apps/shop-web`.
pub(super) fn reference(object: &Value) -> Option<String> {
    let (_, name) = kind_and_name(object);
    Some(format!("{}/{name}", resource(object)?))
}

/// Its kind with the group. The cluster chooses the version: it may no longer have the one that the
/// object was written for.
pub(super) fn resource(object: &Value) -> Option<String> {
    let (kind, version) = (object["kind"].as_str()?, object["apiVersion"].as_str()?);
    Some(match version.split_once('/') {
        Some((group, _)) => format!("{}.{group}", kind.to_lowercase()),
        None => kind.to_lowercase(),
    })
}

pub(super) fn kind_and_name(object: &Value) -> (&str, &str) {
    let kind = object["kind"].as_str().unwrap_or("object");
    (kind, object["metadata"]["name"].as_str().unwrap_or_default())
}
