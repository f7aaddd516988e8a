//! What is said to a person when no interpreter will do.

use std::fmt::Display;

use super::Interpreter;
use crate::python::version::{Origin, Version, Wanted};

/// The newest minor version of Python 3 that is suggested when specifiers allow many.
const NEWEST_SUGGESTED: u16 = 14;

/// An error of a version file, with the versions that this machine has.
pub fn with_available(error: impl Display, all: &[Interpreter]) -> String {
    let mut versions: Vec<String> =
        all.iter().map(|interpreter| interpreter.version.to_string()).collect();
    versions.dedup();
    let versions = if versions.is_empty() { "none".to_owned() } else { versions.join(", ") };
    format!("{error}\non this machine: {versions}")
}

/// The error for a wanted version that no interpreter of the machine has.
pub fn not_found(wanted: &Wanted, origin: Origin, all: &[Interpreter]) -> String {
    let mut lines = vec![match wanted {
        Wanted::Any => "There is no Python on this machine.".to_owned(),
        Wanted::Specifiers(specifiers) => format!("No Python on this machine is {specifiers}."),
        Wanted::Minor { .. } | Wanted::Exact(_) => {
            format!("Python {wanted} is not on this machine.")
        }
    }];
    if *wanted != Wanted::Any {
        lines.push(format!("wanted: {wanted} ({origin})"));
    }
    lines.extend(listed(all));
    lines.push("fix: one of".to_owned());
    let steps = installing(wanted).into_iter().chain(using_another(wanted, origin, all)).chain([
        "it is there, but somewhere else: python_paths = [\"/the/path/of/python\"] in nyala.toml"
            .to_owned(),
    ]);
    lines.extend(steps.zip(1..).map(|(step, number)| format!("  {number}. {step}")));
    lines.join("\n")
}

/// The error for an interpreter that is there but cannot make environments.
pub fn cannot_make_envs(interpreter: &Interpreter) -> String {
    let Interpreter { path, version, .. } = interpreter;
    let path = path.display();
    let mut lines = vec![format!("Python {version} cannot make virtual environments.")];
    if version.major == 2 {
        lines.push(format!("found: {path}, without the module virtualenv (Python 2 has no venv)"));
        lines.push(format!("fix: {path} -m pip install \"virtualenv<20.22\""));
    } else {
        let minor = version.minor_version();
        lines.push(format!(
            "found: {path}, without a whole venv and ensurepip, and without virtualenv"
        ));
        lines.push("fix: one of".to_owned());
        lines.push(format!("  1. on Debian and Ubuntu: apt install python{minor}-venv"));
        lines.push(format!("  2. elsewhere: {path} -m pip install virtualenv"));
    }
    lines.join("\n")
}

fn listed(all: &[Interpreter]) -> Vec<String> {
    if all.is_empty() {
        return vec!["found: no interpreter at all".to_owned()];
    }
    let width = all
        .iter()
        .map(|interpreter| interpreter.version.to_string().len())
        .max()
        .unwrap_or_default();
    all.iter()
        .map(|Interpreter { version, path, .. }| {
            format!("found: {:width$}  {}", version.to_string(), path.display())
        })
        .collect()
}

fn installing(wanted: &Wanted) -> Vec<String> {
    let (version, minor) = match wanted {
        Wanted::Minor { major: 2, minor: 7 } => ("2.7.18".to_owned(), None),
        Wanted::Minor { .. } => (wanted.to_string(), Some(wanted.to_string())),
        Wanted::Exact(exact) => (exact.to_string(), None),
        Wanted::Specifiers(_) | Wanted::Any => match newest_allowed(wanted) {
            Some(minor) => (minor.clone(), Some(minor)),
            None => return Vec::new(),
        },
    };
    let mut steps = vec![format!("pyenv install {version}")];
    if version.starts_with("2.") {
        steps[0].push_str(", and virtualenv<20.22 into it with its pip");
    } else {
        steps.push(format!("uv python install {version}"));
    }
    if let Some(minor) = minor {
        steps.push(format!(
            "on Debian and Ubuntu, where they have it: apt install python{minor} python{minor}-venv"
        ));
    }
    steps
}

fn newest_allowed(wanted: &Wanted) -> Option<String> {
    (0..=NEWEST_SUGGESTED)
        .rev()
        .find(|minor| (0..30).any(|patch| wanted.matches(&Version::new(3, *minor, patch))))
        .map(|minor| format!("3.{minor}"))
}

/// Where only the patch is missing, the machine's own one most likely will do.
fn using_another(wanted: &Wanted, origin: Origin, all: &[Interpreter]) -> Option<String> {
    let Wanted::Exact(exact) = wanted else {
        return None;
    };
    let minor = Wanted::Minor { major: exact.major, minor: exact.minor };
    let there = super::choose(&minor, all)?;
    let written =
        if origin == Origin::RuntimeTxt { format!("python-{minor}") } else { minor.to_string() };
    Some(format!("take {} that is here: write {written} instead ({origin})", there.version))
}
