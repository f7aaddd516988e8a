//! `pdm.lock`, `lock_version` 4.
//!
//! With the strategy `inherit_metadata` each package says for which groups and under which markers
//! it is installed. Without it, and before 4.4, the graph is walked from the dependencies of
//! pyproject.toml, as `pdm sync` does.

mod walk;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::error::LockError;
use super::files::{Wheels, is_wheel};
use super::marker::{self, Environment, normalized};
use super::resolved::{Lack, Origin, Package, ResolvedSet};
use super::{
    Chosen, Manifests, check_exist, file_address, freshness, git_address, toml_packages, tree_path,
};

#[derive(Debug, Deserialize)]
struct Lock {
    metadata: Metadata,
    #[serde(default, rename = "package")]
    packages: Vec<Locked>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    /// Before 4.3, the lock has all groups.
    groups: Option<BTreeSet<String>>,
    #[serde(default)]
    strategy: BTreeSet<String>,
    lock_version: String,
    content_hash: Option<String>,
    #[serde(default)]
    targets: Vec<Target>,
    /// Before 4.3 the files of all packages were here, by `NAME VERSION`.
    #[serde(default)]
    files: BTreeMap<String, Vec<File>>,
}

/// An environment that the lock was made for; one of them has to be this one.
#[derive(Debug, Deserialize)]
struct Target {
    requires_python: Option<String>,
    platform: Option<String>,
    implementation: Option<String>,
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
    extras: BTreeSet<String>,
    #[serde(default)]
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
    let lock = toml_packages(text, |lock: &mut Lock| &mut lock.packages)?;
    let Metadata { groups, strategy, lock_version, content_hash, targets, files } = &lock.metadata;
    if lock_version.split('.').next() != Some("4") {
        return Err(LockError::Version { found: lock_version.clone(), known: "version 4" });
    }
    if let Some(hash) = content_hash.as_deref().filter(|_| !manifests.frozen) {
        freshness::pdm(hash, &manifests.pyproject)?;
    }
    check_targets(targets, environment)?;
    // PDM keeps extras among the groups.
    let wanted: BTreeSet<String> = chosen.groups.union(&chosen.extras).cloned().collect();
    let declared = walk::Declared::of(&manifests.pyproject);
    let names = groups.as_ref().map_or_else(|| declared.names(), |groups| groups.iter().collect());
    let others: BTreeMap<String, &String> = names
        .into_iter()
        .filter(|group| *group != "default")
        .map(|group| (normalized(group), group))
        .collect();
    check_exist("group", &wanted, others.keys())?;
    let installed = if strategy.contains("inherit_metadata") {
        let installed = by_groups(&lock, &wanted, environment)?;
        if !manifests.frozen {
            walk::check_whole(&lock, &declared, (&installed, &wanted), environment)?;
        }
        installed
    } else {
        walk::packages(&lock, &declared, &wanted, environment)?
    };
    let mut packages: BTreeMap<(String, Option<String>), Package> = BTreeMap::new();
    for locked in installed {
        let older = files.get(&locked.name_and_version()).map_or(&[][..], Vec::as_slice);
        let package = resolved(locked, older, environment)?;
        let key = (package.name.clone(), package.version.clone());
        // `name[extra]` repeats `name`, perhaps without its files.
        match packages.entry(key) {
            Entry::Vacant(entry) => drop(entry.insert(package)),
            Entry::Occupied(first) if first.get().origin != package.origin => {
                return Err(LockError::twice(first.get(), &package));
            }
            Entry::Occupied(mut first) => first.get_mut().hashes.extend(package.hashes),
        }
    }
    let left_out = others
        .iter()
        .filter(|(name, _)| !wanted.contains(*name))
        .map(|(_, group)| format!("group {group}"))
        .collect();
    ResolvedSet::new(packages.into_values().collect(), left_out)
}

