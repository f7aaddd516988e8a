//! pip, the default installer.

use std::path::Path;

use anyhow::{Context, Result};

use super::{Installation, failed, find_uv, pip_config};
use crate::console;
use crate::disk;
use crate::process::{self, ChildError, Invocation};
use crate::python::env;

/// How many of pip's own error lines are repeated where the deployment says why it failed.
const ERROR_LINES: usize = 3;

/// `ENV/bin/python -m pip install -r requirements.txt`, in the release's folder.
pub(super) fn install(installation: &Installation<'_>) -> Result<()> {
    let compiles = compiles_by_itself(installation);
    if let Some(uv) = find_uv(installation.environment) {
        console::info(format_args!(
            "uv is installed ({}), and is many times faster: installer = \"uv\" in nyala.toml",
            uv.display()
        ));
    }
    disk::point("pip: before");
    // One at a time: pip checks either all hashes of a call, or none.
    for file in installation.files {
        install_file(installation, file, compiles)?;
    }
    disk::point("pip: after");
    if !compiles {
        let sources = env::adopt(installation.env, installation.python)?;
        env::compile(installation.env, &sources, installation.environment, &installation.limits)
            .context("what was installed could not be compiled")?;
        disk::point("pip: compiled");
    }
    Ok(())
}

fn install_file(installation: &Installation<'_>, file: &Path, compiles: bool) -> Result<()> {
    let mut errors = Vec::new();
    let invocation = invocation(installation, file, compiles);
    let ended = process::stream(&invocation, &mut |line| {
        if line.trim_start().starts_with("ERROR:") {
            errors.push(line.trim().to_owned());
        }
        console::info(line);
    });
    ended
        .map_err(|error| match &error {
            ChildError::Exited { code, .. } => {
                let last = &errors[errors.len().saturating_sub(ERROR_LINES)..];
                anyhow::Error::new(failed("pip", *code, last, installation))
            }
            _ => error.into(),
        })
        .context("the requirements could not be installed")
}

/// Whether compiling is left to pip: where somebody has told it to, or not to, and in Python 2.7.
fn compiles_by_itself(installation: &Installation<'_>) -> bool {
    // A configuration that cannot be read is pip's own error, and a better one.
    let settings =
        pip_config::settings(installation.environment, installation.env, installation.release)
            .unwrap_or_default();
    installation.python.major < 3
        || settings.iter().any(|setting| ["compile", "no-compile"].contains(&&*setting.name))
}

fn invocation(installation: &Installation<'_>, file: &Path, compiles: bool) -> Invocation {
    let invocation = Invocation::new(env::python(installation.env))
        .cwd(installation.release)
        .environment(installation.environment.clone())
        .limits(installation.limits.clone())
        .named("pip install");
    // The release's folder must not come first on the module path: a `json.py` or `pip/` in the
    // pushed tree would run in the place of the library's. `-I` takes it off; it ignores
    // PYTHONUNBUFFERED too, hence `-u`.
    let invocation = if installation.python.major >= 3 {
        invocation.args(["-I", "-u", "-m", "pip"])
    } else {
        // Python 2.7 knows no -I, so the same is done by hand.
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
