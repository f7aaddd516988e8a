//! Uninstalls from a copied env what nothing requires any more, so that a removed requirement costs
//! no new env.
//!
//! pip installs what is missing and removes nothing. What is needed is worked out from the metadata
//! of what is installed, by the env's own Python: `prune.py`.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use super::error;
use super::site_packages;
use crate::console;
use crate::disk;
use crate::process::{self, ChildError, Environment, Invocation, Limits};
use crate::python::dependencies::{Recorded, Role};
use crate::python::version::Version;
use crate::user_error::Explain;

const SCRIPT: &str = include_str!("prune.py");

/// How the script says that it is not certain what a new env would have.
const NOT_CERTAIN: i32 = 3;

/// What is known of an env beside what is installed in it.
#[derive(Debug, Serialize)]
struct Task<'a> {
    env: &'a Path,
    packages: &'a Path,
    /// The requirements, without their options.
    roots: Vec<&'a str>,
    /// Requirements that are there no more.
    gone: Vec<&'a str>,
    /// Whether what was installed from a path or an address is required.
    direct: bool,
    /// Names that constraints are about.
    constrained: Vec<&'a str>,
    /// What a new env has without any requirement.
    keep: &'static [&'static str],
}

/// Uninstalls what these requirements do not lead to. Gives the reason when it is not certain what
/// a new env would have; nothing is uninstalled then.
pub fn prune(
    env: &Path,
    python: &Version,
    required: &Recorded,
    gone: &[String],
    environment: &Environment,
    limits: &Limits,
) -> Result<Result<(), String>> {
    let packages =
        site_packages(env).with_context(|| format!("{} has no site-packages", env.display()))?;
    let lines = || required.lines.iter();
    let requirements = || lines().filter(|line| line.role == Role::Requirement);
    if let Some(line) = requirements().find(|line| line.source.is_some() && !line.extras.is_empty())
    {
        return Ok(Err(format!("{} has extras", line.text)));
    }
    let task = Task {
        env,
        packages: &packages,
        roots: requirements()
            .filter(|line| line.source.is_none())
            .map(|line| without_options(&line.text))
            .collect(),
        gone: gone.iter().map(|line| without_options(line)).collect(),
        direct: requirements().any(|line| line.source.is_some()),
        constrained: lines()
            .filter(|line| line.role == Role::Constraint)
            .map(|line| line.key.as_str())
            .collect(),
        // ensurepip brings setuptools along before Python 3.12.
        keep: if (python.major, python.minor) < (3, 12) {
            &["pip", "setuptools"]
        } else {
            &["pip"]
        },
    };
    let file = env.join("to-prune.json");
    disk::write(&file, &serde_json::to_vec(&task)?, 0o600)?;
    let invocation = Invocation::new(super::python(env))
        .args(["-I", "-W", "ignore", "-c", SCRIPT])
        .arg(&file)
        .cwd("/")
        .environment(environment.clone())
        .limits(limits.clone())
        .named("uninstalling");
    let mut said = Vec::new();
    let ended = process::stream(&invocation, &mut |line| said.push(line.to_owned()));
    disk::remove_file(&file)?;
    match ended {
        Ok(()) => said.iter().for_each(console::info),
        Err(ChildError::Exited { code, .. }) if code == NOT_CERTAIN => {
            return Ok(Err(said.pop().unwrap_or_default()));
        }
        Err(why) => return Err(why).explain(error::cannot_uninstall),
    }
    disk::point("pip: pruned");
    Ok(Ok(()))
}

/// A requirement without `--hash` and other options of its line.
fn without_options(text: &str) -> &str {
    text.split(" --").next().unwrap_or(text).trim_end()
}
