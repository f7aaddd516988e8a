//! uv, for sites that say `installer = "uv"`, and for Pythons that are not on the machine.

mod own;
mod settings;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, ensure};

use super::causes::needs_python;
use super::editables::Files;
use super::error::{cannot_install_python, failed, is_for_other_python, no_uv, too_old_for_uv};
use super::excerpt::Excerpt;
use super::indexes::{self, OF_UV};
use super::pip_config::Setting;
use super::uv_config::{self, Indexes};
use super::yanked::Yanked;
use super::{InputFile, Installation, Installer, NewEnv, overrule};
use crate::console;
use crate::disk;
use crate::process::{self, ChildError, Environment, Invocation, Limits, is_executable};
use crate::python::dependencies::locks::Search;
use crate::python::env;
use crate::python::version::Wanted;
use crate::user_error::Explain;
use settings::Settings;

/// Where uv's own installer and others put it. These folders are not always on the PATH of a
/// session over ssh.
const USUAL: [&str; 2] = [".local/bin", ".cargo/bin"];

/// How many of uv's last lines are repeated when it cannot install a Python.
const ERROR_LINES: usize = 8;

/// Where uv is, for children with this environment; `None` when it is in none of the usual places,
/// and nyala has not downloaded one.
pub fn find(environment: &Environment) -> Option<PathBuf> {
    let usual = places(environment).into_iter().map(|folder| folder.join("uv"));
    usual.chain(own::place()).find(|path| is_executable(path))
}

/// Downloads uv into the user's cache, or a newer one than is there.
pub fn upgrade(environment: &Environment) -> Result<PathBuf> {
    own::get(true, environment, &Limits::default())
}

/// uv, which is downloaded if it is not on this machine.
fn obtain(environment: &Environment, limits: &Limits) -> Result<PathBuf> {
    // An app setting `PATH` is for the project's programs, and says nothing of where uv is.
    if let Some(uv) = find(&Environment::clean()) {
        return Ok(uv);
    }
    let step = console::step("Downloading uv, which is not on this machine.");
    let uv = own::get(false, environment, limits).explain(|| no_uv(&places(environment)))?;
    step.done();
    Ok(uv)
}

/// Installs a Python with uv, where nyala's search for interpreters finds it.
pub fn install_python(wanted: &Wanted, environment: &Environment, limits: &Limits) -> Result<()> {
    let uv = obtain(environment, limits)?;
    let request = match wanted {
        Wanted::Any => "3".to_owned(),
        Wanted::Minor { .. } | Wanted::Exact(_) | Wanted::Specifiers(_) => wanted.to_string(),
    };
    // Nothing goes to the user's `bin`: it would change which `python3.12` everything else runs.
    let invocation = Invocation::new(&uv)
        .args(["python", "install", "--no-progress", "--", &request])
        .cwd("/")
        .environment(environment.clone().set("UV_PYTHON_INSTALL_BIN", "0"))
        .limits(limits.clone())
        .named("uv python install");
    let mut last = Vec::new();
    process::stream(&invocation, &mut |line| {
        last.push(line.trim().to_owned());
        console::info(line);
    })
    .explain(|| cannot_install_python(&uv, wanted, &last[last.len().saturating_sub(ERROR_LINES)..]))
}

fn places(environment: &Environment) -> Vec<PathBuf> {
    let path = environment.get("PATH").unwrap_or_default();
    // What a shim of pyenv runs, if anything, depends on the working directory.
    let mut places: Vec<_> = std::env::split_paths(path)
        .filter(|folder| folder.is_absolute() && !folder.ends_with("shims"))
        .collect();
    if let Some(home) = environment.get("HOME") {
        places.extend(USUAL.map(|folder| Path::new(home).join(folder)));
    }
    places.push("/usr/local/bin".into());
    places
}

/// Runs `uv venv`. The env has no pip; `uv pip` installs into it from outside.
pub(super) fn create_env(new: &NewEnv<'_>) -> Result<()> {
    ensure!(std::fs::symlink_metadata(new.env).is_err(), "{} already exists", new.env.display());
    let version = &new.interpreter.version;
    if (version.major, version.minor) < (3, 6) {
        return Err(too_old_for_uv(version).into());
    }
    let invocation = Invocation::new(obtain(new.environment, new.limits)?)
        .args([
            "venv",
            "--no-config",
            "--no-project",
            "--no-python-downloads",
            "--quiet",
            "--prompt",
            env::PROMPT,
            "--python",
        ])
        .arg(&new.interpreter.path)
        .arg(new.env)
        .cwd("/")
        .environment(overrule::without_other_envs(new.environment))
        .limits(new.limits.clone());
    disk::point("env: before uv venv");
    process::stream(&invocation, &mut |line| console::info(line))?;
    disk::point("env: after uv venv");
    Ok(())
}

