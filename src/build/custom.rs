//! The project's own commands: the one in place of the env, install and build steps, and those
//! beside them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::OwnCommand;
use super::error;
use super::said::Said;
use crate::console;
use crate::disk;
use crate::process::{self, Environment, Invocation, Limits};
use crate::settings::{EffectiveSettings, Sourced};
use crate::site::{ENV_LINK, EnvId, Record, Site};
use crate::text::escaped;
use crate::user_error::{Explain, UserError};

/// Where a custom command learns which deployment it belongs to; `nyala step` reads them.
pub const SITE_VARIABLE: &str = "NYALA_SITE";
pub const DEPLOYMENT_VARIABLE: &str = "NYALA_DEPLOYMENT";
/// The env that was linked into the release before the command ran, by number; not set when none
/// was.
pub const LINKED_VARIABLE: &str = "NYALA_LINKED_ENV";

/// What a custom command is told of its deployment, under Kudu's names.
///
/// The tree is checked out where it will run, so source and target are one folder, as with Kudu's
/// `IN_PLACE_DEPLOYMENT`. `temporary` is a folder that goes when the deployment ends.
pub fn environment(
    base: Environment,
    site: &Site,
    record: &Record,
    settings: &EffectiveSettings,
    linked: Option<EnvId>,
    temporary: &Path,
) -> Result<Environment> {
    let release = site.release(record.id);
    let mut environment = base;
    for (name, value) in &settings.variables {
        // An app setting of that name goes before it, and nothing that the machine says is changed
        // by a tree.
        if environment.get(name).is_none() {
            environment = environment.set(name, value);
        }
    }
    for (name, value) in [
        ("DEPLOYMENT_SOURCE", release.as_path()),
        ("DEPLOYMENT_TARGET", &release),
        ("DEPLOYMENT_TEMP", temporary),
        ("WEBROOT_PATH", &site.wwwroot()),
        ("NEXT_MANIFEST_PATH", &temporary.join("manifest")),
        ("PREVIOUS_MANIFEST_PATH", &temporary.join("previous-manifest")),
        (SITE_VARIABLE, site.root()),
    ] {
        environment = environment.set(name, value);
    }
    for (name, value) in [
        ("IN_PLACE_DEPLOYMENT", "1"),
        ("SCM_COMMIT_ID", record.commit.as_str()),
        ("SCM_COMMIT_MESSAGE", &record.message),
        ("SCM_COMMIT_AUTHOR", &record.author),
        ("SCM_BRANCH", record.update.refname.short()),
        (DEPLOYMENT_VARIABLE, &record.id.to_string()),
    ] {
        environment = environment.set(name, value);
    }
    if let Some(python) = &record.python {
        environment = environment.set("NYALA_PYTHON_VERSION", &python.version);
    }
    if let Some(id) = linked {
        environment = environment.set(LINKED_VARIABLE, id.to_string());
    }
    put_nyala_on_path(environment, temporary)
}

/// What Heroku tells the hooks of a project: the folder that is built, one that stays from build to
/// build, and one with a file for each app setting. An app setting of such a name goes before it.
///
/// <https://devcenter.heroku.com/articles/buildpack-api#bin-compile>
pub fn for_herokus_hooks<'s>(
    environment: Environment,
    app_settings: impl IntoIterator<Item = (&'s str, &'s str)>,
    release: &Path,
    cache: &Path,
    temporary: &Path,
) -> Result<Environment> {
    let settings = temporary.join("app-settings");
    disk::create_private_dir_all(&settings)?;
    disk::create_dir_all(cache)?;
    for (name, value) in app_settings {
        disk::write(&settings.join(name), value.as_bytes(), 0o600)?;
    }
    let folders = [("BUILD_DIR", release), ("CACHE_DIR", cache), ("ENV_DIR", &settings)];
    Ok(folders.into_iter().fold(environment, |environment, (name, folder)| {
        if environment.get(name).is_none() { environment.set(name, folder) } else { environment }
    }))
}

/// Runs the command in the release's folder; its output streams into the log.
pub fn run(
    command: &Sourced<String>,
    release: &Path,
    environment: Environment,
    limits: Limits,
) -> Result<()> {
    shell(&command.value, release, environment, limits, &|said| {
        error::command_failed(command, said)
    })
}

/// Runs a command that comes before or after the build, in the release's folder.
pub fn run_own(
    own: &OwnCommand,
    release: &Path,
    environment: Environment,
    limits: Limits,
) -> Result<()> {
    if let Some(file) = own.file {
        disk::make_executable(&release.join(file))?;
    }
    let step = console::step(format_args!("Running {} ({})", escaped(&own.command), own.by));
    shell(&own.command, release, environment, limits, &|said| {
        error::own_command_failed(&own.command, &own.by, said)
    })?;
    step.done();
    Ok(())
}

/// The environment with the release's env in use, as `activate` would have it; unchanged when there
/// is none.
pub fn in_env(environment: Environment, release: &Path) -> Environment {
    // By the env's own path and not by the release's link: that is what its scripts name.
    let Ok(env) = release.join(ENV_LINK).canonicalize() else { return environment };
    if !env.join("bin").is_dir() {
        return environment;
    }
    // In an env without pip, as uv makes them, `pip install` would reach the machine's own Python.
    put_on_path(environment, env.join("bin"))
        .set("VIRTUAL_ENV", env)
        .set("PIP_REQUIRE_VIRTUALENV", "1")
}

/// `failed` is the error, given the lines of the output that explain it.
fn shell(
    command: &str,
    release: &Path,
    environment: Environment,
    limits: Limits,
    failed: &dyn Fn(&[String]) -> UserError,
) -> Result<()> {
    let invocation = Invocation::new("sh")
        .args(["-c", command])
        .cwd(release)
        .environment(environment)
        .limits(limits);
    let mut said = Said::default();
    let ended = process::stream(&invocation, &mut |line| {
        said.line(line);
        console::info(line);
    });
    ended.explain(|| failed(&said.finish()))
}

/// A script calls `nyala step …` by name, and must find this very nyala, and nothing else that is
/// beside it.
fn put_nyala_on_path(environment: Environment, temporary: &Path) -> Result<Environment> {
    let bin = temporary.join("bin");
    let link = bin.join("nyala");
    if link.symlink_metadata().is_err() {
        disk::create_dir_all(&bin)?;
        disk::symlink(&process::own_binary().context("nyala cannot find its own binary")?, &link)?;
    }
    Ok(put_on_path(environment, bin))
}

fn put_on_path(environment: Environment, folder: PathBuf) -> Environment {
    let mut path = folder.into_os_string();
    if let Some(rest) = environment.get("PATH") {
        path.push(":");
        path.push(rest);
    }
    environment.set("PATH", path)
}
