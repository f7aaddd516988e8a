//! `nyala python`.

use anyhow::{Context, Result};
use clap::Subcommand;

use super::error;
use crate::process::{Environment, Limits};
use crate::python::installers::install_python;
use crate::python::interpreters;
use crate::python::version_files;

#[derive(Debug, Subcommand)]
pub(super) enum Python {
    /// Install a Python for this user, with uv; nyala downloads uv if there is none
    Install {
        /// The version, such as 3.12 or 3.12.4
        #[arg(value_name = "X.Y")]
        version: String,
    },
}

impl Python {
    pub(super) fn run(&self) -> Result<()> {
        let Python::Install { version } = self;
        let wanted =
            version_files::setting(version).map_err(|_| error::not_a_python_version(version))?;
        let find = || interpreters::choose(&wanted, &interpreters::of_user()).cloned();
        if let Some(found) = find() {
            say!("Python {} is already installed: {}", found.version, found.path.display());
            return Ok(());
        }
        install_python(&wanted, &Environment::clean(), &Limits::default())?;
        let found = find().context("uv installed it, but it was not found afterwards")?;
        say!("Python {} is installed: {}", found.version, found.path.display());
        Ok(())
    }
}