/// Runs `uv pip install --exact -r requirements.txt` in the release's folder. It uninstalls what is
/// not required. What a lock has from several indexes takes a call for each of them: uv would ask
/// all of them for each package.
pub(super) fn install(installation: &Installation<'_>, of_pip: &[Setting]) -> Result<()> {
    let without_editables = Files::of(installation, Installer::Uv)?;
    let mut calls = without_editables.named.chunk_by(|one, other| one.search == other.search);
    let mut uv = Uv {
        program: obtain(installation.environment, &installation.limits)?,
        installation,
        of_pip,
        exact: calls.clone().count() == 1,
        said: BTreeSet::new(),
        yanked: Yanked::default(),
    };
    calls.try_for_each(|files| uv.install(files))?;
    uv.yanked.warn();
    check_python(installation)
}

/// uv, as it installs from one index after the other.
struct Uv<'i> {
    program: PathBuf,
    installation: &'i Installation<'i>,
    of_pip: &'i [Setting],
    /// Whether nothing else stays in the env than what a call installs.
    exact: bool,
    /// What was said of settings.
    said: BTreeSet<String>,
    yanked: Yanked,
}

impl Uv<'_> {
    /// Installs from files with the same indexes.
    fn install(&mut self, files: &[InputFile]) -> Result<()> {
        let installation = self.installation;
        let search = files.first().and_then(|file| file.search.as_ref());
        let only = matches!(search, Some(Search::Only(_)));
        let settings = Settings::read(installation, self.of_pip, only)
            .context("the requirements could not be installed")?;
        let of_files = match search {
            None => Indexes::All,
            Some(Search::Own(_)) => Indexes::OfMachine,
            Some(Search::Only(_)) => Indexes::None,
        };
        let (mut environment, overruled) = uv_config::fitting(installation, of_files)?;
        for line in settings.unused.into_iter().chain(overruled) {
            if !self.said.contains(&line) {
                console::info(&line);
                self.said.insert(line);
            }
        }
        if only {
            environment = OF_UV.iter().fold(environment, Environment::unset);
        }
        for (name, value) in settings.variables {
            environment = environment.set(name, value);
        }
        files.iter().take(1).for_each(indexes::say);
        let named = files.iter().flat_map(|file| ["-r".as_ref(), file.path.as_os_str()]);
        let exact: &[&str] = if self.exact { &["--exact"] } else { &[] };
        let no_deps: &[&str] = if installation.complete { &["--no-deps"] } else { &[] };
        let invocation = Invocation::new(&self.program)
            .args(["pip", "install"])
            .args(exact)
            .args(["--no-python-downloads", "--no-progress", "--python"])
            .arg(env::python(installation.env))
            .args(settings.arguments)
            .args(no_deps)
            .args(named)
            .cwd(installation.release)
            .environment(environment)
            .limits(installation.limits.clone())
            .named("uv pip install");
        if !(installation.complete && from_cache(&invocation, &mut self.yanked)?) {
            from_index(installation, &invocation, &mut self.yanked)?;
        }
        uv_config::remove(installation.env)
    }
}

/// Fails when a package is for other Pythons than the env's, as pip does; uv does not look at that
/// with `--no-deps`. One of an index that is only older than this Python is a warning: uv itself
/// locks such a package.
fn check_python(installation: &Installation<'_>) -> Result<()> {
    let python = installation.python;
    for found in env::for_other_python(installation.env, python) {
        let cause = needs_python(&found.package, &found.needs, python);
        if !found.may_work {
            return Err(is_for_other_python(cause))
                .context("the requirements could not be installed");
        }
        console::warning(cause.fact);
    }
    Ok(())
}

fn from_index(
    installation: &Installation<'_>,
    invocation: &Invocation,
    yanked: &mut Yanked,
) -> Result<()> {
    let mut excerpt = Excerpt::default();
    disk::point("uv: before");
    let ended = process::stream(invocation, &mut |line| {
        excerpt.line(Installer::Uv, line);
        yanked.log(line);
    });
    disk::point("uv: after");
    ended
        .map_err(|error| match &error {
            ChildError::Exited { code, .. } => {
                let asked = installation.asked(Installer::Uv);
                let told = excerpt.finish(asked, installation.advice);
                Error::new(failed(Installer::Uv, *code, told))
            }
            _ => error.into(),
        })
        .context("the requirements could not be installed")
}

/// Installs what a lock pins if uv's cache has all of it: then the index is not asked for each
/// package, which takes longer than everything else. What comes out is the same, for each file has
/// the lock's hash. Returns whether it did; why not, the index says better.
fn from_cache(invocation: &Invocation, yanked: &mut Yanked) -> Result<bool> {
    let mut lines = Vec::new();
    disk::point("uv: before the cache");
    let ended = process::stream(&invocation.clone().arg("--offline"), &mut |line| {
        lines.push(line.to_owned());
    });
    disk::point("uv: after the cache");
    match ended {
        Ok(()) => {
            for line in &lines {
                yanked.log(line);
            }
            Ok(true)
        }
        Err(ChildError::Exited { .. }) => Ok(false),
        Err(error) => Err(Error::from(error).context("the requirements could not be installed")),
    }
}
