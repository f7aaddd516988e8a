//! The install step: installs what the plan names into an env, and uninstalls what that no longer
//! leads to.

use std::fmt::Display;
use std::path::Path;

use anyhow::{Context, Result};

use super::StepContext;
use super::build_folder::{self, BuildFolder};
use super::build_leftovers::BuildLeftovers;
use super::env_references;
use super::env_steps::{Copying, Env, create_instead, make_env, mark, not_copyable};
use crate::console;
use crate::disk;
use crate::plan::{Decision, Plan};
use crate::process::Environment;
use crate::python::dependencies::locks::{Part, Requirements, Search};
use crate::python::dependencies::{InstallInput, RELEASE_VARIABLES};
use crate::python::env::marker::Marker;
use crate::python::env::{self, BackgroundCopy};
use crate::python::installers::{Choice, Credentials, InputFile, Installation, Installer};

/// Installs the requirements into the `env`, unless an earlier deployment finished it, and marks
/// it as finished. When a copy of another env turns out not to be good, makes a new one.
pub fn install(context: &StepContext<'_>, plan: &mut Plan, env: impl Into<Env>) -> Result<()> {
    let Env { id: Some(id), copying } = env.into() else { return Ok(()) };
    let env = context.site.env(id);
    if id.maker() != context.deployment || Marker::read(&env).is_some() {
        console::detail("Requirements have not changed: nothing to install.");
        return Ok(());
    }
    let not_good = install_and_uninstall(context, plan, &env, copying)?;
    let references = env_references::references(context, &env)?;
    let not_good = match (not_good, plan.env.decision) {
        (Some(why), _) => Some(why),
        (None, Decision::Update { from }) if !references.foreign.is_empty() => {
            Some(env_references::leads_elsewhere(from, &references))
        }
        _ => None,
    };
    if let Some(why) = not_good {
        create_instead(context, plan, why)?;
        make_env(context, plan)?;
        return install(context, plan, Some(id));
    }
    if references.foreign.is_empty() {
        mark(context, plan, references.own)
    } else {
        Err(env_references::references_elsewhere("the requirements", &references).into())
    }
}

/// Installs what the plan names into the env. `Some` says why a copy of another env is not good for
/// that.
fn install_and_uninstall(
    context: &StepContext<'_>,
    plan: &mut Plan,
    env: &Path,
    copying: Option<Copying>,
) -> Result<Option<String>> {
    if has_all(context, plan, env) {
        let step = console::step("Uninstalling what is not required.");
        let not_good = uninstall(context, plan, env, &[]);
        step.done();
        return not_good;
    }
    let before = match plan.env.decision {
        Decision::Update { from } => required_by_local(context, plan, &context.site.env(from)),
        _ => Vec::new(),
    };
    match install_into(context, plan, env, copying.map(|copying| copying.copy)) {
        Ok(Choice::First) => {}
        Ok(Choice::Another) => plan.env.drifted = true,
        Err(error) => return not_copyable(plan, error).map(Some),
    }
    let after = required_by_local(context, plan, env);
    uninstall(context, plan, env, &env::no_longer_required(&before, &after))
}

/// Whether a copy has all that is required, so that the installer would only say so. What comes
/// from a path or an address may be another by now.
fn has_all(context: &StepContext<'_>, plan: &Plan, env: &Path) -> bool {
    let StepContext { installer, environment, .. } = context;
    let release = context.site.release(context.deployment);
    let is_of_an_index = || {
        plan.requirements.local.is_empty()
            && plan.requirements.lines.iter().all(|line| line.source.is_none())
    };
    plan.env.only_uninstalls
        && plan.install_input.is_none()
        && is_of_an_index()
        && !installer.reinstalls(environment, env, &release)
}

/// What the projects that were installed from folders need, where that decides what is uninstalled:
/// pip leaves in place what a project no longer asks for.
fn required_by_local(context: &StepContext<'_>, plan: &Plan, env: &Path) -> Vec<String> {
    match (plan.env.decision, context.installer, &plan.install_input) {
        (_, _, Some(InstallInput::Pinned(_))) | (_, Installer::Uv, _) => Vec::new(),
        (Decision::Update { .. }, Installer::Pip, _) => env::required_by_local(env),
        _ => Vec::new(),
    }
}

