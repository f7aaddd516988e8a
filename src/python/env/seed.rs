//! Puts pip into a new env, as `ensurepip` does and many times faster.
//!
//! `python -m venv` takes seconds, nearly all of them in ensurepip: it runs pip to install pip.
//! What it installs is the same each time, so it is unpacked and compiled once per interpreter, and
//! copied from there: the pip that the index has, or where that has none, or cannot be reached, the
//! one that the interpreter bundles.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::compile::COMPILE_TREE;
use super::{python, site_packages};
use crate::console;
use crate::disk;
use crate::hex::hex;
use crate::process::{self, Environment, Invocation, Limits};
use crate::python::interpreters::Interpreter;

/// The longest first line of a script that Linux runs, and macOS too.
const LONGEST_SHEBANG: usize = 127;

/// Unpacks wheels, given after the target, and compiles what was in them.
const UNPACK: &str = "
import sys, zipfile
for wheel in sys.argv[2:]:
    zipfile.ZipFile(wheel).extractall(sys.argv[1])
compile_tree(sys.argv[1])
";

/// `pip`, run from its wheel.
const RUN_WHEEL: &str = "
import runpy, sys
sys.path.insert(0, sys.argv[1])
sys.argv[:2] = ['pip']
runpy.run_module('pip', run_name='__main__', alter_sys=True)
";

/// How long what was unpacked counts as current.
const CURRENT: Duration = Duration::from_hours(7 * 24);

/// pip's settings that decide which pip an index has.
const OF_INDEXES: [&str; 6] = [
    "PIP_CONFIG_FILE",
    "PIP_CONSTRAINT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_NO_INDEX",
];

/// Whether this interpreter's envs can be seeded here; older ones bundle what has scripts of other
/// kinds.
pub(super) fn can_seed(interpreter: &Interpreter) -> bool {
    let version = &interpreter.version;
    interpreter.venv && !interpreter.bundled.is_empty() && (version.major, version.minor) >= (3, 8)
}

/// Puts the interpreter's bundled pip, and setuptools where it bundles that, into an env made
/// without them.
pub(super) fn seed(
    env: &Path,
    interpreter: &Interpreter,
    cache: &Path,
    environment: &Environment,
    limits: &Limits,
) -> Result<()> {
    let unpacked = unpacked(interpreter, cache, environment, limits)?;
    let target =
        site_packages(env).with_context(|| format!("{} has no site-packages", env.display()))?;
    for entry in
        fs::read_dir(&unpacked).with_context(|| format!("cannot read {}", unpacked.display()))?
    {
        let entry = entry.with_context(|| format!("cannot read {}", unpacked.display()))?;
        disk::copy_tree(&entry.path(), &target.join(entry.file_name()))?;
    }
    let scripts = write_scripts(env, interpreter)?;
    for entry in fs::read_dir(&target)
        .with_context(|| format!("cannot read {}", target.display()))?
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".dist-info") {
            let scripts = if name.starts_with("pip-") { scripts.as_slice() } else { &[] };
            finish_record(&entry.path(), &name, scripts)?;
        }
    }
    Ok(())
}

/// The folder with this interpreter's pip, unpacked and compiled, made when it is missing or was
/// made long ago.
fn unpacked(
    interpreter: &Interpreter,
    cache: &Path,
    environment: &Environment,
    limits: &Limits,
) -> Result<PathBuf> {
    let folder =
        cache.join(format!("pip-{}-{}", interpreter.version, digest(interpreter, environment)));
    let age = |path: &Path| {
        SystemTime::now().duration_since(fs::metadata(path)?.modified()?).map_err(io::Error::other)
    };
    // One from the future, after a clock was set back, is current.
    if folder.is_dir() && age(&folder).map_or(true, |age| age < CURRENT) {
        return Ok(folder);
    }
    let new = disk::create_temporary_dir(cache)?;
    let wheels = disk::create_temporary_dir(cache)?;
    let made = unpack(interpreter, &new, &wheels, environment, limits);
    // At once: it may have failed because the disk is full.
    disk::remove_tree(&wheels)?;
    if let Err(error) = made {
        disk::remove_tree(&new)?;
        return Err(error);
    }
    // After a loss of power it is whole or not there: what it holds goes into every later env.
    disk::sync_filesystem(&new)?;
    // Whoever made it meanwhile made the same.
    disk::remove_tree(&folder)?;
    disk::rename(&new, &folder)?;
    Ok(folder)
}

