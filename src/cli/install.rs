//! `nyala install`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::init::{say_how_to_push, say_installed, say_what_installs};
use crate::git::Repository;
use crate::python::installers::Installer;
use crate::setup::{New, install_hook, make_site};

#[derive(Debug, Args)]
pub(super) struct Install {
    /// The bare repository people push to
    repository: PathBuf,
    /// What makes environments and installs requirements; without it, uv where it is found, else
    /// pip
    #[arg(long, value_enum)]
    installer: Option<Installer>,
    /// Let git push fail with the deployment, and leave the branch where it was (git 2.29 or newer)
    #[arg(long)]
    strict: bool,
}

impl Install {
    pub(super) fn run(&self, site: Option<&Path>) -> Result<()> {
        let Some(root) = site else {
            bail!("name the site: nyala install {} --site SITE", self.repository.display());
        };
        let repository = self
            .repository
            .canonicalize()
            .with_context(|| format!("there is no repository at {}", self.repository.display()))?;
        Repository::open(&repository)?;
        let new = New {
            repository: Some(&repository),
            strict: self.strict,
            installer: self.installer,
            ..New::default()
        };
        let is_new = !root.join("nyala.toml").exists();
        let site = make_site(root, &new)?;
        say_installed(install_hook(&repository, &site)?, &repository);
        say!("A push to {} deploys to {}.", repository.display(), site.root().display());
        let settings = site.settings()?;
        if is_new {
            say_what_installs(&settings, self.installer);
        }
        say_how_to_push(&repository, settings.branch.as_deref());
        Ok(())
    }
}
