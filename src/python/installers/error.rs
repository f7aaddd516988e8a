//! What keeps an installer from working, in words for people.

use std::path::{Path, PathBuf};

use super::Installer;
use super::causes::Cause;
use super::excerpt::Told;
use super::hashes::Required;
use crate::python::version::{Version, Wanted};
use crate::text::shell_word;
use crate::user_error::UserError;

pub(super) const LET_PIP: &str = "Or let pip install: installer = \"pip\" in nyala.toml";

/// There is no uv in any of these folders.
pub(super) fn no_uv(places: &[PathBuf]) -> UserError {
    let places: Vec<_> = places.iter().map(|folder| folder.display().to_string()).collect();
    UserError::new("there is no uv on this machine, and it could not be downloaded")
        .labelled("looked in", places.join(", "))
        .fix("Install it for the site's user: https://docs.astral.sh/uv/#installation")
        .fix(LET_PIP)
}

/// `requirement` is such as `pip<24.1`.
pub(super) fn cannot_replace_pip(requirement: &str) -> UserError {
    UserError::new(format!("{requirement} could not be installed into the environment"))
        .fix("Correct pip in nyala.toml, or remove it there")
}

/// `output` is the end of what `uv` printed.
pub(super) fn cannot_install_python(uv: &Path, wanted: &Wanted, output: &[String]) -> UserError {
    let error = UserError::new(format!("Python {wanted} could not be installed with uv"))
        .with_output(output);
    if output.iter().any(|line| line.contains("No download found")) {
        return error
            .fix(format!(
                "Ask for a version that uv knows: {} python list --all-versions",
                shell_word(uv)
            ))
            .fix("Or update uv, which may not know the newest: nyala uv install");
    }
    error
        .fix(
            "If this machine cannot reach github.com, set UV_PYTHON_INSTALL_MIRROR to a mirror: \
             https://docs.astral.sh/uv/reference/environment/#uv_python_install_mirror",
        )
        .fix("Or install it another way, for example with pyenv, or from the distribution")
}

pub(super) fn too_old_for_uv(version: &Version) -> UserError {
    UserError::new(format!("uv cannot create an environment for Python {version}"))
        .labelled("allowed", "Python 3.6 or later")
        .fix("Ask for a later one, such as python-3.12 in runtime.txt")
        .fix(LET_PIP)
}

/// Each of `refused` is a setting of pip or an option in a requirements file, and its place.
pub(super) fn uv_cannot(refused: &[String]) -> UserError {
    UserError::new(format!("uv cannot do what is asked for: {}", refused.join("; ")))
        .fix("Remove the setting")
        .fix(LET_PIP)
        .fix("Or for one deployment: git push -o installer=pip")
}

/// Hashes are required of `folders` of the commit, and of repositories.
pub(super) fn without_hash(
    folders: &[String],
    repositories: &[String],
    required: &Required,
) -> UserError {
    let names = [folders, repositories].concat().join(", ");
    let error = UserError::new(format!("hashes are required, and {names} can have none"))
        .found(required.found());
    let error = match folders {
        [] => error.fix("Install it from an index, or as an archive that has a hash"),
        _ => error.fix("Lock the project, for example with uv lock: there, a folder needs no hash"),
    };
    error.fix(required.undone())
}

/// Hashes are required, and a lock has none for these packages.
pub(super) fn locked_without_hash(
    lock: &str,
    packages: &[String],
    required: &Required,
) -> UserError {
    let packages = packages.join(", ");
    UserError::new(format!("hashes are required, and {lock} has none for {packages}"))
        .found(required.found())
        .fix("Take them from an index, lock again, commit the lock, and push again")
        .fix(required.undone())
}

impl Required {
    fn found(&self) -> String {
        match self {
            Required::Setting(by) => format!("require-hashes ({by})"),
            Required::Line(line) => format!("{line} requires hashes of all"),
        }
    }

    /// How to do without required hashes.
    fn undone(&self) -> String {
        match self {
            Required::Setting(file) if file.contains('/') => {
                format!("Or remove require-hashes from {file}")
            }
            Required::Setting(name) => {
                format!("Or do not require them: nyala config unset {name}")
            }
            Required::Line(_) => "Or remove the hashes from the requirements".to_owned(),
        }
    }
}

/// An installer exited with this status.
pub(super) fn failed(installer: Installer, code: i32, told: Told) -> UserError {
    let name = installer.name();
    let Told { cause, lines, fixes } = told;
    let fact = cause.unwrap_or_else(|| format!("{name} exited with status {code}"));
    let error = UserError::new(fact).with_output(&lines);
    if fixes.is_empty() {
        error.fix(format!("See the output of {name} above"))
    } else {
        error.fixes(fixes)
    }
}

/// What was installed is for other Pythons.
pub(super) fn is_for_other_python(cause: Cause) -> UserError {
    UserError::new(cause.fact).fixes(cause.fixes)
}

/// The uv that was downloaded.
pub(super) fn uv_does_not_run() -> UserError {
    UserError::new("the uv of the index does not run on this machine")
        .fix("Install uv another way: https://docs.astral.sh/uv/#installation")
        .fix(LET_PIP)
}

