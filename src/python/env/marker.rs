//! `envs/N/nyala.json`: written last, so an env that has it is whole; and `envs/N/retired.json`,
//! which says that no later deployment may use it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Deserializer, Serialize};

use super::installed::built_here;
use super::settings::DecidingSettings;
use super::{python, site_packages};
use crate::disk;
use crate::format::{self, Format};
use crate::ids::DeploymentId;
use crate::python::dependencies::Recorded;
use crate::python::interpreters::FileIdentity;
use crate::python::version::Version;
use crate::user_error::UserError;

const MARKER: &str = "nyala.json";
const RETIRED: &str = "retired.json";

/// What an env was made of: everything that a later deployment compares before it uses it again.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Marker {
    #[serde(default)]
    pub format: Format,
    /// The deployment that made it.
    pub deployment: DeploymentId,
    /// Where it was made. An env works only there: its scripts name this path.
    pub path: PathBuf,
    pub python: Version,
    /// The file that `bin/python` leads to.
    pub interpreter: FileIdentity,
    pub installer: String,
    pub requirements: Recorded,
    #[serde(flatten)]
    pub settings: DecidingSettings,
    /// What is right under `site-packages`.
    pub packages: Vec<String>,
    /// Of these, which were built on this machine, and not taken as an index has them.
    #[serde(default)]
    pub built: Vec<String>,
    #[serde(default)]
    pub provenance: Provenance,
}

/// What an installer does not know of an env, and what decides about its later use.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub struct Provenance {
    /// The project's commands that ran in it, or in one that it is a copy of.
    pub commands: Vec<RanCommand>,
    /// What the installer put into it that leads to its release: see [`super::references`].
    pub references: Vec<String>,
    /// What those commands put into it that leads to its release.
    pub references_of_commands: Vec<String>,
    /// Whether the deployment that made it failed later, when nothing was live yet. The next one
    /// may copy it.
    pub kept: bool,
    /// Whether a requirement has changed since the first of the envs that it is a copy of, or the
    /// installer has tried several versions of a package. With fewer requirements, a new env might
    /// have others.
    pub drifted: bool,
}

/// A command of the project that ran in an env.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct RanCommand {
    /// What names the command, for the log.
    pub name: String,
    /// A digest of its text and of the scripts it names.
    pub digest: String,
    /// The variables that these name and that were set, each with a part of a digest of its value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

/// What of an env's marker its maker knows; the rest is read off the env.
#[derive(Clone, Debug)]
pub struct NewMarker {
    pub deployment: DeploymentId,
    pub python: Version,
    pub installer: &'static str,
    pub requirements: Recorded,
    pub settings: DecidingSettings,
    pub provenance: Provenance,
}

impl Marker {
    /// Marks an env as whole.
    pub fn write(env: &Path, made: NewMarker) -> Result<()> {
        let interpreter = python(env);
        let marker = Marker {
            format: Format,
            deployment: made.deployment,
            path: env.to_owned(),
            python: made.python,
            interpreter: FileIdentity::of(&interpreter)
                .with_context(|| format!("cannot access {}", interpreter.display()))?,
            installer: made.installer.to_owned(),
            requirements: made.requirements,
            settings: made.settings,
            packages: packages(env),
            built: built_here(env),
            provenance: made.provenance,
        };
        // Like the packages, it is on the disk before the env goes live. An env that never does is
        // removed, or flushed when it is kept.
        disk::write_atomic_unflushed(&env.join(MARKER), &json(&marker)?, 0o600)
    }

    /// Replaces the marker of an env.
    pub fn save(&self, env: &Path) -> Result<()> {
        write_json(&env.join(MARKER), self)
    }

    /// The marker of an env; `None` when it is missing or is none.
    pub fn read(env: &Path) -> Option<Marker> {
        serde_json::from_slice(&disk::read(env.join(MARKER)).ok()?).ok()
    }

    /// Fails when a newer nyala has marked an env.
    pub fn check_format(env: &Path) -> Result<(), UserError> {
        format::check(&env.join(MARKER))
    }

    /// The names of packages that were there when the env was made and are no longer.
    pub fn missing_packages(&self, env: &Path) -> Vec<String> {
        let now = packages(env);
        self.packages.iter().filter(|name| now.binary_search(name).is_err()).cloned().collect()
    }

    /// The names of packages that are there and were not when the env was made.
    pub fn added_packages(&self, env: &Path) -> Vec<String> {
        packages(env)
            .into_iter()
            .filter(|name| self.packages.binary_search(name).is_err())
            .collect()
    }
}

/// Where the marker of an env is.
pub(super) fn marker_file(env: &Path) -> PathBuf {
    env.join(MARKER)
}

/// Says of an env, whose deployment has failed, that the next one may copy it. `Ok(false)` when it
/// is not whole.
pub fn keep(env: &Path) -> Result<bool> {
    let Some(mut marker) = Marker::read(env) else { return Ok(false) };
    // The files of a failed deployment were never flushed.
    disk::sync_filesystem(env)?;
    marker.provenance.kept = true;
    marker.save(env)?;
    Ok(true)
}

/// Says, on disk and before anything is built in its place, that no later deployment uses this env
/// again. One that is retired already keeps its first reason; one that is not there needs no
/// marker.
pub fn retire(env: &Path, deployment: Option<DeploymentId>, reason: &str) -> Result<()> {
    if !env.is_dir() || retired(env).is_some() {
        return Ok(());
    }
    write_json(&env.join(RETIRED), &Retired { deployment, reason: reason.to_owned() })?;
    // A loss of power must not bring it back into use.
    disk::sync(env)
}

/// Why an env may not be used again; `None` when it may.
pub fn retired(env: &Path) -> Option<Retired> {
    let bytes = disk::read(env.join(RETIRED)).ok()?;
    // A marker that cannot be read is still a marker.
    Some(
        serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Retired { deployment: None, reason: "it was retired".into() }),
    )
}

/// Since which deployment an env may not be used again, and why.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Retired {
    /// The deployment that decided it; `None` when a person did.
    #[serde(default, deserialize_with = "zero_is_nobody")]
    pub deployment: Option<DeploymentId>,
    pub reason: String,
}

/// Files of earlier versions have 0 where a person decided.
fn zero_is_nobody<'de, D: Deserializer<'de>>(input: D) -> Result<Option<DeploymentId>, D::Error> {
    let number = Option::<u64>::deserialize(input)?;
    Ok(number.and_then(|number| number.to_string().parse().ok()))
}

/// Whether a file of this name in an env is one of nyala's own, which a copy of the env does not
/// take along.
pub fn is_marker(name: &std::ffi::OsStr) -> bool {
    name == MARKER || name == RETIRED
}

/// What is right under `site-packages`, sorted, without what importing leaves there.
fn packages(env: &Path) -> Vec<String> {
    let Some(entries) = site_packages(env).and_then(|folder| fs::read_dir(folder).ok()) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != "__pycache__")
        .collect();
    names.sort_unstable();
    names
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    disk::write_atomic(path, &json(value)?, 0o600)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value).context("cannot write the env's marker")?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_retires_an_env_in_this_format_and_in_the_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        retire(folder.path(), None, "asked for").unwrap();
        let found = retired(folder.path()).unwrap();
        assert_eq!(found, Retired { deployment: None, reason: "asked for".to_owned() });
        let of = |json: &str| serde_json::from_str::<Retired>(json).unwrap().deployment;
        assert_eq!(of(r#"{"deployment": 0, "reason": "asked for"}"#), None);
        assert_eq!(of(r#"{"deployment": 6, "reason": "toggled"}"#), Some(DeploymentId::of(6)));
    }
}
