//! Observes everything that a plan depends on: the two commits, the settings, the interpreters, and
//! the env of the live release.

use std::collections::BTreeSet;

use anyhow::{Context, Error, Result, bail};

use super::decide::{EnvNeed, LiveEnv, Observed, decide, runtime_change};
use super::deciding_settings::deciding_settings;
use super::error;
use super::machine::{Machine, Missing};
use super::release_tree::ReleaseTree;
use super::scm_version;
use super::source::{
    SourceReader, likely_python, notes_of_source, preferred_python, source_of, workspace,
};
use super::tree_warnings;
use super::unused::{self, Unused, Uses};
use super::wanted::{WantedPython, python_before, required, unmet, unpinned, wanted};
use super::{Decision, Plan, PythonPlan};
use crate::build::{self, project as build_project};
use crate::git::{Commit, CommitTree, Kind, Repository, short};
use crate::process::Environment;
use crate::python::cache::Caches;
use crate::python::dependencies::{
    Declared, Detected, Recorded, Source, declarations, detect, variables_of_builds,
};
use crate::python::env::{self, Marker};
use crate::python::installers::Installer;
use crate::python::interpreters::{self, Interpreter};
use crate::python::version::Version;
use crate::settings::{DeploymentFile, EffectiveSettings};
use crate::site::{AppSettings, DeployOptions, ENV_LINK, EnvId, Settings, Site};
use crate::user_error::UserError;

/// No file that nyala reads from a tree is larger than this, in bytes.
pub(super) const FILE_LIMIT: usize = 10 << 20;

/// What a plan is asked for.
#[derive(Debug)]
pub struct PlanRequest<'a> {
    pub site: &'a Site,
    pub settings: &'a Settings,
    pub app_settings: &'a AppSettings,
    pub repository: &'a Repository,
    pub commit: Commit,
    pub options: &'a DeployOptions,
    /// Who asked for a new env, in words for the log.
    pub rebuild: Vec<String>,
    pub missing_python: Missing<'a>,
}

/// Decides what a deployment of this commit is going to do. Changes nothing but the cache of
/// interpreters.
///
/// Fails with what is wrong in the tree or missing on the machine, and how to fix it.
pub fn observe(request: PlanRequest<'_>) -> Result<Plan> {
    let &PlanRequest { site, settings, app_settings, repository, options, .. } = &request;
    let commit = &request.commit;
    let whole = repository.tree(commit)?;
    let file = DeploymentFile::of(&whole)?;
    let resolve = |file: &_| EffectiveSettings::resolve(settings, app_settings, file).checked();
    let effective = resolve(&file)?.with_options(options);
    let installer = effective.installer.value;
    let application = build_project::application(&whole, effective.project.as_ref())?;
    let tree = repository.tree_at(application)?;
    let runtime_txt = tree.file("runtime.txt", FILE_LIMIT)?;
    let before = |commit: &Commit| runtime_before(repository, commit, &resolve);
    let runtime = describe_runtime(site, repository, runtime_txt.as_deref(), &before)?;
    let build = build::plan(&tree, effective)?;
    let release_tree = ReleaseTree::new((&tree, &whole), &request, &build.settings);
    let skipped = build::python_is_skipped(&tree, &build.settings)?;
    let detected = if skipped.is_some() { Detected::default() } else { detect(&tree)? };
    let dependencies = &build.settings.dependencies.value;
    let is_python =
        detected.is_python() || dependencies.file.is_some() || would_lose_its_env(site, &tree)?;
    let source = match &skipped {
        Some(_) => None,
        None => supported(source_of(&release_tree, &detected, dependencies)?, installer)?,
    };
    let workspace = workspace(repository, &whole, &release_tree, source.as_ref())?;
    let need = match skipped {
        Some(why) => EnvNeed::Skipped(why),
        None => env_need(&tree, is_python, build.settings.command.is_some())?,
    };
    let needs = |chosen_by| required((&tree, workspace.as_ref()), chosen_by);
    let machine = Machine::new(site, &build.settings, request.missing_python, &needs);
    let discover = || machine.interpreters();
    let commands = build::commands_in_env(&tree, &build, app_settings)?;
    let live = if need == EnvNeed::Python { live_env(site)? } else { LiveEnv::None };
    let WantedPython { wanted, origin, ignored, fallback } = match need {
        // A plain copy needs no Python, so it does not have to name one.
        EnvNeed::Plain | EnvNeed::Skipped(_) => WantedPython::nothing(),
        EnvNeed::Python | EnvNeed::CommittedEnv => {
            wanted((&tree, workspace.as_ref()), runtime_txt.as_deref(), &build.settings)
                .map(|asked| asked.or_newest_patch(&build.settings, &live, &discover))
                .map_err(|error| with_available(&error, &runtime, &discover))?
        }
    };
    let reader = SourceReader { site, installer, settings: dependencies, app_settings };
    let from = source.as_ref();
    let read = |python: Option<Version>| reader.read(&release_tree, from, python);
    let before = python_before(site, &live)?;
    let (preferred, by_wheels) = preferred_python(before, &read, from, &wanted, &machine);
    let likely = likely_python(from, &live, (&wanted, origin, preferred), &machine)?;
    let mut declaration = read(likely)?;
    let variables = variables_of(&declaration, &release_tree)?;
    let mut observed = Observed {
        need,
        wanted: wanted.clone(),
        origin,
        installer: installer.name(),
        settings: deciding_settings(site, &build.settings, app_settings, &variables, &tree)?,
        requirements: declaration.recorded.clone(),
        live,
        asked: request.rebuild.clone(),
        commands: commands.clone(),
    };
    let env = decide(&observed);
    // A plan that fails shows nothing else, and a change of runtime.txt is the first to look at.
    let python = python_for(&env.decision, &observed, preferred, &machine)
        .map_err(|error| UserError::of(&error).labelled("note", &runtime))?;
    if let Some(python) = &python
        && likely.is_some_and(|likely| likely != python.version)
    {
        // Something else asked for a new env, which gets another Python than the live one.
        declaration = read(Some(python.version))?;
        observed.requirements = declaration.recorded.clone();
    }
    let Observed { need, settings, requirements, .. } = observed;
    let locked = |lock| reader.locked(&release_tree, lock, python.as_ref().map(|it| it.version));
    let uses = Uses { need: &need, source: from, recorded: &requirements, locked: &locked };
    let Unused { mut notes, mut warnings } = unused::check(&release_tree, &uses, &build)?;
    let unpinned = python.as_ref().and_then(|python| unpinned(python, before, &discover));
    let of_source = notes_of_source(from, &declaration, python.as_ref())?;
    notes.extend(of_source.into_iter().chain([ignored, by_wheels, unpinned]).flatten());
    let unmet = unmet(&tree, python.as_ref(), (from, is_installed(from, &requirements)))?;
    warnings.extend([fallback, unmet].into_iter().flatten().chain(declaration.warnings));
    warnings.extend(tree_warnings::warnings([&tree, &whole], &site.settings_file())?);
    Ok(Plan {
        build_variables: scm_version::variables(&release_tree, &requirements, &request)?,
        commit: request.commit,
        tree: application,
        runtime,
        python,
        committed_wanted: (need == EnvNeed::CommittedEnv).then_some((wanted, origin)),
        env,
        installer,
        build,
        notes,
        warnings,
        source,
        install_input: declaration.install_input,
        leads_above: declaration.leads_above,
        left_out: declaration.left_out,
        requirements,
        settings,
        commands,
        search: machine.search,
    })
}

