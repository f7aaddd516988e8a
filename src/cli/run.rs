//! `nyala run`: a command in the live release.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use clap::Args;

use super::{cluster, error};
use crate::build::custom::in_env;
use crate::process::Environment;
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct Run {
    /// The program, such as python, or its path in the release
    program: String,
    /// Its arguments, such as manage.py createsuperuser
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Run {
    /// Exits as the command does; with 128 and the number of the signal that has ended it, as a
    /// shell does.
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        if let Some(live) = cluster::live(site)? {
            let words = [std::slice::from_ref(&self.program), &self.arguments].concat();
            return live.run(&words, cluster::has_terminal()).map(exit_code);
        }
        let Some(live) = site.live()? else { bail!(error::nothing_live()) };
        let release = site.release(live);
        let app_settings = site.app_settings()?;
        let environment = Environment::clean().with_app_settings(app_settings.iter());
        let environment = in_env(environment, &release);
        let Self { program, arguments } = self;
        let found = environment.program(program).filter(|_| !program.contains('/'));
        // It has the terminal, if there is one, and is found in the release's env first.
        let mut command = Command::new(found.unwrap_or_else(|| program.into()));
        command.args(arguments).current_dir(&release).env_clear().envs(environment.iter());
        let status = command.status().map_err(|cause| error::cannot_run(program, live, &cause))?;
        let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
        Ok(exit_code(code))
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
