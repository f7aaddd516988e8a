//! Where objects of a site may be: of which kinds, and in which namespaces.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::Value;

use super::error;
use super::kubectl::Kubectl;
use super::owner::{reference, resource};
use super::place::Place;
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

/// Where what may be removed of a site can be.
pub(super) struct Reach {
    kinds: BTreeSet<String>,
    /// Those that patches have named, beside the namespace of the site.
    namespaces: BTreeSet<String>,
}

impl Reach {
    /// Of what the recorded rollouts have applied.
    pub(super) fn of(site: &Site, place: &Place) -> Result<Reach> {
        let mut kinds: BTreeSet<String> = KINDS.iter().map(|it| (*it).to_owned()).collect();
        let mut namespaces = BTreeSet::new();
        for object in Rollout::all(site)?.iter().flat_map(|rollout| &rollout.objects) {
            kinds.extend(resource(object));
            namespaces.extend(object["metadata"]["namespace"].as_str().map(str::to_owned));
        }
        kinds.retain(|kind| !NEVER.contains(&kind.as_str()));
        namespaces.remove(place.namespace());
        Ok(Reach { kinds, namespaces })
    }

    /// The same with Secrets.
    #[must_use]
    pub(super) fn and_secrets(mut self) -> Reach {
        self.kinds.insert(SECRET.to_owned());
        self
    }

    /// All objects there that a selector selects, by their namespaces; `None` is that of the site.
    pub(super) fn list(
        &self,
        kubectl: &Kubectl,
        selector: &str,
    ) -> Result<Vec<(Option<String>, Vec<Value>)>> {
        let kinds: Vec<&str> = self.kinds.iter().map(String::as_str).collect();
        let namespaces = [None].into_iter().chain(self.namespaces.iter().cloned().map(Some));
        namespaces
            .map(|namespace| {
                let found = list(kubectl, &kinds, selector, namespace.as_deref())?;
                Ok((namespace, found))
            })
            .collect()
    }
}

/// The objects of some kinds that a selector selects. Of a kind that the cluster does not know
/// there are none.
pub(super) fn list(
    kubectl: &Kubectl,
    kinds: &[&str],
    selector: &str,
    namespace: Option<&str>,
) -> Result<Vec<Value>> {
    let namespace = namespace.map(|it| format!("--namespace={it}"));
    let is_known = |kind: &str| KINDS.contains(&kind) || kind == SECRET;
    let (known, others): (Vec<&str>, Vec<&str>) = kinds.iter().partition(|kind| is_known(kind));
    let mut found = Vec::new();
    for kinds in [known.join(",")].iter().map(String::as_str).chain(others) {
        if kinds.is_empty() {
            continue;
        }
        let get = ["get", kinds, "-l", selector, "--ignore-not-found", "-o", "json"];
        let get = [&get[..], namespace.as_deref().as_slice()].concat();
        found.extend(of_known_kind(kubectl.items(&get))?);
    }
    Ok(found)
}

/// Those of some objects that are there.
pub(super) fn get(kubectl: &Kubectl, objects: &[Value]) -> Result<Vec<Value>> {
    let mut references: BTreeMap<(bool, Option<&str>), Vec<String>> = BTreeMap::new();
    for object in objects {
        let (Some(kind), Some(reference)) = (resource(object), reference(object)) else { continue };
        let namespace = object["metadata"]["namespace"].as_str();
        let is_known = KINDS.contains(&kind.as_str()) || kind == SECRET;
        references.entry((is_known, namespace)).or_default().push(reference);
    }
    let mut found = Vec::new();
    for ((is_known, namespace), references) in references {
        let namespace = namespace.map(|it| format!("--namespace={it}"));
        let references: Vec<&str> = references.iter().map(String::as_str).collect();
        // One unknown kind would hide all others.
        let at_once = if is_known { references.len() } else { 1 };
        for some in references.chunks(at_once) {
            let get = ["get", "--ignore-not-found", "-o", "json"];
            let get = [&get[..], namespace.as_deref().as_slice(), some].concat();
            found.extend(of_known_kind(kubectl.items(&get))?);
        }
    }
    Ok(found)
}

fn of_known_kind(found: Result<Vec<Value>>) -> Result<Vec<Value>> {
    match found {
        Err(why) if error::is(&why, error::UNKNOWN_KIND) => Ok(Vec::new()),
        found => found,
    }
}
