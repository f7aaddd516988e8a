//! `nyala init`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::access;
use crate::process::Environment;
use crate::python::installers::Installer;
use crate::python::installers::find_uv;
use crate::settings::deploy_branch;
use crate::setup::{Installed, New, install_hook, make_site};
use crate::site::{SETTINGS_FILE, Settings, Site};

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The folder of the new site
    site: PathBuf,
    /// The branch to deploy [default: the first branch that is pushed]
    #[arg(long)]
    branch: Option<String>,
    /// The Python version for projects that do not specify one, such as 3.12
    #[arg(long, value_name = "X.Y")]
    python: Option<String>,
    /// The tool that creates environments and installs requirements [default: uv if installed, else
    /// pip]
    #[arg(long, value_enum)]
    installer: Option<Installer>,
    /// Make `git push` fail when the deployment fails, and leave the branch unchanged (requires git
    /// 2.29)
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
            has_address: true,
        };
        access::enter_new(&self.site, None)?;
        let is_new = !self.site.join(SETTINGS_FILE).exists();
        let site = make_site(&self.site, &new)?;
        let settings = site.settings()?;
        let repository = site.repository(&settings);
        say_installed(install_hook(&repository, &site)?, &repository);
        let verb = if is_new { "was created" } else { "already exists and is unchanged" };
        say!("The site {} {verb}.", site.root().display());
        if is_new {
            say_what_installs(&settings, self.installer);
        }
        say_how_to_run(&site, &settings);
        say_how_to_push(&repository, deploy_branch(&site, &settings)?.as_deref());
        Ok(())
    }
}

/// The address of the application, and what runs it there.
fn say_how_to_run(site: &Site, settings: &Settings) {
    if let Some(listen) = &settings.run.listen {
        let root = site.root();
        say!("The application will answer on {listen} (listen in nyala.toml), run by:");
        say!("  nyala serve {}", root.display());
        if let Some(folder) = root.parent() {
            say!("or by systemd, with all other sites in that folder:");
            say!("  nyala service install {}", folder.display());
        }
    }
}

pub(super) fn say_installed(installed: Installed, repository: &Path) {
    match installed {
        Installed::Already => say!("The hook is already installed in {}.", repository.display()),
        Installed::New => say!("The hook is installed in {}.", repository.display()),
        Installed::Kept(kept) => say!(
            "The hook is installed in {}. The previous post-receive hook still runs; it is kept as \
             {}.",
            repository.display(),
            kept.display()
        ),
    }
}

/// Says what installs the requirements, unless the user named the installer.
pub(super) fn say_what_installs(settings: &Settings, asked: Option<Installer>) {
    match (settings.installer, asked, find_uv(&Environment::clean())) {
        (Installer::Uv, None, Some(uv)) => say!(
            "uv was found at {} and will install the requirements \
             (installer = \"uv\" in nyala.toml).",
            uv.display()
        ),
        (Installer::Pip, None, None) => say!(
            "pip will install the requirements. uv is faster; \
             to use it, write installer = \"uv\" in nyala.toml, and nyala downloads it."
        ),
        _ => {}
    }
}

/// The commands to copy, for this machine and for any other.
pub(super) fn say_how_to_push(repository: &Path, branch: Option<&str>) {
    let user = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "USER".to_owned());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let path = repository.display();
    say!("\nTo set up a project on this machine, once:");
    say!("  git remote add nyala {path}");
    say!("or on another machine:");
    say!("  git remote add nyala {user}@{host}:{path}");
    say!("Then, to deploy:");
    say!("  git push nyala HEAD:{}", branch.unwrap_or("main"));
}
