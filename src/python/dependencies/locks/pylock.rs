//! `pylock.toml`, the standard lock file (PEP 751), version 1.0:
//! <https://packaging.python.org/en/latest/specifications/pylock-toml/>.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use serde::Deserialize;
use toml::{Table, Value};

use super::error::LockError;
use super::files::{Wheels, best, is_pypi};
use super::marker::{self, Environment, normalized};
use super::requirement::Requirement;
use super::resolved::{Lack, Origin, Package, ResolvedSet};
use super::{Chosen, Manifests, Member, check_exist, file_address, git_address, tree_path};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Lock {
    #[serde(rename = "lock-version")]
    version: String,
    #[serde(default)]
    environments: Vec<String>,
    #[serde(default)]
    requires_python: Option<String>,
    #[serde(default)]
    extras: BTreeSet<String>,
    #[serde(default)]
    dependency_groups: BTreeSet<String>,
    #[serde(default)]
    default_groups: BTreeSet<String>,
    #[expect(dead_code, reason = "known, and of no consequence")]
    created_by: String,
    #[serde(default)]
    packages: Vec<Locked>,
    #[serde(default)]
    #[expect(dead_code, reason = "known, and of no consequence")]
    tool: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Locked {
    name: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    marker: Option<String>,
    #[serde(default)]
    requires_python: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "informational, says PEP 751: never used to install")]
    dependencies: Option<Value>,
    #[serde(default)]
    vcs: Option<Vcs>,
    #[serde(default)]
    directory: Option<Directory>,
    #[serde(default)]
    archive: Option<File>,
    #[serde(default)]
    index: Option<String>,
    #[serde(default)]
    sdist: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
    #[serde(default)]
    #[expect(dead_code, reason = "known, and of no consequence")]
    attestation_identities: Option<Value>,
    #[serde(default)]
    #[expect(dead_code, reason = "known, and of no consequence")]
    tool: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Vcs {
    r#type: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "the commit counts")]
    requested_revision: Option<String>,
    commit_id: String,
    #[serde(default)]
    subdirectory: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Directory {
    path: String,
    #[serde(default)]
    #[expect(dead_code, reason = "nothing is linked into a release")]
    editable: bool,
    #[serde(default)]
    subdirectory: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "known, and of no consequence")]
    upload_time: Option<Value>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "the hashes say more")]
    size: Option<u64>,
    hashes: BTreeMap<String, String>,
    #[serde(default)]
    subdirectory: Option<String>,
}

pub(super) fn read(
    text: &str,
    manifests: &Manifests,
    chosen: &Chosen,
    environment: &Environment,
) -> Result<ResolvedSet, LockError> {
    let lock: Lock = super::toml(text)?;
    if lock.version != "1.0" {
        return Err(LockError::Version { found: lock.version, known: "version 1.0" });
    }
    super::check_python(lock.requires_python.as_deref(), environment)?;
    check_exist("group", &chosen.groups, lock.dependency_groups.iter())?;
    check_exist("extra", &chosen.extras, lock.extras.iter())?;
    let mut environment = environment.clone();
    environment.extras.clone_from(&chosen.extras);
    environment.groups = chosen.groups.union(&lock.default_groups).cloned().collect();
    check_environments(&lock.environments, &environment)?;
    let mut packages = Vec::new();
    for package in &lock.packages {
        let holds = |marker: &str| {
            marker::holds(marker, &environment)
                .map_err(|error| LockError::Marker { package: package.name.clone(), error })
        };
        if holds(package.marker.as_deref().unwrap_or_default())? {
            super::check_python(package.requires_python.as_deref(), &environment)?;
            packages.push(resolved(package, &environment)?);
        }
    }
    if !manifests.frozen {
        check_declared(&manifests.pyproject, &packages, &environment)?;
    }
    let groups = lock.dependency_groups.difference(&lock.default_groups);
    ResolvedSet::new(packages, chosen.left_out(groups, lock.extras.iter()))
}

/// Fails when the project asks for something that the lock does not have. What it was made from,
/// such a lock does not say.
fn check_declared(
    pyproject: &Table,
    packages: &[Package],
    environment: &Environment,
) -> Result<(), LockError> {
    let stale = |why: String| Err(LockError::Stale { file: "pyproject.toml".to_owned(), why });
    let project = pyproject.get("project");
    // uv and PDM write such locks, and may be told to choose otherwise than `[project]` says.
    let tool =
        |path: [&str; 2]| path.iter().try_fold(pyproject.get("tool")?, |it, key| it.get(key));
    let overrides =
        [["uv", "override-dependencies"], ["uv", "exclude-dependencies"], ["pdm", "resolution"]];
    if overrides.into_iter().any(|path| tool(path).is_some()) {
        return Ok(());
    }
    let own = Member::of(pyproject).map(|project| project.name);
    let asked = project.and_then(|project| project.get("dependencies")?.as_array());
    for text in asked.into_iter().flatten().filter_map(Value::as_str) {
        let Requirement { name, specifiers, marker, .. } = Requirement::parse(text)?;
        let holds = marker::holds(&marker, environment)
            .map_err(|error| LockError::Marker { package: name.clone(), error })?;
        if !holds || own.as_ref() == Some(&name) {
            continue;
        }
        let Some(package) = packages.iter().find(|package| package.name == name) else {
            return stale(format!("it asks for {name}, which the lock does not have"));
        };
        let version = package.version.as_deref().and_then(|it| Version::from_str(it).ok());
        let allowed = VersionSpecifiers::from_str(&specifiers).ok();
        if let (Some(version), Some(allowed)) = (version, allowed)
            && !allowed.contains(&version)
        {
            return stale(format!("it asks for {name}{specifiers}, and the lock has {version}"));
        }
    }
    Ok(())
}

