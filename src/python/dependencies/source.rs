//! The files that a project can declare its dependencies in.

use std::fmt;

use anyhow::Result;

use super::locks::{Chosen, Environment, Lock, Requirements, declared};
use super::project::Project;
use super::record::Recorded;
use super::requirements_txt::{SettingFile, closure_with};
use super::tree::{RELEASE, Tree};
use crate::python::version::Version;

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

/// What decides, beside the tree, what a source declares.
pub struct ReadContext<'a> {
    /// Gives the environment variables that the installer will see.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// What the installer's settings make it read beside the source.
    pub setting_files: &'a [SettingFile],
    /// The interpreter that is installed for, which decides about a lock's markers. Without one,
    /// a lock cannot be read.
    pub python: Option<Version>,
    pub chosen: Chosen,
    /// Whether a lock is installed even if it does not belong to its manifest.
    pub frozen: bool,
}

/// What an installer is given where it cannot read the source itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallInput {
    /// Of a lock: everything that is to be installed.
    Pinned(Requirements),
    /// Requirement lines, whose own dependencies the installer finds.
    Lines(Vec<String>),
}

/// What a source declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// What the env's marker keeps, and what [`super::compare()`] compares.
    pub recorded: Recorded,
    /// The environment variables that the source reads, whether or not they are set, sorted.
    pub variables: Vec<String>,
    /// The folders on the machine that `--find-links` names.
    pub find_links: Vec<String>,
    /// The files that only a `coding:` line makes readable. uv does not heed those.
    pub not_utf_8: Vec<String>,
    /// What the installer is given in the place of the source's own file.
    pub install_input: Option<InstallInput>,
    /// The groups and extras that are not installed, such as `group dev`.
    pub left_out: Vec<String>,
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
                let (recorded, set) =
                    declared::read(tree, *lock, &reading.chosen, &environment, reading.frozen)?;
                Ok(Declared {
                    recorded,
                    variables: Vec::new(),
                    find_links: Vec::new(),
                    not_utf_8: Vec::new(),
                    install_input: Some(InstallInput::Pinned(set.requirements())),
                    left_out: set.left_out,
                })
            }
            Source::Project(project) => project.read(tree, reading),
        }
    }
}

/// The value of a variable that names the folder of the release: the shell's, and PDM's.
pub(super) fn of_release(name: &str) -> Option<String> {
    RELEASE_VARIABLES.contains(&name).then(|| RELEASE.to_owned())
}

/// The variables that name the folder of the release, where requirements are installed.
pub const RELEASE_VARIABLES: [&str; 2] = ["PWD", "PROJECT_ROOT"];

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}