/// Whether the project itself is installed, or a lock that was made for its Python.
fn is_installed(source: Option<&Source>, requirements: &Recorded) -> bool {
    matches!(source, Some(Source::Lock { .. }))
        || requirements.local.iter().any(|local| local.path == ".")
}

impl Plan {
    /// Plans a new env in place of the one that was to be used, for a reason that was only
    /// found when it was used.
    pub fn create_instead(&mut self, site: &Site, reason: String) -> Result<()> {
        let (Decision::Update { from } | Decision::Copy { from } | Decision::Reuse { id: from }) =
            self.env.decision
        else {
            bail!("{reason}");
        };
        let python = self.python.as_mut().context("the plan names no Python")?;
        let there =
            interpreters::discover(&self.search, &Caches::of(site.cache()).interpreters_file());
        // The same, if it is there: what a lock pins was read for it.
        let same = there.iter().find(|there| there.version == python.version);
        let like = || interpreters::choose_like(&python.wanted, Some(python.version), &there);
        let Some(interpreter) = same.or_else(like) else {
            return Err(interpreters::not_found(&python.wanted, python.origin, &there, &[]).into());
        };
        python.version = interpreter.version;
        python.interpreter = Some(interpreter.clone());
        self.env.decision = Decision::Create { retire: Some(from) };
        self.env.reasons.insert(0, reason);
        self.env.uninstall.clear();
        self.env.drifted = false;
        self.env.may_uninstall = false;
        self.env.only_uninstalls = false;
        Ok(())
    }
}

/// A version file's error, with the Pythons that are here and what became of runtime.txt.
fn with_available(error: &Error, runtime: &str, discover: &dyn Fn() -> Vec<Interpreter>) -> Error {
    let there = interpreters::available(&discover());
    UserError::of(error).labelled("on this machine", there).labelled("note", runtime).into()
}

/// The source, if the installer can install from it.
fn supported(source: Option<Source>, installer: Installer) -> Result<Option<Source>> {
    if let Some(source) = &source
        && !installer.supports(source)
    {
        bail!(error::cannot_install_from(installer.name(), source));
    }
    Ok(source)
}

