//! Looks at an env that is there: what it says of itself, and whether it is true.

use std::fs;
use std::path::Path;

use super::marker::{Marker, Retired, retired};
use super::{python, site_packages};
use crate::disk;
use crate::process::{self, Environment, Invocation};
use crate::python::interpreters::FileIdentity;
use crate::python::version::Version;

/// What was found in an env's folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// What it was made of; `None` when the marker is missing, so that nothing it holds can be
    /// trusted.
    pub marker: Option<Marker>,
    /// Why it may not be used again.
    pub retired: Option<Retired>,
    /// The Python it runs; `None` when it runs none.
    pub version: Option<Version>,
    /// What is right under `site-packages` and was not there when it was made: somebody else than
    /// an installer wrote into it.
    pub added: Vec<String>,
    /// Everything that makes it unusable, as facts.
    pub damage: Vec<String>,
}

/// Looks at an env. As long as its interpreter is the very file that its marker recorded, nothing
/// is run.
pub fn inspect(env: &Path, environment: &Environment) -> Inspection {
    let mut damage = Vec::new();
    let marker = Marker::read(env);
    let mut version = None;
    match &marker {
        _ if !env.is_dir() => damage.push("its folder is gone".to_owned()),
        None => damage.push(
            "it was never finished, or its contents were deleted (nyala.json is missing)"
                .to_owned(),
        ),
        Some(marker) if marker.path != env => {
            damage.push(format!(
                "it was made at {}, and its scripts still name that path",
                marker.path.display()
            ));
        }
        Some(marker) => {
            match runs_as(env, marker, environment) {
                Ok(found) => version = Some(found),
                Err(fact) => damage.push(fact),
            }
            if let Some(fact) = configuration_lies(env, marker) {
                damage.push(fact);
            }
            let missing = marker.missing_packages(env);
            if let Some(first) = missing.first() {
                damage.push(match missing.len() - 1 {
                    0 => format!("{first} was deleted from its site-packages"),
                    more => format!("{first} and {more} more were deleted from its site-packages"),
                });
            }
        }
    }
    let added = marker.as_ref().map(|marker| marker.added_packages(env)).unwrap_or_default();
    Inspection { retired: retired(env), marker, version, added, damage }
}

/// Asks an env's interpreter what it is by running it. The error is a fact about it.
pub fn run_version(env: &Path, environment: &Environment) -> Result<Version, String> {
    let interpreter = python(env);
    // -E and -s, and not -I, which Python 2.7 does not know. Nothing is imported but `sys`, so no
    // path matters.
    let script = "import sys; sys.stdout.write('%d.%d.%d %s' % (tuple(sys.version_info[:3]) + \
                  (sys.prefix,)))";
    let invocation = Invocation::new(&interpreter)
        .args(["-E", "-s", "-c", script])
        .cwd("/")
        .environment(environment.clone());
    let captured = process::capture(&invocation).map_err(|error| {
        format!("its interpreter {} does not run: {error}", interpreter.display())
    })?;
    let text = String::from_utf8_lossy(&captured.stdout).into_owned();
    let (version, prefix) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if canonical(Path::new(prefix)) != canonical(env) {
        return Err(format!(
            "its interpreter {} belongs to {prefix}, not to it",
            interpreter.display()
        ));
    }
    version
        .parse()
        .map_err(|_| format!("its interpreter {} says it is `{version}`", interpreter.display()))
}

fn runs_as(env: &Path, marker: &Marker, environment: &Environment) -> Result<Version, String> {
    let interpreter = python(env);
    match FileIdentity::of(&interpreter) {
        Ok(identity) if identity == marker.interpreter => Ok(marker.python),
        Ok(_) => run_version(env, environment),
        Err(_) => {
            let target = fs::read_link(&interpreter)
                .map(|target| format!(" (a link to {})", target.display()));
            Err(format!(
                "its interpreter {}{} is gone",
                interpreter.display(),
                target.unwrap_or_default()
            ))
        }
    }
}

/// `pyvenv.cfg` names the Python the env was made for; whoever runs another `python -m venv` over
/// an env changes it and leaves the rest.
fn configuration_lies(env: &Path, marker: &Marker) -> Option<String> {
    let Ok(text) = disk::read_to_string(env.join("pyvenv.cfg")) else {
        // virtualenv made none for Python 2.7 in its older versions.
        return (marker.python.major > 2).then(|| "its pyvenv.cfg is gone".to_owned());
    };
    let said = text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        matches!(key.trim(), "version" | "version_info").then(|| value.trim().to_owned())
    })?;
    let minor = |text: &str| text.split('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    if minor(&said) != minor(&marker.python.to_string()) {
        return Some(format!(
            "its pyvenv.cfg says Python {said}, and it was made with {}",
            marker.python
        ));
    }
    site_packages(env).is_none().then(|| "it has no site-packages".to_owned())
}
