//! `pdm.lock`, `lock_version` 4.4 and later of 4, with the strategy `inherit_metadata`: each
//! package says for which groups and under which markers it is installed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::error::LockError;
use super::files::{check_machine, is_wheel};
use super::marker::{self, Environment, normalized};
use super::resolved::{Origin, Package, ResolvedSet};
use super::{Chosen, Manifests, check_exist, freshness, tree_path, web_address};

#[derive(Debug, Deserialize)]
struct Lock {
    metadata: Metadata,
    #[serde(default, rename = "package")]
    packages: Vec<Locked>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    groups: BTreeSet<String>,
    #[serde(default)]
    strategy: BTreeSet<String>,
    lock_version: String,
    content_hash: Option<String>,
    #[serde(default)]
    targets: Vec<Target>,
}

/// An environment that the lock was made for; one of them has to be this one.
#[derive(Debug, Deserialize)]
struct Target {
    #[serde(default)]
    requires_python: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Locked {
    name: String,
    version: Option<String>,
    requires_python: Option<String>,
    #[expect(dead_code, reason = "known, and of no consequence")]
    summary: Option<String>,
    #[serde(default)]
    groups: BTreeSet<String>,
    marker: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "a package with extras stands there without them as well")]
    extras: Vec<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "inherit_metadata has worked them out")]
    dependencies: Vec<String>,
    #[serde(default)]
    files: Vec<File>,
    git: Option<String>,
    revision: Option<String>,
    #[expect(dead_code, reason = "the revision counts")]
    r#ref: Option<String>,
    subdirectory: Option<String>,
    url: Option<String>,
    path: Option<String>,
    #[expect(dead_code, reason = "nothing is linked into a release")]
    editable: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct File {
    #[serde(rename = "file")]
    name: Option<String>,
    url: Option<String>,
    hash: String,
}

pub(super) fn read(
    text: &str,
    manifests: &Manifests,
    chosen: &Chosen,
    environment: &Environment,
) -> Result<ResolvedSet, LockError> {
    let lock: Lock = super::toml(text)?;
    let Metadata { groups, strategy, lock_version, content_hash, targets } = &lock.metadata;
    if !lock_version.starts_with("4.") {
        let (found, known) = (lock_version.clone(), "4.4 and later of 4");
        return Err(LockError::Version { found, known });
    }
    if !strategy.contains("inherit_metadata") {
        return Err(LockError::Unknown {
            what: "a lock without the strategy inherit_metadata".to_owned(),
        });
    }
    if let Some(hash) = content_hash.as_deref().filter(|_| !manifests.frozen) {
        freshness::pdm(hash, &manifests.pyproject)?;
    }
    check_targets(targets, environment)?;
    // PDM keeps extras among the groups.
    let wanted: BTreeSet<String> =
        chosen.groups.iter().chain(&chosen.extras).map(|name| normalized(name)).collect();
    let others: BTreeMap<String, &String> = groups
        .iter()
        .filter(|group| *group != "default")
        .map(|group| (normalized(group), group))
        .collect();
    check_exist("group", &wanted, others.keys())?;
    let mut packages: BTreeMap<(String, Option<String>), Package> = BTreeMap::new();
    for locked in &lock.packages {
        let is_wanted = |group: &String| group == "default" || wanted.contains(&normalized(group));
        if !locked.groups.iter().any(is_wanted) {
            continue;
        }
        let holds = marker::holds(locked.marker.as_deref().unwrap_or_default(), environment)
            .map_err(|error| LockError::Marker { package: locked.name.clone(), error })?;
        if holds && locked.is_for(environment)? {
            let package = resolved(locked, environment)?;
            let key = (package.name.clone(), package.version.clone());
            // `name[extra]` repeats `name`, perhaps without its files.
            packages
                .entry(key)
                .and_modify(|first| first.hashes.extend(package.hashes.iter().cloned()))
                .or_insert(package);
        }
    }
    let left_out = others
        .iter()
        .filter(|(name, _)| !wanted.contains(*name))
        .map(|(_, group)| format!("group {group}"))
        .collect();
    ResolvedSet::new(packages.into_values().collect(), left_out)
}

fn check_targets(targets: &[Target], environment: &Environment) -> Result<(), LockError> {
    let mut first = None;
    for Target { requires_python } in targets {
        match super::check_python(requires_python.as_deref(), environment) {
            Ok(()) => return Ok(()),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    first.map_or(Ok(()), Err)
}

impl Locked {
    /// Forks of a package differ in their Python.
    fn is_for(&self, environment: &Environment) -> Result<bool, LockError> {
        match super::check_python(self.requires_python.as_deref(), environment) {
            Ok(()) => Ok(true),
            Err(LockError::Python { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn resolved(locked: &Locked, environment: &Environment) -> Result<Package, LockError> {
    let name = normalized(&locked.name);
    let Locked { version, files, git, revision, subdirectory, url, path, .. } = locked;
    let mut hashes: BTreeSet<String> = files.iter().map(|file| file.hash.clone()).collect();
    let origin = if let Some(git) = git {
        hashes.clear();
        Origin::Git {
            url: web_address(&name, git)?,
            commit: super::commit(&name, revision.as_deref().unwrap_or_default())?,
            subdirectory: subdirectory.clone(),
        }
    } else if let Some(url) = url {
        Origin::Url { url: web_address(&name, url)?, subdirectory: subdirectory.clone() }
    } else if let Some(path) = path {
        let path = tree_path(&name, path)?;
        if files.is_empty() { Origin::Folder(path) } else { Origin::File(path) }
    } else {
        let names = files.iter().filter_map(|file| {
            file.name.as_deref().or(file.url.as_deref()).and_then(|name| name.rsplit('/').next())
        });
        let (wheels, others): (Vec<_>, Vec<_>) = names.partition(|name| is_wheel(name));
        check_machine(&name, !others.is_empty(), wheels.into_iter(), environment)?;
        Origin::Index(None)
    };
    Ok(Package { name, version: version.clone(), origin, hashes })
}
