//! Makes the env that a plan decided on, as the worker does and as `nyala step` offers it to a
//! project's own script.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{StepContext, env_references, error};
use crate::build::SKIP_PYTHON;
use crate::console::{self, Step};
use crate::disk;
use crate::plan::{Decision, Plan, Retires};
use crate::python::cache::Caches;
use crate::python::dependencies::InstallInput;
use crate::python::env::marker::{Marker, NewMarker, Provenance};
use crate::python::env::{self, BackgroundCopy, NotCopyable, inspect};
use crate::python::installers::{Installer, NewEnv};
use crate::python::version::Wanted;
use crate::site::{DeploymentId, EnvId, Site};
use crate::user_error::Explain;

/// Keeps the env of a failed deployment for the next one, if it is whole. Says whether it did.
pub fn keep(env: &Path) -> bool {
    let kept = env::keep(env).unwrap_or_else(|error| {
        tracing::debug!("the environment is not kept: {error:#}");
        false
    });
    if kept {
        console::info("The environment is kept: the next deployment can start from it.");
    }
    kept
}

/// Warns of what the application wrote into the env that another one is about to replace.
fn warn_of_data(context: &StepContext<'_>, from: EnvId) -> Result<()> {
    const SHOWN: usize = 5;
    let site = context.site;
    let since = site.record(from.maker())?.and_then(|record| record.activated_at);
    let Some(since) = since else { return Ok(()) };
    let written = env::written_since(&site.env(from), since);
    if written.is_empty() {
        return Ok(());
    }
    let shown: Vec<_> = written.iter().take(SHOWN).map(|path| path.display().to_string()).collect();
    let more = if written.len() > SHOWN { ", …" } else { "" };
    console::warning(format_args!(
        "env {from} is about to be replaced, and holds files that were written after it went \
         live: {}{more}. Keep such data in a shared folder (`shared` in nyala.toml): an \
         environment goes with its releases.",
        shown.join(", ")
    ));
    Ok(())
}

/// Says on disk that the env which the plan replaces is never used again, before anything is built,
/// if that env is itself the reason. One that another commit may want is only given up when this
/// deployment goes live: see [`retire_replaced`].
pub fn retire(context: &StepContext<'_>, plan: &Plan) -> Result<()> {
    if let Decision::Create { retire: Some(from) }
    | Decision::Update { from }
    | Decision::Copy { from } = plan.env.decision
    {
        warn_of_data(context, from)?;
    }
    // A release without an env of nyala's leaves the old one behind as well.
    if let (Decision::None | Decision::Committed, Some(live)) =
        (plan.env.decision, context.site.live()?)
        && let Some(from) = context.site.env_of_release(live)
    {
        warn_of_data(context, from)?;
    }
    if plan.env.retires == Retires::AtOnce { retire_replaced(context, plan) } else { Ok(()) }
}

/// Says on disk that the env which the plan replaces is never used again.
pub fn retire_replaced(context: &StepContext<'_>, plan: &Plan) -> Result<()> {
    if let Decision::Create { retire: Some(id) } = plan.env.decision {
        env::retire(&context.site.env(id), Some(context.deployment), &plan.env.reasons.join("; "))?;
    }
    Ok(())
}

/// The env of a release.
#[derive(Debug, Default)]
pub struct Env {
    /// `None` when the release has none of nyala's.
    pub id: Option<EnvId>,
    /// Set while it is being copied from another one: pip starts meanwhile.
    pub copying: Option<Copying>,
}

/// An env that is being copied.
#[derive(Debug)]
pub struct Copying {
    pub(super) copy: BackgroundCopy,
    step: Step,
}

impl From<Option<EnvId>> for Env {
    fn from(id: Option<EnvId>) -> Self {
        Self { id, copying: None }
    }
}

/// [`begin_env`], and waits until a copy is whole.
pub fn make_env(context: &StepContext<'_>, plan: &mut Plan) -> Result<Option<EnvId>> {
    let Env { id, copying } = begin_env(context, plan)?;
    let is_good = copying.map_or(Ok(true), |copying| finish_copy(context, plan, copying))?;
    if is_good { Ok(id) } else { make_env(context, plan) }
}

