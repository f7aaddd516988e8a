//! What is said to a person when no interpreter will do.

use super::Interpreter;
use crate::python::version::{Origin, Version, Wanted};
use crate::text::capitalized;
use crate::user_error::{DEPLOY_AGAIN, UserError};

/// The newest minor version of Python 3 that is suggested when specifiers allow many.
const NEWEST_SUGGESTED: u16 = 14;

/// The versions that this machine has, for an error of a version file.
pub fn available(all: &[Interpreter]) -> String {
    let mut versions: Vec<String> =
        all.iter().map(|interpreter| interpreter.version.to_string()).collect();
    versions.dedup();
    if versions.is_empty() { "none".to_owned() } else { versions.join(", ") }
}

/// The error for a wanted version that no interpreter of the machine has. Another one is suggested
/// if it meets all that is `required`.
pub fn not_found(
    wanted: &Wanted,
    origin: Origin,
    all: &[Interpreter],
    required: &[Wanted],
) -> UserError {
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
    let meets = |it: &&Interpreter| required.iter().all(|required| required.matches(&it.version));
    let suitable: Vec<_> = all.iter().filter(meets).cloned().collect();
    let another = using_another(wanted, origin, &suitable);
    let mut fixes = match (unknown(wanted), another) {
        // Most likely there is no such Python anywhere.
        (true, Some(another)) => vec![
            another,
            format!(
                "Or, if there is such a Python, install it: nyala python install {wanted}; then \
                 {DEPLOY_AGAIN}"
            ),
        ],
        (_, another) => installing(wanted).into_iter().chain(another).collect(),
    };
    fixes.push(
        "Or, if it is somewhere else: python_paths = [\"/the/path/of/python\"] in nyala.toml"
            .to_owned(),
    );
    // The first one is no alternative.
    if let Some(rest) = fixes[0].strip_prefix("Or") {
        fixes[0] = capitalized(rest.trim_start_matches([',', ' ']));
    }
    error.fixes(fixes)
}

