//! What installs requirements into an env: one function an installer.

mod pip;

use std::path::Path;

use anyhow::Result;

use crate::process::{Environment, Limits};
use crate::python::version::Version;
use crate::site::settings::Installer;

/// What an installer has to know.
#[derive(Debug)]
pub struct Installation<'a> {
    /// The env to install into. It must not be live: an installer that is killed leaves half a package.
    pub env: &'a Path,
    pub python: &'a Version,
    /// The folder that relative paths in the requirements are relative to.
    pub release: &'a Path,
    /// The requirements file, relative to the release.
    pub requirements: &'a str,
    pub environment: &'a Environment,
    pub limits: Limits,
}

/// Installs the requirements, streaming what the installer prints to the log.
pub fn install(installer: Installer, installation: &Installation<'_>) -> Result<()> {
    match installer {
        Installer::Pip => pip::install(installation),
    }
}