/// Makes the env that the plan decided on, and links it into the release. A new env is not finished
/// before [`install_steps::install`](super::install_steps::install).
pub fn begin_env(context: &StepContext<'_>, plan: &mut Plan) -> Result<Env> {
    let site = context.site;
    let own = EnvId::from(context.deployment);
    let new = site.env(own);
    if let (Decision::Create { .. } | Decision::Update { .. }, Some(source)) =
        (plan.env.decision, &plan.source)
    {
        console::info(format_args!(
            "Detected {source}. You can skip Python specific steps with a {SKIP_PYTHON} file."
        ));
    }
    let mut copying = None;
    let id = match plan.env.decision {
        Decision::None => return Ok(Env::default()),
        Decision::Committed => {
            check_committed(context, plan)?;
            return Ok(Env::default());
        }
        Decision::Reuse { id } => {
            console::info("Found compatible virtual environment.");
            id
        }
        Decision::Update { .. }
            if matches!(plan.install_input, Some(InstallInput::Pinned(_)))
                && !plan.env.uninstall.is_empty() =>
        {
            create_instead(context, plan, "a lock file says what an environment has".to_owned())?;
            return begin_env(context, plan);
        }
        Decision::Update { from } => {
            console::info("Found compatible virtual environment.");
            let Some(begun) = begin_copy(context, plan, from)? else {
                return begin_env(context, plan);
            };
            if context.installer == Installer::Pip && !plan.env.only_uninstalls {
                copying = Some(begun);
            } else if !finish_copy(context, plan, begun)? {
                return begin_env(context, plan);
            }
            own
        }
        Decision::Copy { from } => {
            console::info("Found compatible virtual environment.");
            // A script that has it already may ask for it again.
            if Marker::read(&new).is_none() {
                let Some(begun) = begin_copy(context, plan, from)? else {
                    return begin_env(context, plan);
                };
                if !finish_copy(context, plan, begun)? {
                    return begin_env(context, plan);
                }
                let references = env_references::references(context, &new)?;
                if !references.foreign.is_empty() {
                    create_instead(
                        context,
                        plan,
                        env_references::leads_elsewhere(from, &references),
                    )?;
                    return begin_env(context, plan);
                }
                mark(context, plan, references.own)?;
            }
            own
        }
        Decision::Create { retire } => {
            if retire.is_some() {
                console::info("Deleting incompatible virtual environment.");
            }
            let python = plan.python.as_ref().context("the plan names no Python")?;
            let interpreter =
                python.interpreter.as_ref().context("the plan names no interpreter")?;
            let step = console::step(format_args!(
                "Creating python-{}.{} virtual environment.",
                python.version.major, python.version.minor
            ));
            console::info(format_args!(
                "Python {} at {}",
                python.version,
                interpreter.path.display()
            ));
            // A script that got a copy may have thrown it away, or what is in it.
            disk::remove_tree(&new)?;
            let new = NewEnv {
                env: &new,
                interpreter,
                pip: plan.build.settings.pip.as_ref().map(|pip| pip.value.as_str()),
                caches: &Caches::of(site.cache()),
                environment: &context.environment,
                limits: &context.limits,
            };
            context.installer.create_env(&new).explain(error::env_not_created)?;
            step.done();
            own
        }
    };
    link_env(site, context.deployment, id)?;
    Ok(Env { id: Some(id), copying })
}

/// Begins to make the deployment's env a copy of another one. `None` when that one cannot be
/// copied; the plan then asks for a new env.
fn begin_copy(context: &StepContext<'_>, plan: &mut Plan, from: EnvId) -> Result<Option<Copying>> {
    let step = console::step(format_args!("Copying env {from} to env {}.", context.deployment));
    let env = context.site.env(context.deployment.into());
    match BackgroundCopy::begin(&context.site.env(from), &env) {
        Ok(copy) => Ok(Some(Copying { copy, step })),
        Err(error) => {
            create_instead(context, plan, not_copyable(plan, error)?)?;
            Ok(None)
        }
    }
}

/// Waits for a copy. `Ok(false)` when the env cannot be copied after all; the plan then asks for a
/// new env.
fn finish_copy(
    context: &StepContext<'_>,
    plan: &mut Plan,
    Copying { copy, step }: Copying,
) -> Result<bool> {
    let python = plan.python.as_ref().context("the plan names no Python")?;
    match copy.finish(&python.version, &context.environment, &context.limits) {
        Ok(_) => {
            step.done();
            Ok(true)
        }
        Err(error) => {
            create_instead(context, plan, not_copyable(plan, error)?)?;
            Ok(false)
        }
    }
}

/// Why the env that the plan names cannot be copied, for the log; the error, if it is another one.
pub(super) fn not_copyable(plan: &Plan, error: anyhow::Error) -> Result<String> {
    let reason = error.downcast::<NotCopyable>()?;
    Ok(match plan.env.decision {
        Decision::Update { from } | Decision::Copy { from } => {
            format!("env {from} cannot be copied: {reason}")
        }
        _ => reason.to_string(),
    })
}

/// Has a new env made in place of a copy, and says why.
pub(super) fn create_instead(
    context: &StepContext<'_>,
    plan: &mut Plan,
    reason: String,
) -> Result<()> {
    console::info(format_args!("A new environment is created: {reason}."));
    plan.create_instead(context.site, reason)
}

/// Says on disk that this deployment's env is whole, and what it was made of.
pub(super) fn mark(context: &StepContext<'_>, plan: &Plan, references: Vec<String>) -> Result<()> {
    let python = plan.python.as_ref().context("the plan names no Python")?;
    Marker::write(
        &context.site.env(context.deployment.into()),
        NewMarker {
            deployment: context.deployment,
            python: python.version,
            installer: context.installer.name(),
            requirements: plan.requirements.clone(),
            settings: plan.settings.clone(),
            provenance: Provenance {
                // They are about to run.
                commands: plan.commands.clone(),
                references,
                references_of_commands: Vec::new(),
                kept: false,
                drifted: plan.env.drifted,
            },
        },
    )
}

/// Links the env `id` into a release, by its number and never by a link that moves.
pub fn link_env(site: &Site, release: DeploymentId, id: EnvId) -> Result<()> {
    let link = site.env_link(release);
    disk::remove_file(&link)?;
    disk::symlink(&site.env_link_target(id), &link)
}

/// An env that came with the tree has to run here, and to be of the Python that was asked for.
fn check_committed(context: &StepContext<'_>, plan: &Plan) -> Result<()> {
    console::info("The tree contains its own env/: venv and pip steps are skipped.");
    let folder = context.site.env_link(context.deployment);
    let fact = match inspect::run_version(&folder, &context.environment) {
        Ok(version) => match &plan.committed_wanted {
            Some((wanted, origin)) if *wanted != Wanted::Any && !wanted.matches(&version) => {
                format!("it has Python {version}, but {origin} asks for {wanted}")
            }
            _ => {
                console::info(format_args!("Python {version}, from the committed env"));
                return Ok(());
            }
        },
        Err(fact) => fact,
    };
    bail!(error::committed_env(&fact))
}
