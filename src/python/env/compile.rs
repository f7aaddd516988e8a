//! Compiles what an installer has put into an env, with all processors.
//!
//! pip compiles one file after the other, which is most of its time when the wheels are in its
//! cache.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::disk;
use crate::process::{self, Environment, Invocation, Limits};

/// Defines `compile_all(root, paths)` and `sources(folder)`.
pub(super) const DEFINITIONS: &str = include_str!("compile.py");

/// Compiles sources of an env, whose interpreter is Python 3.4 or later.
pub fn compile(
    env: &Path,
    sources: &[PathBuf],
    environment: &Environment,
    limits: &Limits,
) -> Result<()> {
    if sources.is_empty() {
        return Ok(());
    }
    // There may be more of them than arguments can hold.
    let list = env.join("to-compile");
    let names: Vec<&[u8]> = sources.iter().map(|path| path.as_os_str().as_bytes()).collect();
    disk::write(&list, &names.join(&0), 0o600)?;
    let script = format!(
        "{DEFINITIONS}\n\
         with open(sys.argv[2], 'rb') as file:\n    \
             paths = [os.fsdecode(path) for path in file.read().split(b'\\0')]\n\
         compile_all(sys.argv[1], paths)\n"
    );
    let invocation = Invocation::new(super::python(env))
        // A package's own warnings are its author's business; pip shows none either.
        .args(["-I", "-W", "ignore", "-c", &script])
        .arg(env)
        .arg(&list)
        .cwd("/")
        .environment(environment.clone())
        .limits(limits.clone())
        .named("compiling");
    process::capture(&invocation)?;
    disk::remove_file(&list)
}
