//! `nyala install`.

mod error;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use rustix::fs::{Access, access};

use super::error::no_site_named;
use super::init::{say_installed, say_what_installs, say_what_is_next};
use crate::access;
use crate::git::Repository;
use crate::python::installers::Installer;
use crate::settings::deploy_branch;
use crate::setup::{New, check_not_of_another_site, install_hook, make_site};
use crate::site::{SETTINGS_FILE, Site};
use crate::user_error::UserError;

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
    /// Deploy pushes to this site from now on, also when they were deployed to another one
    #[arg(long)]
    force: bool,
}

impl Install {
    pub(super) fn run(&self, site: Option<&Path>) -> Result<()> {
        // A path that is no repository helps nobody who reads how to name a site.
        let repository = self.repository.canonicalize().unwrap_or_else(|_| self.repository.clone());
        check(&repository)?;
        Repository::open(&repository)?;
        let Some(root) = site else {
            bail!(no_site_named(&self.repository));
        };
        access::enter_new(root, Some(&repository))?;
        if !self.force {
            check_not_of_another_site(&repository, root)?;
        }
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
        say_what_is_next(&repository, deploy_branch(&site, &settings)?.as_deref(), None);
        Ok(())
    }
}

/// Fails where the hook cannot be, in words for somebody who has named a path.
fn check(repository: &Path) -> Result<(), UserError> {
    let user = rustix::process::geteuid().as_raw();
    if let Err(why) = fs::metadata(repository) {
        return Err(match why.kind() {
            ErrorKind::NotFound => error::not_there(repository),
            _ => error::cannot_look(repository, &why, user),
        });
    }
    if Site::is_at(repository) {
        let site = Site::open(repository).ok();
        let own = site.and_then(|site| Some(site.repository(&site.settings().ok()?)));
        return Err(error::is_a_site(repository, own.as_deref()));
    }
    if repository.is_file() {
        return Err(error::is_a_file(repository));
    }
    let work_tree = repository.parent().filter(|_| repository.ends_with(".git"));
    if let Some(work_tree) = work_tree {
        return Err(error::has_a_work_tree(repository, work_tree));
    }
    if access(repository, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let owner = fs::metadata(repository).map_or(0, |folder| folder.uid());
        return Err(error::cannot_write(repository, user, owner));
    }
    Ok(())
}
