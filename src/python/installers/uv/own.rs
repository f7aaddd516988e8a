//! A uv of nyala's own, for machines that have none: one per user, in the user's cache.
//!
//! It is the wheel of <https://pypi.org/project/uv/>, from the index that pip is configured for. It
//! stays as it is until somebody asks for a newer one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::console;
use crate::disk;
use crate::process::{self, Environment, Invocation, Limits, is_executable};
use crate::python::cache;
use crate::python::download::{self, RetryPolicy};
use crate::python::installers::error;
use crate::python::interpreters::{self, Interpreter};
use crate::user_error::Explain;

/// Takes uv out of its wheel.
const UNPACK: &str = "
import shutil, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
name, = [name for name in wheel.namelist() if name.endswith('.data/scripts/uv')]
with wheel.open(name) as packed, open(sys.argv[2], 'wb') as unpacked:
    shutil.copyfileobj(packed, unpacked)
";

/// uv is large, and without it the deployment fails.
const RETRIES: RetryPolicy = RetryPolicy { retries: "2", seconds: "15" };

/// Where it is, or would be. `None` for a user without a home.
pub(super) fn place() -> Option<PathBuf> {
    Some(cache::of_user()?.join("uv/uv"))
}

/// Downloads uv, unless there is one; with `upgrade`, in any case. Returns its path.
///
/// Another process may do the same: whoever comes second takes what the first one has made. Killed
/// at any time, it leaves the uv that was there.
pub(super) fn get(upgrade: bool, environment: &Environment, limits: &Limits) -> Result<PathBuf> {
    let cache = cache::of_user().context("there is no home folder to keep it in")?;
    disk::create_private_dir_all(&cache)?;
    let lock = disk::open_lock_file(&cache.join("uv.lock"))?;
    lock.lock().with_context(|| format!("cannot lock {}", cache.display()))?;
    let folder = cache.join("uv");
    let uv = folder.join("uv");
    if is_executable(&uv) && !upgrade {
        return Ok(uv);
    }
    disk::remove_abandoned(&cache);
    let new = disk::create_temporary_dir(&cache)?;
    let made = unpack(&new, environment, limits).and_then(|()| {
        disk::sync_filesystem(&new)?;
        if folder.exists() { disk::exchange(&new, &folder) } else { disk::rename(&new, &folder) }
    });
    disk::remove_tree(&new)?;
    made.map(|()| uv)
}

/// Downloads uv into a new folder, and runs it once.
fn unpack(new: &Path, environment: &Environment, limits: &Limits) -> Result<()> {
    let interpreter = interpreter()?;
    let wheels = new.join("wheel");
    disk::create_dir(&wheels)?;
    let wheel = download::wheel(&interpreter, "uv", &wheels, RETRIES, environment, limits)?;
    let uv = new.join("uv");
    let child = |program: &Path| {
        Invocation::new(program).cwd("/").environment(environment.clone()).limits(limits.clone())
    };
    let unpacking = child(&interpreter.path).args(["-I", "-c", UNPACK]).arg(&wheel).arg(&uv);
    process::capture(&unpacking.named("unpacking uv"))?;
    disk::make_executable(&uv)?;
    let version = process::capture(&child(&uv).arg("--version").named("uv --version"))
        .explain(error::uv_does_not_run)?;
    console::info(format_args!("{}, from the index", version.text()));
    disk::remove_tree(&wheels)
}

/// The newest interpreter that has a pip to download with.
fn interpreter() -> Result<Interpreter> {
    let able = interpreters::of_user().into_iter().filter(|interpreter| {
        interpreter.bundled_pip().is_some_and(|pip| fs::metadata(pip).is_ok())
    });
    able.max_by_key(|interpreter| interpreter.version)
        .ok_or_else(|| error::no_python_to_download_with().into())
}
