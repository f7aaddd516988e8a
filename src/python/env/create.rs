//! Makes a new env at its final path.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::inspect::run_version;
use super::seed;
use crate::console;
use crate::disk;
use crate::process::{self, Environment, Invocation, Limits};
use crate::python::cache::Caches;
use crate::python::interpreters::{Interpreter, cannot_make_envs};

/// What a shell shows in an env that is activated. By default it is the name of the folder, which
/// is a number here, and would make the same env another one in an image.
pub const PROMPT: &str = "env";

/// Makes an env with pip in it. `env` must not be there: an env made over an older one keeps the
/// older interpreter. `caches` are for what is the same in every env of an interpreter.
pub fn create(
    env: &Path,
    interpreter: &Interpreter,
    caches: &Caches,
    environment: &Environment,
    limits: &Limits,
) -> Result<()> {
    ensure!(std::fs::symlink_metadata(env).is_err(), "{} already exists", env.display());
    let seeded = seed::can_seed(interpreter);
    let invocation = Invocation::new(&interpreter.path)
        .cwd("/")
        .environment(environment.clone())
        .limits(limits.clone());
    // Older ones do not know it.
    let knows_prompt = (interpreter.version.major, interpreter.version.minor) >= (3, 6);
    let prompt: &[&str] = if knows_prompt { &["--prompt", PROMPT] } else { &[] };
    let invocation = if seeded {
        invocation.args(["-I", "-u", "-m", "venv", "--without-pip"]).args(prompt).arg(env)
    } else if interpreter.venv {
        invocation.args(["-I", "-u", "-m", "venv"]).args(prompt).arg(env)
    } else if interpreter.virtualenv {
        // -I came with Python 3.4, and virtualenv is what Python 2.7 has.
        invocation.args(["-E", "-s", "-u", "-m", "virtualenv", "--no-download", "--quiet"]).arg(env)
    } else {
        return Err(cannot_make_envs(interpreter).into());
    };
    disk::point("env: before venv");
    process::stream(&invocation, &mut |line| console::info(line))?;
    disk::point("env: after venv");
    if seeded {
        seed::seed(env, interpreter, caches, environment, limits)
            .context("pip could not be put into it")?;
        disk::point("env: seeded");
    }
    Ok(())
}

/// Fails unless a new env's own interpreter, when run, says that it is the one the env was made
/// with.
pub fn check_new(env: &Path, interpreter: &Interpreter, environment: &Environment) -> Result<()> {
    match run_version(env, environment) {
        Ok(version) if version == interpreter.version => Ok(()),
        Ok(version) => bail!(
            "the new environment runs Python {version}, and {} is {}",
            interpreter.path.display(),
            interpreter.version
        ),
        Err(fact) => bail!("the new environment does not work: {fact}"),
    }
}
