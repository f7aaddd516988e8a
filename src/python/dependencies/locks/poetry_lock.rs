//! `poetry.lock`, lock-version 1.1, 2.0 and 2.1.
//!
//! Since 2.1 each package says in which groups and under which markers it is installed. Before, the
//! graph is walked from the dependencies of pyproject.toml, as Poetry's export plugin does.

mod walk;

use std::collections::{BTreeMap, BTreeSet};

use pep440_rs::Version;
use serde::Deserialize;

use super::error::LockError;
use super::files::{Wheels, is_pypi, is_wheel};
use super::marker::{self, Environment, normalized};
use super::resolved::{Lack, Origin, Package, ResolvedSet};
use super::{
    Chosen, Manifests, check_exist, file_address, freshness, git_address, toml_packages, tree_path,
    web_address,
};
use crate::python::poetry_constraint;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lock {
    #[serde(default, rename = "package")]
    packages: Vec<Locked>,
    #[serde(default)]
    extras: BTreeMap<String, Vec<String>>,
    metadata: Metadata,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    lock_version: String,
    python_versions: String,
    content_hash: Option<String>,
    /// Before 2.0 the files of all packages were here.
    #[serde(default)]
    files: BTreeMap<String, Vec<File>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Locked {
    name: String,
    version: String,
    #[expect(dead_code, reason = "known, and of no consequence")]
    description: Option<String>,
    /// `main` or `dev`, in 1.1.
    #[expect(dead_code, reason = "the graph says it, with the extras")]
    category: Option<String>,
    #[serde(default)]
    optional: bool,
    python_versions: String,
    #[serde(default)]
    groups: BTreeSet<String>,
    markers: Option<Markers>,
    #[serde(default)]
    files: Vec<File>,
    #[expect(dead_code, reason = "nothing is linked into a release")]
    develop: Option<bool>,
    #[serde(default)]
    dependencies: BTreeMap<String, walk::Dependencies>,
    #[serde(default)]
    extras: BTreeMap<String, Vec<String>>,
    source: Option<Source>,
    #[expect(dead_code, reason = "known, and of no consequence")]
    marker: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Markers {
    ForAll(String),
    ByGroup(BTreeMap<String, String>),
}

#[derive(Debug, Deserialize)]
struct File {
    file: String,
    hash: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    r#type: String,
    url: String,
    #[expect(dead_code, reason = "the resolved one counts")]
    reference: Option<String>,
    resolved_reference: Option<String>,
    subdirectory: Option<String>,
}

/// Reads the lock `text`.
pub(super) fn read(
    text: &str,
    manifests: &Manifests,
    chosen: &Chosen,
    environment: &Environment,
) -> Result<ResolvedSet, LockError> {
    let lock = toml_packages(text, |lock: &mut Lock| &mut lock.packages)?;
    let has_groups = match lock.metadata.lock_version.as_str() {
        "1.1" | "2.0" => false,
        "2.1" => true,
        found => {
            let known = "lock-version 1.1, 2.0 and 2.1";
            return Err(LockError::Version { found: found.to_owned(), known });
        }
    };
    if let Some(hash) = lock.metadata.content_hash.as_deref().filter(|_| !manifests.frozen) {
        freshness::poetry(hash, &manifests.pyproject)?;
    }
    check_python(&lock.metadata.python_versions, environment)?;
    let declared = walk::Declared::of(&manifests.pyproject)?;
    check_exist("extra", &chosen.extras, lock.extra_names().iter())?;
    check_exist("group", &chosen.groups, declared.groups.keys())?;
    let mut environment = environment.clone();
    environment.extras.clone_from(&chosen.extras);
    let packages = if has_groups {
        by_groups(&lock, chosen, &environment)?
    } else {
        walk::packages(&lock, &declared, chosen, &environment)?
    };
    let packages = packages
        .into_iter()
        .map(|package| resolved(&lock, package, &environment))
        .collect::<Result<_, _>>()?;
    let left_out = chosen.left_out(declared.groups.keys(), lock.extra_names().iter());
    ResolvedSet::new(packages, left_out)
}

impl Lock {
    fn extra_names(&self) -> BTreeSet<String> {
        self.extras.keys().map(|name| normalized(name)).collect()
    }
}

/// Whether a version satisfies one of poetry's constraints.
fn allows(constraint: &str, version: &Version) -> Result<bool, LockError> {
    poetry_constraint::allows(constraint, version).ok_or_else(|| LockError::Unknown {
        what: format!("the version constraint {constraint:?}"),
    })
}

fn check_python(wanted: &str, environment: &Environment) -> Result<(), LockError> {
    if allows(wanted, &environment.python)? {
        return Ok(());
    }
    let found = environment.python.to_string();
    Err(LockError::Python { wanted: wanted.to_owned(), found })
}

fn by_groups<'a>(
    lock: &'a Lock,
    chosen: &Chosen,
    environment: &Environment,
) -> Result<Vec<&'a Locked>, LockError> {
    let is_wanted =
        |group: &&String| *group == "main" || chosen.groups.contains(&normalized(group));
    let mut packages = Vec::new();
    for package in &lock.packages {
        let mut holds = false;
        for group in package.groups.iter().filter(is_wanted) {
            let marker = match &package.markers {
                None => "",
                Some(Markers::ForAll(marker)) => marker,
                Some(Markers::ByGroup(markers)) => markers.get(group).map_or("", String::as_str),
            };
            holds |= marker::holds(marker, environment)
                .map_err(|error| LockError::Marker { package: package.name.clone(), error })?;
        }
        if holds {
            packages.push(package);
        }
    }
    Ok(packages)
}

fn resolved(
    lock: &Lock,
    package: &Locked,
    environment: &Environment,
) -> Result<Package, LockError> {
    let name = normalized(&package.name);
    let files = match lock.metadata.files.get(&package.name) {
        Some(files) if package.files.is_empty() => files,
        _ => &package.files,
    };
    let mut hashes: BTreeSet<String> = files.iter().map(|file| file.hash.clone()).collect();
    let origin = match &package.source {
        None => Origin::Index(None),
        Some(Source { r#type, url, resolved_reference, subdirectory, .. }) => match r#type.as_str()
        {
            "git" => {
                hashes.clear();
                let commit = resolved_reference.as_deref().unwrap_or_default();
                Origin::Git {
                    url: git_address(&name, url)?,
                    commit: super::commit(&name, commit)?,
                    subdirectory: subdirectory.clone(),
                }
            }
            "url" => {
                Origin::Url { url: file_address(&name, url)?, subdirectory: subdirectory.clone() }
            }
            "file" => Origin::File(tree_path(&name, url)?),
            "directory" => {
                hashes.clear();
                Origin::Folder(tree_path(&name, url)?)
            }
            "legacy" if is_pypi(url) => Origin::Index(None),
            "legacy" => Origin::Index(Some(web_address(&name, url)?)),
            other => {
                return Err(LockError::Unknown { what: format!("the source of {name}, {other}") });
            }
        },
    };
    let (mut lacks, mut is_built) = (Lack::Nothing, false);
    if let Origin::Index(_) = origin {
        let names = files.iter().map(|file| file.file.as_str());
        let (wheels, others): (Vec<_>, Vec<_>) = names.partition(|name| is_wheel(name));
        let wheels = Wheels { of: &name, names: wheels };
        lacks = wheels.lack(!others.is_empty(), environment)?;
        is_built = !wheels.fit(environment);
    }
    let version = Some(package.version.clone());
    Ok(Package { name, version, origin, hashes, lacks, is_built })
}
