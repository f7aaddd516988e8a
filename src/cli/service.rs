//! `nyala service`: has systemd run `nyala serve`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::service::{self, Scope, UNIT};
use crate::site::Site;

#[derive(Debug, Subcommand)]
pub(super) enum Service {
    /// Install a systemd unit that serves every site in a folder, also those made later
    ///
    /// Run by root, it starts with the machine, and runs each application as the owner of its
    /// site. Run by another user, it is a unit of that user, for sites of that user.
    Install(Install),
    /// Show whether the service runs
    ///
    /// Exits with 0 if it runs, and with 1 otherwise.
    Status,
    /// Stop the service, and remove its unit
    Remove,
}

#[derive(Debug, Args)]
pub(super) struct Install {
    /// The folder that contains the sites [default: the working directory, or the site that
    /// contains it]
    folder: Option<PathBuf>,
    /// Print the unit, and install nothing
    #[arg(long)]
    print: bool,
}

impl Service {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let scope = Scope::own();
        match self {
            Service::Install(install) => install.run(scope)?,
            Service::Status => return status(scope),
            Service::Remove => {
                let file = service::remove(scope)?;
                say!("{UNIT} is stopped, and {} is removed.", file.display());
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Install {
    fn run(&self, scope: Scope) -> Result<()> {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => here()?,
        };
        if self.print {
            say!("{}", service::text(scope, &folder)?.trim_end());
            return Ok(());
        }
        let installed = service::install(scope, &folder)?;
        let (file, served) = (installed.file.display(), installed.folder.display());
        if installed.is_new {
            say!("{file} is installed, and runs: nyala serve {served}");
        } else {
            say!("{file} is already installed, and is unchanged.");
        }
        if Site::is_at(&installed.folder) {
            say!("It serves the site {served}.");
        } else {
            say!("It serves every site in {served}, also those made later.");
        }
        say_lingering(scope);
        Ok(())
    }
}

fn status(scope: Scope) -> Result<ExitCode> {
    let status = service::status(scope)?;
    let since = if status.since.is_empty() { "" } else { " since " };
    say!("Service: {UNIT}, {}{since}{}", status.state, status.since);
    if !status.says.is_empty() {
        say!("Status:  {}", status.says);
    }
    say!("Folder:  {} (nyala sites {0})", status.folder.display());
    let enabled = if status.is_enabled { "" } else { ", which does not start by itself" };
    say!("Unit:    {}{enabled}", status.file.display());
    say!("Log:     journalctl{} -u nyala", scope.option());
    say_lingering(scope);
    let runs = status.state == "active";
    Ok(if runs { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn say_lingering(scope: Scope) {
    if let Some(name) = service::needs_lingering(scope) {
        say!("It ends when {name} logs out. To keep it running, and to start it with the machine:");
        say!("  sudo loginctl enable-linger {name}");
    }
}

/// The site that contains the working directory, or else that itself.
fn here() -> Result<PathBuf> {
    let (here, site) = Site::here()?;
    Ok(site.unwrap_or(here))
}
