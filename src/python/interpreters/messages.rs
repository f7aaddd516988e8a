//! What is said to a person when no interpreter will do.

use super::Interpreter;
use crate::python::version::{Origin, Version, Wanted};
use crate::user_error::UserError;

/// The newest minor version of Python 3 that is suggested when specifiers allow many.
const NEWEST_SUGGESTED: u16 = 14;

/// The versions that this machine has, for an error of a version file.
pub fn available(all: &[Interpreter]) -> String {
    let mut versions: Vec<String> =
        all.iter().map(|interpreter| interpreter.version.to_string()).collect();
    versions.dedup();
    if versions.is_empty() { "none".to_owned() } else { versions.join(", ") }
}

/// The error for a wanted version that no interpreter of the machine has.
pub fn not_found(wanted: &Wanted, origin: Origin, all: &[Interpreter]) -> UserError {
    let mut error = UserError::new(match wanted {
        Wanted::Any => "there is no Python on this machine".to_owned(),
        Wanted::Specifiers(specifiers) => format!("No Python on this machine is {specifiers}"),
        Wanted::Minor { .. } | Wanted::Exact(_) => {
            format!("Python {wanted} is not on this machine")
        }
    });
    if *wanted != Wanted::Any {
        error = error.labelled("wanted", format!("{wanted} ({origin})"));
    }
    for found in listed(all) {
        error = error.found(found);
    }
    error
        .fixes(installing(wanted))
        .fixes(using_another(wanted, origin, all))
        .fix("Or, if it is somewhere else: python_paths = [\"/the/path/of/python\"] in nyala.toml")
}

/// The error for an interpreter that is there but cannot make environments.
pub fn cannot_make_envs(interpreter: &Interpreter) -> UserError {
    let Interpreter { path, version, .. } = interpreter;
    let path = path.display();
    let error = UserError::new(format!("Python {version} cannot make virtual environments"));
    if version.major == 2 {
        return error
            .found(format!("{path}, without the module virtualenv (Python 2 has no venv)"))
            .fix(format!("{path} -m pip install \"virtualenv<20.22\""));
    }
    error
        .found(format!("{path}, without a whole venv and ensurepip, and without virtualenv"))
        .fix(format!("On Debian and Ubuntu: apt install python{}-venv", version.minor_version()))
        .fix(format!("Or, elsewhere: {path} -m pip install virtualenv"))
}

fn listed(all: &[Interpreter]) -> Vec<String> {
    if all.is_empty() {
        return vec!["no interpreter at all".to_owned()];
    }
    let width = all
        .iter()
        .map(|interpreter| interpreter.version.to_string().len())
        .max()
        .unwrap_or_default();
    all.iter()
        .map(|Interpreter { version, path, .. }| {
            format!("{:width$}  {}", version.to_string(), path.display())
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
    let is_old = version.starts_with("2.");
    let mut steps = if is_old {
        vec![format!(
            "Install it: pyenv install {version}, and virtualenv<20.22 into it with its pip"
        )]
    } else {
        vec![
            format!("Install it: nyala python install {version}"),
            "Or let the push do that: python_downloads = \"automatic\" in nyala.toml".to_owned(),
            format!("Or: pyenv install {version}"),
        ]
    };
    if let Some(minor) = minor {
        steps.push(format!(
            "Or, on Debian and Ubuntu, where they have it: apt install python{minor} \
             python{minor}-venv"
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
    Some(format!("Or take {}, which is here: write {written} instead ({origin})", there.version))
}
