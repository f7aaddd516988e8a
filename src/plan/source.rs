//! Which source of dependencies counts, and what it declares.

use anyhow::Result;

use super::PythonPlan;
use super::decide::LiveEnv;
use super::error;
use super::machine::Machine;
use crate::git::{CommitTree, Repository};
use crate::process::Environment;
use crate::python::dependencies::locks::{Chosen, Lack, Lock};
use crate::python::dependencies::{
    Declared, Detected, Line, Project, ReadContext, Resolved, Source, Tree, in_commit, leads_above,
    lock_without_member, missing_lock, resolve, workspace_lock,
};
use crate::python::inputs::Inputs;
use crate::python::installers::Installer;
use crate::python::interpreters::Interpreter;
use crate::python::version::{Origin, Version, Wanted};
use crate::site::settings::Dependencies;
use crate::site::{AppSettings, Site};

const PYPROJECT: &str = "pyproject.toml";

/// What decides, beside the tree, what a source declares.
#[derive(Clone, Copy, Debug)]
pub struct SourceReader<'a> {
    pub site: &'a Site,
    pub installer: Installer,
    pub settings: &'a Dependencies,
    pub app_settings: &'a AppSettings,
}

impl SourceReader<'_> {
    /// What a source declares, and what the installer reads beside it, with the variables that it
    /// will have; nothing without a source. `python` is the interpreter that a lock is read for.
    pub fn read(
        &self,
        tree: &impl Tree,
        source: Option<&Source>,
        python: Option<Version>,
    ) -> Result<Declared> {
        let SourceReader { site, installer, settings, app_settings } = *self;
        let Some(source) = source else { return Ok(Declared::default()) };
        let environment = Environment::clean().with_app_settings(app_settings.iter());
        let variable = |name: &str| environment.get(name)?.to_str().map(str::to_owned);
        let inputs = Inputs::of(installer, &environment, tree, &site.releases())?;
        let mut declared = source.read(
            tree,
            &ReadContext {
                variable: &variable,
                setting_files: &inputs.setting_files,
                python,
                chosen: Chosen::new(&settings.groups, &settings.extras),
                frozen: settings.frozen,
            },
        )?;
        inputs.add_to(&mut declared);
        if installer == Installer::Uv && !declared.not_utf_8.is_empty() {
            return Err(error::not_for_uv(&declared.not_utf_8).into());
        }
        Ok(declared)
    }
}

impl SourceReader<'_> {
    /// The packages of a lock that is not installed from; none when it cannot be read.
    pub(super) fn locked(
        &self,
        tree: &impl Tree,
        lock: Lock,
        python: Option<Version>,
    ) -> Vec<Line> {
        // What is chosen and checked is what is installed, and this is not.
        let settings = Dependencies { frozen: true, ..Dependencies::default() };
        let reader = SourceReader { settings: &settings, ..*self };
        let read = reader.read(tree, Some(&Source::lock(lock)), python);
        read.map_or(Vec::new(), |declared| declared.recorded.lines)
    }
}

/// The source that the site names, or the one that was found: a requirements.txt, else the lock,
/// else the project itself. Fails when there are several locks.
pub fn source_of(
    tree: &impl Tree,
    detected: &Detected,
    settings: &Dependencies,
) -> Result<Option<Source>> {
    if let Some(path) = &settings.file {
        return Ok(Some(named(tree, path)?));
    }
    if let Some(source) = &detected.source {
        return Ok(Some(source.clone()));
    }
    let is_ignored = |file: &str| settings.ignore.iter().any(|name| name == file);
    let locks = detected.locks.iter().copied();
    let locks: Vec<Lock> = locks.filter(|lock| !is_ignored(lock.file_name())).collect();
    match locks.as_slice() {
        [] => {
            if let Some(lock) = workspace_lock(tree)? {
                return Ok(Some(lock));
            }
            if let Some(lock) = lock_without_member(tree)?.filter(|_| !is_ignored(PYPROJECT)) {
                return Err(error::lock_without_member(&lock).into());
            }
            // Without its lock, what it declares is found to be unused, and an error.
            let unlocked = missing_lock(tree)?.is_some_and(|it| !is_ignored(it.manifests()[0]));
            let project = if unlocked { None } else { Project::find(tree)? };
            Ok(project.filter(|project| !is_ignored(project.file)).map(Source::Project))
        }
        [lock] => Ok(Some(Source::lock(*lock))),
        several => {
            let names: Vec<_> = several.iter().map(|lock| lock.file_name()).collect();
            Err(error::several_locks(&names).into())
        }
    }
}

/// The source that the site names by its file.
fn named(tree: &impl Tree, path: &str) -> Result<Source> {
    let path = path.trim_start_matches("./");
    let name = path.rsplit('/').next().unwrap_or_default();
    if name == Lock::Uv.file_name()
        && matches!(resolve(tree, name)?, Resolved::Missing)
        && let Some(of_workspace) = workspace_lock(tree)?
        && (path == name || path == of_workspace.path())
    {
        return Ok(of_workspace);
    }
    if let Some(lock) = Lock::named_or_chosen(path) {
        return Ok(Source::Lock { lock, path: path.to_owned() });
    }
    if let Some(file) = Project::FILES.into_iter().find(|file| *file == path) {
        return Project::named(tree, file).map(Source::Project);
    }
    let manifest = Lock::Pipfile.manifests().contains(&name);
    if manifest || Lock::named_or_chosen(name).is_some() || Project::FILES.contains(&name) {
        return Err(error::is_no_requirements_file(path).into());
    }
    Ok(Source::RequirementsTxt { path: path.to_owned() })
}

