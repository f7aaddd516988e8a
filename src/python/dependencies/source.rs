//! The files that a project can declare its dependencies in.

use std::fmt;

use anyhow::Result;

use super::declared::{Declared, InstallInput, ReadContext, of_release};
use super::locks::{self, Environment, Lock};
use super::project::Project;
use super::requirements_txt::closure_with;
use super::tree::Tree;

/// Where the dependencies of a project are declared. Paths are relative to the tree that is
/// deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A requirements file of pip, with everything that it includes.
    RequirementsTxt { path: String },
    /// A lock file at the top of the tree.
    Lock(Lock),
    /// The project at the top of the tree, which has no lock.
    Project(Project),
}

impl Source {
    /// The file that stands for this source in messages.
    pub fn path(&self) -> &str {
        match self {
            Source::RequirementsTxt { path } => path,
            Source::Lock(lock) => lock.file_name(),
            Source::Project(project) => project.file,
        }
    }

    /// Reads what this source declares in `tree`.
    ///
    /// Fails when the installer is bound to fail on what is there.
    pub fn read(&self, tree: &impl Tree, reading: &ReadContext<'_>) -> Result<Declared> {
        match self {
            Source::RequirementsTxt { path } => {
                let variable = |name: &str| (reading.variable)(name).or_else(|| of_release(name));
                let closure = closure_with(tree, path, reading.setting_files, &variable)?;
                Ok(Declared {
                    recorded: closure.record().clone(),
                    variables: closure.variables,
                    find_links: closure.find_links,
                    not_utf_8: closure.not_utf_8,
                    install_input: None,
                    left_out: Vec::new(),
                })
            }
            Source::Lock(lock) => {
                let Some(python) = &reading.python else { return Ok(Declared::default()) };
                let environment = Environment::here(python.to_pep440());
                let ReadContext { chosen, frozen, variable, .. } = reading;
                let locks::declared::Pinned { recorded, requirements, left_out } =
                    locks::declared::read(tree, *lock, chosen, &environment, *frozen, variable)?;
                Ok(Declared {
                    recorded,
                    variables: Vec::new(),
                    find_links: Vec::new(),
                    not_utf_8: Vec::new(),
                    install_input: Some(InstallInput::Pinned(requirements)),
                    left_out,
                })
            }
            Source::Project(project) => project.read(tree, reading),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}