/// The packages that say of themselves that they are installed.
fn by_groups<'a>(
    lock: &'a Lock,
    wanted: &BTreeSet<String>,
    environment: &Environment,
) -> Result<Vec<&'a Locked>, LockError> {
    let is_wanted = |group: &String| group == "default" || wanted.contains(&normalized(group));
    let mut packages = Vec::new();
    for locked in &lock.packages {
        if !locked.groups.is_empty() && !locked.groups.iter().any(is_wanted) {
            continue;
        }
        let holds = marker::holds(locked.marker.as_deref().unwrap_or_default(), environment)
            .map_err(|error| LockError::Marker { package: locked.name.clone(), error })?;
        if holds {
            packages.push(locked);
        }
    }
    // Forks of a package may differ in nothing but their Python. One alone stays, and the installer
    // says that it is not for this Python.
    let mut forks: BTreeMap<String, BTreeSet<Option<&str>>> = BTreeMap::new();
    for locked in &packages {
        forks.entry(normalized(&locked.name)).or_default().insert(locked.version.as_deref());
    }
    let mut kept = Vec::new();
    for locked in packages {
        if forks[&normalized(&locked.name)].len() == 1 || locked.is_for(environment)? {
            kept.push(locked);
        }
    }
    Ok(kept)
}

fn check_targets(targets: &[Target], environment: &Environment) -> Result<(), LockError> {
    let mut first = None;
    for Target { requires_python, platform, implementation } in targets {
        let is_here = platform.as_deref().is_none_or(|platform| {
            let machine = environment.machine.as_str();
            platform == "linux" || platform.starts_with("manylinux") && platform.ends_with(machine)
        }) && implementation.as_deref().is_none_or(|name| name == "cpython");
        let found = match super::check_python(requires_python.as_deref(), environment) {
            Ok(()) if is_here => return Ok(()),
            Ok(()) => LockError::Python {
                wanted: [implementation, platform]
                    .into_iter()
                    .flatten()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(" on "),
                found: format!("cpython on linux ({})", environment.machine),
            },
            Err(error) => error,
        };
        first.get_or_insert(found);
    }
    first.map_or(Ok(()), Err)
}

impl Locked {
    fn name_and_version(&self) -> String {
        format!("{} {}", self.name, self.version.as_deref().unwrap_or_default())
    }

    /// Whether it can be installed into this Python.
    fn is_for(&self, environment: &Environment) -> Result<bool, LockError> {
        match super::check_python(self.requires_python.as_deref(), environment) {
            Ok(()) => Ok(true),
            Err(LockError::Python { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// `older` are the files of a package that an old lock keeps elsewhere.
fn resolved(
    locked: &Locked,
    older: &[File],
    environment: &Environment,
) -> Result<Package, LockError> {
    let name = normalized(&locked.name);
    let files = if locked.files.is_empty() { older } else { &locked.files };
    let Locked { version, git, revision, subdirectory, url, path, .. } = locked;
    let mut hashes: BTreeSet<String> = files.iter().map(|file| file.hash.clone()).collect();
    let mut lacks = Lack::Nothing;
    let origin = if let Some(git) = git {
        hashes.clear();
        Origin::Git {
            url: git_address(&name, git)?,
            commit: super::commit(&name, revision.as_deref().unwrap_or_default())?,
            subdirectory: subdirectory.clone(),
        }
    } else if let Some(url) = url {
        Origin::Url { url: file_address(&name, url)?, subdirectory: subdirectory.clone() }
    } else if let Some(path) = path {
        let path = tree_path(&name, path)?;
        if files.is_empty() { Origin::Folder(path) } else { Origin::File(path) }
    } else {
        let names = files.iter().filter_map(|file| {
            file.name.as_deref().or(file.url.as_deref()).and_then(|name| name.rsplit('/').next())
        });
        let (wheels, others): (Vec<_>, Vec<_>) = names.partition(|name| is_wheel(name));
        let wheels = Wheels { of: &name, names: wheels };
        lacks = wheels.lack(!others.is_empty(), environment)?;
        Origin::Index(None)
    };
    // Its lock does not say which index a package is from, so nothing depends on it.
    let is_built = false;
    Ok(Package { name, version: version.clone(), origin, hashes, lacks, is_built })
}
