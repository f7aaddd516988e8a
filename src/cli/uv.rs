//! `nyala uv`.

use anyhow::Result;
use clap::Subcommand;

use crate::process::Environment;
use crate::python::installers::upgrade_uv;

#[derive(Debug, Subcommand)]
pub(super) enum Uv {
    /// Download uv for this user, or a newer one than nyala has downloaded before
    ///
    /// It comes from the package index that pip is configured for. Deployments use it if no other
    /// uv is on the machine, and download it themselves if they need it.
    Install,
}

impl Uv {
    pub(super) fn run(&self) -> Result<()> {
        let Uv::Install = self;
        let uv = upgrade_uv(&Environment::clean())?;
        say!("uv is installed: {}", uv.display());
        Ok(())
    }
}
