//! The pyproject.toml of a project that a uv.lock has, and where it says that packages come from.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::LazyLock;

use pep440_rs::{Version, VersionSpecifiers};
use toml::{Table, Value};

use super::super::super::error::LockError;
use super::super::super::marker::normalized;
use super::super::file::Locked;
use super::place::{Place, of_index};
use super::table;

/// The manifest that requirements are read from.
#[derive(Clone)]
pub(super) struct Manifest<'a> {
    /// The path of it, for a person.
    file: &'a str,
    pub(super) pyproject: &'a Table,
    pub(super) project: &'a Table,
    /// `[tool.uv]`
    pub(super) uv: &'a Table,
    /// The project's own, normalized.
    pub(super) name: &'a str,
    /// Its folder, relative to that of the lock.
    folder: &'a str,
    /// Whether the lock is in the same folder.
    pub(super) is_root: bool,
    /// `[tool.uv]` at the top of its workspace: the sources there count for each member. `None`
    /// where it is not known which workspace it is in.
    top: Option<&'a Table>,
    /// What comes from elsewhere than an index, perhaps because a workspace says so that is not
    /// known.
    of_others: BTreeSet<String>,
    /// Whether the workspace has its members as editable ones, see
    /// [`editables`](super::members::editables).
    editables: &'a BTreeMap<String, bool>,
    /// A sample of those that it is for.
    pub(super) pythons: Vec<Version>,
}

impl<'a> Manifest<'a> {
    /// The pyproject.toml of the package `locked`; `None` for what the top of a workspace says for
    /// all. `top` is the pyproject.toml of the workspace, where it is a member of that.
    pub(super) fn new(
        file: &'a str,
        pyproject: &'a Table,
        locked: Option<&'a Locked>,
        top: Option<&'a Table>,
        editables: &'a BTreeMap<String, bool>,
    ) -> Self {
        let project = table(pyproject, "project").unwrap_or(&EMPTY);
        let uv = of_uv(pyproject);
        let folder = locked.map_or(".", |locked| locked.source.folder().unwrap_or(""));
        let is_root = folder == ".";
        let top = if is_root { Some(uv) } else { top.map(of_uv) };
        let metadata = locked.filter(|_| top.is_none()).map(|locked| &locked.metadata);
        let of_others = metadata
            .into_iter()
            .flat_map(|it| it.requires_dist.iter().chain(it.requires_dev.values().flatten()))
            .filter(|requirement| Place::of_lock(requirement) != Place::Index)
            .map(|requirement| requirement.name.clone())
            .collect();
        let pythons = sample(project.get("requires-python").and_then(Value::as_str));
        let name = locked.map_or("", |locked| &locked.name);
        Manifest {
            file,
            pyproject,
            project,
            uv,
            name,
            folder,
            is_root,
            top,
            of_others,
            editables,
            pythons,
        }
    }

    /// The same for the Pythons that one of its groups is for, where `[tool.uv.dependency-groups]`
    /// says that those are not all of them: uv adds that to the markers of what the group asks for.
    pub(super) fn for_group(&self, group: &str) -> Self {
        let requires = || {
            let mut groups = table(self.uv, "dependency-groups")?.iter();
            let (_, settings) = groups.find(|(name, _)| normalized(name) == group)?;
            VersionSpecifiers::from_str(settings.get("requires-python")?.as_str()?).ok()
        };
        let allowed = requires();
        let mut narrowed = self.clone();
        narrowed.pythons.retain(|python| allowed.as_ref().is_none_or(|it| it.contains(python)));
        narrowed
    }

    pub(super) fn stale(&self, why: impl Into<String>) -> LockError {
        LockError::Stale { file: self.file.to_owned(), why: why.into() }
    }

    /// Where settings are, for a person.
    pub(super) fn place_of_settings(&self) -> String {
        format!("[tool.uv] of {}", self.file)
    }

    /// What `[tool.uv.sources]` says of a package, and the folder that paths in it start from: its
    /// own, or else that at the top of its workspace.
    pub(super) fn source(&self, name: &str) -> Option<(&Value, &str)> {
        let find = |(uv, folder)| {
            let mut sources = table(uv, "sources")?.iter();
            let (_, source) = sources.find(|(key, _)| normalized(key) == name)?;
            Some((source, folder))
        };
        let of_top = self.top.map(|top| (top, "."));
        [(self.uv, self.folder)].into_iter().chain(of_top).find_map(find)
    }

    pub(super) fn place(&self, name: &str) -> Place {
        match self.source(name) {
            Some((source, folder)) => {
                Place::of_source(source, folder, self.editables.get(name).copied())
            }
            None if self.of_others.contains(name) => Place::Any,
            None => Place::Index,
        }
    }

    /// The address of the index that a package is to come from; empty where none is named. `None`
    /// where that is not compared: it may be said elsewhere.
    pub(super) fn index(&self, name: &str) -> Option<String> {
        let top = self.top?;
        let Some((source, _)) = self.source(name) else { return Some(String::new()) };
        if self.place(name) != Place::Index {
            return None;
        }
        let asked = source.get("index")?.as_str()?;
        let tables = [self.uv, top].into_iter().filter_map(|uv| uv.get("index")?.as_array());
        let found =
            tables.flatten().find(|index| index.get("name").and_then(Value::as_str) == Some(asked));
        let url = found?.get("url")?.as_str()?;
        let is_address = url.contains("://") && !url.to_ascii_lowercase().starts_with("file:");
        is_address.then(|| of_index(url))
    }
}

/// What says nothing.
pub(super) static EMPTY: LazyLock<Table> = LazyLock::new(Table::new);

/// `[tool.uv]` of a pyproject.toml.
pub(super) fn of_uv(pyproject: &Table) -> &Table {
    table(pyproject, "tool").and_then(|tools| table(tools, "uv")).unwrap_or(&EMPTY)
}

/// The Pythons that markers are compared for: those that the project is for.
fn sample(requires: Option<&str>) -> Vec<Version> {
    let allowed = VersionSpecifiers::from_str(requires.unwrap_or_default()).unwrap_or_default();
    let all = (6..=15).flat_map(|minor| [0, 9].map(|patch| Version::new([3, minor, patch])));
    all.filter(|version| allowed.contains(version)).collect()
}
