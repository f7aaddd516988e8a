//! pip, the default installer.

use std::ffi::OsString;
use std::mem;
use std::path::Path;

use anyhow::{Context, Result};

use super::editables::Files;
use super::error::{cannot_replace_pip, failed};
use super::excerpt::Excerpt;
use super::pip_config::Setting;
use super::yanked::Yanked;
use super::{Choice, Installation, Installer, NewEnv, find_uv};
use crate::console;
use crate::disk::{self, Changed};
use crate::process::{self, ChildError, Environment, Invocation};
use crate::python::env::{self, BackgroundCopy};
use crate::python::version::Version;
use crate::user_error::Explain;

/// Runs pip once its modules are imported and its standard input is at its end.
const START_EARLY: &str = include_str!("start_pip_early.py");

/// `ENV/bin/python -m pip install -r requirements.txt`, in the release's folder.
pub(super) fn install(
    installation: &Installation<'_>,
    settings: &[Setting],
    copy: Option<BackgroundCopy>,
) -> Result<Choice> {
    let Installation { env, python, environment, release, .. } = installation;
    env::check_distutils(env, python, environment, release)?;
    let is_set = |names: [&str; 2]| settings.iter().any(|it| names.contains(&it.name.as_str()));
    // Compiling is left to pip if a setting says to compile or not, and for Python 2.7.
    let compiles = python.major < 3 || is_set(["compile", "no-compile"]);
    if let Some(uv) = find_uv(&Environment::clean()) {
        console::info(format_args!(
            "uv is installed ({}), and is many times faster: installer = \"uv\" in nyala.toml",
            uv.display()
        ));
    }
    disk::point("pip: before");
    let mut pip = Pip {
        installation,
        compiles,
        copy,
        copied: None,
        yanked: Yanked::default(),
        // One that says less may not say that it tried others.
        choice: if is_set(["quiet", "q"]) { Choice::Another } else { Choice::First },
    };
    // One call per file: pip checks either all hashes of a call, or none.
    let without_editables = Files::of(installation, Installer::Pip)?;
    for file in &without_editables.named {
        pip.install(&file.path)?;
    }
    pip.finish_copy()?;
    pip.yanked.warn();
    disk::point("pip: after");
    if !compiles {
        // Compiling is work for the processors, and the disk has time meanwhile.
        disk::begin_to_sync_filesystem(installation.env);
        let sources = env::adopt(installation.env, installation.python, pip.copied)?;
        env::compile(installation.env, &sources, installation.environment, &installation.limits)
            .context("what was installed could not be compiled")?;
        disk::point("pip: compiled");
    }
    Ok(pip.choice)
}

/// Replaces the pip of a new env by one of these versions.
pub(super) fn replace_pip(new: &NewEnv<'_>, version: &str) -> Result<()> {
    let requirement = format!("pip{version}");
    let (environment, _) = Installer::Pip.confined(new.environment, new.env, Path::new("/"));
    let invocation = Invocation::new(env::python(new.env))
        .args(["-m", "pip", "install", "--quiet", &requirement])
        .cwd("/")
        .environment(environment)
        .limits(new.limits.clone())
        .named(format!("pip install {requirement}"));
    process::capture(&invocation).explain(|| cannot_replace_pip(&requirement))?;
    console::info(format_args!("{requirement}, as nyala.toml asks for"));
    Ok(())
}

/// pip, as it installs one file after the other.
struct Pip<'i> {
    installation: &'i Installation<'i>,
    /// Whether pip compiles what it installs.
    compiles: bool,
    /// The copy that the env is, until it is whole.
    copy: Option<BackgroundCopy>,
    /// When it was whole.
    copied: Option<Changed>,
    yanked: Yanked,
    choice: Choice,
}

impl Pip<'_> {
    fn install(&mut self, file: &Path) -> Result<()> {
        let mut excerpt = Excerpt::default();
        let (mut others, mut lines) = (false, mem::take(&mut self.yanked));
        let ended = self.run(file, &mut |line| {
            excerpt.line(Installer::Pip, line);
            // Said when the first version of a package turns out not to fit.
            others |= line.contains("pip is looking at multiple versions of");
            lines.log(line);
        })?;
        self.yanked = lines;
        if others {
            self.choice = Choice::Another;
        }
        ended
            .map_err(|error| match &error {
                ChildError::Exited { code, .. } => {
                    let asked = self.installation.asked(Installer::Pip);
                    let told = excerpt.finish(asked, self.installation.advice);
                    anyhow::Error::new(failed(Installer::Pip, *code, told))
                }
                _ => error.into(),
            })
            .context("the requirements could not be installed")
    }

    /// Runs pip. Where the env is still being copied, pip starts meanwhile; fails where it cannot
    /// be copied.
    fn run(
        &mut self,
        file: &Path,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Result<(), ChildError>> {
        let Installation { env, python, release, environment, ref limits, .. } = *self.installation;
        let arguments = self.arguments(file);
        let invocation = |run: &[&str]| {
            Invocation::new(env::python(env))
                .args(run)
                .args(&arguments)
                .cwd(release)
                .environment(environment.clone())
                .limits(limits.clone())
                .named("pip install")
        };
        let usual = invocation(run(python));
        if python.major < 3 || !self.copy.as_ref().is_some_and(BackgroundCopy::pip_can_start) {
            self.finish_copy()?;
            return Ok(process::stream(&usual, on_line));
        }
        let early = invocation(&["-I", "-u", "-c", START_EARLY]).shown_as(usual.shown());
        match process::start(&early) {
            Ok(waiting) => {
                self.finish_copy()?;
                Ok(waiting.stream(on_line))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    fn finish_copy(&mut self) -> Result<()> {
        if let Some(copy) = self.copy.take() {
            self.copied = Some(self.installation.finish(copy)?);
        }
        Ok(())
    }

    fn arguments(&self, file: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["install".into(), "-r".into(), file.into()];
        if self.installation.complete {
            arguments.push("--no-deps".into());
        }
        if !self.compiles {
            arguments.push("--no-compile".into());
        }
        arguments
    }
}

/// The arguments that make the interpreter run pip.
///
/// `-I` keeps the release's folder off the module path: otherwise a `json.py` or `pip/` in the
/// pushed tree would be imported instead of the library's. It also ignores PYTHONUNBUFFERED, hence
/// `-u`.
fn run(python: &Version) -> &'static [&'static str] {
    if python.major >= 3 {
        return &["-I", "-u", "-m", "pip"];
    }
    // Python 2.7 has no -I, so this does the same.
    &[
        "-E",
        "-s",
        "-u",
        "-c",
        "import sys, runpy; sys.path = [p for p in sys.path if p]; sys.argv[0] = 'pip'; \
         runpy.run_module('pip', run_name='__main__', alter_sys=True)",
    ]
}
