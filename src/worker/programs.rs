//! Whether the commands of an application can be run at all, before any of them is.

mod error;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Result, bail};

use crate::process::{Environment, is_executable};
use crate::processes::program;
use crate::site::ENV_LINK;

/// Where machines have their programs.
const USUAL: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// When commands are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// Now, with the environment that is looked in.
    Now,
    /// Later, maybe with another `PATH`: where machines have their programs is looked as well.
    Later,
}

/// Fails on a command whose program is not there, or may not be run, with this environment. What
/// only a shell can tell is left to it.
pub fn check(
    commands: &BTreeMap<String, String>,
    origin: &str,
    release: &Path,
    environment: &Environment,
    run: Run,
) -> Result<()> {
    for (name, command) in commands {
        let Some(program) = program(command) else { continue };
        if program.contains('/') {
            let file = release.join(&program);
            let Ok(metadata) = fs::metadata(&file) else {
                bail!(error::no_such_file(name, command, origin, &program));
            };
            if metadata.permissions().mode() & 0o111 == 0 {
                bail!(error::not_executable(name, command, origin, &program));
            }
            continue;
        }
        let is_usual =
            || USUAL.iter().any(|folder| is_executable(&Path::new(folder).join(&program)));
        if environment.program(&program).is_none() && !(run == Run::Later && is_usual()) {
            let programs = programs_of(&release.join(ENV_LINK).join("bin"));
            let folders = environment.get("PATH").unwrap_or_default().to_string_lossy();
            bail!(error::no_such_program(name, command, origin, &program, &programs, &folders));
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
