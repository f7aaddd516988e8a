//! The build steps, as the worker takes them and as `nyala step` offers them to a project's own
//! script.

use anyhow::Result;

use super::StepContext;
use crate::build::{Collectstatic, OwnCommand, custom, django};
use crate::console;
use crate::disk;
use crate::git::Repository;
use crate::plan::Plan;
use crate::process::Environment;
use crate::python::dependencies::folders_with;
use crate::python::env;
use crate::site::Record;
use crate::text::escaped;

/// Runs what the project wants run before its env is made.
pub fn pre_build(context: &StepContext<'_>, record: &Record, plan: &Plan) -> Result<()> {
    run_all(&plan.build.pre_build, context, &environment(context, record, plan)?)
}

/// Runs what the project wants run when everything else is built, in its env.
pub fn post_build(context: &StepContext<'_>, record: &Record, plan: &Plan) -> Result<()> {
    let release = context.site.release(record.id);
    run_all(
        &plan.build.post_build,
        context,
        &custom::in_env(environment(context, record, plan)?, &release),
    )
}

/// Runs the command that a project wants run once before its new release is started.
pub fn release_command(
    own: &OwnCommand,
    context: &StepContext<'_>,
    record: &Record,
    plan: &Plan,
) -> Result<()> {
    let release = context.site.release(record.id);
    let environment = custom::in_env(environment(context, record, plan)?, &release);
    custom::run_own(own, &release, environment, context.limits.clone())
}

/// The folder of Django's manage.py, relative to the release; `None` when there is none.
pub fn manage_folder(
    context: &StepContext<'_>,
    repository: &Repository,
    plan: &Plan,
) -> Result<Option<String>> {
    let folders = match manage_folders_known(context, plan) {
        Some(known) => known,
        None => manage_folders_below(repository, plan)?,
    };
    say_if_several(&folders);
    Ok(folders.into_iter().next())
}

/// The folders that have a manage.py, as far as that is known without a look below the top: there,
/// one only counts when the env has Django.
pub(super) fn manage_folders_known(context: &StepContext<'_>, plan: &Plan) -> Option<Vec<String>> {
    if plan.build.collectstatic == Collectstatic::NotDjango {
        return Some(Vec::new());
    }
    if plan.build.has_manage {
        return Some(vec![String::new()]);
    }
    (!django::is_in(&context.site.env_link(context.deployment))).then(Vec::new)
}

/// The folders below the top that have a manage.py, the nearest first. All folders of a large tree
/// are read for it.
pub(super) fn manage_folders_below(repository: &Repository, plan: &Plan) -> Result<Vec<String>> {
    folders_with(&repository.tree_at(plan.tree)?, &[django::MANAGE])
}

pub(super) fn say_if_several(folders: &[String]) {
    let others: Vec<_> = folders.iter().skip(1).map(|folder| escaped(folder).to_string()).collect();
    if let Some(first) = others.first() {
        console::info(format_args!(
            "There are several manage.py files, also in {}. To deploy another folder alone: \
             project = \"{first}\" in nyala.toml",
            others.join(", ")
        ));
    }
}

/// Collects Django's static files into the release, or says why not. `folder` is that of manage.py.
pub fn collectstatic(
    context: &StepContext<'_>,
    record: &Record,
    plan: &Plan,
    folder: &str,
) -> Result<()> {
    match &plan.build.collectstatic {
        Collectstatic::NotDjango => return Ok(()),
        Collectstatic::Off(why) => {
            console::info(format_args!("Django static files are not collected: {why}."));
            return Ok(());
        }
        Collectstatic::IfInstalled => {}
    }
    let release = context.site.release(record.id);
    let python = env::python(&context.site.env_link(record.id));
    if !python.exists() {
        console::info("Django static files are not collected: the release has no environment.");
        return Ok(());
    }
    let environment = custom::in_env(environment(context, record, plan)?, &release);
    if !folder.is_empty() {
        console::info(format_args!("Django's manage.py is in {}.", escaped(folder)));
    }
    let project = django::Project {
        python: &python,
        folder: &release.join(folder),
        left_out: &plan.left_out,
    };
    django::collectstatic(&project, &environment, &context.limits)
}

fn run_all(
    commands: &[OwnCommand],
    context: &StepContext<'_>,
    environment: &Environment,
) -> Result<()> {
    let StepContext { site, deployment, app_settings, limits, .. } = context;
    let release = site.release(*deployment);
    commands.iter().try_for_each(|own| {
        let environment = if own.file.is_some() {
            custom::for_herokus_hooks(
                environment.clone(),
                app_settings.iter(),
                &release,
                &site.hooks_cache(),
                &site.temporary(*deployment),
            )?
        } else {
            environment.clone()
        };
        custom::run_own(own, &release, environment, limits.clone())
    })
}

/// The environment of a command of the project: installers install into the deployment's env.
pub(super) fn confined(context: &StepContext<'_>) -> Environment {
    let StepContext { site, deployment, installer, environment, .. } = context;
    let env = site.env((*deployment).into());
    installer.confined(environment, &env, &site.release(*deployment)).0
}

fn environment(context: &StepContext<'_>, record: &Record, plan: &Plan) -> Result<Environment> {
    let temporary = context.site.temporary(record.id);
    disk::create_dir_all(&temporary)?;
    custom::environment(
        confined(context),
        context.site,
        record,
        &plan.build.settings,
        None,
        &temporary,
    )
}
