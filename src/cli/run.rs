//! `nyala run`: a command in the live release.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use clap::Args;

use super::{cluster, entry, error};
use crate::build::custom::in_env;
use crate::process::{Environment, NotStarted};
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
    /// Ends as the command does.
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
        let mut command = Command::new(found.as_deref().unwrap_or(Path::new(program)));
        command.args(arguments).current_dir(&release).env_clear().envs(environment.iter());
        // It takes the place of this process: Ctrl-C and whatever else comes from the terminal is
        // its business alone, and so is how it ends.
        let cause = command.exec();
        let path = found.unwrap_or_else(|| {
            if program.contains('/') { release.join(program) } else { program.into() }
        });
        let why = NotStarted::new(&path, Some(&release), &cause);
        entry::say_error(&error::cannot_run(program, live, &why));
        Ok(ExitCode::from(if why.is_not_found() { NOT_FOUND } else { NOT_EXECUTABLE }))
    }
}

/// What a shell exits with for a program that is not there, and for one that cannot be run: POSIX,
/// Exit Status for Commands.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
