//! What decides how an installer builds a package, beside the package itself: the variables that
//! compilers and build tools read, pip's settings for builds, and archives that lie on the disk.
//!
//! pip caches the wheels that it builds by the address of their source alone, and uv by its version
//! and uv's own settings. So what was built otherwise would come back, also that of another site.
//! Whoever builds with any of these has a cache of their own.
//!
//! Which variables the build of a package reads says only its source, which is not here before it
//! is built. So an app setting counts that *may* be one, by its name and value: `HDF5_DIR=/opt/x`.
//!
//! Sources: setuptools' `distutils/sysconfig.py` and its user guide, cmake-env-variables(7),
//! "Environment Variables" of The Cargo Book and of GCC, pkg-config(1), and `cache.py` of pip 26.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::pip_config::Setting;
use super::{Installation, Installer};
use crate::console;
use crate::disk;
use crate::hex::hex;
use crate::process::Environment;
use crate::python::dependencies::{LocalKind, MutableReference, Recorded};
use crate::python::{built, cache};

const VARIABLES: [&str; 33] = [
    "AR",
    "AS",
    "CC",
    "CCSHARED",
    "CPATH",
    "CPP",
    "CPLUS_INCLUDE_PATH",
    "CUDAARCHS",
    "CUDACXX",
    "CXX",
    "C_INCLUDE_PATH",
    "F77",
    "F90",
    "FC",
    "GDAL_CONFIG",
    "GEOS_CONFIG",
    "LD",
    "LDCXXSHARED",
    "LDSHARED",
    "LD_RUN_PATH",
    "LIBRARY_PATH",
    "LIBS",
    "MYSQL_CONFIG",
    "PG_CONFIG",
    "PYCURL_SSL_LIBRARY",
    "RANLIB",
    "RUSTC",
    "RUSTUP_TOOLCHAIN",
    "SODIUM_INSTALL",
    "STATIC_DEPS",
    "UWSGI_PROFILE",
    "XML2_CONFIG",
    "XSLT_CONFIG",
];

const PREFIXES: [&str; 15] = [
    "CARGO_BUILD_",
    "CARGO_ENCODED_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CMAKE_",
    "CYTHON",
    "DIST_EXTRA_",
    "DISTUTILS_",
    "GRPC_PYTHON_",
    "MATURIN_",
    "MESON",
    "NPY_",
    "PKG_CONFIG",
    "SETUPTOOLS_",
    "SKBUILD_",
];

/// Also of one package, such as `MYSQLCLIENT_CFLAGS`.
const SUFFIXES: [&str; 9] = [
    "ARCHFLAGS",
    "ARFLAGS",
    "CFLAGS",
    "CPPFLAGS",
    "CXXFLAGS",
    "FFLAGS",
    "LDFLAGS",
    "NO_EXTENSIONS",
    "RUSTFLAGS",
];

/// The last words of names that lead a build to a library or to what tells of it.
const LEADING: [&str; 13] = [
    "CONFIG",
    "DIR",
    "DIRS",
    "HOME",
    "INCLUDE",
    "INCLUDEDIR",
    "INCLUDES",
    "LIB",
    "LIBDIR",
    "LIBRARIES",
    "LIBS",
    "PREFIX",
    "ROOT",
];

/// Words in names that lead an application to its own files.
const OF_APPLICATIONS: [&str; 20] = [
    "APP",
    "BACKUP",
    "BACKUPS",
    "BASE",
    "CACHE",
    "DATA",
    "DOCUMENT",
    "LOG",
    "LOGS",
    "MEDIA",
    "OUTPUT",
    "PROJECT",
    "STATIC",
    "STORAGE",
    "TEMP",
    "TEMPLATES",
    "TMP",
    "UPLOAD",
    "UPLOADS",
    "XDG",
];

/// The version of the project itself, which no cache keeps.
const OWN_VERSION: [&str; 3] = ["PBR_VERSION", "PDM_BUILD_SCM_VERSION", "SETUPTOOLS_SCM_"];

