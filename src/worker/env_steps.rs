//! The env and install steps, as the worker takes them and as `nyala step` offers them to a
//! project's own script.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::build::SKIP_PYTHON;
use crate::console;
use crate::disk;
use crate::plan::{Decision, Plan};
use crate::process::{Environment, Limits, left_behind};
use crate::python::cache::Caches;
use crate::python::dependencies::RELEASE_VARIABLES;
use crate::python::dependencies::locks::Requirements;
use crate::python::env::look::{self, Folders, Ties};
use crate::python::env::marker::{Made, Marker, Provenance};
use crate::python::env::{self, NotCopyable, inspect};
use crate::python::installers::{Installation, Installer, NewEnv};
use crate::python::version::Wanted;
use crate::settings::EffectiveSettings;
use crate::site::{AppSettings, DeploymentId, EnvId, Site};
use crate::user_error::UserError;

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

/// Says on disk that the env which the plan replaces is never used again, before anything is built.
pub fn retire(context: &StepContext<'_>, plan: &Plan) -> Result<()> {
    if let Decision::Create { retire: Some(from) }
    | Decision::Update { from }
    | Decision::Copy { from } = plan.env.decision
    {
        warn_of_data(context, from)?;
    }
    retire_replaced(context, plan)
}

fn retire_replaced(context: &StepContext<'_>, plan: &Plan) -> Result<()> {
    if let Decision::Create { retire: Some(id) } = plan.env.decision {
        env::retire(&context.site.env(id), Some(context.deployment), &plan.env.reasons.join("; "))?;
    }
    Ok(())
}

