//! What of a uv workspace is in the commit.

use std::collections::{BTreeMap, BTreeSet};

use super::marker::normalized;

/// What of a uv workspace is in the commit, by folders relative to that of the lock; `.` is its
/// own.
#[derive(Debug, Default)]
pub struct Workspace {
    /// The projects that the lock has, without the one that is deployed.
    pub others: BTreeMap<String, Pyproject>,
    /// What the lock has and the commit has not: the path that is missing, for a person.
    pub gone: BTreeMap<String, String>,
    /// Those of these projects that lie in another one, of the workspace or not: uv looks no
    /// further up for the workspace of a project, so settings at its top do not count for them.
    pub within_others: BTreeSet<String>,
    /// The members that its pyproject.toml names; `None` where there is no such file.
    pub members: Option<Members>,
}

/// The members of a workspace by their folders.
pub type Members = BTreeMap<String, InFolder>;

/// What is in a folder that is to be a member of a workspace.
#[derive(Clone, Debug)]
pub enum InFolder {
    Project(Member),
    Nothing,
    /// It is in a submodule that stays empty, so the commit does not say.
    NotSeen,
}

/// A project of a workspace.
#[derive(Clone, Debug)]
pub struct Member {
    /// Normalized.
    pub name: String,
    pub requires_python: Option<String>,
}

impl Member {
    /// The one of a pyproject.toml; `None` where that is no project.
    pub fn of(pyproject: &toml::Table) -> Option<Member> {
        let project = pyproject.get("project")?;
        let text = |key: &str| project.get(key).and_then(toml::Value::as_str);
        let requires_python = text("requires-python").map(str::to_owned);
        Some(Member { name: normalized(text("name")?), requires_python })
    }
}

/// A pyproject.toml of another project than the one that is deployed.
#[derive(Debug)]
pub struct Pyproject {
    /// Its path, for a person.
    pub path: String,
    pub table: toml::Table,
}
