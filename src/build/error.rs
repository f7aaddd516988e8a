//! Why the build of a release failed, in words for people.

use super::django::OPT_OUT;
use crate::process::ChildError;
use crate::settings::Sourced;
use crate::text::escaped;
use crate::user_error::UserError;

/// A `project` that is none. `fact` says what it is instead.
pub(super) fn not_a_folder(said: &Sourced<String>, fact: &str) -> UserError {
    wrong_project(said, fact).fix("See all folders: git ls-tree -d --name-only -r HEAD")
}

pub(super) fn outside_the_commit(said: &Sourced<String>) -> UserError {
    wrong_project(said, "it leads out of the commit")
        .fix("Name a folder inside the commit, such as `web`")
}

fn wrong_project(said: &Sourced<String>, fact: &str) -> UserError {
    UserError::new(format!(
        "the project `{}` is not a folder of this commit: {fact} ({})",
        said.value.escape_debug(),
        said.source
    ))
}

/// The command that takes the place of the env, install and build steps.
///
/// `said` are the lines of its output that explain it.
pub(super) fn command_failed(command: &Sourced<String>, said: &[String]) -> UserError {
    let Sourced { value, source } = command;
    UserError::new(format!("the project's deployment command failed: {}", escaped(value)))
        .found(format!("it is set by {source}"))
        .with_output(said)
}

/// A command that comes before or after the build; `by` is what names it.
pub(super) fn own_command_failed(command: &str, by: &str, said: &[String]) -> UserError {
    UserError::new(format!("{} failed ({by})", escaped(command)))
        .with_output(said)
        .fix("See its output above; correct the command or remove it, commit, and push again")
}

/// The error of a Django that is there, and does not work.
pub(super) fn cannot_import(error: &ChildError) -> UserError {
    let last = match error {
        ChildError::Exited { complaint, .. } => complaint.lines().next_back().unwrap_or_default(),
        _ => "",
    };
    let is_import = last.starts_with("ImportError: ") || last.starts_with("ModuleNotFoundError: ");
    let told = if is_import {
        UserError::new("the environment has Django, but it cannot be imported").found(last)
    } else {
        let asking = UserError::new("the environment's Python cannot say whether it has Django");
        asking.and(error.user_error())
    };
    let told = if last.ends_with("No module named 'distutils'") {
        told.fix("Ask for a newer Django: Python 3.12 and later have no distutils")
            .fix("Or add setuptools, which has one, to the requirements")
            .fix("Or use an older Python: echo python-3.11 > runtime.txt")
    } else {
        told.fix(
            "Correct the requirements, commit, and push again; or correct the app settings, and \
             deploy again",
        )
    };
    told.fix(format!("Or, if the application does not use Django: commit a file named {OPT_OUT}"))
}

/// `left_out` are the groups and extras that are not installed, such as `group dev`.
pub(super) fn cannot_collect(last: &str, no_root: bool, left_out: &[String]) -> UserError {
    let error = UserError::new("Django's static files could not be collected").found(last);
    if let Some(name) = missing_variable(last) {
        return error
            .fix(format!("Set it for this site: nyala config set {name}=…"))
            .fix("Deploy again: nyala redeploy");
    }
    let error = if last.ends_with("No module named 'pkg_resources'") {
        error.fix(
            "Add setuptools<81 to the requirements, which has it: an environment made by uv, or of \
             Python 3.12 or later, comes without it",
        )
    } else {
        error
    };
    let error = match missing_module(last) {
        Some(module) if !left_out.is_empty() => error.fix(format!(
            "If {module} is in one of those that are not installed ({}), choose it: groups or \
             extras under [dependencies] in nyala.toml",
            left_out.join(", ")
        )),
        _ => error,
    };
    let error = if last.contains("unable to open database file") {
        error
            .fix("If its folder is not in the commit, share one: shared = [\"data\"] in nyala.toml")
    } else {
        error
    };
    let error = error.fix("See the whole traceback above");
    let error = if no_root {
        error.fix(
            "STATIC_ROOT names the folder to collect into; in the settings: \
             STATIC_ROOT = BASE_DIR / \"static\"",
        )
    } else {
        error
    };
    error.fix(format!(
        "To deploy without them: commit a file named {OPT_OUT}, \
         or nyala config set DISABLE_COLLECTSTATIC=1"
    ))
}

