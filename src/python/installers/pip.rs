//! pip, the default installer.

use std::path::Path;

use anyhow::{Context, Result};

use super::editables::Files;
use super::error::{cannot_replace_pip, failed};
use super::excerpt::Excerpt;
use super::pip_config::Setting;
use super::yanked::Yanked;
use super::{Choice, Installation, Installer, NewEnv, find_uv};
use crate::console;
use crate::disk;
use crate::process::{self, ChildError, Environment, Invocation};
use crate::python::env;
use crate::user_error::Explain;

/// `ENV/bin/python -m pip install -r requirements.txt`, in the release's folder.
pub(super) fn install(installation: &Installation<'_>, settings: &[Setting]) -> Result<Choice> {
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
    // One that says less may not say that it tried others.
    let mut choice = if is_set(["quiet", "q"]) { Choice::Another } else { Choice::First };
    // One call per file: pip checks either all hashes of a call, or none.
    let without_editables = Files::of(installation, Installer::Pip)?;
    let mut yanked = Yanked::default();
    for file in &without_editables.named {
        if install_file(installation, file, compiles, &mut yanked)? == Choice::Another {
            choice = Choice::Another;
        }
    }
    yanked.warn();
    disk::point("pip: after");
    if !compiles {
        // Compiling is work for the processors, and the disk has time meanwhile.
        disk::begin_to_sync_filesystem(installation.env);
        let sources = env::adopt(installation.env, installation.python)?;
        env::compile(installation.env, &sources, installation.environment, &installation.limits)
            .context("what was installed could not be compiled")?;
        disk::point("pip: compiled");
    }
    Ok(choice)
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

fn install_file(
    installation: &Installation<'_>,
    file: &Path,
    compiles: bool,
    yanked: &mut Yanked,
) -> Result<Choice> {
    let mut choice = Choice::First;
    let mut excerpt = Excerpt::default();
    let invocation = invocation(installation, file, compiles);
    let ended = process::stream(&invocation, &mut |line| {
        excerpt.line(Installer::Pip, line);
        // Said when the first version of a package turns out not to fit.
        if line.contains("pip is looking at multiple versions of") {
            choice = Choice::Another;
        }
        yanked.log(line);
    });
    ended
        .map_err(|error| match &error {
            ChildError::Exited { code, .. } => {
                let asked = installation.asked(Installer::Pip);
                let told = excerpt.finish(asked, installation.advice);
                anyhow::Error::new(failed(Installer::Pip, *code, told))
            }
            _ => error.into(),
        })
        .context("the requirements could not be installed")?;
    Ok(choice)
}

fn invocation(installation: &Installation<'_>, file: &Path, compiles: bool) -> Invocation {
    let invocation = Invocation::new(env::python(installation.env))
        .cwd(installation.release)
        .environment(installation.environment.clone())
        .limits(installation.limits.clone())
        .named("pip install");
    // `-I` keeps the release's folder off the module path: otherwise a `json.py` or `pip/` in the
    // pushed tree would be imported instead of the library's. It also ignores PYTHONUNBUFFERED,
    // hence `-u`.
    let invocation = if installation.python.major >= 3 {
        invocation.args(["-I", "-u", "-m", "pip"])
    } else {
        // Python 2.7 has no -I, so this does the same.
        invocation.args([
            "-E",
            "-s",
            "-u",
            "-c",
            "import sys, runpy; sys.path = [p for p in sys.path if p]; sys.argv[0] = 'pip'; \
             runpy.run_module('pip', run_name='__main__', alter_sys=True)",
        ])
    };
    let invocation = invocation.args(["install", "-r"]).arg(file);
    let invocation = if installation.complete { invocation.arg("--no-deps") } else { invocation };
    if compiles { invocation } else { invocation.arg("--no-compile") }
}
