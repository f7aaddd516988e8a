//! What is wrong with a lock file, and how to fix it.

use pep440_rs::{Operator, VersionSpecifiers};
use thiserror::Error;

use super::Lock;
use super::marker::MarkerError;
use crate::python::dependencies::error::{in_conflict, not_toml};
use crate::python::dependencies::text::{shown, without_secrets};
use crate::python::version::Version;
use crate::user_error::UserError;

/// Why a lock cannot be installed. The file's name is added by whoever knows it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LockError {
    #[error("it cannot be read: line {line}: {why}")]
    Syntax { line: usize, why: String },
    #[error("it has merge conflict markers at line {0}")]
    Conflict(usize),
    #[error("its version is {found}, and nyala reads {known}")]
    Version { found: String, known: &'static str },
    #[error("{what} is not something that nyala understands")]
    Unknown { what: String },
    /// `what` is what it is to be, such as `version`.
    #[error("the {what} of {package} is {value:?}, which is not a {what}")]
    Malformed { what: &'static str, package: String, value: String },
    #[error("it has a package {0:?}, which is not the name of a package")]
    Name(String),
    #[error("{package}: {error}")]
    Marker { package: String, error: MarkerError },
    #[error("it needs {package}, and has no such package")]
    Missing { package: String },
    #[error("it does not say which version of {package} is meant")]
    NoVersion { package: String },
    #[error("it has {name} twice for one Python: {}", versions.join(" and "))]
    Twice { name: String, versions: Vec<String> },
    #[error("{package} is at {path}, which is outside the tree")]
    Outside { package: String, path: String },
    #[error("{package} comes from {address:?}, which is not an address")]
    Address { package: String, address: String },
    #[error("there is no {kind} {name}{}", nearest(kind, suggestion.as_deref(), there))]
    NoSuch { kind: &'static str, name: String, suggestion: Option<String>, there: Vec<String> },
    #[error("it says that {} cannot be installed together", names.join(" and "))]
    Conflicting { names: Vec<String> },
    #[error("{package} has files for other machines only: {files}")]
    OtherMachines { package: String, files: String },
    #[error("it is for Python {wanted}, and this environment has {found}")]
    Python { wanted: String, found: String },
    #[error("it does not belong to {file} any more: {why}")]
    Stale { file: String, why: String },
    /// `place` is where that would be said: `[tool.uv] of pyproject.toml`.
    #[error("it was made with {setting}, which is not what {place} says")]
    Unstated { setting: String, place: String },
    #[error("it is the lock of a project, and pyproject.toml is not there or has no [project]")]
    NoProject,
    #[error("{package} is from {path}, which is not in the commit")]
    Gone { package: String, path: String },
}

/// The error of a deployment whose lock, in the file `name`, cannot be installed.
pub(super) fn cannot_install(lock: Lock, name: &str, error: &LockError) -> UserError {
    let told = without_secrets(&error.to_string());
    let told = UserError::new(format!("{name} cannot be installed from: {}", shown(&told)));
    match error {
        LockError::NoSuch { .. } | LockError::Conflicting { .. } => {
            told.fix("Correct groups or extras under [dependencies] in nyala.toml")
        }
        LockError::Python { wanted, found } => {
            let example =
                supported(wanted, found).map(|it| format!(", such as {it}")).unwrap_or_default();
            told.fix(format!("Choose a Python that the lock supports, in runtime.txt{example}"))
                .fix(format!(
                    "Or let the project support this Python, and make the lock again: {}",
                    lock.command()
                ))
        }
        LockError::Conflict(_) => told.fix(format!(
            "Resolve the conflict, make the lock again ({}), commit, and push again",
            lock.command()
        )),
        LockError::Stale { .. } => told
            .fix(format!("Run {}, commit {name}, and push again", lock.command()))
            .fix("Or install from it as it is: frozen = true under [dependencies] in nyala.toml"),
        LockError::Unstated { place, .. } => told
            .fix(format!("Write that into {place}, commit, and push again"))
            .fix(format!("Or make the lock again without it: {}", lock.command()))
            .fix("Or install from it as it is: frozen = true under [dependencies] in nyala.toml"),
        LockError::NoProject => told.fix("Commit the project's own pyproject.toml, and push again"),
        LockError::Gone { .. } => told
            .fix("Commit it, and push again")
            .fix(format!("Or make the lock again without it: {}", lock.command()))
            .fix(
                "Or install only what is needed: frozen = true under [dependencies] in nyala.toml",
            ),
        LockError::Outside { path, .. } if path.to_ascii_lowercase().starts_with("file:") => told
            .fix(format!(
                "Name it by its path in the repository, relative to {name}, or commit the lock \
                 that {name} was exported from: this address is one of the machine that made it"
            )),
        LockError::Outside { .. } => {
            told.fix("Move it into the repository, or publish it in an index")
        }
        _ => told.fix(format!("Make it again: {}", lock.command())).fix(format!(
            "Or install from a requirements.txt, which counts first: {}",
            lock.export()
        )),
    }
}

/// A line of runtime.txt with a Python that these specifiers want, where this one was found.
fn supported(wanted: &str, found: &str) -> Option<String> {
    let minor = || found.parse::<Version>().ok()?.nearest_minor(wanted);
    let exact = || {
        let specifiers = wanted.parse::<VersionSpecifiers>().ok()?;
        let pinned = specifiers.iter().find(|it| *it.operator() == Operator::Equal)?;
        Some(pinned.version().to_string())
    };
    minor().or_else(exact).map(|version| format!("python-{version}"))
}

/// A file that a lock is made from, such as pyproject.toml, and what reading it as TOML says.
pub(super) fn wrong_manifest(path: &str, error: &LockError) -> UserError {
    match error {
        LockError::Syntax { line, why } => not_toml(path, *line, why),
        LockError::Conflict(line) => in_conflict(path, *line),
        _ => UserError::new(format!("{path}: {}", shown(&error.to_string()))),
    }
}

/// Something that is no file has the name of a lock.
pub(super) fn not_a_file(name: &str) -> UserError {
    UserError::new(format!("{name} is not a file")).fix("Commit the lock itself, and push again")
}

/// `file` is the lock, and `path` where it says that the package is.
pub(super) fn not_in_the_tree(file: &str, package: &str, path: &str) -> UserError {
    let path = shown(path);
    UserError::new(format!("{file} installs {package} from {path}, which is not in the tree"))
        .fix("Commit it, and push again")
}

/// `folder` is where the lock `file` says that the package is.
pub(super) fn not_a_project(file: &str, package: &str, folder: &str) -> UserError {
    let folder = shown(folder);
    UserError::new(format!("{file} installs {package} from {folder}, which is not a project"))
        .found("neither pyproject.toml nor setup.py in it")
        .fix("Commit what is missing, and push again")
}

/// `name` is that of the project in the folder.
pub(super) fn another_project(file: &str, package: &str, folder: &str, name: &str) -> UserError {
    let [folder, name] = [folder, name].map(|text| shown(&without_secrets(text)));
    UserError::new(format!("{file} installs {package} from {folder}, which is another project"))
        .found(format!("name = \"{name}\" in its pyproject.toml"))
        .fix("Correct the name or the path, make the lock again, commit, and push again")
}

/// The name that was meant, or else those there are.
fn nearest(kind: &str, suggestion: Option<&str>, there: &[String]) -> String {
    match (suggestion, there) {
        (Some(name), _) => format!(" (did you mean {name}?)"),
        (None, []) => format!(", and no other {kind}"),
        (None, names) => format!(" (there is {})", names.join(", ")),
    }
}

/// The address of an index in the lock `file` has a variable in it that no app setting gives.
pub(super) fn variable_not_set(file: &str, url: &str, variable: &str) -> UserError {
    UserError::new(format!("the address of an index of {file} needs {variable}, which is not set"))
        .found(without_secrets(url))
        .fix(format!("Set it: nyala config set --stdin {variable}"))
}

/// With the values of its variables, it is no address.
pub(super) fn wrong_index(file: &str, url: &str) -> UserError {
    UserError::new(format!("an index of {file} has no address, with its variables put in"))
        .found(without_secrets(url))
        .fix("Correct the app settings that it names: nyala config")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(error: &LockError) -> String {
        cannot_install(Lock::Uv, "uv.lock", error).to_string()
    }

    #[test]
    fn a_lock_that_cannot_be_installed_says_how_to_make_it_again() {
        let error = LockError::Missing { package: "flask".to_owned() };
        insta::assert_snapshot!(text(&error), @"
        uv.lock cannot be installed from: it needs flask, and has no such package
        1. Make it again: uv lock
        2. Or install from a requirements.txt, which counts first: uv export --frozen --no-default-groups -o requirements.txt
        ");
        let error = LockError::Stale {
            file: "pyproject.toml".to_owned(),
            why: "it has no flask".to_owned(),
        };
        insta::assert_snapshot!(text(&error), @"
        uv.lock cannot be installed from: it does not belong to pyproject.toml any more: it has no flask
        1. Run uv lock, commit uv.lock, and push again
        2. Or install from it as it is: frozen = true under [dependencies] in nyala.toml
        ");
        insta::assert_snapshot!(text(&LockError::Conflict(3)), @"
        uv.lock cannot be installed from: it has merge conflict markers at line 3
        Resolve the conflict, make the lock again (uv lock), commit, and push again
        ");
    }

    #[test]
    fn a_lock_that_was_made_from_something_else_says_what_to_write() {
        let (setting, place) =
            ("resolution = \"lowest\"".to_owned(), "[tool.uv] of pyproject.toml".to_owned());
        insta::assert_snapshot!(text(&LockError::Unstated { setting, place }), @r#"
        uv.lock cannot be installed from: it was made with resolution = "lowest", which is not what [tool.uv] of pyproject.toml says
        1. Write that into [tool.uv] of pyproject.toml, commit, and push again
        2. Or make the lock again without it: uv lock
        3. Or install from it as it is: frozen = true under [dependencies] in nyala.toml
        "#);
        let (package, path) = ("lib".to_owned(), "libs/lib/pyproject.toml".to_owned());
        insta::assert_snapshot!(text(&LockError::NoProject), @"
        uv.lock cannot be installed from: it is the lock of a project, and pyproject.toml is not there or has no [project]
        Commit the project's own pyproject.toml, and push again
        ");
        insta::assert_snapshot!(text(&LockError::Gone { package, path }), @"
        uv.lock cannot be installed from: lib is from libs/lib/pyproject.toml, which is not in the commit
        1. Commit it, and push again
        2. Or make the lock again without it: uv lock
        3. Or install only what is needed: frozen = true under [dependencies] in nyala.toml
        ");
    }

    #[test]
    fn a_lock_that_does_not_fit_the_site_says_what_to_change() {
        let error = LockError::Python { wanted: ">=3.13".to_owned(), found: "3.12.4".to_owned() };
        insta::assert_snapshot!(text(&error), @"
        uv.lock cannot be installed from: it is for Python >=3.13, and this environment has 3.12.4
        1. Choose a Python that the lock supports, in runtime.txt, such as python-3.13
        2. Or let the project support this Python, and make the lock again: uv lock
        ");
        for (wanted, example) in [
            (">=3.14, <4.0", Some("python-3.14")),
            ("<3.12", Some("python-3.11")),
            ("==3.9.18", Some("python-3.9.18")),
            ("==3.12.*", Some("python-3.12")),
            ("^3.11", None),
        ] {
            assert_eq!(supported(wanted, "3.13.0").as_deref(), example, "{wanted}");
        }
        let there = vec!["dev".to_owned()];
        let (name, suggestion) = ("web".to_owned(), None);
        let error = LockError::NoSuch { kind: "group", name, suggestion, there };
        insta::assert_snapshot!(text(&error), @"
        uv.lock cannot be installed from: there is no group web (there is dev)
        Correct groups or extras under [dependencies] in nyala.toml
        ");
        let names = vec!["cpu".to_owned(), "gpu".to_owned()];
        insta::assert_snapshot!(text(&LockError::Conflicting { names }), @"
        uv.lock cannot be installed from: it says that cpu and gpu cannot be installed together
        Correct groups or extras under [dependencies] in nyala.toml
        ");
        let (package, path) = ("lib".to_owned(), "file:///home/ada/site/wheels".to_owned());
        insta::assert_snapshot!(text(&LockError::Outside { package, path }), @"
        uv.lock cannot be installed from: lib is at file:///home/ada/site/wheels, which is outside the tree
        Name it by its path in the repository, relative to uv.lock, or commit the lock that uv.lock was exported from: this address is one of the machine that made it
        ");
        let (package, path) = ("lib".to_owned(), "../lib".to_owned());
        insta::assert_snapshot!(text(&LockError::Outside { package, path }), @"
        uv.lock cannot be installed from: lib is at ../lib, which is outside the tree
        Move it into the repository, or publish it in an index
        ");
    }

    #[test]
    fn a_file_that_a_lock_is_made_from_is_named() {
        let error = LockError::Syntax { line: 3, why: "invalid key".to_owned() };
        insta::assert_snapshot!(wrong_manifest("Pipfile", &error), @"
        Pipfile cannot be read
        found: invalid key (line 3)
        Correct that line, commit, and push again
        ");
        insta::assert_snapshot!(wrong_manifest("Pipfile", &LockError::Conflict(3)), @"
        Pipfile has merge conflict markers
        found: line 3
        Resolve the conflict, commit, and push again
        ");
    }

    #[test]
    fn what_a_lock_needs_and_the_commit_does_not_have_is_named() {
        insta::assert_snapshot!(not_a_file("uv.lock"), @"
        uv.lock is not a file
        Commit the lock itself, and push again
        ");
        insta::assert_snapshot!(not_in_the_tree("uv.lock", "lib", "lib"), @"
        uv.lock installs lib from lib, which is not in the tree
        Commit it, and push again
        ");
        insta::assert_snapshot!(not_a_project("poetry.lock", "lib", "lib"), @"
        poetry.lock installs lib from lib, which is not a project
        found: neither pyproject.toml nor setup.py in it
        Commit what is missing, and push again
        ");
        insta::assert_snapshot!(another_project("poetry.lock", "lib", "lib", "other"), @r#"
        poetry.lock installs lib from lib, which is another project
        found: name = "other" in its pyproject.toml
        Correct the name or the path, make the lock again, commit, and push again
        "#);
    }
}
