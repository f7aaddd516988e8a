//! Whether the commands of an application can be run at all, before any of them is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Result, bail};

use super::error;
use crate::build::custom::in_env;
use crate::process::Environment;
use crate::processes::program;
use crate::site::record::ProcessesRecord;
use crate::site::{AppSettings, ENV_LINK};

/// Where machines have their programs, whatever the `PATH` of a push is: `nyala serve` may have
/// another one.
const USUAL: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Fails on a command whose program is not there, or may not be run. What only a shell can tell is
/// left to it.
pub(super) fn check(
    found: &ProcessesRecord,
    release: &Path,
    app_settings: &AppSettings,
) -> Result<()> {
    let environment = Environment::clean().with_app_settings(app_settings.iter());
    let environment = in_env(environment, release);
    for (name, command) in &found.commands {
        let Some(program) = program(command) else { continue };
        if program.contains('/') {
            let file = release.join(&program);
            let Ok(metadata) = fs::metadata(&file) else {
                bail!(error::no_such_file(name, command, &found.origin, &program));
            };
            if metadata.permissions().mode() & 0o111 == 0 {
                bail!(error::not_executable(name, command, &found.origin, &program));
            }
        } else if environment.program(&program).is_none()
            && !USUAL.iter().any(|folder| Path::new(folder).join(&program).exists())
        {
            let programs = programs_of(&release.join(ENV_LINK).join("bin"));
            bail!(error::no_such_program(name, command, &found.origin, &program, &programs));
        }
    }
    Ok(())
}

/// What an env has to run, beside what every env has.
fn programs_of(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_usual = |name: &str| {
        name.to_lowercase().starts_with("activate")
            || ["pip", "python", "wheel", "easy_install"].iter().any(|it| name.starts_with(it))
    };
    let mut names: Vec<_> = names.filter(|name| !is_usual(name)).collect();
    names.sort();
    names
}
