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
use crate::text::shell_word;

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
        say_how_it_runs(&site, &settings);
        let to_serve = settings.run.listen.as_ref().map(|_| site.root());
        say_what_is_next(&repository, deploy_branch(&site, &settings)?.as_deref(), to_serve);
        Ok(())
    }
}

/// The address of the application, and how it is kept running.
fn say_how_it_runs(site: &Site, settings: &Settings) {
    let Some(listen) = &settings.run.listen else { return };
    say!("The application will answer on {listen} (listen in nyala.toml).");
    if let Some(folder) = site.root().parent() {
        say!("To have systemd run all sites in {0}: nyala service install {0}", shell_word(folder));
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

/// The commands to type next: in a project, and then, if nyala runs the application, here.
pub(super) fn say_what_is_next(repository: &Path, branch: Option<&str>, to_serve: Option<&Path>) {
    let user = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "USER".to_owned());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let address = format!("{user}@{host}:{}", repository.display());
    say!("On this machine, the address of the repository is its path, {}.", repository.display());
    say!("\nNext, in your project, on your own machine:");
    say!("  git remote add nyala {}", shell_word(Path::new(&address)));
    say!("  git push nyala HEAD:{}", branch.unwrap_or("main"));
    if let Some(site) = to_serve {
        say!("and here, on the server:");
        say!("  nyala serve {}", shell_word(site));
    }
}