pub(super) fn no_python_to_download_with() -> UserError {
    UserError::new("no Python on this machine can download it")
        .found("none of them has ensurepip")
        .fix("On Debian and Ubuntu: apt install python3-venv")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_about_uv_say_how_to_go_on_with_pip() {
        insta::assert_snapshot!(no_uv(&["/usr/bin".into(), "/usr/local/bin".into()]), @r#"
        there is no uv on this machine, and it could not be downloaded
        looked in: /usr/bin, /usr/local/bin
        1. Install it for the site's user: https://docs.astral.sh/uv/#installation
        2. Or let pip install: installer = "pip" in nyala.toml
        "#);
        insta::assert_snapshot!(cannot_replace_pip("pip<1"), @r"
        pip<1 could not be installed into the environment
        Correct pip in nyala.toml, or remove it there
        ");
        let wanted = Wanted::Minor { major: 3, minor: 12 };
        let output = ["error: Failed to download".to_owned()];
        insta::assert_snapshot!(cannot_install_python(Path::new("/opt/uv"), &wanted, &output), @r"
        Python 3.12 could not be installed with uv
        output: error: Failed to download
        1. If this machine cannot reach github.com, set UV_PYTHON_INSTALL_MIRROR to a mirror: https://docs.astral.sh/uv/reference/environment/#uv_python_install_mirror
        2. Or install it another way, for example with pyenv, or from the distribution
        ");
        let output = ["error: No download found for request: cpython-9.9".to_owned()];
        insta::assert_snapshot!(cannot_install_python(Path::new("/opt/uv"), &wanted, &output), @r"
        Python 3.12 could not be installed with uv
        output: error: No download found for request: cpython-9.9
        1. Ask for a version that uv knows: /opt/uv python list --all-versions
        2. Or update uv, which may not know the newest: nyala uv install
        ");
        insta::assert_snapshot!(too_old_for_uv(&Version::new(2, 7, 18)), @r#"
        uv cannot create an environment for Python 2.7.18
        allowed: Python 3.6 or later
        1. Ask for a later one, such as python-3.12 in runtime.txt
        2. Or let pip install: installer = "pip" in nyala.toml
        "#);
        insta::assert_snapshot!(uv_cannot(&["pip's platform (PIP_PLATFORM)".to_owned()]), @r#"
        uv cannot do what is asked for: pip's platform (PIP_PLATFORM)
        1. Remove the setting
        2. Or let pip install: installer = "pip" in nyala.toml
        3. Or for one deployment: git push -o installer=pip
        "#);
    }

    #[test]
    fn an_installer_that_failed_shows_what_explains_it() {
        insta::assert_snapshot!(failed(Installer::Pip, 2, Told::default()), @"
        pip exited with status 2
        See the output of pip above
        ");
        let lines = vec!["error: command 'gcc' failed".to_owned()];
        let fixes = vec!["On Debian and Ubuntu: apt install gcc".to_owned()];
        let told = Told { cause: None, lines, fixes };
        insta::assert_snapshot!(failed(Installer::Uv, 1, told), @"
        uv exited with status 1
        output: error: command 'gcc' failed
        On Debian and Ubuntu: apt install gcc
        ");
        let cause = Some("six has no version 9".to_owned());
        let told = Told { cause, fixes: vec!["Correct it".to_owned()], ..Told::default() };
        insta::assert_snapshot!(failed(Installer::Uv, 1, told), @"
        six has no version 9
        Correct it
        ");
    }

    #[test]
    fn what_has_no_hash_where_hashes_are_required_is_named() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let setting = Required::Setting("PIP_REQUIRE_HASHES".to_owned());
        let folders = names(&["the project itself", "lib"]);
        insta::assert_snapshot!(without_hash(&folders, &names(&["flask"]), &setting), @"
        hashes are required, and the project itself, lib, flask can have none
        found: require-hashes (PIP_REQUIRE_HASHES)
        1. Lock the project, for example with uv lock: there, a folder needs no hash
        2. Or do not require them: nyala config unset PIP_REQUIRE_HASHES
        ");
        let line = Required::Line("line 2 of requirements.txt".to_owned());
        insta::assert_snapshot!(without_hash(&[], &names(&["flask"]), &line), @"
        hashes are required, and flask can have none
        found: line 2 of requirements.txt requires hashes of all
        1. Install it from an index, or as an archive that has a hash
        2. Or remove the hashes from the requirements
        ");
        let file = Required::Setting("/home/me/.config/pip/pip.conf".to_owned());
        insta::assert_snapshot!(locked_without_hash("uv.lock", &names(&["flask"]), &file), @"
        hashes are required, and uv.lock has none for flask
        found: require-hashes (/home/me/.config/pip/pip.conf)
        1. Take them from an index, lock again, commit the lock, and push again
        2. Or remove require-hashes from /home/me/.config/pip/pip.conf
        ");
    }

    #[test]
    fn a_uv_that_cannot_be_had_says_what_to_do() {
        insta::assert_snapshot!(uv_does_not_run(), @r#"
        the uv of the index does not run on this machine
        1. Install uv another way: https://docs.astral.sh/uv/#installation
        2. Or let pip install: installer = "pip" in nyala.toml
        "#);
        insta::assert_snapshot!(no_python_to_download_with(), @"
        no Python on this machine can download it
        found: none of them has ensurepip
        On Debian and Ubuntu: apt install python3-venv
        ");
    }
}
