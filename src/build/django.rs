//! `manage.py collectstatic`, as Kudu ran it: when the env has Django and the application uses its
//! static files.

mod settings_module;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::console;
use crate::process::{self, ChildError, Environment, Invocation, Limits};
use crate::python::env::site_packages;
use crate::user_error::{Explain, UserError};

/// What Django prints where neither manage.py nor the environment names its settings, before it
/// says that a command is unknown.
const NO_SETTINGS: &str = "No Django settings specified";

pub const MANAGE: &str = "manage.py";
/// Kudu's way out of everything that has to do with Django.
pub const OPT_OUT: &str = ".skipDjango";
/// Heroku's way out of collecting static files.
pub const HEROKUS_OPT_OUT: &str = ".heroku/collectstatic_disabled";

/// Prints Django's version, or nothing when the env has none. Everything else fails: a Django that
/// is there and cannot be imported, or a Python that does not start. It runs on Python 2.7 too.
const PROBE: &str = "
try:
    import django
except ImportError as error:
    name = getattr(error, 'name', None) or str(error).split()[-1].strip('\"\\'')
    if name != 'django':
        raise
else:
    # What other packages put into a folder of that name is no Django.
    if hasattr(django, 'get_version'):
        print('Django ' + django.get_version())
";
/// What comes before the version: a file that Python runs when it starts may print as well.
const MARK: &str = "Django ";

/// Whether an env has Django, as far as the names of its files tell. Nothing is run.
pub fn is_in(env: &Path) -> bool {
    let is_djangos = |name: &str| {
        let name = name.to_ascii_lowercase();
        let rest = name.strip_prefix("django");
        rest.is_some_and(|rest| {
            let version = rest.strip_prefix('-').unwrap_or_default();
            rest.is_empty() || rest == ".egg-link" || version.starts_with(|c: char| c.is_numeric())
        })
    };
    let folder = site_packages(env).and_then(|folder| fs::read_dir(folder).ok());
    let mut entries = folder.into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name().to_str().is_some_and(is_djangos))
}

/// Collects the static files with the env's own interpreter, in the release's folder; or says why
/// it does not.
///
/// Whether Django is there is asked of the env, and whether it collects static files of the
/// application: what requirements say proves neither. Fails when `collectstatic` does, its
/// traceback being in the log.
pub fn collectstatic(
    python: &Path,
    release: &Path,
    environment: &Environment,
    limits: &Limits,
) -> Result<()> {
    let mut environment = environment.clone();
    let python = |args: &[&str], environment: &Environment| {
        Invocation::new(python).args(args).environment(environment.clone()).limits(limits.clone())
    };
    // In a folder of its own, so that a `django/` in the tree is not taken for it.
    let django = process::capture(&python(&["-c", PROBE], &environment).cwd("/"));
    let django = django.map_err(|error| cannot_import(&error))?.text();
    let Some(version) = django.lines().rev().find_map(|line| line.strip_prefix(MARK)) else {
        console::info("Django static files are not collected: the environment has no Django.");
        return Ok(());
    };
    let help = |environment: &Environment| {
        let help = python(&[MANAGE, "help", "collectstatic"], environment).cwd(release);
        match process::capture(&help) {
            Err(ChildError::Exited { complaint, .. }) => complaint,
            _ => String::new(),
        }
    };
    let mut complaint = help(&environment);
    if complaint.contains(NO_SETTINGS) {
        // Without settings, Django knows the commands of none of the applications.
        let named = settings_module::named_below(release);
        let [(module, file)] = Vec::from_iter(&named)[..] else {
            console::warning(no_settings(&named));
            return Ok(());
        };
        console::info(format_args!(
            "{MANAGE} names no settings; {} names {module}.",
            file.display()
        ));
        environment = environment.set(settings_module::VARIABLE, module);
        complaint = help(&environment);
    }
    if complaint.contains("Unknown command") {
        console::info(
            "Django static files are not collected: django.contrib.staticfiles is not in the \
             application's INSTALLED_APPS.",
        );
        return Ok(());
    }
    // Any other failure of `help` is one of the settings, and comes again with its whole traceback.
    let step = console::step(format_args!(
        "Collecting Django static files. You can skip Django specific steps with a {OPT_OUT} file."
    ));
    console::info(format_args!("Django {version}"));
    let mut last = String::new();
    let mut no_root = false;
    let collect = python(&[MANAGE, "collectstatic", "--noinput"], &environment)
        .cwd(release)
        .named("manage.py collectstatic");
    let ended = process::stream(&collect, &mut |line| {
        no_root |= line.contains("STATIC_ROOT");
        if !line.trim().is_empty() {
            line.trim().clone_into(&mut last);
        }
        console::info(line);
    });
    ended.explain(|| cannot_collect(&last, no_root))?;
    step.done();
    Ok(())
}

