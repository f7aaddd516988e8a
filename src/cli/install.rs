//! `nyala install`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;

use super::error;
use super::init::{say_how_to_push, say_installed, say_what_installs};
use crate::access;
use crate::git::Repository;
use crate::python::installers::Installer;
use crate::settings::deploy_branch;
use crate::setup::{New, install_hook, make_site};
use crate::site::SETTINGS_FILE;

#[derive(Debug, Args)]
pub(super) struct Install {
    /// The bare repository to push to
    repository: PathBuf,
    /// The tool that creates environments and installs requirements [default: uv if installed, else
    /// pip]
    #[arg(long, value_enum)]
    installer: Option<Installer>,
    /// Make `git push` fail when the deployment fails, and leave the branch unchanged (requires git
    /// 2.29)
    #[arg(long)]
    strict: bool,
}

impl Install {
    pub(super) fn run(&self, site: Option<&Path>) -> Result<()> {
        // A path that is no repository helps nobody who reads how to name a site.
        let repository = self.repository.canonicalize().unwrap_or_else(|_| self.repository.clone());
        Repository::open(&repository)?;
        let Some(root) = site else {
            bail!(error::no_site_named(&self.repository));
        };
        access::enter_new(root, Some(&repository))?;
        let new = New {
            repository: Some(&repository),
            strict: self.strict,
            installer: self.installer,
            ..New::default()
        };
        let is_new = !root.join(SETTINGS_FILE).exists();
        let site = make_site(root, &new)?;
        say_installed(install_hook(&repository, &site)?, &repository);
        say!("Pushes to {} are deployed to {}.", repository.display(), site.root().display());
        let settings = site.settings()?;
        if is_new {
            say_what_installs(&settings, self.installer);
        }
        say_how_to_push(&repository, deploy_branch(&site, &settings)?.as_deref());
        Ok(())
    }
}
