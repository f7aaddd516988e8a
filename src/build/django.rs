//! `manage.py collectstatic`, as Kudu ran it: when the env has Django and the application uses its
//! static files.

mod settings_module;
mod static_files;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::error;
use crate::console;
use crate::process::{self, ChildError, Environment, Invocation, Limits};
use crate::processes::DJANGO_SETTINGS;
use crate::python::env::site_packages;
use crate::user_error::Explain;

pub use static_files::{StaticFiles, static_files};

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

/// The folder of the manage.py of a release, relative to it: its top, or else the nearest of those
/// below, as its record has them.
pub fn manage_folder<'r>(release: &Path, below: Option<&'r [String]>) -> Option<&'r str> {
    if release.join(MANAGE).is_file() { Some("") } else { Some(below?.first()?) }
}

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

/// A Django project in a release.
#[derive(Debug)]
pub struct Project<'a> {
    /// The env's interpreter.
    pub python: &'a Path,
    /// The folder of its manage.py.
    pub folder: &'a Path,
    /// The groups and extras that are not installed, such as `group dev`.
    pub left_out: &'a [String],
}

/// Collects the static files with the env's own interpreter, in the release's folder; or says why
/// it does not.
///
/// Whether Django is there is asked of the env, and whether it collects static files of the
/// application: what requirements say proves neither. Fails when `collectstatic` does, its
/// traceback being in the log.
pub fn collectstatic(
    project: &Project<'_>,
    environment: &Environment,
    limits: &Limits,
) -> Result<()> {
    let &Project { python, folder: release, left_out } = project;
    let mut environment = environment.clone();
    let python = |args: &[&str], environment: &Environment| {
        Invocation::new(python).args(args).environment(environment.clone()).limits(limits.clone())
    };
    // In a folder of its own, so that a `django/` in the tree is not taken for it.
    let django = process::capture(&python(&["-c", PROBE], &environment).cwd("/"));
    let django = django.map_err(|error| error::cannot_import(&error))?.text();
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
            console::warning(no_settings(&named, &settings_module::candidates(release)));
            return Ok(());
        };
        console::info(format_args!(
            "{MANAGE} names no settings; {} names {module}.",
            file.display()
        ));
        environment = environment.set(DJANGO_SETTINGS, module);
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
    console::detail(format_args!("Django {version}"));
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
    ended.explain(|| error::cannot_collect(&last, no_root, left_out))?;
    step.quietly_done();
    Ok(())
}

/// The warning for an application whose settings are not known, so that nobody can say whether it
/// has static files.
fn no_settings(named: &BTreeMap<String, PathBuf>, candidates: &[String]) -> String {
    const SHOWN: usize = 4;
    let found = if named.is_empty() {
        "no wsgi.py or asgi.py names them".to_owned()
    } else {
        let named = named.iter().map(|(module, file)| format!("{module} ({})", file.display()));
        format!("several are named: {}", named.collect::<Vec<_>>().join(", "))
    };
    let there = match candidates {
        [] => String::new(),
        [one] => format!(" There is {one}."),
        several => format!(" There are {}.", several[..several.len().min(SHOWN)].join(", ")),
    };
    let first = candidates.first().map_or("mysite.settings", String::as_str);
    format!(
        "Django static files are not collected: {MANAGE} names no settings, and {found}.{there} \
         Name them: nyala config set {DJANGO_SETTINGS}={first}",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
