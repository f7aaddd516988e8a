//! What a deployment is going to do, decided before it does anything.
//!
//! [`observe`](observe::observe) reads the world; [`decide`](decide::decide) is a pure function
//! from what was observed to what is done about the environment, with all its reasons.

pub mod decide;
mod deciding_settings;
pub mod describe;
mod error;
mod machine;
pub mod observe;
mod project_hint;
mod release_tree;
mod scm_version;
pub mod source;
mod tree_warnings;
mod unused;
mod wanted;

use crate::build::BuildPlan;
use crate::git::Commit;
use crate::python::dependencies::{InstallInput, Recorded, Source};
use crate::python::env::DecidingSettings;
use crate::python::env::marker::RanCommand;
use crate::python::installers::Installer;
use crate::python::interpreters::{Interpreter, Search};
use crate::python::version::{Origin, Version, Wanted};

pub use decide::{Decision, EnvPlan, Retires};
pub use machine::Missing;
pub use observe::{PlanRequest, observe};

/// What a deployment is going to do.
#[derive(Debug)]
pub struct Plan {
    pub commit: Commit,
    /// The tree of the application: the commit's own, or that of the folder that `project` names.
    pub tree: git2::Oid,
    /// How runtime.txt differs from the live deployment's, as a sentence.
    pub runtime: String,
    /// The Python of the deployment; `None` when it needs none.
    pub python: Option<PythonPlan>,
    /// The Python that an env tracked in the tree must have.
    pub committed_wanted: Option<(Wanted, Origin)>,
    pub env: EnvPlan,
    /// What makes the env and installs into it.
    pub installer: Installer,
    /// What the project runs, and what was decided about the build.
    pub build: BuildPlan,
    /// What the builds of local projects have to be told, as environment variables.
    pub build_variables: Vec<(&'static str, String)>,
    /// What a person should know of the dependencies, each a sentence for the log.
    pub notes: Vec<String>,
    /// The same, as warnings.
    pub warnings: Vec<String>,
    /// Where the dependencies are declared; `None` when there is nothing to install.
    pub source: Option<Source>,
    /// What the installer is given in the place of the source's own file.
    pub install_input: Option<InstallInput>,
    /// Whether what is installed is above the application's folder, and so in no release.
    pub leads_above: bool,
    /// The groups and extras that are not installed, such as `group dev`.
    pub left_out: Vec<String>,
    /// What it declares, for the env's marker.
    pub requirements: Recorded,
    /// The settings that decide what is installed, for the env's marker.
    pub settings: DecidingSettings,
    /// The project's commands that run in the env, for the env's marker.
    pub commands: Vec<RanCommand>,
    /// Where interpreters are looked for.
    pub search: Search,
}

#[derive(Clone, Debug)]
pub struct PythonPlan {
    pub wanted: Wanted,
    pub origin: Origin,
    /// What the env runs or will run.
    pub version: Version,
    /// What a new env is made with; `None` when no env is made.
    pub interpreter: Option<Interpreter>,
}