/// The warning for an application whose settings are not known, so that nobody can say whether it
/// has static files.
fn no_settings(named: &BTreeMap<String, PathBuf>) -> String {
    let found = if named.is_empty() {
        "no wsgi.py or asgi.py names them".to_owned()
    } else {
        let named = named.iter().map(|(module, file)| format!("{module} ({})", file.display()));
        format!("several are named: {}", named.collect::<Vec<_>>().join(", "))
    };
    format!(
        "Django static files are not collected: {MANAGE} names no settings, and {found}. \
         Name them: nyala config set {}=mysite.settings",
        settings_module::VARIABLE
    )
}

/// The error of a Django that is there, and does not work.
fn cannot_import(error: &ChildError) -> UserError {
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
        told.fix("Correct the requirements or the app settings, and push again")
    };
    told.fix(format!("Or, if the application does not use Django: commit a file named {OPT_OUT}"))
}

fn cannot_collect(last: &str, no_root: bool) -> UserError {
    let error = UserError::new("Django's static files could not be collected").found(last);
    if let Some(name) = missing_variable(last) {
        return error
            .fix(format!("Set it for this site: nyala config set {name}=…"))
            .fix("Deploy again: nyala redeploy");
    }
    let error = if last.ends_with("No module named 'pkg_resources'") {
        error.fix(
            "Add setuptools<81 to the requirements, which has it: an environment of uv's, or of \
             Python 3.12 or later, comes without it",
        )
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
    use crate::process::Called;

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
            ChildError::Exited { command: Called { name, command }, code: 1, complaint }
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
        1. Correct the requirements or the app settings, and push again
        2. Or, if the application does not use Django: commit a file named .skipDjango
        ");
    }

    #[test]
    fn an_env_has_django_by_the_names_of_its_files() {
        let is_in = |name: &str| {
            let env = tempfile::tempdir().unwrap();
            let folder = env.path().join("lib/python3.12/site-packages").join(name);
            crate::disk::create_dir_all(&folder).unwrap();
            is_in(env.path())
        };
        for name in ["django", "Django-4.2.dist-info", "django-5.1.1.dist-info", "Django.egg-link"]
        {
            assert!(is_in(name), "{name}");
        }
        for name in ["django_filter", "django-filter.egg-link", "djangorestframework", "flask"] {
            assert!(!is_in(name), "{name}");
        }
        assert!(!super::is_in(Path::new("/nowhere")));
    }

    #[test]
    fn every_error_says_what_to_do() {
        insta::assert_snapshot!(cannot_collect("KeyError: 'SECRET_KEY'", false), @r"
        Django's static files could not be collected
        found: KeyError: 'SECRET_KEY'
        1. Set it for this site: nyala config set SECRET_KEY=…
        2. Deploy again: nyala redeploy
        ");
        insta::assert_snapshot!(cannot_collect("ValueError: no", false), @r"
        Django's static files could not be collected
        found: ValueError: no
        1. See the whole traceback above
        2. To deploy without them: commit a file named .skipDjango, or nyala config set DISABLE_COLLECTSTATIC=1
        ");
        let no_pkg_resources = "ModuleNotFoundError: No module named 'pkg_resources'";
        insta::assert_snapshot!(cannot_collect(no_pkg_resources, false), @r"
        Django's static files could not be collected
        found: ModuleNotFoundError: No module named 'pkg_resources'
        1. Add setuptools<81 to the requirements, which has it: an environment of uv's, or of Python 3.12 or later, comes without it
        2. See the whole traceback above
        3. To deploy without them: commit a file named .skipDjango, or nyala config set DISABLE_COLLECTSTATIC=1
        ");
        let no_root = "ImproperlyConfigured: without having set the STATIC_ROOT setting";
        insta::assert_snapshot!(cannot_collect(no_root, true), @r#"
        Django's static files could not be collected
        found: ImproperlyConfigured: without having set the STATIC_ROOT setting
        1. See the whole traceback above
        2. STATIC_ROOT names the folder to collect into; in the settings: STATIC_ROOT = BASE_DIR / "static"
        3. To deploy without them: commit a file named .skipDjango, or nyala config set DISABLE_COLLECTSTATIC=1
        "#);
    }
}
