//! The env and install steps, as the worker takes them and as `nyala step` offers them to a
//! project's own script.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::build::SKIP_PYTHON;
use crate::console;
use crate::disk;
use crate::plan::{Decision, Plan};
use crate::process::{Environment, Limits, left_behind};
use crate::python::cache::Caches;
use crate::python::dependencies::locks::Requirements;
use crate::python::env::marker::{Made, Marker};
use crate::python::env::{self, inspect};
use crate::python::installers::{Installation, Installer, NewEnv};
use crate::python::version::Wanted;
use crate::settings::EffectiveSettings;
use crate::site::{AppSettings, DeploymentId, EnvId, Site};

/// Where the steps of one deployment happen.
#[derive(Debug)]
pub struct StepContext<'a> {
    pub site: &'a Site,
    pub deployment: DeploymentId,
    pub installer: Installer,
    pub environment: Environment,
    pub limits: Limits,
}

impl<'a> StepContext<'a> {
    pub fn new(
        site: &'a Site,
        deployment: DeploymentId,
        app_settings: &AppSettings,
        plan: &Plan,
    ) -> StepContext<'a> {
        let environment = Environment::clean()
            .extend(app_settings.iter())
            .set(left_behind::VARIABLE, left_behind::mark(site.root(), deployment));
        let EffectiveSettings { step_timeout, idle_timeout, .. } = &plan.build.settings;
        let limits = Limits {
            step: Some(step_timeout.value),
            idle: Some(idle_timeout.value),
            ..Limits::default()
        };
        StepContext { site, deployment, installer: plan.installer, environment, limits }
    }
}

/// Says on disk that the env which the plan replaces is never used again, before anything is built.
pub fn retire(context: &StepContext<'_>, plan: &Plan) -> Result<()> {
    if let Decision::Create { retire: Some(id) } = plan.env.decision {
        env::retire(&context.site.env(id), Some(context.deployment), &plan.env.reasons.join("; "))?;
    }
    Ok(())
}

/// Makes the env that the plan decided on, and links it into the release; the number of that env,
/// or `None` when the release has none of nyala's. A new env is not finished before [`install`].
pub fn make_env(context: &StepContext<'_>, plan: &Plan) -> Result<Option<EnvId>> {
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
    let id = match plan.env.decision {
        Decision::None => return Ok(None),
        Decision::Committed => {
            check_committed(context, plan)?;
            return Ok(None);
        }
        Decision::Reuse { id } => {
            console::info("Found compatible virtual environment.");
            id
        }
        Decision::Update { from } => {
            console::info("Found compatible virtual environment.");
            copy_env(context, from)?;
            own
        }
        Decision::Copy { from } => {
            console::info("Found compatible virtual environment.");
            // A script that has it already may ask for it again.
            if Marker::read(&new).is_none() {
                copy_env(context, from)?;
                mark(context, plan)?;
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
                caches: &Caches::of(site.cache()),
                environment: &context.environment,
                limits: &context.limits,
            };
            context
                .installer
                .create_env(&new)
                .context("the virtual environment could not be created")?;
            step.done();
            own
        }
    };
    link_env(site, context.deployment, id)?;
    Ok(Some(id))
}

/// Installs the requirements into the env `id`, unless it was finished by an earlier deployment,
/// and marks it as finished.
pub fn install(context: &StepContext<'_>, plan: &Plan, id: Option<EnvId>) -> Result<()> {
    let Some(id) = id else { return Ok(()) };
    let env = context.site.env(id);
    if id.maker() != context.deployment || Marker::read(&env).is_some() {
        console::info("Requirements have not changed: nothing to install.");
        return Ok(());
    }
    let python = plan.python.as_ref().context("the plan names no Python")?;
    if let Some(source) = &plan.source {
        let files = match &plan.pinned {
            Some(pinned) => write_pinned(context, pinned)?,
            None => vec![PathBuf::from(source.path())],
        };
        let step = console::step(context.installer.step());
        context.installer.install(&Installation {
            env: &env,
            python: &python.version,
            release: &context.site.release(context.deployment),
            source,
            recorded: &plan.requirements,
            files: &files,
            complete: plan.pinned.is_some(),
            environment: &context.environment,
            limits: context.limits.clone(),
        })?;
        step.done();
    } else {
        console::info("There is no requirements.txt: nothing to install.");
    }
    mark(context, plan)
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

fn copy_env(context: &StepContext<'_>, from: EnvId) -> Result<()> {
    let step = console::step(format_args!("Copying env {from} to env {}.", context.deployment));
    env::copy(&context.site.env(from), &context.site.env(context.deployment.into()))?;
    step.done();
    Ok(())
}

/// Says on disk that this deployment's env is whole, and what it was made of.
fn mark(context: &StepContext<'_>, plan: &Plan) -> Result<()> {
    let python = plan.python.as_ref().context("the plan names no Python")?;
    Marker::write(
        &context.site.env(context.deployment.into()),
        Made {
            deployment: context.deployment,
            python: python.version,
            installer: context.installer.name(),
            requirements: plan.requirements.clone(),
            settings_digest: plan.settings_digest.clone(),
        },
    )
}

/// Links the env `id` into a release, by its number and never by a link that moves.
pub fn link_env(site: &Site, release: DeploymentId, id: EnvId) -> Result<()> {
    let link = site.env_link(release);
    disk::remove_file(&link)?;
    disk::symlink(&Site::env_link_target(id), &link)
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
    bail!(
        "the env/ that the tree tracks cannot be used: {fact}\n\
         An environment works only on the machine and at the path it was made for; let nyala make it:\n\
         1. git rm -r --cached env\n\
         2. echo /env/ >> .gitignore\n\
         3. git add .gitignore && git commit -m 'Leave env to the server', and push again"
    )
}