/// pip's settings for builds.
const OF_PIP: [&str; 5] =
    ["build-option", "config-settings", "global-option", "no-build-isolation", "use-pep517"];

/// How many of the names that decide are logged.
const MOST_NAMES: usize = 5;

/// The cache of one install, in its env.
const TEMPORARY: &str = "nyala-cache";

/// Whether compilers or build tools read the variable of this name.
pub fn read(variable: &str) -> bool {
    VARIABLES.contains(&variable)
        || PREFIXES.iter().chain(&OWN_VERSION).any(|prefix| variable.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| variable.ends_with(suffix))
}

/// Whether an app setting may lead a build to what it finds on the machine: `HDF5_DIR=/opt/hdf5`,
/// `SNAPPY_LIBS=-lsnappy`. Of an application's own it is one like `MODEL_DIR=/data`.
pub fn may_lead(name: &str, value: &str) -> bool {
    let mut words = name.rsplit('_');
    let is_leading = words.next().is_some_and(|last| LEADING.contains(&last));
    let others: Vec<_> = words.collect();
    is_leading
        && !others.is_empty()
        && !others.iter().any(|word| OF_APPLICATIONS.contains(word))
        && value.starts_with(['/', '-'])
}

/// The environment in which an installer takes no package from its cache that was built otherwise.
pub(super) fn with_own_cache(
    installer: Installer,
    environment: Environment,
    installation: &Installation<'_>,
    settings: &[Setting],
) -> Environment {
    let Some(folder) = own_cache(installer, &environment, installation, settings) else {
        return environment;
    };
    match installer {
        Installer::Pip => {
            share_downloads(&environment, settings, &folder);
            environment.set("PIP_CACHE_DIR", folder)
        }
        Installer::Uv => environment.set("UV_CACHE_DIR", folder),
    }
}

/// `None` when the usual one is right.
fn own_cache(
    installer: Installer,
    environment: &Environment,
    installation: &Installation<'_>,
    settings: &[Setting],
) -> Option<PathBuf> {
    let temporary = || installation.env.join(TEMPORARY);
    // Nothing says whether such an archive is still the one that was built.
    let is_outside = |it: &MutableReference| it.text.contains("file:");
    let mut references = installation.recorded.mutable_references.iter();
    if installer == Installer::Pip && references.any(is_outside) {
        return Some(temporary());
    }
    let decide = what_decides(installer, environment, installation, settings);
    if decide.is_empty() {
        return None;
    }
    let mut names: Vec<_> = decide.iter().take(MOST_NAMES).map(|(name, _)| name.clone()).collect();
    names.extend((decide.len() > MOST_NAMES).then(|| "…".to_owned()));
    console::detail(format_args!(
        "What is built is cached apart, since this decides how: {}",
        names.join(", ")
    ));
    Some(built::cache_for(&digest(&decide), environment).unwrap_or_else(temporary))
}

/// Removes the cache that only one install has used.
pub(super) fn remove_temporary(env: &Path) -> Result<()> {
    let folder = env.join(TEMPORARY);
    if folder.exists() { disk::remove_tree(&folder) } else { Ok(()) }
}

/// Names and values; empty when the installer's usual cache is right.
fn what_decides(
    installer: Installer,
    environment: &Environment,
    installation: &Installation<'_>,
    settings: &[Setting],
) -> Vec<(String, String)> {
    let text = |value: &std::ffi::OsStr| value.to_string_lossy().into_owned();
    let variables = environment.iter().map(|(name, value)| (text(name), text(value)));
    let is_own = |name: &str| OWN_VERSION.iter().any(|prefix| name.starts_with(prefix));
    let perhaps: BTreeSet<_> = installation.settings.perhaps().collect();
    let is_read = |name: &str| read(name) && !is_own(name) || perhaps.contains(name);
    let counts = |name: &str, value: &str| is_read(name) && !value.is_empty();
    let mut found: Vec<_> = variables.filter(|(name, value)| counts(name, value)).collect();
    if installer == Installer::Uv {
        // Its cache knows its own settings, and when an archive was changed.
        return found;
    }
    let settings = settings.iter().filter(|setting| OF_PIP.contains(&setting.name.as_str()));
    found.extend(settings.map(|it| (format!("pip's {}", it.name), it.value.clone())));
    found.extend(archives(installation.recorded));
    found
}

