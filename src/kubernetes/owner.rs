//! Whose the objects are that are there already: each names its site in an annotation. Two sites
//! may have one name, so labels alone say nothing.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error;
use super::kubectl::Kubectl;
use super::manifests::{DEPLOYMENT, MANAGED_BY, NYALA, SITE, selector};
use super::reach::{self, KINDS};
use super::record::Rollout;
use crate::site::{DeploymentId, SETTINGS_FILE, Site};

/// How the objects of a site name it: `HOST:FOLDER`, so that a person finds it.
pub(super) fn identity(site: &Site) -> String {
    format!("{}:{}", host(), site.root().display())
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A site as its objects name it.
pub(super) struct Owner {
    names: BTreeSet<String>,
}

impl Owner {
    /// By the name that it has, and those that it had before it was moved. A copy of a site on
    /// another machine has those, too, and cannot be told from one that was moved there.
    pub(super) fn of(site: &Site) -> Result<Owner> {
        Owner::with_names(site, |origin| origin != Origin::Another)
    }

    /// The same with the names that can be no other site's.
    pub(super) fn alone(site: &Site) -> Result<Owner> {
        Owner::with_names(site, |origin| origin == Origin::Gone)
    }

    fn with_names(site: &Site, is_own: impl Fn(Origin) -> bool) -> Result<Owner> {
        let recorded = Rollout::all(site)?.into_iter().map(|rollout| rollout.site);
        let recorded = recorded.filter(|name| is_own(Origin::of(name, site)));
        Ok(Owner { names: recorded.chain([identity(site)]).collect() })
    }

    pub(super) fn has(&self, object: &Value) -> bool {
        object["metadata"]["labels"][MANAGED_BY] == NYALA
            && named_site(object).is_some_and(|name| self.names.contains(name))
    }
}

/// What a name in the records of a site is. A copy of a site has the records of the other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// Of this site, or of a folder that is no longer there.
    Gone,
    /// Of a site on this machine that is still there, or may be.
    Another,
    /// Of another machine.
    Elsewhere,
}

impl Origin {
    fn of(name: &str, site: &Site) -> Origin {
        let Some((named_host, folder)) = name.split_once(':') else { return Origin::Another };
        if named_host != host() {
            return Origin::Elsewhere;
        }
        let folder = Path::new(folder);
        let is_same = || {
            folder
                .canonicalize()
                .is_ok_and(|it| site.root().canonicalize().is_ok_and(|own| own == it))
        };
        match folder.join(SETTINGS_FILE).symlink_metadata() {
            Err(why) if why.kind() == ErrorKind::NotFound => Origin::Gone,
            _ if is_same() => Origin::Gone,
            _ => Origin::Another,
        }
    }
}

/// What a place has of a site before a rollout.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Found {
    /// The deployments that have applied it.
    pub(super) deployments: BTreeSet<DeploymentId>,
    /// The objects that the rollout applies, too, as kubectl takes them.
    pub(super) taken: BTreeSet<String>,
}

/// Fails when an object that is to be applied, or any with the name of the site, is there and
/// belongs to somebody else.
pub(super) fn check(kubectl: &Kubectl, rollout: &Rollout, owner: &Owner) -> Result<Found> {
    let named = reach::list(kubectl, &KINDS, &selector(&rollout.place.name))?;
    let same = reach::get(kubectl, &rollout.objects)?;
    if let Some(object) = named.iter().chain(&same).find(|object| !owner.has(object)) {
        let (kind, name) = kind_and_name(object);
        bail!(error::not_ours(kind, name, &rollout.place, named_site(object)));
    }
    let kept = named.iter().filter(|object| object["kind"] != "Job");
    Ok(Found {
        deployments: kept.filter_map(deployment).collect(),
        taken: same.iter().filter_map(reference).collect(),
    })
}

/// The site that an object names.
pub(super) fn named_site(object: &Value) -> Option<&str> {
    object["metadata"]["annotations"][SITE].as_str()
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_copy_of_a_site_does_not_own_what_the_other_one_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().canonicalize().unwrap().join(name);
        for name in ["shop", "copy"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join(SETTINGS_FILE), "").unwrap();
        }
        let site = Site::open(&path("copy")).unwrap();
        let origin =
            |name: &str| Origin::of(&format!("{}:{}", host(), path(name).display()), &site);
        assert_eq!(origin("shop"), Origin::Another);
        assert_eq!(origin("copy"), Origin::Gone);
        assert_eq!(origin("moved"), Origin::Gone);
        assert_eq!(Origin::of("elsewhere.example.org:/srv/shop", &site), Origin::Elsewhere);
    }
}
