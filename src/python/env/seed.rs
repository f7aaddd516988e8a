//! Puts pip into a new env, as `ensurepip` does and many times faster.
//!
//! `python -m venv` takes seconds, nearly all of them in ensurepip: it runs pip to install pip. What it installs is the
//! same each time, the interpreter's own bundled wheels, so they are unpacked and compiled once per interpreter, and
//! copied from there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::copy::copy_plain;
use super::{python, site_packages};
use crate::disk;
use crate::hex::hex;
use crate::process::{self, Environment, Invocation, Limits};
use crate::python::interpreters::Interpreter;

/// The longest first line of a script that Linux runs, and macOS too.
const LONGEST_SHEBANG: usize = 127;

/// Unpacks wheels, given after the target, and compiles what was in them with all processors.
///
/// On a disk that is just full Python writes half a `.pyc` and says nothing (python/cpython#126606), and every env that is
/// copied from here would have it. So each is read once more.
const UNPACK: &str = "
import compileall, marshal, os, sys, zipfile
target, wheels = sys.argv[1], sys.argv[2:]
for wheel in wheels:
    zipfile.ZipFile(wheel).extractall(target)
compileall.compile_dir(target, quiet=2, workers=0)
for folder, _, names in os.walk(target):
    for name in names:
        if name.endswith('.pyc'):
            path = os.path.join(folder, name)
            with open(path, 'rb') as file:
                try:
                    marshal.loads(file.read()[16:])
                except (EOFError, TypeError, ValueError):
                    sys.exit('half of ' + path + ' was written: No space left on device')
";

/// Whether this interpreter's envs can be seeded here; older ones bundle what has scripts of other kinds.
pub(super) fn can_seed(interpreter: &Interpreter) -> bool {
    let version = &interpreter.version;
    interpreter.venv && !interpreter.bundled.is_empty() && (version.major, version.minor) >= (3, 8)
}

/// Puts the interpreter's bundled pip, and setuptools where it bundles that, into an env made without them.
pub(super) fn seed(
    env: &Path,
    interpreter: &Interpreter,
    cache: &Path,
    environment: &Environment,
    limits: &Limits,
) -> Result<()> {
    let unpacked = unpacked(interpreter, cache, environment, limits)?;
    let target = site_packages(env).with_context(|| format!("{} has no site-packages", env.display()))?;
    for entry in fs::read_dir(&unpacked).with_context(|| format!("cannot read {}", unpacked.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", unpacked.display()))?;
        copy_plain(&entry.path(), &target.join(entry.file_name()))?;
    }
    let scripts = write_scripts(env, interpreter)?;
    for entry in fs::read_dir(&target).with_context(|| format!("cannot read {}", target.display()))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".dist-info") {
            let scripts = if name.starts_with("pip-") { scripts.as_slice() } else { &[] };
            finish_record(&entry.path(), &name, scripts)?;
        }
    }
    Ok(())
}

/// The folder with this interpreter's wheels, unpacked and compiled, made when it is missing.
fn unpacked(interpreter: &Interpreter, cache: &Path, environment: &Environment, limits: &Limits) -> Result<PathBuf> {
    let mut hash = Sha256::new();
    for path in interpreter.bundled.iter().chain([&interpreter.path]) {
        hash.update(path.as_os_str().as_encoded_bytes());
        hash.update(fs::metadata(path).map(|metadata| metadata.len()).unwrap_or_default().to_le_bytes());
    }
    let digest = hex(&hash.finalize()[..6]);
    let folder = cache.join(format!("pip-{}-{digest}", interpreter.version));
    if folder.is_dir() {
        return Ok(folder);
    }
    let new = disk::create_temporary_dir(cache)?;
    let invocation = Invocation::new(&interpreter.path)
        .args(["-I", "-c", UNPACK])
        .arg(&new)
        .args(&interpreter.bundled)
        .cwd("/")
        .environment(environment.clone())
        .limits(limits.clone())
        .named("unpacking pip");
    if let Err(error) = process::capture(&invocation) {
        // At once: it may have failed because the disk is full.
        disk::remove_tree(&new)?;
        return Err(error.into());
    }
    // After a loss of power it is whole or not there: what it holds goes into every later env.
    disk::sync_filesystem(&new)?;
    // Whoever made it meanwhile made the same.
    if folder.is_dir() {
        disk::remove_tree(&new)?;
    } else {
        disk::rename(&new, &folder)?;
    }
    Ok(folder)
}

/// `bin/pip` and its brothers, as pip writes them. Returns their names.
fn write_scripts(env: &Path, interpreter: &Interpreter) -> Result<Vec<String>> {
    let version = &interpreter.version;
    let names = vec!["pip".to_owned(), "pip3".to_owned(), format!("pip{}.{}", version.major, version.minor)];
    let text = format!(
        "{}\n# -*- coding: utf-8 -*-\n\
         import re\n\
         import sys\n\
         from pip._internal.cli.main import main\n\
         if __name__ == '__main__':\n    \
         sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n    \
         sys.exit(main())\n",
        shebang(&python(env))
    );
    for name in &names {
        let path = env.join("bin").join(name);
        disk::write(&path, text.as_bytes(), 0o755)?;
    }
    Ok(names)
}

/// The first line of a script. A path that is too long for it, or has a space, goes through `sh` (pip's own way, from
/// distlib).
fn shebang(python: &Path) -> String {
    let path = python.display().to_string();
    if path.len() + 2 < LONGEST_SHEBANG && !path.contains(' ') {
        return format!("#!{path}");
    }
    format!("#!/bin/sh\n'''exec' \"{path}\" \"$0\" \"$@\"\n' '''")
}

/// Adds to a package's RECORD what the wheel could not know, so that pip can replace the package later.
fn finish_record(dist_info: &Path, name: &str, scripts: &[String]) -> Result<()> {
    let record = dist_info.join("RECORD");
    let mut text = fs::read_to_string(&record).with_context(|| format!("cannot read {}", record.display()))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("{name}/INSTALLER,,\n"));
    for script in scripts {
        text.push_str(&format!("../../../bin/{script},,\n"));
    }
    disk::write(&record, text.as_bytes(), 0o644)?;
    disk::write(&dist_info.join("INSTALLER"), b"pip\n", 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_goes_through_sh() {
        assert_eq!(shebang(Path::new("/s/envs/5/bin/python")), "#!/s/envs/5/bin/python");
        for path in ["/s p/bin/python".to_owned(), format!("/{}/bin/python", "x".repeat(120))] {
            assert!(shebang(Path::new(&path)).starts_with("#!/bin/sh\n'''exec' \"/"), "{path}");
        }
    }
}