/// The module that could not be imported, by the last line of the traceback.
fn missing_module(last: &str) -> Option<&str> {
    let (_, rest) = last.split_once("No module named '")?;
    rest.split(['\'', '.']).next().filter(|module| *module != "pkg_resources")
}

/// The environment variable that settings lack, by the last line of the traceback: as `os.environ`,
/// Django, django-environ and python-decouple say it.
fn missing_variable(last: &str) -> Option<&str> {
    let between = |before: &str, after: &str| {
        let (_, rest) = last.split_once(before)?;
        Some(rest.split_once(after)?.0)
    };
    let name = between("KeyError: '", "'")
        .or_else(|| between("Set the ", " environment variable"))
        .or_else(|| between("UndefinedValueError: ", " not found"))
        .or_else(|| between("The ", " setting must not be empty"))?;
    let is_name =
        |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::CommandLabel;
    use crate::settings::SettingSource;

    #[test]
    fn a_missing_variable_is_found_however_it_is_said() {
        for last in [
            "KeyError: 'SECRET_KEY'",
            "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be \
             empty.",
            "django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY environment variable",
            "decouple.UndefinedValueError: SECRET_KEY not found. Declare it as envvar or define a \
             default value.",
        ] {
            assert_eq!(missing_variable(last), Some("SECRET_KEY"), "{last}");
        }
        for last in ["KeyError: 'name'", "KeyError: ''", "ValueError: no", ""] {
            assert_eq!(missing_variable(last), None, "{last}");
        }
    }

    #[test]
    fn a_django_that_cannot_be_imported_is_an_error_with_its_last_line() {
        let exited = |complaint: &str| {
            let (name, command) = (None, "python -c …".to_owned());
            let complaint = complaint.to_owned();
            ChildError::Exited { command: CommandLabel { name, command }, code: 1, complaint }
        };
        let error = cannot_import(&exited(
            "Traceback (most recent call last):\nModuleNotFoundError: No module named 'distutils'",
        ));
        insta::assert_snapshot!(error, @r"
        the environment has Django, but it cannot be imported
        found: ModuleNotFoundError: No module named 'distutils'
        1. Ask for a newer Django: Python 3.12 and later have no distutils
        2. Or add setuptools, which has one, to the requirements
        3. Or use an older Python: echo python-3.11 > runtime.txt
        4. Or, if the application does not use Django: commit a file named .skipDjango
        ");
        let error = cannot_import(&exited(
            "Fatal Python error: init_fs_encoding: failed to get the Python codec\n\
             ModuleNotFoundError: No module named 'encodings'\n  <no Python frame>",
        ));
        insta::assert_snapshot!(error, @r"
        the environment's Python cannot say whether it has Django
        output: Fatal Python error: init_fs_encoding: failed to get the Python codec
                ModuleNotFoundError: No module named 'encodings'
                  <no Python frame>
        1. Correct the requirements, commit, and push again; or correct the app settings, and deploy again
        2. Or, if the application does not use Django: commit a file named .skipDjango
        ");
    }

    #[test]
    fn every_error_says_what_to_do() {
        insta::assert_snapshot!(cannot_collect("KeyError: 'SECRET_KEY'", false, &[]), @r"
        Django's static files could not be collected
        found: KeyError: 'SECRET_KEY'
        1. Set it for this site: nyala config set SECRET_KEY=…
        2. Deploy again: nyala redeploy
        ");
        insta::assert_snapshot!(cannot_collect("ValueError: no", false, &[]), @r"
        Django's static files could not be collected
        found: ValueError: no
        1. See the whole traceback above
        2. To deploy without them: commit a file named .skipDjango, or nyala config set DISABLE_COLLECTSTATIC=1
        ");
        let no_pkg_resources = "ModuleNotFoundError: No module named 'pkg_resources'";
        insta::assert_snapshot!(cannot_collect(no_pkg_resources, false, &[]), @r"
        Django's static files could not be collected
        found: ModuleNotFoundError: No module named 'pkg_resources'
        1. Add setuptools<81 to the requirements, which has it: an environment made by uv, or of Python 3.12 or later, comes without it
        2. See the whole traceback above
        3. To deploy without them: commit a file named .skipDjango, or nyala config set DISABLE_COLLECTSTATIC=1
        ");
        let no_module = "ModuleNotFoundError: No module named 'pytest.mark'";
        let left_out = ["group dev".to_owned(), "extra postgres".to_owned()];
        insta::assert_snapshot!(cannot_collect(no_module, false, &left_out), @r"
        Django's static files could not be collected
        found: ModuleNotFoundError: No module named 'pytest.mark'
        1. If pytest is in one of those that are not installed (group dev, extra postgres), choose it: groups or extras under [dependencies] in nyala.toml
        2. See the whole traceback above
        3. To deploy without them: commit a file named .skipDjango, or nyala config set DISABLE_COLLECTSTATIC=1
        ");
        let no_database = "sqlite3.OperationalError: unable to open database file";
        insta::assert_snapshot!(cannot_collect(no_database, false, &[]), @r#"
        Django's static files could not be collected
        found: sqlite3.OperationalError: unable to open database file
        1. If its folder is not in the commit, share one: shared = ["data"] in nyala.toml
        2. See the whole traceback above
        3. To deploy without them: commit a file named .skipDjango, or nyala config set DISABLE_COLLECTSTATIC=1
        "#);
        let no_root = "ImproperlyConfigured: without having set the STATIC_ROOT setting";
        insta::assert_snapshot!(cannot_collect(no_root, true, &[]), @r#"
        Django's static files could not be collected
        found: ImproperlyConfigured: without having set the STATIC_ROOT setting
        1. See the whole traceback above
        2. STATIC_ROOT names the folder to collect into; in the settings: STATIC_ROOT = BASE_DIR / "static"
        3. To deploy without them: commit a file named .skipDjango, or nyala config set DISABLE_COLLECTSTATIC=1
        "#);
    }

    #[test]
    fn a_project_that_is_no_folder_is_named_with_its_source() {
        let said = Sourced::new("wbe".to_owned(), SettingSource::SiteSettings("project"));
        insta::assert_snapshot!(not_a_folder(&said, "there is nothing of that name"), @"
        the project `wbe` is not a folder of this commit: there is nothing of that name (project in nyala.toml)
        See all folders: git ls-tree -d --name-only -r HEAD
        ");
        insta::assert_snapshot!(outside_the_commit(&said), @"
        the project `wbe` is not a folder of this commit: it leads out of the commit (project in nyala.toml)
        Name a folder inside the commit, such as `web`
        ");
    }

    #[test]
    fn a_command_of_the_project_that_failed_is_named_with_its_source() {
        let source = SettingSource::DeploymentFile("command".to_owned());
        let command = Sourced::new("./deploy.sh".to_owned(), source);
        insta::assert_snapshot!(command_failed(&command, &[]), @"
        the project's deployment command failed: ./deploy.sh
        found: it is set by command in .deployment
        ");
        insta::assert_snapshot!(own_command_failed("make css", "PRE_BUILD_COMMAND", &[]), @"
        make css failed (PRE_BUILD_COMMAND)
        See its output above; correct the command or remove it, commit, and push again
        ");
    }
}