/// The error for an interpreter that is there but cannot make environments.
pub fn cannot_make_envs(interpreter: &Interpreter) -> UserError {
    let Interpreter { path, version, .. } = interpreter;
    let path = path.display();
    let error = UserError::new(format!("Python {version} cannot make virtual environments"));
    if version.major == 2 {
        return error
            .found(format!("{path}, without the module virtualenv (Python 2 has no venv)"))
            // -s: not into the home of whoever runs this, where it is not looked for.
            .fix(format!(
                "As the owner of that Python: {path} -s -m pip install \"virtualenv<20.22\"; \
                 then {DEPLOY_AGAIN}"
            ))
            .fix(format!("Or, if it has no pip, first: {path} -m ensurepip"));
    }
    error
        .found(format!("{path}, without a whole venv and ensurepip, and without virtualenv"))
        .fix(format!(
            "On Debian and Ubuntu: apt install python{}-venv; then {DEPLOY_AGAIN}",
            version.minor_version()
        ))
        .fix(format!("Or, elsewhere: {path} -s -m pip install virtualenv; then {DEPLOY_AGAIN}"))
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
            "Install it: pyenv install {version}, and virtualenv<20.22 into it with its pip; \
             then {DEPLOY_AGAIN}"
        )]
    } else {
        vec![
            format!("Install it: nyala python install {version}; then {DEPLOY_AGAIN}"),
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

/// Whether a version is newer than all that this nyala knows of.
fn unknown(wanted: &Wanted) -> bool {
    let (major, minor) = match wanted {
        Wanted::Minor { major, minor } => (*major, *minor),
        Wanted::Exact(exact) => (exact.major, exact.minor),
        Wanted::Specifiers(_) | Wanted::Any => return false,
    };
    (major, minor) > (3, NEWEST_SUGGESTED)
}

/// The machine's own Python, most likely, will do: another patch, or else the newest.
fn using_another(wanted: &Wanted, origin: Origin, all: &[Interpreter]) -> Option<String> {
    let newest = || all.iter().map(|there| there.version).filter(Version::is_final).max();
    let minor_of = |it: &Version| Wanted::Minor { major: it.major, minor: it.minor };
    let minor = match wanted {
        // What is written for Python 2 does not run with another.
        Wanted::Minor { major: 2, .. } | Wanted::Any => return None,
        Wanted::Minor { .. } => minor_of(&newest()?),
        Wanted::Exact(_) if unknown(wanted) => minor_of(&newest()?),
        Wanted::Exact(exact) => minor_of(exact),
        Wanted::Specifiers(_) => {
            let newest = all.iter().map(|there| there.version).max()?;
            return Some(format!("Or allow {newest}, which is here: change {origin}"));
        }
    };
    let there = super::choose(&minor, all)?;
    let written =
        if origin == Origin::RuntimeTxt { format!("python-{minor}") } else { minor.to_string() };
    Some(format!("Or take {}, which is here: write {written} instead ({origin})", there.version))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{interpreter, wanted};
    use super::*;

    #[test]
    fn a_version_that_is_not_there_is_told_with_those_that_are() {
        let all = [
            interpreter("3.13.0", "/opt/python3.13/bin/python3.13"),
            interpreter("3.11.7", "/usr/bin/python3.11"),
        ];
        insta::assert_snapshot!(not_found(&wanted("3.12"), Origin::RuntimeTxt, &all, &[]), @r#"
        Python 3.12 is not on this machine
        wanted: 3.12 (runtime.txt)
        found: 3.13.0  /opt/python3.13/bin/python3.13
        found: 3.11.7  /usr/bin/python3.11
        1. Install it: nyala python install 3.12; then deploy again
        2. Or let the push do that: python_downloads = "automatic" in nyala.toml
        3. Or: pyenv install 3.12
        4. Or, on Debian and Ubuntu, where they have it: apt install python3.12 python3.12-venv
        5. Or take 3.13.0, which is here: write python-3.13 instead (runtime.txt)
        6. Or, if it is somewhere else: python_paths = ["/the/path/of/python"] in nyala.toml
        "#);
        insta::assert_snapshot!(not_found(&wanted("4.7"), Origin::RuntimeTxt, &all, &[]), @r#"
        Python 4.7 is not on this machine
        wanted: 4.7 (runtime.txt)
        found: 3.13.0  /opt/python3.13/bin/python3.13
        found: 3.11.7  /usr/bin/python3.11
        1. Take 3.13.0, which is here: write python-3.13 instead (runtime.txt)
        2. Or, if there is such a Python, install it: nyala python install 4.7; then deploy again
        3. Or, if it is somewhere else: python_paths = ["/the/path/of/python"] in nyala.toml
        "#);
        insta::assert_snapshot!(not_found(&wanted("3.11.4"), Origin::RuntimeTxt, &all, &[]), @r#"
        Python 3.11.4 is not on this machine
        wanted: 3.11.4 (runtime.txt)
        found: 3.13.0  /opt/python3.13/bin/python3.13
        found: 3.11.7  /usr/bin/python3.11
        1. Install it: nyala python install 3.11.4; then deploy again
        2. Or let the push do that: python_downloads = "automatic" in nyala.toml
        3. Or: pyenv install 3.11.4
        4. Or take 3.11.7, which is here: write python-3.11 instead (runtime.txt)
        5. Or, if it is somewhere else: python_paths = ["/the/path/of/python"] in nyala.toml
        "#);
        let told = |needs: &str| {
            let needs = [wanted(needs)];
            not_found(&wanted("3.14"), Origin::PythonVersionFile, &all, &needs).to_string()
        };
        // What the project rules out would only be the next error.
        assert!(!told(">=3.14").contains("which is here"), "{}", told(">=3.14"));
        assert!(told("<3.13").contains("Or take 3.11.7, which is here"), "{}", told("<3.13"));
        insta::assert_snapshot!(not_found(&wanted("2.7"), Origin::AppSetting, &all, &[]), @r#"
        Python 2.7 is not on this machine
        wanted: 2.7 (app setting PYTHON_VERSION)
        found: 3.13.0  /opt/python3.13/bin/python3.13
        found: 3.11.7  /usr/bin/python3.11
        1. Install it: pyenv install 2.7.18, and virtualenv<20.22 into it with its pip; then deploy again
        2. Or, if it is somewhere else: python_paths = ["/the/path/of/python"] in nyala.toml
        "#);
        let specifiers = wanted(">=3.9,<3.11");
        insta::assert_snapshot!(not_found(&specifiers, Origin::RequiresPython, &all, &[]), @r#"
        No Python on this machine is >=3.9, <3.11
        wanted: >=3.9, <3.11 (requires-python in pyproject.toml)
        found: 3.13.0  /opt/python3.13/bin/python3.13
        found: 3.11.7  /usr/bin/python3.11
        1. Install it: nyala python install 3.10; then deploy again
        2. Or let the push do that: python_downloads = "automatic" in nyala.toml
        3. Or: pyenv install 3.10
        4. Or, on Debian and Ubuntu, where they have it: apt install python3.10 python3.10-venv
        5. Or allow 3.13.0, which is here: change requires-python in pyproject.toml
        6. Or, if it is somewhere else: python_paths = ["/the/path/of/python"] in nyala.toml
        "#);
        let none = wanted(">=3.99");
        insta::assert_snapshot!(not_found(&none, Origin::RequiresPython, &all, &[]), @r#"
        No Python on this machine is >=3.99
        wanted: >=3.99 (requires-python in pyproject.toml)
        found: 3.13.0  /opt/python3.13/bin/python3.13
        found: 3.11.7  /usr/bin/python3.11
        1. Allow 3.13.0, which is here: change requires-python in pyproject.toml
        2. Or, if it is somewhere else: python_paths = ["/the/path/of/python"] in nyala.toml
        "#);
        insta::assert_snapshot!(not_found(&Wanted::Any, Origin::Newest, &[], &[]), @r#"
        there is no Python on this machine
        found: no interpreter at all
        1. Install it: nyala python install 3.14; then deploy again
        2. Or let the push do that: python_downloads = "automatic" in nyala.toml
        3. Or: pyenv install 3.14
        4. Or, on Debian and Ubuntu, where they have it: apt install python3.14 python3.14-venv
        5. Or, if it is somewhere else: python_paths = ["/the/path/of/python"] in nyala.toml
        "#);
    }

    #[test]
    fn an_interpreter_without_venv_is_told_with_the_fix() {
        insta::assert_snapshot!(cannot_make_envs(&interpreter("3.11.2", "/usr/bin/python3.11")), @"
        Python 3.11.2 cannot make virtual environments
        found: /usr/bin/python3.11, without a whole venv and ensurepip, and without virtualenv
        1. On Debian and Ubuntu: apt install python3.11-venv; then deploy again
        2. Or, elsewhere: /usr/bin/python3.11 -s -m pip install virtualenv; then deploy again
        ");
        insta::assert_snapshot!(cannot_make_envs(&interpreter("2.7.18", "/usr/bin/python2.7")), @r#"
        Python 2.7.18 cannot make virtual environments
        found: /usr/bin/python2.7, without the module virtualenv (Python 2 has no venv)
        1. As the owner of that Python: /usr/bin/python2.7 -s -m pip install "virtualenv<20.22"; then deploy again
        2. Or, if it has no pip, first: /usr/bin/python2.7 -m ensurepip
        "#);
    }
}
