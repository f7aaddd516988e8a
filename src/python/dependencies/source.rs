//! The files that a project can declare its dependencies in.

use std::fmt;

use super::record::Recorded;
use super::requirements_txt::{Also, ClosureError, closure_with};
use super::tree::Tree;

/// Where the dependencies of a project are declared. Paths are relative to the tree that is
/// deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A requirements file of pip, with everything that it includes.
    RequirementsTxt { path: String },
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
}

impl Source {
    /// The file that stands for this source in messages.
    pub fn path(&self) -> &str {
        match self {
            Source::RequirementsTxt { path } => path,
        }
    }

    /// Reads what this source declares in `tree`. `variable` gives the environment variables that
    /// the installer will see, and `also` what its settings make it read beside the source.
    ///
    /// Fails when the installer is bound to fail on what is there.
    pub fn read(
        &self,
        tree: &impl Tree,
        variable: &impl Fn(&str) -> Option<String>,
        also: &[Also],
    ) -> Result<Declared, ClosureError> {
        match self {
            Source::RequirementsTxt { path } => {
                let closure = closure_with(tree, path, also, variable)?;
                Ok(Declared {
                    recorded: closure.record().clone(),
                    variables: closure.variables,
                    find_links: closure.find_links,
                })
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}
