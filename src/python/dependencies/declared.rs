//! What a source of dependencies declares, and what decides about that beside the tree.

use super::locks::{Chosen, Lack, Requirements};
use super::record::Recorded;
use super::requirements_txt::SettingFile;
use super::tree::RELEASE;
use crate::python::version::Version;

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
    /// The packages of a lock that have files for other Pythons.
    pub lacking: Vec<(String, Lack)>,
    /// Whether something of it is above the tree, elsewhere in the commit.
    pub leads_above: bool,
    /// What a person should know of it, each a sentence without its full stop.
    pub warnings: Vec<String>,
}

/// The value of a variable that names the folder of the release: the shell's, and PDM's.
pub(super) fn of_release(name: &str) -> Option<String> {
    RELEASE_VARIABLES.contains(&name).then(|| RELEASE.to_owned())
}

/// The variables that name the folder of the release, where requirements are installed.
pub const RELEASE_VARIABLES: [&str; 2] = ["PWD", "PROJECT_ROOT"];