/// What decides about the contents of the folder, besides time.
fn digest(interpreter: &Interpreter, environment: &Environment) -> String {
    let mut hash = Sha256::new();
    for path in interpreter.bundled.iter().chain([&interpreter.path]) {
        hash.update(path.as_os_str().as_encoded_bytes());
        hash.update(
            fs::metadata(path).map(|metadata| metadata.len()).unwrap_or_default().to_le_bytes(),
        );
    }
    for name in OF_INDEXES {
        hash.update(name);
        hash.update(environment.get(name).unwrap_or_default().as_encoded_bytes());
    }
    hex(&hash.finalize()[..6])
}

fn unpack(
    interpreter: &Interpreter,
    target: &Path,
    wheels: &Path,
    environment: &Environment,
    limits: &Limits,
) -> Result<()> {
    let is_pip = |path: &Path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pip-"))
    };
    let Some(bundled) = interpreter.bundled.iter().find(|path| is_pip(path)) else {
        bail!("{} bundles no pip", interpreter.path.display());
    };
    let current = current_pip(interpreter, bundled, wheels, environment, limits);
    let pip = current.as_ref().unwrap_or(bundled);
    let version = |wheel: &Path| wheel.file_name()?.to_str()?.split('-').nth(1).map(str::to_owned);
    let from = if current.is_some() { "from the index" } else { "bundled with the interpreter" };
    console::info(format_args!("pip {}, {from}", version(pip).unwrap_or_default()));
    let others = interpreter.bundled.iter().filter(|path| !is_pip(path));
    let invocation = Invocation::new(&interpreter.path)
        .args(["-I", "-W", "ignore", "-c", &format!("{COMPILE_TREE}{UNPACK}")])
        .arg(target)
        .arg(pip)
        .args(others)
        .cwd("/")
        .environment(environment.clone())
        .limits(limits.clone())
        .named("unpacking pip");
    process::capture(&invocation)?;
    Ok(())
}

/// The wheel of the pip that the index has for this interpreter; `None` when it has none, or does
/// not answer at once.
fn current_pip(
    interpreter: &Interpreter,
    bundled: &Path,
    wheels: &Path,
    environment: &Environment,
    limits: &Limits,
) -> Option<PathBuf> {
    let invocation = Invocation::new(&interpreter.path)
        .args(["-I", "-c", RUN_WHEEL])
        .arg(bundled)
        .args([
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--retries",
            "0",
            "--timeout",
            "5",
        ])
        .arg("--dest")
        .arg(wheels)
        .arg("pip")
        .cwd("/")
        .environment(environment.clone())
        .limits(limits.clone())
        .named("downloading pip");
    process::capture(&invocation).ok()?;
    let mut found = fs::read_dir(wheels).ok()?.flatten().map(|entry| entry.path());
    found.find(|path| path.extension().is_some_and(|extension| extension == "whl"))
}

/// `bin/pip` and its brothers, as pip writes them. Returns their names.
fn write_scripts(env: &Path, interpreter: &Interpreter) -> Result<Vec<String>> {
    let version = &interpreter.version;
    let names = vec![
        "pip".to_owned(),
        "pip3".to_owned(),
        format!("pip{}.{}", version.major, version.minor),
    ];
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

/// The first line of a script. A path that is too long for it, or has a space, goes through `sh`
/// (pip's own way, from distlib).
fn shebang(python: &Path) -> String {
    let path = python.display().to_string();
    if path.len() + 2 < LONGEST_SHEBANG && !path.contains(' ') {
        return format!("#!{path}");
    }
    format!("#!/bin/sh\n'''exec' \"{path}\" \"$0\" \"$@\"\n' '''")
}

/// Adds to a package's RECORD what the wheel could not know, so that pip can replace the package
/// later.
fn finish_record(dist_info: &Path, name: &str, scripts: &[String]) -> Result<()> {
    let record = dist_info.join("RECORD");
    let mut text =
        fs::read_to_string(&record).with_context(|| format!("cannot read {}", record.display()))?;
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
