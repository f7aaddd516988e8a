//! `nyala init`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::process::Environment;
use crate::python::installers::Installer;
use crate::python::installers::find_uv;
use crate::setup::{Installed, New, install_hook, make_site};
use crate::site::Settings;

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The folder of the new site
    site: PathBuf,
    /// The branch that is deployed; without it, the first one that is pushed
    #[arg(long)]
    branch: Option<String>,
    /// The Python of a project that asks for none, such as 3.12
    #[arg(long, value_name = "X.Y")]
    python: Option<String>,
    /// What makes environments and installs requirements; without it, uv where it is found, else
    /// pip
    #[arg(long, value_enum)]
    installer: Option<Installer>,
    /// Let git push fail with the deployment, and leave the branch where it was (git 2.29 or newer)
    #[arg(long)]
    strict: bool,
}

impl Init {
    pub(super) fn run(&self) -> Result<()> {
        let new = New {
            branch: self.branch.as_deref(),
            python: self.python.as_deref(),
            strict: self.strict,
            installer: self.installer,
            repository: None,
        };
        let is_new = !self.site.join("nyala.toml").exists();
        let site = make_site(&self.site, &new)?;
        let settings = site.settings()?;
        let repository = site.repository(&settings);
        say_installed(install_hook(&repository, &site)?, &repository);
        let verb = if is_new { "was made" } else { "was there already, and is unchanged" };
        say!("The site {} {verb}.", site.root().display());
        if is_new {
            say_what_installs(&settings, self.installer);
        }
        say_how_to_push(&repository, settings.branch.as_deref());
        Ok(())
    }
}

pub(super) fn say_installed(installed: Installed, repository: &Path) {
    match installed {
        Installed::Already => say!("The hook is in {} already.", repository.display()),
        Installed::New => say!("The hook is in {}.", repository.display()),
        Installed::Kept(kept) => say!(
            "The hook is in {}. The post-receive that was there still runs: it is kept as {}.",
            repository.display(),
            kept.display()
        ),
    }
}

/// That uv was found, unless somebody has named the installer.
pub(super) fn say_what_installs(settings: &Settings, asked: Option<Installer>) {
    if let (Installer::Uv, None, Some(uv)) =
        (settings.installer, asked, find_uv(&Environment::clean()))
    {
        say!(
            "uv was found at {} and installs the requirements: installer = \"uv\" in nyala.toml.",
            uv.display()
        );
    }
}

/// The lines to copy, for somebody on another machine and on this one.
pub(super) fn say_how_to_push(repository: &Path, branch: Option<&str>) {
    let user = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "USER".to_owned());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let path = repository.display();
    say!("\nIn your project, once, on this machine:");
    say!("  git remote add nyala {path}");
    say!("or on another one:");
    say!("  git remote add nyala {user}@{host}:{path}");
    say!("Then deploy with:");
    say!("  git push nyala HEAD:{}", branch.unwrap_or("main"));
}
