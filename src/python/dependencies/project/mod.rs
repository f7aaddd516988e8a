//! A project without a lock: its own pyproject.toml, setup.py or setup.cfg says what it needs.
//!
//! A package is installed itself, and its build says what it depends on. What is no package is run
//! from the release, so only what it depends on is installed.

mod groups;
mod manifest;

use anyhow::Result;

use super::declared::{Declared, InstallInput, ReadContext, of_release};
use super::error;
use super::requirements_txt::closure_of;
use super::text::normalized_name as normalized;
use super::tree::Tree;
use manifest::Manifest;

/// A project that its own files declare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The file that stands for it in messages.
    pub file: &'static str,
    /// Whether the project itself is installed, and not only what it depends on.
    pub is_package: bool,
}

impl Project {
    /// The files that a project can be declared in; the first one counts.
    pub const FILES: [&str; 3] = [PYPROJECT, "setup.py", SETUP_CFG];

    /// The project at the top of `tree`; `None` when no file there declares one.
    pub fn find(tree: &impl Tree) -> Result<Option<Project>> {
        let manifest = Manifest::read(tree)?;
        let file = manifest.file();
        Ok(file.map(|file| Project { file, is_package: manifest.is_package() }))
    }

    /// The project at the top of `tree`, which somebody has named by its file.
    pub fn named(tree: &impl Tree, file: &'static str) -> Result<Project> {
        match Project::find(tree)? {
            Some(project) => Ok(Project { file, ..project }),
            None => Err(error::declares_no_project(file).into()),
        }
    }

    /// Whether its build needs a setup.py that the tree does not have.
    pub fn lacks_setup_py(&self) -> bool {
        self.file == SETUP_CFG
    }

    /// What the project needs, and what the installer is given for that.
    pub(super) fn read(&self, tree: &impl Tree, reading: &ReadContext<'_>) -> Result<Declared> {
        let manifest = Manifest::read(tree)?;
        let chosen = &reading.chosen;
        let extras = manifest.extras()?;
        if let Some(extras) = &extras {
            manifest::check("extra", &chosen.extras, extras.keys())?;
        }
        let groups = manifest.groups();
        manifest::check("group", &chosen.groups, groups.keys())?;

        let of_groups = groups::of_groups(&groups, &chosen.groups)?;
        let of_project = manifest.requirements(extras.as_ref(), &chosen.extras)?;
        let (given, recorded) = if self.is_package {
            let given = [vec![itself(&chosen.extras)], of_groups].concat();
            // What it depends on is known by name as well, so that a change can be explained.
            (given.clone(), [given, of_project].concat())
        } else {
            let given = [of_project, of_groups].concat();
            (given.clone(), given)
        };
        let variable = |name: &str| (reading.variable)(name).or_else(|| of_release(name));
        let closure = closure_of(tree, self.file, &recorded, reading.setting_files, &variable)?;
        let left_out = chosen.left_out(groups.keys(), extras.iter().flat_map(|all| all.keys()));
        Ok(Declared {
            recorded: closure.record().clone(),
            variables: closure.variables,
            find_links: closure.find_links,
            install_input: Some(InstallInput::Lines(given)),
            left_out: left_out.into_iter().collect(),
            leads_above: closure.leads_above,
            ..Declared::default()
        })
    }
}

const PYPROJECT: &str = "pyproject.toml";
const SETUP_CFG: &str = "setup.cfg";

/// The project at the top of the tree as a requirement.
fn itself(extras: &std::collections::BTreeSet<String>) -> String {
    if extras.is_empty() {
        return ".".to_owned();
    }
    let extras: Vec<_> = extras.iter().map(|name| normalized(name)).collect();
    format!(".[{}]", extras.join(","))
}

#[cfg(test)]
mod tests;
