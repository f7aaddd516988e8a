//! The files that a project can declare its dependencies in.

use std::fmt;

use anyhow::Result;

use super::declared::{Declared, InstallInput, ReadContext, of_release};
use super::locks::declared::{self, LockFile, Pinned};
use super::locks::{Environment, Lock};
use super::project::Project;
use super::requirements_txt::closure_with;
use super::tree::{Tree, leads_above};

/// Where the dependencies of a project are declared. Paths are relative to the tree that is
/// deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A requirements file of pip, with everything that it includes.
    RequirementsTxt { path: String },
    /// A lock file: at the top of the tree, or that of the workspace that the tree is a member of,
    /// which is above it.
    Lock { lock: Lock, path: String },
    /// The project at the top of the tree, which has no lock.
    Project(Project),
}

impl Source {
    /// The lock of this kind at the top of the tree.
    pub fn lock(lock: Lock) -> Source {
        Source::Lock { lock, path: lock.file_name().to_owned() }
    }

    /// The file that stands for this source in messages.
    pub fn path(&self) -> &str {
        match self {
            Source::RequirementsTxt { path } | Source::Lock { path, .. } => path,
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
                    leads_above: closure.leads_above,
                    ..Declared::default()
                })
            }
            Source::Lock { lock, path } => {
                let Some(python) = &reading.python else { return Ok(Declared::default()) };
                let environment = Environment::here(python.to_pep440());
                let ReadContext { chosen, frozen, variable, .. } = reading;
                let file = LockFile { lock: *lock, path, frozen: *frozen };
                let Pinned { recorded, requirements, left_out, lacking, warnings } =
                    declared::read(tree, &file, chosen, &environment, variable)?;
                Ok(Declared {
                    leads_above: recorded.local.iter().any(|local| leads_above(&local.path)),
                    recorded,
                    install_input: Some(InstallInput::Pinned(requirements)),
                    left_out,
                    lacking,
                    warnings,
                    ..Declared::default()
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