/// The Python that the decision leads to. Interpreters are only looked for when a new env is made.
fn python_for(
    decision: &Decision,
    observed: &Observed,
    before: Option<Version>,
    machine: &Machine<'_>,
) -> Result<Option<PythonPlan>> {
    let (wanted, origin) = (observed.wanted.clone(), observed.origin);
    match decision {
        Decision::Create { .. } => {
            let interpreter = machine.interpreter(&wanted, origin, before)?;
            let version = interpreter.version;
            Ok(Some(PythonPlan { wanted, origin, version, interpreter: Some(interpreter) }))
        }
        Decision::Update { .. } | Decision::Copy { .. } | Decision::Reuse { .. } => match &observed
            .live
        {
            LiveEnv::There { inspection, .. } | LiveEnv::Kept { inspection, .. } => Ok(inspection
                .version
                .map(|version| PythonPlan { wanted, origin, version, interpreter: None })),
            LiveEnv::None | LiveEnv::Unlinked { .. } => Ok(None),
        },
        // The Python of a committed env is known when it is on disk and has been run.
        Decision::None | Decision::Committed => Ok(None),
    }
}

fn env_need(tree: &CommitTree<'_>, python: bool, command: bool) -> Result<EnvNeed> {
    let entry = tree.entry(ENV_LINK)?;
    if tree.entry(&format!("{ENV_LINK}/pyvenv.cfg"))?.is_some() {
        return Ok(EnvNeed::CommittedEnv);
    }
    if !python {
        return Ok(EnvNeed::Plain);
    }
    if let Some(entry) = entry
        && !command
    {
        let what = match entry.kind {
            Kind::File => "a file",
            Kind::Folder => "a folder without a pyvenv.cfg",
            Kind::Link => "a symbolic link",
            Kind::Submodule => "a submodule",
        };
        bail!(error::env_is_tracked(what));
    }
    Ok(EnvNeed::Python)
}

/// How runtime.txt differs from the live deployment's.
fn describe_runtime(
    site: &Site,
    repository: &Repository,
    new: Option<&[u8]>,
    before: &dyn Fn(&Commit) -> Result<Option<Vec<u8>>>,
) -> Result<String> {
    let new = new.map(String::from_utf8_lossy);
    let Some(live) = site.live()?.map(|id| site.record(id)).transpose()?.flatten() else {
        return Ok(runtime_change(None, new.as_deref()));
    };
    // After a forced push, git may have pruned the live commit, and then there is nothing to
    // compare with.
    let Ok(commit) = repository.commit(&live.commit) else {
        let now = runtime_change(None, new.as_deref());
        return Ok(format!(
            "{now} (the live commit {} is no longer in the repository)",
            short(&live.commit)
        ));
    };
    let then = before(&commit).unwrap_or_default();
    let then = then.as_deref().map(String::from_utf8_lossy);
    Ok(runtime_change(Some((&live.commit, then.as_deref())), new.as_deref()))
}

/// The runtime.txt of an earlier commit, in the folder that was the application in that commit.
fn runtime_before(
    repository: &Repository,
    commit: &Commit,
    settings_for: &dyn Fn(&DeploymentFile) -> Result<EffectiveSettings>,
) -> Result<Option<Vec<u8>>> {
    let whole = repository.tree(commit)?;
    let settings = settings_for(&DeploymentFile::of(&whole)?)?;
    let application = build_project::application(&whole, settings.project.as_ref())?;
    repository.tree_at(application)?.file("runtime.txt", FILE_LIMIT)
}

/// Whether the live release has an env, and the tree declares its dependencies where nothing else
/// of it is Python.
fn would_lose_its_env(site: &Site, tree: &CommitTree<'_>) -> Result<bool> {
    let has_one = site.live()?.is_some_and(|live| site.env_of_release(live).is_some());
    Ok(has_one && !declarations(tree)?.is_empty())
}

/// The env that the live release runs in, and its state.
fn live_env(site: &Site) -> Result<LiveEnv> {
    let inspect = |id| Box::new(env::inspect(&site.env(id), &Environment::clean()));
    let Some(live) = site.live()? else {
        return Ok(match kept_env(site)? {
            Some(id) => LiveEnv::Kept { id, inspection: inspect(id) },
            None => LiveEnv::None,
        });
    };
    if let Some(id) = site.env_of_release(live) {
        return Ok(LiveEnv::There { id, inspection: inspect(id) });
    }
    let had = site.record(live)?.and_then(|record| record.env).and_then(|env| env.id);
    Ok(had.map_or(LiveEnv::None, |id| LiveEnv::Unlinked { id }))
}

/// The env that a failed deployment has left for the next one, while nothing is live.
pub fn kept_env(site: &Site) -> Result<Option<EnvId>> {
    let is_kept =
        |id: &EnvId| Marker::read(&site.env(*id)).is_some_and(|marker| marker.provenance.kept);
    Ok(site.env_ids()?.into_iter().rev().find(is_kept))
}

/// The variables that a source reads, and the builds of its local projects.
fn variables_of(declared: &Declared, tree: &ReleaseTree<'_>) -> Result<BTreeSet<String>> {
    let mut variables = variables_of_builds(tree, &declared.recorded)?;
    variables.extend(declared.variables.iter().cloned());
    Ok(variables)
}