fn check_environments(markers: &[String], environment: &Environment) -> Result<(), LockError> {
    let mut any = markers.is_empty();
    for marker in markers {
        any |= marker::holds(marker, environment)
            .map_err(|error| LockError::Marker { package: "environments".to_owned(), error })?;
    }
    if any {
        Ok(())
    } else {
        Err(LockError::Python {
            wanted: markers.join(" or "),
            found: format!("Python {} on Linux {}", environment.python, environment.machine),
        })
    }
}

fn resolved(package: &Locked, environment: &Environment) -> Result<Package, LockError> {
    let name = normalized(&package.name);
    let within = |path: &str, subdirectory: &Option<String>| {
        let subdirectory = subdirectory.as_deref().unwrap_or_default();
        tree_path(&name, &format!("{path}/{subdirectory}"))
    };
    let Locked { vcs, directory, archive, index, sdist, wheels, version, .. } = package;
    let has_files = sdist.is_some() || !wheels.is_empty();
    let sources = [vcs.is_some(), directory.is_some(), archive.is_some(), has_files];
    if sources.into_iter().filter(|is_there| *is_there).count() > 1 {
        return Err(LockError::Unknown { what: format!("where {name} is from: it has several") });
    }
    let mut hashes = BTreeSet::new();
    let (mut lacks, mut is_built) = (Lack::Nothing, false);
    let origin = if let Some(Vcs { r#type, url, path, commit_id, subdirectory, .. }) = vcs {
        if r#type != "git" {
            return Err(LockError::Unknown { what: format!("the source of {name}, {type}") });
        }
        let Some(url) = url else {
            let path = path.clone().unwrap_or_default();
            return Err(LockError::Unknown {
                what: format!("the source of {name}, a repository at {path}"),
            });
        };
        Origin::Git {
            url: git_address(&name, url)?,
            commit: super::commit(&name, commit_id)?,
            subdirectory: subdirectory.clone(),
        }
    } else if let Some(Directory { path, subdirectory, .. }) = directory {
        Origin::Folder(within(path, subdirectory)?)
    } else if let Some(File { url, path, hashes: own, subdirectory, .. }) = archive {
        hashes = listed(own);
        match (url, path) {
            (Some(url), _) => {
                Origin::Url { url: file_address(&name, url)?, subdirectory: subdirectory.clone() }
            }
            (None, Some(path)) => Origin::File(tree_path(&name, path)?),
            (None, None) => {
                return Err(LockError::Unknown { what: format!("the source of {name}") });
            }
        }
    } else {
        let files: Vec<&File> = sdist.iter().chain(wheels).collect();
        let names = wheels.iter().filter_map(File::file_name).collect();
        let wheels = Wheels { of: &name, names };
        lacks = wheels.lack(sdist.is_some(), environment)?;
        is_built = !wheels.fit(environment);
        hashes = files.iter().flat_map(|file| listed(&file.hashes)).collect();
        match (files.as_slice(), index) {
            ([], _) => return Err(LockError::Unknown { what: format!("the source of {name}") }),
            ([File { path: Some(_), url: None, .. }, ..], _) => {
                let paths: Vec<&str> = files.iter().filter_map(|it| it.path.as_deref()).collect();
                let path = best(&paths, environment).unwrap_or_default();
                // Of a path, uv takes the hashes of one file.
                let chosen = files.iter().filter(|it| it.path.as_deref() == Some(path));
                hashes = chosen.flat_map(|file| listed(&file.hashes)).collect();
                Origin::File(tree_path(&name, path)?)
            }
            // The file that the index has must be one of those in the lock.
            (_, Some(index)) if !is_pypi(index) => Origin::Index(Some(file_address(&name, index)?)),
            // Without an index, each file is where its address says.
            (_, None) if files.iter().all(|it| it.url.as_deref().is_some_and(is_elsewhere)) => {
                let urls: Vec<&str> = files.iter().filter_map(|it| it.url.as_deref()).collect();
                let url = best(&urls, environment).unwrap_or_default();
                let chosen = files.iter().filter(|it| it.url.as_deref() == Some(url));
                hashes = chosen.flat_map(|file| listed(&file.hashes)).collect();
                Origin::Url { url: file_address(&name, url)?, subdirectory: None }
            }
            _ => Origin::Index(None),
        }
    };
    Ok(Package { name, version: version.clone(), origin, hashes, lacks, is_built })
}

/// Whether an address is not that of the Python Package Index.
fn is_elsewhere(url: &str) -> bool {
    !is_pypi(url)
}

/// The hashes of a file. Where it has one of those that pip and uv check, the others say nothing
/// more, and are refused by pip.
fn listed(hashes: &BTreeMap<String, String>) -> BTreeSet<String> {
    let is_strong = |algorithm: &str| ["sha256", "sha384", "sha512"].contains(&algorithm);
    let has_strong = hashes.keys().any(|algorithm| is_strong(algorithm));
    let counts = |algorithm: &str| !has_strong || is_strong(algorithm);
    let counting = hashes.iter().filter(|(algorithm, _)| counts(algorithm));
    counting.map(|(algorithm, value)| format!("{algorithm}:{value}")).collect()
}

impl File {
    fn file_name(&self) -> Option<&str> {
        let named = self.name.as_deref().or(self.url.as_deref()).or(self.path.as_deref())?;
        named.rsplit('/').next()
    }
}