/// Archives on the disk that have to be built: their paths stay the same when they change.
fn archives(recorded: &Recorded) -> Vec<(String, String)> {
    let local = recorded.local.iter().filter(|local| local.kind == LocalKind::File);
    let local = local.map(|local| (&local.path, &local.id));
    let all = local.chain(recorded.found.iter().map(|found| (&found.path, &found.id)));
    all.filter(|(path, _)| !is_wheel(path)).map(|(path, id)| (path.clone(), id.clone())).collect()
}

fn is_wheel(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "whl")
}

fn digest(decide: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    for (name, value) in decide {
        hash.update(format!("{}:{name}={}:{value}", name.len(), value.len()));
    }
    hex(&hash.finalize())
}

/// Has pip's cache in `folder` share the downloads of its usual one.
fn share_downloads(environment: &Environment, settings: &[Setting], folder: &Path) {
    let named = settings.iter().find(|setting| setting.name == "cache-dir");
    let usual = named.map(|setting| PathBuf::from(&setting.value)).filter(|dir| dir.is_absolute());
    let usual = usual.or_else(|| Some(cache::of_user_in(environment)?.parent()?.join("pip")));
    if disk::create_private_dir_all(folder).is_err() {
        return;
    }
    // What is missing is downloaded again. pip has `http` until 23.2, and then `http-v2`.
    for (usual, name) in usual.iter().flat_map(|it| ["http", "http-v2"].map(|name| (it, name))) {
        let _ = disk::create_private_dir_all(&usual.join(name))
            .and_then(|()| disk::symlink(&usual.join(name), &folder.join(name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compilers_and_build_tools_read_counts() {
        for name in
            ["CC", "CFLAGS", "MYSQLCLIENT_LDFLAGS", "CMAKE_ARGS", "PKG_CONFIG_PATH", "CUDACXX"]
        {
            assert!(read(name), "{name}");
        }
        for name in ["SECRET_KEY", "PATH", "HOME", "DATABASE_URL", "ACCESS", "FEATURE_FLAGS"] {
            assert!(!read(name), "{name}");
        }
    }

    #[test]
    fn what_may_lead_a_build_to_a_library_is_told_from_an_applications_own() {
        for (name, value) in [
            ("HDF5_DIR", "/opt/hdf5"),
            ("OPENSSL_LIB_DIR", "/opt/ssl/lib"),
            ("MAGICK_HOME", "/usr/local"),
            ("LIBSODIUM_LIBS", "-L/opt/lib -lsodium"),
            ("GDAL_INCLUDE_DIRS", "/usr/include/gdal"),
            ("KRB5_CONFIG", "/usr/bin/krb5-config"),
            ("ZMQ_PREFIX", "/opt/zmq"),
        ] {
            assert!(may_lead(name, value), "{name}");
        }
        for (name, value) in [
            ("DEBUG", "1"),
            ("SECRET_KEY", "/abc"),
            ("MEDIA_ROOT", "/data/media"),
            ("S3_MEDIA_PREFIX", "/media"),
            ("APP_LOG_DIR", "/var/log/shop"),
            ("REDIS_PREFIX", "shop:"),
            ("FLASK_CONFIG", "production"),
            ("HOME", "/home/shop"),
            ("DATABASE_URL", "/x"),
        ] {
            assert!(!may_lead(name, value), "{name}");
        }
    }
}
