//! Downloads a wheel from the index that pip is configured for, with the pip that an interpreter
//! bundles.
//!
//! pip compares the file with the hash that the index gives for it:
//! <https://packaging.python.org/en/latest/specifications/simple-repository-api/>.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::interpreters::Interpreter;
use crate::process::{self, Environment, Invocation, Limits};

/// `pip`, run from its wheel.
const RUN_WHEEL: &str = "
import runpy, sys
sys.path.insert(0, sys.argv[1])
sys.argv[:2] = ['pip']
runpy.run_module('pip', run_name='__main__', alter_sys=True)
";

/// How often an index that does not answer is asked again, and how long pip waits for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RetryPolicy {
    pub retries: &'static str,
    pub seconds: &'static str,
}

impl Interpreter {
    /// The wheel of the pip that `ensurepip` installs.
    pub fn bundled_pip(&self) -> Option<&Path> {
        let is_pip = |path: &&PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pip-"))
        };
        self.bundled.iter().find(is_pip).map(PathBuf::as_path)
    }
}

/// Downloads the wheel of `requirement` into an empty folder. Fails if the index has none for this
/// machine, or does not answer.
pub(super) fn wheel(
    interpreter: &Interpreter,
    requirement: &str,
    folder: &Path,
    retries: RetryPolicy,
    environment: &Environment,
    limits: &Limits,
) -> Result<PathBuf> {
    let pip = interpreter.bundled_pip().with_context(|| {
        format!("{} bundles no pip, so it can download nothing", interpreter.path.display())
    })?;
    let invocation = Invocation::new(&interpreter.path)
        .args(["-I", "-c", RUN_WHEEL])
        .arg(pip)
        .args(["download", "--quiet", "--no-deps", "--only-binary", ":all:"])
        .args(["--retries", retries.retries, "--timeout", retries.seconds])
        .arg("--dest")
        .arg(folder)
        .arg(requirement)
        .cwd("/")
        .environment(environment.clone())
        .limits(limits.clone())
        .named(format!("pip download {requirement}"));
    process::capture(&invocation)?;
    fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .with_context(|| format!("pip downloaded no wheel of {requirement}"))
}
