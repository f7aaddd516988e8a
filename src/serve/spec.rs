//! How a process is started, and what it is called.

use std::path::PathBuf;

use crate::process::Environment;
use crate::site::DeploymentId;

/// How a process is to be started.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) name: String,
    /// From 1, among those of the same name.
    pub(super) number: u32,
    pub(super) release: DeploymentId,
    /// For `sh -c`.
    pub(super) command: String,
    /// The folder of the release, by its number.
    pub(super) folder: PathBuf,
    pub(super) environment: Environment,
    /// Whether it answers requests.
    pub(super) is_web: bool,
    pub(super) site: PathBuf,
}

impl Spec {
    /// `web`, and `web:2` for the second one of that name.
    pub(super) fn label(&self) -> String {
        let Spec { name, number, .. } = self;
        if *number == 1 { name.clone() } else { format!("{name}:{number}") }
    }

    /// Whether it is meant by a name: `web` means all of that name, `web:2` the second one.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name || format!("{}:{}", self.name, self.number) == name
    }
}