/// The top folder of the workspace whose lock is above the application; `None` without one.
pub(super) fn workspace<'r>(
    repository: &'r Repository,
    whole: &CommitTree<'_>,
    tree: &impl Tree,
    source: Option<&Source>,
) -> Result<Option<CommitTree<'r>>> {
    let Some(Source::Lock { path, .. }) = source else { return Ok(None) };
    let Some((folder, _)) = path.rsplit_once('/').filter(|_| leads_above(path)) else {
        return Ok(None);
    };
    let entry = whole.entry(&in_commit(tree.place(), folder))?;
    entry.map(|entry| repository.tree_at(entry.oid)).transpose()
}

/// What is left out of a source and, of a new env, what a lock has wheels of, and none for its
/// Python. Fails when there is something of which it has no file at all for that.
pub(super) fn notes_of_source(
    source: Option<&Source>,
    declared: &Declared,
    python: Option<&PythonPlan>,
) -> Result<[Option<String>; 2]> {
    let Some(source) = source else { return Ok([None, None]) };
    let Declared { left_out, lacking, .. } = declared;
    let left_out = (!left_out.is_empty()).then(|| {
        format!(
            "Not installed from {source}: {} (groups and extras under [dependencies] in \
             nyala.toml)",
            left_out.join(", ")
        )
    });
    let Some(python) = python.filter(|_| !lacking.is_empty()) else { return Ok([left_out, None]) };
    for (package, lacks) in lacking {
        if let Lack::File { pythons } = lacks {
            return Err(error::no_file(source, package, &python.version, pythons).into());
        }
    }
    let names: Vec<&str> = lacking.iter().map(|(name, _)| name.as_str()).collect();
    let builds = python.interpreter.as_ref().map(|_| {
        format!(
            "Built, since {source} has no wheel for Python {}: {}",
            python.version.minor_version(),
            names.join(", ")
        )
    });
    Ok([left_out, builds])
}

/// The Python that the env will most likely have: that of the live env, if that can stay. `None`
/// where the source does not depend on it.
pub(super) fn likely_python(
    source: Option<&Source>,
    live: &LiveEnv,
    (wanted, origin, before): (&Wanted, Origin, Option<Version>),
    machine: &Machine<'_>,
) -> Result<Option<Version>> {
    match source {
        Some(Source::Lock { .. }) => {}
        Some(Source::RequirementsTxt { .. } | Source::Project(_)) | None => return Ok(None),
    }
    if let LiveEnv::There { inspection, .. } = live
        && let Some(version) = inspection.version.filter(|version| wanted.matches(version))
    {
        return Ok(Some(version));
    }
    Ok(Some(machine.interpreter(wanted, origin, before)?.version))
}

/// The Python that is preferred to the newest where the project leaves the choice, and why, in
/// words for the log: that of `before`, or, in a new site, see [`python_with_wheels`].
pub(super) fn preferred_python(
    before: Option<Version>,
    read: &dyn Fn(Option<Version>) -> Result<Declared>,
    source: Option<&Source>,
    wanted: &Wanted,
    machine: &Machine<'_>,
) -> (Option<Version>, Option<String>) {
    match before {
        Some(_) => (before, None),
        None => python_with_wheels(read, source, wanted, machine).unzip(),
    }
}

/// The newest Python for which a lock has wheels of all that has any, with what the newest of all
/// lacks. `None` where nothing speaks against the newest, or where no other is better.
fn python_with_wheels(
    read: &dyn Fn(Option<Version>) -> Result<Declared>,
    source: Option<&Source>,
    wanted: &Wanted,
    machine: &Machine<'_>,
) -> Option<(Version, String)> {
    let source = source.filter(|source| matches!(source, Source::Lock { .. }))?;
    let can_be_used = |it: &Interpreter| {
        wanted.matches(&it.version) && it.version.is_final() && it.can_make_envs()
    };
    let there = machine.interpreters().into_iter().filter(can_be_used);
    let mut versions: Vec<Version> = there.map(|interpreter| interpreter.version).collect();
    versions.sort_unstable_by_key(|version| std::cmp::Reverse(*version));
    versions.dedup_by_key(|version| (version.major, version.minor));
    let mut newest = None;
    let mut second = None;
    for version in versions {
        let lacking = match read(Some(version)) {
            Ok(declared) => declared.lacking.into_iter().max_by_key(|(_, lacks)| lacks.is_file()),
            // What is wrong with the lock is said for the Python that is chosen.
            Err(_) if newest.is_none() => return None,
            Err(_) => continue,
        };
        let Some((first, package, is_file)) = &newest else {
            let (package, lacks) = lacking?;
            newest = Some((version.minor_version(), package, lacks.is_file()));
            continue;
        };
        let minor = version.minor_version();
        let why = format!("Python {minor} is used: {source} has no wheel of {package} for {first}");
        match lacking {
            None => return Some((version, why)),
            // What it lacks can be built.
            Some((_, lacks)) if *is_file && !lacks.is_file() => {
                second = second.or(Some((version, why)));
            }
            Some(_) => {}
        }
    }
    second
}