/// Makes the env that the plan decided on, and links it into the release; the number of that env,
/// or `None` when the release has none of nyala's. A new env is not finished before [`install`].
pub fn make_env(context: &StepContext<'_>, plan: &mut Plan) -> Result<Option<EnvId>> {
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
        Decision::Update { .. } if plan.pinned.is_some() && !plan.env.uninstall.is_empty() => {
            create_instead(context, plan, "a lock file says what an environment has".to_owned())?;
            return make_env(context, plan);
        }
        Decision::Update { from } => {
            console::info("Found compatible virtual environment.");
            if !copy_env(context, plan, from)? {
                return make_env(context, plan);
            }
            own
        }
        Decision::Copy { from } => {
            console::info("Found compatible virtual environment.");
            // A script that has it already may ask for it again.
            if Marker::read(&new).is_none() {
                if !copy_env(context, plan, from)? {
                    return make_env(context, plan);
                }
                let ties = ties(context, &new)?;
                if !ties.foreign.is_empty() {
                    create_instead(context, plan, leads_elsewhere(from, &ties))?;
                    return make_env(context, plan);
                }
                mark(context, plan, ties.own)?;
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

/// Installs the requirements into the env `id`, unless an earlier deployment finished it, and marks
/// it as finished. When a copy of another env turns out not to be good, makes a new one.
pub fn install(context: &StepContext<'_>, plan: &mut Plan, id: Option<EnvId>) -> Result<()> {
    let Some(id) = id else { return Ok(()) };
    let env = context.site.env(id);
    if id.maker() != context.deployment || Marker::read(&env).is_some() {
        console::info("Requirements have not changed: nothing to install.");
        return Ok(());
    }
    install_into(context, plan, &env)?;
    let ties = ties(context, &env)?;
    let not_good = match (uninstall(context, plan, &env)?, plan.env.decision) {
        (Some(why), _) => Some(why),
        (None, Decision::Update { from }) if !ties.foreign.is_empty() => {
            Some(leads_elsewhere(from, &ties))
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
        Err(tied_elsewhere("the requirements", &ties).into())
    }
}

/// Checks what the project's commands have done to the env of this deployment: it shares no file
/// with anything else, and leads to no other release.
pub fn check_after_commands(context: &StepContext<'_>) -> Result<()> {
    let Some(id) = context.site.env_of_release(context.deployment) else { return Ok(()) };
    let env = context.site.env(id);
    let Some(mut marker) = Marker::read(&env).filter(|_| id.maker() == context.deployment) else {
        return Ok(());
    };
    env::unshare(&env)?;
    let mut ties = ties(context, &env)?;
    if !ties.foreign.is_empty() {
        return Err(tied_elsewhere("the project's commands", &ties).into());
    }
    ties.own.retain(|tie| !marker.provenance.ties.contains(tie));
    if ties.own != marker.provenance.ties_of_commands {
        for tie in &ties.own {
            console::info(format_args!("Env {id} can be used by this release only: {tie}."));
        }
        marker.provenance.ties_of_commands = ties.own;
        marker.save(&env)?;
    }
    Ok(())
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
    let gone = &plan.env.uninstall;
    let pruned = env::prune(env, &python.version, &plan.requirements, gone, &environment, limits)?;
    Ok(pruned
        .err()
        .map(|why| format!("nothing can be uninstalled from a copy of env {from}: {why}")))
}

/// Installs what the plan names.
fn install_into(context: &StepContext<'_>, plan: &Plan, env: &Path) -> Result<()> {
    let python = plan.python.as_ref().context("the plan names no Python")?;
    if let Some(source) = &plan.source {
        let files = match &plan.pinned {
            Some(pinned) => write_pinned(context, pinned)?,
            None => vec![PathBuf::from(source.path())],
        };
        let step = console::step(context.installer.step());
        let release = context.site.release(context.deployment);
        let environment = install_environment(context, plan, &release);
        context.installer.install(&Installation {
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
    } else {
        console::info("There is no requirements.txt: nothing to install.");
    }
    Ok(())
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

/// Makes the deployment's env a copy of another one. `Ok(false)` when that one cannot be copied; the
/// plan then asks for a new env.
fn copy_env(context: &StepContext<'_>, plan: &mut Plan, from: EnvId) -> Result<bool> {
    let step = console::step(format_args!("Copying env {from} to env {}.", context.deployment));
    let env = context.site.env(context.deployment.into());
    let copied = match env::copy(&context.site.env(from), &env) {
        Ok(copied) => copied,
        Err(error) => {
            let reason = error.downcast::<NotCopyable>()?;
            create_instead(context, plan, format!("env {from} cannot be copied: {reason}"))?;
            return Ok(false);
        }
    };
    let python = plan.python.as_ref().context("the plan names no Python")?;
    if python.version.major > 2 {
        env::compile(&env, &copied.uncompiled, &context.environment, &context.limits)?;
    }
    step.done();
    Ok(true)
}

/// Has a new env made in the place of a copy, and says why.
fn create_instead(context: &StepContext<'_>, plan: &mut Plan, reason: String) -> Result<()> {
    console::info(format_args!("A new environment is created: {reason}."));
    plan.create_instead(context.site, reason)?;
    retire_replaced(context, plan)
}

fn ties(context: &StepContext<'_>, env: &Path) -> Result<Ties> {
    let StepContext { site, deployment, .. } = context;
    let (release, releases, wwwroot) = (site.release(*deployment), site.releases(), site.wwwroot());
    let folders = Folders { release: &release, releases: &releases, wwwroot: &wwwroot };
    look::ties(env, &folders)
}

fn leads_elsewhere(from: EnvId, ties: &Ties) -> String {
    format!("a copy of env {from} leads to another release: {}", ties.foreign.join("; "))
}

/// The error of an env that would run the code of another release.
fn tied_elsewhere(who: &str, ties: &Ties) -> UserError {
    let found = ties.foreign.iter().take(5);
    found
        .fold(
            UserError::new(format!(
                "{who} made an environment that leads to code outside of this release"
            )),
            |error, tie| error.found(tie.clone()),
        )
        .fix("In a requirements file, write a path inside the tree: `.` or `-e ./package`")
        .fix("In a command, install from the new release: pip install \"$DEPLOYMENT_TARGET\"")
}

/// Says on disk that this deployment's env is whole, and what it was made of.
fn mark(context: &StepContext<'_>, plan: &Plan, ties: Vec<String>) -> Result<()> {
    let python = plan.python.as_ref().context("the plan names no Python")?;
    Marker::write(
        &context.site.env(context.deployment.into()),
        Made {
            deployment: context.deployment,
            python: python.version,
            installer: context.installer.name(),
            requirements: plan.requirements.clone(),
            settings_digest: plan.settings_digest.clone(),
            provenance: Provenance {
                // They are about to run.
                commands: plan.commands.clone(),
                ties,
                ties_of_commands: Vec::new(),
                kept: false,
            },
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
