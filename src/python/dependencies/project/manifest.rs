//! What pyproject.toml, setup.py and setup.cfg say of a project before anything is built.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use anyhow::Result;
use pep440_rs::VersionSpecifiers;
use toml::{Table, Value};

use super::{PYPROJECT, Project, SETUP_CFG};
use crate::console::did_you_mean;
use crate::python::dependencies::error;
use crate::python::dependencies::locks::{self, Requirement};
use crate::python::dependencies::text::{conflict, normalized_name as normalized};
use crate::python::dependencies::tree::{Resolved, Tree, resolve};
use crate::user_error::UserError;

/// No file that is read is longer than this, in bytes.
const LONGEST: u64 = 10 << 20;

/// The files of a project; what is not there is empty.
pub(super) struct Manifest {
    pyproject: Table,
    /// Whether setup.py calls `setup()`. Many applications have a script of that name.
    has_setup_py: bool,
    /// Whether setup.cfg names a project. Many tools keep their settings in it.
    has_setup_cfg: bool,
}

impl Manifest {
    pub(super) fn read(tree: &impl Tree) -> Result<Manifest> {
        let text = text(tree, PYPROJECT)?;
        let pyproject = locks::manifest(PYPROJECT, &text)?;
        Ok(Manifest {
            pyproject,
            has_setup_py: calls_setup(&self::text(tree, "setup.py")?),
            has_setup_cfg: names_a_project(&self::text(tree, SETUP_CFG)?),
        })
    }

    /// The file that declares the project; `None` when none does.
    pub(super) fn file(&self) -> Option<&'static str> {
        let in_pyproject = self.table(&["project"]).is_some()
            || self.has("build-system")
                && (self.table(&["tool", "poetry"]).is_some()
                    || self.table(&["tool", "flit", "metadata"]).is_some());
        let found = [in_pyproject, self.has_setup_py, self.has_setup_cfg];
        Project::FILES.into_iter().zip(found).find_map(|(file, found)| found.then_some(file))
    }

    /// Whether the project itself is installed.
    pub(super) fn is_package(&self) -> bool {
        let said = [
            (["tool", "poetry"], "package-mode"),
            (["tool", "uv"], "package"),
            (["tool", "pdm"], "distribution"),
        ];
        let said = said.iter().find_map(|(path, key)| self.table(path)?.get(*key)?.as_bool());
        said.unwrap_or_else(|| {
            self.has("build-system")
                || self.has_setup_py
                || self.file() == Some(SETUP_CFG)
                || self.is_dynamic("dependencies")
        })
    }

    /// The extras with their requirements; `None` when only the build knows them.
    pub(super) fn extras(&self) -> Result<Option<BTreeMap<String, Vec<String>>>, UserError> {
        if self.is_dynamic("optional-dependencies") || self.table(&["project"]).is_none() {
            return Ok(None);
        }
        let mut extras = BTreeMap::new();
        for (name, value) in self.table(&["project", "optional-dependencies"]).into_iter().flatten()
        {
            extras.insert(normalized(name), list(value, name)?);
        }
        Ok(Some(extras))
    }

    pub(super) fn groups(&self) -> BTreeMap<String, Value> {
        let groups = self.table(&["dependency-groups"]).into_iter().flatten();
        groups.map(|(name, value)| (normalized(name), value.clone())).collect()
    }

    /// What the project depends on, with the extras that are chosen; nothing where only its build
    /// knows.
    pub(super) fn requirements(
        &self,
        extras: Option<&BTreeMap<String, Vec<String>>>,
        chosen: &BTreeSet<String>,
    ) -> Result<Vec<String>, UserError> {
        let project = self.table(&["project"]);
        let dependencies = project.and_then(|project| project.get("dependencies"));
        let mut found = dependencies.map_or(Ok(Vec::new()), |all| list(all, "dependencies"))?;
        let Some(extras) = extras else { return Ok(found) };
        let name = project.and_then(|project| project.get("name")?.as_str()).map(normalized);
        let mut todo: Vec<String> = chosen.iter().cloned().collect();
        let mut seen = BTreeSet::new();
        while let Some(extra) = todo.pop() {
            if !seen.insert(extra.clone()) {
                continue;
            }
            for requirement in extras.get(&extra).into_iter().flatten() {
                match Requirement::parse(requirement) {
                    // `all = ["site[postgres]"]` is more extras of the project itself.
                    Ok(parsed) if Some(&parsed.name) == name.as_ref() => todo.extend(parsed.extras),
                    _ if found.contains(requirement) => {}
                    _ => found.push(requirement.clone()),
                }
            }
        }
        Ok(found)
    }

    fn is_dynamic(&self, field: &str) -> bool {
        let dynamic = self.table(&["project"]).and_then(|it| it.get("dynamic")?.as_array());
        dynamic.into_iter().flatten().any(|name| name.as_str() == Some(field))
    }

    fn has(&self, key: &str) -> bool {
        self.pyproject.contains_key(key)
    }

    fn table(&self, path: &[&str]) -> Option<&Table> {
        path.iter().try_fold(&self.pyproject, |table, name| table.get(*name)?.as_table())
    }
}

/// Fails when one that was chosen is none of those there are, with the nearest one.
pub(super) fn check<'a>(
    kind: &str,
    chosen: &BTreeSet<String>,
    there: impl Iterator<Item = &'a String> + Clone,
) -> Result<(), UserError> {
    let Some(name) = chosen.iter().find(|name| !there.clone().any(|it| it == *name)) else {
        return Ok(());
    };
    let nearest = did_you_mean(name, there.clone().map(String::as_str));
    let there: Vec<_> = there.map(String::as_str).collect();
    Err(error::no_such(kind, name, nearest, &there))
}

/// A requirement as one line of a requirements file. Fails for what would mean something else
/// there.
pub(super) fn checked(text: &str) -> Result<String, UserError> {
    let is_one_line = !text.contains(|c: char| c.is_control()) && !text.ends_with('\\');
    let is_one = Requirement::parse(text).is_ok_and(|it| {
        it.specifiers.is_empty() || VersionSpecifiers::from_str(&it.specifiers).is_ok()
    });
    if is_one && is_one_line && !text.contains(" #") {
        return Ok(text.trim().to_owned());
    }
    Err(error::not_a_requirement(text))
}

fn list(value: &Value, name: &str) -> Result<Vec<String>, UserError> {
    let entries = value.as_array().ok_or_else(|| error::not_a_list(name))?;
    entries.iter().map(|entry| checked(entry.as_str().unwrap_or_default())).collect()
}

fn calls_setup(text: &str) -> bool {
    ["setuptools", "distutils"].iter().any(|module| text.contains(module))
        && text.contains("setup(")
}

fn names_a_project(text: &str) -> bool {
    let mut section = "";
    text.lines().any(|line| {
        if let Some(name) = line.trim_end().strip_prefix('[') {
            section = name.trim_end_matches(']').trim();
        }
        let key = line.split(['=', ':']).next().unwrap_or_default().trim_end();
        matches!((section, key), ("metadata", "name") | ("options", "install_requires"))
    })
}

fn text(tree: &impl Tree, path: &str) -> Result<String> {
    let Resolved::File { id, path: place } = resolve(tree, path)? else { return Ok(String::new()) };
    let size = tree.size(&id)?;
    if size > LONGEST {
        return Err(error::too_large(path, size, LONGEST).into());
    }
    let bytes = tree.written(&place)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = String::from_utf8_lossy(bytes).into_owned();
    match conflict(&text) {
        Some(line) => Err(error::in_conflict(path, line).into()),
        None => Ok(text),
    }
}
