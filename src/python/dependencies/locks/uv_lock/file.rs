//! What is in a uv.lock.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::freshness::UvRequirement;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Lock {
    pub(super) version: u32,
    #[serde(default)]
    pub(super) revision: u32,
    #[serde(default)]
    pub(super) requires_python: Option<String>,
    #[serde(default)]
    pub(super) manifest: Manifest,
    #[serde(default)]
    pub(super) conflicts: Vec<Vec<Conflicting>>,
    #[serde(default)]
    pub(super) supported_markers: Vec<String>,
    #[serde(default)]
    pub(super) required_markers: Vec<String>,
    #[serde(default)]
    pub(super) options: Options,
    #[serde(default, rename = "package")]
    pub(super) packages: Vec<Locked>,
}

/// One of several extras, groups or projects of which only one can be installed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conflicting {
    pub(super) package: String,
    pub(super) extra: Option<String>,
    pub(super) group: Option<String>,
}

/// How the versions were chosen.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Options {
    pub(super) resolution_mode: Option<String>,
    pub(super) prerelease_mode: Option<String>,
    pub(super) fork_strategy: Option<String>,
    pub(super) exclude_newer: Option<String>,
    /// In the place of it, where it is a time before that of the resolution.
    pub(super) exclude_newer_span: Option<String>,
    #[serde(default)]
    pub(super) exclude_newer_package: BTreeMap<String, toml::Value>,
    #[serde(default)]
    pub(super) prerelease_package: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Manifest {
    #[serde(default)]
    pub(super) members: BTreeSet<String>,
    #[serde(default)]
    pub(super) dependency_groups: BTreeMap<String, Vec<ManifestRequirement>>,
    #[serde(default)]
    pub(super) constraints: Vec<UvRequirement>,
    #[serde(default)]
    pub(super) overrides: Vec<Override>,
    /// Names, or tables as `exclude-dependencies` has them.
    #[serde(default)]
    pub(super) excludes: Vec<toml::Value>,
    #[serde(default)]
    pub(super) build_constraints: Vec<UvRequirement>,
    /// Tables as `dependency-metadata` has them.
    #[serde(default)]
    pub(super) dependency_metadata: Vec<toml::Table>,
}

/// What takes the place of a requirement, of every package or of one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Override {
    OfPackage { package: toml::Table, dependencies: Vec<UvRequirement> },
    OfAll(Box<UvRequirement>),
}

/// A requirement of a workspace that is no project itself.
#[derive(Debug, Deserialize)]
pub(super) struct ManifestRequirement {
    pub(super) name: String,
    #[serde(default)]
    pub(super) extras: Vec<String>,
    #[serde(default)]
    pub(super) marker: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Locked {
    pub(super) name: String,
    #[serde(default)]
    pub(super) version: Option<String>,
    pub(super) source: Source,
    #[serde(default)]
    pub(super) resolution_markers: Vec<String>,
    #[serde(default)]
    pub(super) dependencies: Vec<Dependency>,
    #[serde(default)]
    pub(super) optional_dependencies: BTreeMap<String, Vec<Dependency>>,
    #[serde(default)]
    pub(super) dev_dependencies: BTreeMap<String, Vec<Dependency>>,
    #[serde(default)]
    pub(super) sdist: Option<File>,
    #[serde(default)]
    pub(super) wheels: Vec<File>,
    /// Of a project, since revision 5: what its tool would install, and nyala leaves to a choice.
    pub(super) default_groups: Option<toml::Value>,
    /// Of a project: the Pythons that single groups are for, where those are not all of them.
    #[serde(default)]
    pub(super) group_requires_python: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

/// What the project declared when it was locked.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) requires_dist: Vec<UvRequirement>,
    /// Since revision 1.
    #[serde(default)]
    pub(super) provides_extras: Option<BTreeSet<String>>,
    #[serde(default)]
    pub(super) requires_dev: BTreeMap<String, Vec<UvRequirement>>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub(super) registry: Option<String>,
    pub(super) git: Option<String>,
    pub(super) url: Option<String>,
    pub(super) path: Option<String>,
    pub(super) directory: Option<String>,
    pub(super) editable: Option<String>,
    pub(super) r#virtual: Option<String>,
    pub(super) subdirectory: Option<String>,
}

impl Source {
    /// Where it is in the tree, relative to the folder of the lock; `None` for what is elsewhere.
    pub(super) fn folder(&self) -> Option<&str> {
        self.r#virtual.as_deref().or(self.editable.as_deref()).or(self.directory.as_deref())
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Dependency {
    pub(super) name: String,
    #[serde(default)]
    pub(super) version: Option<String>,
    #[serde(default)]
    pub(super) source: Option<Source>,
    #[serde(default)]
    pub(super) extra: BTreeSet<String>,
    #[serde(default)]
    pub(super) marker: Option<String>,
}

/// Unknown keys are fine here: revisions add what describes a file, such as `upload-time`.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    #[serde(default)]
    pub(super) url: Option<String>,
    #[serde(default)]
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) filename: Option<String>,
    #[serde(default)]
    pub(super) hash: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "the hash says more; what is no size is an error")]
    size: Option<u64>,
}

impl File {
    /// The last part of where it is.
    pub(super) fn name(&self) -> Option<&str> {
        let place = self.path.as_deref().or(self.filename.as_deref()).or(self.url.as_deref())?;
        place.rsplit('/').next()
    }
}