/// Uninstalls what the plan no longer names, and what its projects no longer need. `Some` says why
/// a copy is not good for that.
fn uninstall(
    context: &StepContext<'_>,
    plan: &Plan,
    env: &Path,
    gone: &[String],
) -> Result<Option<String>> {
    let gone = [plan.env.uninstall.as_slice(), gone].concat();
    let (Decision::Update { from }, Some(first)) = (plan.env.decision, gone.first()) else {
        return Ok(None);
    };
    if !plan.env.may_uninstall {
        return Ok(Some(format!("{first} is no longer required, and stays in a copy")));
    }
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
    let pruned = env::prune(env, &python.version, &plan.requirements, &gone, &environment, limits)?;
    Ok(pruned
        .err()
        .map(|why| format!("nothing can be uninstalled from a copy of env {from}: {why}")))
}

/// Installs what the plan names.
fn install_into(
    context: &StepContext<'_>,
    plan: &Plan,
    env: &Path,
    copy: Option<BackgroundCopy>,
) -> Result<Choice> {
    let python = plan.python.as_ref().context("the plan names no Python")?;
    let nothing = |why: &dyn Display, copy: Option<BackgroundCopy>| {
        let finish = |copy: BackgroundCopy| {
            copy.finish(&python.version, &context.environment, &context.limits)
        };
        copy.map(finish).transpose()?;
        console::info(why);
        Ok(Choice::First)
    };
    let Some(source) = &plan.source else {
        return nothing(&"No dependencies are declared: nothing to install.", copy);
    };
    let files = match &plan.install_input {
        Some(input) => write_install_input(context, env, input)?,
        None => vec![InputFile { path: source.path().into(), search: None }],
    };
    if files.is_empty() {
        return nothing(&format_args!("{source} names nothing to install."), copy);
    }
    let step = console::step(context.installer.step());
    let BuildFolder { folder, commit } = build_folder::make(context, plan, source)?;
    let environment = install_environment(context, plan, &folder);
    let leftovers = BuildLeftovers::before(&folder, &plan.requirements.local);
    let installation = Installation {
        env,
        python: &python.version,
        release: &folder,
        commit: commit.as_deref(),
        source,
        recorded: &plan.requirements,
        settings: &plan.settings,
        files: &files,
        complete: matches!(plan.install_input, Some(InstallInput::Pinned(_))),
        advice: match &plan.install_input {
            Some(InstallInput::Pinned(Requirements { advice, .. })) => advice,
            Some(InstallInput::Lines(_)) | None => &[],
        },
        environment: &environment,
        limits: context.limits.clone(),
    };
    let choice = context.installer.install(&installation, copy)?;
    leftovers.remove(env)?;
    // Of a lock, the lines do not say which of them are for this machine.
    if context.installer == Installer::Pip && plan.install_input.is_none() {
        env::check_installed(env, &plan.requirements, &environment)?;
    }
    step.done();
    Ok(choice)
}

/// Writes what the installer is given as requirements files, which are gone when the deployment has
/// ended.
fn write_install_input(
    context: &StepContext<'_>,
    env: &Path,
    input: &InstallInput,
) -> Result<Vec<InputFile>> {
    let StepContext { site, deployment, installer, environment, .. } = context;
    let folder = site.temporary(*deployment);
    disk::create_dir_all(&folder)?;
    let write = |name: &str, text: &str, search: Option<Search>| {
        let path = folder.join(name);
        // An index's address may have credentials in it.
        disk::write_atomic_unflushed(&path, text.as_bytes(), 0o600)?;
        Ok(InputFile { path, search })
    };
    match input {
        InstallInput::Pinned(Requirements { parts, advice: _ }) => {
            let release = site.release(*deployment);
            let known = Credentials::of(*installer, environment, env, &release);
            let written = parts.iter().enumerate().map(|(at, Part { search, text })| {
                let text = search.options(&|url| known.with(url)) + text;
                let name = if at == 0 {
                    "pinned.txt".to_owned()
                } else {
                    format!("pinned-{}.txt", at + 1)
                };
                write(&name, &text, Some(search.clone()))
            });
            written.collect()
        }
        InstallInput::Lines(lines) if lines.is_empty() => Ok(Vec::new()),
        InstallInput::Lines(lines) => Ok(vec![write("requirements.txt", &lines.join("\n"), None)?]),
    }
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
            environment = environment.set(name, value_of(name, plan, release));
        }
    }
    environment
}

/// The folder of the release, as a variable in requirements names it. PDM writes
/// `file:///${PROJECT_ROOT}`, with a value that has no slash at its beginning: pip 23 does not read
/// four of them.
fn value_of<'r>(name: &str, plan: &Plan, release: &'r Path) -> &'r Path {
    let as_pdm = format!("file:///${{{name}}}");
    if plan.requirements.lines.iter().any(|line| line.text.contains(&as_pdm)) {
        release.strip_prefix("/").unwrap_or(release)
    } else {
        release
    }
}
