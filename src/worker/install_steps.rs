//! Installs what the plan names into the env of a deployment.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::StepContext;
use super::env_steps::{create_instead, make_env, mark};
use super::env_ties;
use crate::console;
use crate::disk;
use crate::plan::{Decision, Plan};
use crate::process::Environment;
use crate::python::dependencies::RELEASE_VARIABLES;
use crate::python::dependencies::locks::Requirements;
use crate::python::env;
use crate::python::env::marker::Marker;
use crate::python::installers::{Choice, Installation};
use crate::site::EnvId;

/// Installs the requirements into the env `id`, unless an earlier deployment finished it, and marks
/// it as finished. When a copy of another env turns out not to be good, makes a new one.
pub fn install(context: &StepContext<'_>, plan: &mut Plan, id: Option<EnvId>) -> Result<()> {
    let Some(id) = id else { return Ok(()) };
    let env = context.site.env(id);
    if id.maker() != context.deployment || Marker::read(&env).is_some() {
        console::info("Requirements have not changed: nothing to install.");
        return Ok(());
    }
    if install_into(context, plan, &env)? == Choice::Another {
        plan.env.drifted = true;
    }
    let ties = env_ties::ties(context, &env)?;
    let not_good = match (uninstall(context, plan, &env)?, plan.env.decision) {
        (Some(why), _) => Some(why),
        (None, Decision::Update { from }) if !ties.foreign.is_empty() => {
            Some(env_ties::leads_elsewhere(from, &ties))
        }
        _ => None,
    };
    if let Some(why) = not_good {
        create_instead(context, plan, why)?;
        make_env(context, plan)?;
        return install(context, plan, Some(id));
    }
    if ties.foreign.is_empty() {
        mark(context, plan, ties.own)
    } else {
        Err(env_ties::tied_elsewhere("the requirements", &ties).into())
    }
}

/// Installs what the plan names.
fn install_into(context: &StepContext<'_>, plan: &Plan, env: &Path) -> Result<Choice> {
    let python = plan.python.as_ref().context("the plan names no Python")?;
    if let Some(source) = &plan.source {
        let files = match &plan.pinned {
            Some(pinned) => write_pinned(context, pinned)?,
            None => vec![PathBuf::from(source.path())],
        };
        let step = console::step(context.installer.step());
        let release = context.site.release(context.deployment);
        let environment = install_environment(context, plan, &release);
        let choice = context.installer.install(&Installation {
            env,
            python: &python.version,
            release: &release,
            source,
            recorded: &plan.requirements,
            files: &files,
            complete: plan.pinned.is_some(),
            environment: &environment,
            limits: context.limits.clone(),
        })?;
        step.done();
        Ok(choice)
    } else {
        console::info("There is no requirements.txt: nothing to install.");
        Ok(Choice::First)
    }
}

/// Writes what a lock pins as requirements files, which are gone when the deployment has ended.
fn write_pinned(context: &StepContext<'_>, pinned: &Requirements) -> Result<Vec<PathBuf>> {
    let folder = context.site.temporary(context.deployment);
    disk::create_dir_all(&folder)?;
    let Requirements { hashed, unhashed } = pinned;
    let mut files = Vec::new();
    for (name, text) in [("pinned.txt", hashed), ("pinned-without-hashes.txt", unhashed)] {
        if !text.is_empty() {
            let path = folder.join(name);
            // An index's address may have credentials in it.
            disk::write_atomic(&path, text.as_bytes(), 0o600)?;
            files.push(path);
        }
    }
    Ok(files)
}

/// The environment of an installer: with the variables that name the release in requirements, and
/// the version that a project would ask git for.
fn install_environment(context: &StepContext<'_>, plan: &Plan, release: &Path) -> Environment {
    let mut environment = context
        .environment
        .clone()
        .extend(plan.build_variables.iter().map(|(name, value)| (*name, value.as_str())));
    for name in RELEASE_VARIABLES {
        if environment.get(name).is_none() {
            environment = environment.set(name, release);
        }
    }
    environment
}

/// Uninstalls what the plan no longer names. `Some` says why a copy is not good for that.
fn uninstall(context: &StepContext<'_>, plan: &Plan, env: &Path) -> Result<Option<String>> {
    let (Decision::Update { from }, false) = (plan.env.decision, plan.env.uninstall.is_empty())
    else {
        return Ok(None);
    };
    let StepContext { installer, environment, limits, .. } = context;
    let python = plan.python.as_ref().context("the plan names no Python")?;
    let release = context.site.release(context.deployment);
    let (environment, _) = installer.confined(environment, env, &release);
    if let Some(setting) = installer.hides_requirements(&environment, env, &release) {
        return Ok(Some(format!("with {setting}, what env {from} needs is not known")));
    }
    if plan.env.drifted {
        let why = "pip had to try several versions of a package, and may choose others now";
        return Ok(Some(why.to_owned()));
    }
    let gone = &plan.env.uninstall;
    let pruned = env::prune(env, &python.version, &plan.requirements, gone, &environment, limits)?;
    Ok(pruned
        .err()
        .map(|why| format!("nothing can be uninstalled from a copy of env {from}: {why}")))
}
