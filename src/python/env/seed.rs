//! Puts pip into a new env, as `ensurepip` does and many times faster.
//!
//! `python -m venv` takes seconds, nearly all of them in ensurepip: it runs pip to install pip.
//! What it installs is the same each time, so it is unpacked and compiled once per interpreter, and
//! copied from there: the pip that the index has, or where that has none, or cannot be reached, the
//! one that the interpreter bundles.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::compile::DEFINITIONS;
use super::shebang::shebang;
use super::{python, site_packages};
use crate::console;
use crate::disk;
use crate::hex::hex;
use crate::process::{self, Environment, Invocation, Limits};
use crate::python::cache::Caches;
use crate::python::download::{self, RetryPolicy};
use crate::python::interpreters::Interpreter;

/// Unpacks wheels, given after the target, and compiles what was in them.
const UNPACK: &str = "
import sys, zipfile
for wheel in sys.argv[2:]:
    zipfile.ZipFile(wheel).extractall(sys.argv[1])
compile_all(sys.argv[1], sources(sys.argv[1]))
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
    caches: &Caches,
    environment: &Environment,
    limits: &Limits,
) -> Result<()> {
    let unpacked = unpacked(interpreter, caches, environment, limits)?;
    let unpacked = &unpacked.folder;
    let target =
        site_packages(env).with_context(|| format!("{} has no site-packages", env.display()))?;
    for entry in
        fs::read_dir(unpacked).with_context(|| format!("cannot read {}", unpacked.display()))?
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

/// A pip, unpacked and compiled. Nobody replaces or removes it while this is held.
struct Unpacked {
    folder: PathBuf,
    _lock: File,
}

/// This interpreter's pip, from the first cache that can be used.
fn unpacked(
    interpreter: &Interpreter,
    caches: &Caches,
    environment: &Environment,
    limits: &Limits,
) -> Result<Unpacked> {
    let (last, others) = caches.all().split_last().context("there is no cache")?;
    for cache in others {
        match unpacked_in(interpreter, cache, environment, limits) {
            Ok(unpacked) => return Ok(unpacked),
            // A home may be full, or on a file system without locks, where the site is not.
            Err(error) => tracing::debug!("{} cannot be used: {error:#}", cache.display()),
        }
    }
    unpacked_in(interpreter, last, environment, limits)
}

/// This interpreter's pip in a cache, made when it is missing or was made long ago.
///
/// Several sites may want it at once. Whoever copies from it holds a shared lock on the cache, and
/// whoever replaces it an exclusive one, for as long as a rename takes.
fn unpacked_in(
    interpreter: &Interpreter,
    cache: &Path,
    environment: &Environment,
    limits: &Limits,
) -> Result<Unpacked> {
    disk::create_private_dir_all(cache)?;
    let locking = || format!("cannot lock {}", cache.display());
    let lock = File::open(cache).with_context(locking)?;
    lock.lock_shared().with_context(locking)?;
    let folder =
        cache.join(format!("pip-{}-{}", interpreter.version, digest(interpreter, environment)));
    if is_current(&folder) {
        return Ok(Unpacked { folder, _lock: lock });
    }
    lock.unlock().with_context(locking)?;
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
    lock.lock().with_context(locking)?;
    // Whoever made it meanwhile made the same.
    disk::remove_tree(&folder)?;
    disk::rename(&new, &folder)?;
    remove_outdated(cache);
    lock.lock_shared().with_context(locking)?;
    Ok(Unpacked { folder, _lock: lock })
}

/// Whether a pip was unpacked recently enough to be used.
fn is_current(folder: &Path) -> bool {
    // One from the future, after a clock was set back, is current.
    folder.is_dir() && age(folder).is_none_or(|age| age < CURRENT)
}

/// Since when a folder is what it is; `None` when that is not known or lies in the future.
fn age(folder: &Path) -> Option<Duration> {
    SystemTime::now().duration_since(fs::metadata(folder).ok()?.modified().ok()?).ok()
}

/// Removes pips that nobody would use any more, and what killed processes left in a cache.
fn remove_outdated(cache: &Path) {
    disk::remove_abandoned(cache);
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        if name.as_encoded_bytes().starts_with(b"pip-")
            && !is_current(&path)
            && let Err(error) = disk::remove_tree(&path)
        {
            tracing::debug!("{error:#}");
        }
    }
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
    let Some(bundled) = interpreter.bundled_pip() else {
        bail!("{} bundles no pip", interpreter.path.display());
    };
    // An index that does not answer at once is no reason to fail: there is a pip.
    let at_once = RetryPolicy { retries: "0", seconds: "5" };
    let current = download::wheel(interpreter, "pip", wheels, at_once, environment, limits).ok();
    let pip = current.as_deref().unwrap_or(bundled);
    let version = |wheel: &Path| wheel.file_name()?.to_str()?.split('-').nth(1).map(str::to_owned);
    let from = if current.is_some() { "from the index" } else { "bundled with the interpreter" };
    console::info(format_args!("pip {}, {from}", version(pip).unwrap_or_default()));
    let others = interpreter.bundled.iter().filter(|path| path.as_path() != bundled);
    let invocation = Invocation::new(&interpreter.path)
        .args(["-I", "-W", "ignore", "-c", &format!("{DEFINITIONS}{UNPACK}")])
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

/// Adds to a package's RECORD what the wheel could not know, so that pip can replace the package
/// later.
fn finish_record(dist_info: &Path, name: &str, scripts: &[String]) -> Result<()> {
    let record = dist_info.join("RECORD");
    let mut text = disk::read_to_string(&record)
        .with_context(|| format!("cannot read {}", record.display()))?;
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
