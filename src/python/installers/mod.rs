//! What makes envs and installs requirements into them: one room an installer.

mod pip;
mod pip_config;
mod uv;

use std::path::Path;

use anyhow::Result;

use crate::process::{Environment, Limits};
use crate::python::env;
use crate::python::interpreters::Interpreter;
use crate::python::requirements::Recorded;
use crate::python::version::Version;
use crate::site::settings::Installer;

pub use uv::find as find_uv;

/// What an installer has to know to make an env.
#[derive(Debug)]
pub struct NewEnv<'a> {
    /// Its final path, where nothing is yet.
    pub env: &'a Path,
    pub interpreter: &'a Interpreter,
    /// A folder for what is the same in every env of an interpreter.
    pub cache: &'a Path,
    pub environment: &'a Environment,
    pub limits: &'a Limits,
}

/// What an installer has to know to install.
#[derive(Debug)]
pub struct Installation<'a> {
    /// The env to install into. It must not be live: an installer that is killed leaves half a
    /// package.
    pub env: &'a Path,
    pub python: &'a Version,
    /// The folder that relative paths in the requirements are relative to.
    pub release: &'a Path,
    /// The requirements file, relative to the release.
    pub requirements: &'a str,
    /// What that file leads to.
    pub recorded: &'a Recorded,
    pub environment: &'a Environment,
    pub limits: Limits,
}

/// Makes an env. It is believed only when its own interpreter, when run, says what it is.
pub fn create_env(installer: Installer, new: &NewEnv<'_>) -> Result<()> {
    match installer {
        Installer::Pip => {
            env::create(new.env, new.interpreter, new.cache, new.environment, new.limits)?;
        }
        Installer::Uv => uv::create_env(new)?,
    }
    env::check_new(new.env, new.interpreter, new.environment)
}

/// Installs the requirements, streaming what the installer prints to the log.
pub fn install(installer: Installer, installation: &Installation<'_>) -> Result<()> {
    match installer {
        Installer::Pip => pip::install(installation),
        Installer::Uv => uv::install(installation),
    }
}

/// Whether the app setting of this name is one that the installer reads, so that another value of
/// it may install something else.
pub fn reads(installer: Installer, setting: &str) -> bool {
    // pip's are translated for uv.
    setting.starts_with("PIP_") || installer == Installer::Uv && setting.starts_with("UV_")
}
