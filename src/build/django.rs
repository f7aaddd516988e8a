//! `manage.py collectstatic`, as Kudu ran it: when the env has Django and the application uses its
//! static files.

use std::path::Path;

use anyhow::{Result, bail};

use crate::console;
use crate::process::{self, ChildError, Environment, Invocation, Limits};

pub const MANAGE: &str = "manage.py";
/// Kudu's way out of everything that has to do with Django.
pub const OPT_OUT: &str = ".skipDjango";

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
    let python = |args: &[&str]| {
        Invocation::new(python).args(args).environment(environment.clone()).limits(limits.clone())
    };
    // In a folder of its own, so that a `django/` in the tree is not taken for it.
    let django = python(&["-c", "import django; print(django.get_version())"]).cwd("/");
    let Ok(version) = process::capture(&django) else {
        console::info("Django static files are not collected: the environment has no Django.");
        return Ok(());
    };
    let help = process::capture(&python(&[MANAGE, "help", "collectstatic"]).cwd(release));
    if let Err(ChildError::Exited { complaint, .. }) = &help
        && complaint.contains("Unknown command")
    {
        console::info(
            "Django static files are not collected: django.contrib.staticfiles is not in the application's INSTALLED_APPS.",
        );
        return Ok(());
    }
    // Any other failure of `help` is one of the settings, and comes again with its whole traceback.
    let step = console::step(format_args!(
        "Collecting Django static files. You can skip Django specific steps with a {OPT_OUT} file."
    ));
    console::info(format_args!("Django {}", version.text()));
    let mut last = String::new();
    let mut no_root = false;
    let collect = python(&[MANAGE, "collectstatic", "--noinput"])
        .cwd(release)
        .named("manage.py collectstatic");
    let ended = process::stream(&collect, &mut |line| {
        no_root |= line.contains("STATIC_ROOT");
        if !line.trim().is_empty() {
            line.trim().clone_into(&mut last);
        }
        console::info(line);
    });
    if let Err(error) = ended {
        let root = if no_root {
            "\nSTATIC_ROOT names the folder to collect into; in the settings: STATIC_ROOT = BASE_DIR / \"static\""
        } else {
            ""
        };
        bail!(
            "Django's static files could not be collected: {error}\n{last}\n\
             The whole traceback is above.{root}\n\
             To deploy without them: commit a file named {OPT_OUT}, or nyala config set DISABLE_COLLECTSTATIC=1"
        );
    }
    step.done();
    Ok(())
}
