//! Which Python a deployment is to have: the first of the places that names one.

use anyhow::Result;

use super::PythonPlan;
use super::decide::LiveEnv;
use super::error;
use crate::git::{CommitTree, Kind};
use crate::python::dependencies::Source;
use crate::python::dependencies::locks::Lock;
use crate::python::interpreters::{self, Interpreter};
use crate::python::version::{Origin, Version, Wanted};
use crate::python::version_files::{self, VersionFileError};
use crate::settings::{self, EffectiveSettings, SettingSource, Sourced};
use crate::site::Site;
use crate::site::settings::Patch;

/// No file that nyala reads from a tree is larger than this, in bytes.
const FILE_LIMIT: usize = 10 << 20;

/// The wanted Python, and where it is written.
#[derive(Debug)]
pub(super) struct WantedPython {
    pub(super) wanted: Wanted,
    pub(super) origin: Origin,
    /// What else the file says and nobody uses, as a line for the log.
    pub(super) ignored: Option<String>,
    /// A warning that says which version takes the place of the one that is asked for.
    pub(super) fallback: Option<String>,
}

impl WantedPython {
    pub(super) fn nothing() -> WantedPython {
        WantedPython { wanted: Wanted::Any, origin: Origin::Newest, ignored: None, fallback: None }
    }

    /// With `patch = "newest"`, the newest patch of the minor version in place of an exact one
    /// that is not on the machine, with a warning that says so.
    ///
    /// An env that runs the exact one needs no look at the machine.
    pub(super) fn or_newest_patch(
        self,
        settings: &EffectiveSettings,
        live: &LiveEnv,
        discover: &dyn Fn() -> Vec<Interpreter>,
    ) -> WantedPython {
        let (Patch::Newest, Wanted::Exact(exact)) = (settings.patch.value, &self.wanted) else {
            return self;
        };
        let runs = match live {
            LiveEnv::There { inspection, .. } | LiveEnv::Kept { inspection, .. } => {
                inspection.version
            }
            LiveEnv::None | LiveEnv::Unlinked { .. } => None,
        };
        let there = if runs == Some(*exact) { Vec::new() } else { discover() };
        let minor = Wanted::Minor { major: exact.major, minor: exact.minor };
        match interpreters::choose(&minor, &there) {
            Some(newest) if interpreters::choose(&self.wanted, &there).is_none() => {
                let fallback = format!(
                    "Python {exact}, which {} asks for, is not on this machine; the newest patch \
                     that is, {}, takes its place (patch = \"newest\" in nyala.toml)",
                    self.origin, newest.version
                );
                WantedPython { wanted: minor, fallback: Some(fallback), ..self }
            }
            _ => self,
        }
    }
}

type Read = fn(&[u8]) -> Result<Option<Wanted>, VersionFileError>;

/// After what somebody wrote for the deployment alone: the files of package managers, then those of
/// version managers. A lock file counts after the manifest that it was made from.
const FILES: [(&str, Origin, Read); 12] = [
    ("Pipfile.lock", Origin::PipfileLock, version_files::pipfile_lock),
    ("Pipfile", Origin::Pipfile, version_files::pipfile),
    ("pyproject.toml", Origin::RequiresPython, version_files::requires_python),
    ("pyproject.toml", Origin::PoetryPython, version_files::poetry_python),
    ("pylock.toml", Origin::LockFile, version_files::lock_file),
    ("uv.lock", Origin::LockFile, version_files::lock_file),
    ("poetry.lock", Origin::LockFile, version_files::lock_file),
    ("pdm.lock", Origin::LockFile, version_files::lock_file),
    ("setup.cfg", Origin::SetupCfg, version_files::setup_cfg),
    (".tool-versions", Origin::ToolVersions, version_files::tool_versions),
    ("mise.toml", Origin::Mise, version_files::mise),
    (".mise.toml", Origin::Mise, version_files::mise),
];

/// The Python that the tree or the settings ask for; [`Wanted::Any`] when nobody does. The top
/// folder of a workspace counts after the member of it that the tree is.
///
/// Fails where a place names something that is no version: it is never skipped for the next one.
pub(super) fn wanted(
    (tree, workspace): (&CommitTree<'_>, Option<&CommitTree<'_>>),
    runtime_txt: Option<&[u8]>,
    settings: &EffectiveSettings,
) -> Result<WantedPython> {
    let asked = |wanted, origin| Ok(WantedPython { wanted, origin, ..WantedPython::nothing() });
    if let Some(bytes) = runtime_txt {
        return asked(version_files::runtime_txt(bytes)?, Origin::RuntimeTxt);
    }
    let of_workspace = |name| workspace.map(|tree| tree.file(name, FILE_LIMIT)).transpose();
    let pin = match tree.file(".python-version", FILE_LIMIT)? {
        Some(bytes) => Some(bytes),
        None => of_workspace(".python-version")?.flatten(),
    };
    if let Some(bytes) = pin {
        let pin = version_files::python_version(&bytes)?;
        let ignored = (!pin.unused.is_empty())
            .then(|| format!("Ignored in .python-version: {}", pin.unused.join(", ")));
        let origin = Origin::PythonVersionFile;
        return Ok(WantedPython { wanted: pin.wanted, origin, ignored, ..WantedPython::nothing() });
    }
    if let Some(Sourced { value, source }) = &settings.python_version {
        return match source {
            SettingSource::AppSetting(name) if name == settings::AZURE_PYTHON => {
                asked(version_files::azure_setting(value)?, Origin::AzureSetting)
            }
            _ => asked(version_files::setting(value)?, Origin::AppSetting),
        };
    }
    let named = settings.dependencies.value.file.as_deref();
    let pylock = named.filter(|name| Lock::named_or_chosen(name) == Some(Lock::Pylock));
    for (name, origin, read) in FILES {
        // A project may have several, of which the site names one.
        let name = pylock.filter(|_| name == Lock::Pylock.file_name()).unwrap_or(name);
        let bytes = match file(tree, name)? {
            None if origin == Origin::LockFile => of_workspace(name)?.flatten(),
            bytes => bytes,
        };
        if let Some(bytes) = bytes
            && let Some(wanted) = read(&bytes)?
        {
            return asked(wanted, origin);
        }
    }
    match &settings.python {
        Some(python) => asked(version_files::site_default(&python.value)?, Origin::SiteDefault),
        None => asked(Wanted::Any, Origin::Newest),
    }
}

/// What the project itself needs, where another place has chosen the Python: another one that is
/// suggested has to meet it. What cannot be read asks for nothing.
pub(super) fn required(
    (tree, workspace): (&CommitTree<'_>, Option<&CommitTree<'_>>),
    chosen_by: Origin,
) -> Vec<Wanted> {
    const OF_PROJECTS: [Origin; 3] =
        [Origin::RequiresPython, Origin::PoetryPython, Origin::LockFile];
    if OF_PROJECTS.contains(&chosen_by) {
        return Vec::new();
    }
    let files = FILES.iter().filter(|(_, origin, _)| OF_PROJECTS.contains(origin));
    let needs = files.flat_map(|(name, _, read)| {
        let trees = [Some(tree), workspace].into_iter().flatten();
        trees.filter_map(|tree| read(&file(tree, name).ok()??).ok()?)
    });
    needs.collect()
}

/// The bytes of a file. Of those that nyala only looks into, a link or a very long one is no error.
fn file(tree: &CommitTree<'_>, name: &str) -> Result<Option<Vec<u8>>> {
    if name == "pyproject.toml" {
        return tree.file(name, FILE_LIMIT);
    }
    match tree.entry(name)? {
        Some(entry) if entry.kind == Kind::File && tree.size(entry.oid)? <= FILE_LIMIT => {
            tree.read(entry.oid).map(Some)
        }
        _ => Ok(None),
    }
}

/// The Python that the site has had until now: that of its env, or that of the live release where
/// the env is gone.
pub(super) fn python_before(site: &Site, live: &LiveEnv) -> Result<Option<Version>> {
    if let LiveEnv::There { inspection, .. } | LiveEnv::Kept { inspection, .. } = live {
        let marked = inspection.marker.as_ref().map(|marker| marker.python);
        if let Some(version) = inspection.version.or(marked) {
            return Ok(Some(version));
        }
    }
    let record = site.live()?.map(|live| site.record(live)).transpose()?.flatten();
    let python = record.and_then(|record| record.python);
    Ok(python.and_then(|python| python.version.parse().ok()))
}

/// Of a new env for which no minor version is asked: which one it gets, why, and how to pin it.
pub(super) fn unpinned(
    python: &PythonPlan,
    before: Option<Version>,
    discover: &dyn Fn() -> Vec<Interpreter>,
) -> Option<String> {
    if names_one_minor(&python.wanted) {
        return None;
    }
    python.interpreter.as_ref()?;
    let there = discover();
    let newest = interpreters::choose(&python.wanted, &there)?.version.minor_version();
    Some(no_pin(&python.version.minor_version(), before.map(|it| it.minor_version()), &newest))
}

/// Whether only one minor version will do, as for `==3.11.*`.
fn names_one_minor(wanted: &Wanted) -> bool {
    const MINORS: u16 = 50;
    const PATCHES: u16 = 30;
    match wanted {
        Wanted::Any => false,
        Wanted::Minor { .. } | Wanted::Exact(_) => true,
        Wanted::Specifiers(_) => {
            let will_do = |minor: &u16| {
                (0..PATCHES).any(|patch| wanted.matches(&Version::new(3, *minor, patch)))
            };
            (0..MINORS).filter(will_do).take(2).count() == 1
        }
    }
}

fn no_pin(chosen: &str, before: Option<String>, newest: &str) -> String {
    let pin = |version: &str| format!("echo python-{version} > runtime.txt");
    let pin_chosen = pin(chosen);
    match before {
        Some(before) if before == chosen && chosen != newest => format!(
            "No minor version of Python is asked for, so the site stays with {chosen}. \
             To pin it: {pin_chosen}; to change to {newest}: {}",
            pin(newest)
        ),
        Some(before) if before != chosen => format!(
            "No minor version of Python is asked for. The site used {before}, which is not allowed \
             or not on this machine. It gets {chosen}. To pin that: {pin_chosen}"
        ),
        _ => format!("No minor version of Python is asked for. To pin {chosen}: {pin_chosen}"),
    }
}

/// A warning when the Python of a deployment is not what the project says that it needs, although
/// another place asked for it.
pub(super) fn unmet(
    tree: &CommitTree<'_>,
    python: Option<&PythonPlan>,
    (source, is_installed): (Option<&Source>, bool),
) -> Result<Option<String>> {
    match unmet_requires_python(tree, python, is_installed)? {
        Some(warning) => Ok(Some(warning)),
        None => unlike_pipfile(tree, python, source),
    }
}

/// What is installed by a lock, or is a package, would not be installed at all, so that is an
/// error.
fn unmet_requires_python(
    tree: &CommitTree<'_>,
    python: Option<&PythonPlan>,
    is_installed: bool,
) -> Result<Option<String>> {
    let Some(&PythonPlan { version, origin, .. }) = python else { return Ok(None) };
    if matches!(origin, Origin::RequiresPython | Origin::Newest) {
        return Ok(None);
    }
    let Some(bytes) = tree.file("pyproject.toml", FILE_LIMIT)? else { return Ok(None) };
    // What is wrong in it is nobody's problem here: another place counts.
    let required = version_files::requires_python(&bytes).ok().flatten();
    let Some(required) = required.filter(|required| !required.matches(&version)) else {
        return Ok(None);
    };
    let fact = format!(
        "Python {version}, which {origin} asks for, does not meet requires-python in \
         pyproject.toml"
    );
    if is_installed {
        return Err(error::not_required_python(&fact, origin, &required).into());
    }
    Ok(Some(format!("{fact} ({required})")))
}

/// Pipenv itself only warns.
fn unlike_pipfile(
    tree: &CommitTree<'_>,
    python: Option<&PythonPlan>,
    source: Option<&Source>,
) -> Result<Option<String>> {
    let of_pipenv = |origin| matches!(origin, Origin::PipfileLock | Origin::Pipfile);
    let Some(&PythonPlan { version, origin, .. }) = python else { return Ok(None) };
    if !matches!(source, Some(Source::Lock { lock: Lock::Pipfile, .. })) || of_pipenv(origin) {
        return Ok(None);
    }
    for (name, _, read) in FILES.iter().filter(|(_, origin, _)| of_pipenv(*origin)) {
        let bytes = file(tree, name)?;
        if let Some(asked) = bytes.and_then(|bytes| read(&bytes).ok().flatten()) {
            let warning = format!(
                "{name} asks for Python {asked}, and the environment has {version}, which {origin} \
                 asks for"
            );
            return Ok((!asked.matches(&version)).then_some(warning));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use pep440_rs::VersionSpecifiers;

    use super::{Wanted, names_one_minor, no_pin};

    #[test]
    fn specifiers_may_name_one_minor_version() {
        let wanted = |text| Wanted::Specifiers(VersionSpecifiers::from_str(text).unwrap());
        for one in ["==3.11.*", ">=3.11,<3.12", "~=3.11.0", "==3.11.7"] {
            assert!(names_one_minor(&wanted(one)), "{one}");
        }
        for several in [">=3.11", ">=3.11,<3.13", "~=3.11", "!=3.11.*", ">=4"] {
            assert!(!names_one_minor(&wanted(several)), "{several}");
        }
        assert!(!names_one_minor(&Wanted::Any));
    }

    #[test]
    fn a_python_that_nobody_asked_for_is_explained_with_how_to_pin_it() {
        let before = |version: &str| Some(version.to_owned());
        assert_eq!(
            no_pin("3.12", before("3.12"), "3.13"),
            "No minor version of Python is asked for, so the site stays with 3.12. To pin it: \
             echo python-3.12 > runtime.txt; to change to 3.13: echo python-3.13 > runtime.txt"
        );
        assert_eq!(
            no_pin("3.13", before("3.11"), "3.13"),
            "No minor version of Python is asked for. The site used 3.11, which is not allowed or \
             not on this machine. It gets 3.13. To pin that: echo python-3.13 > runtime.txt"
        );
        for before in [None, before("3.13")] {
            assert_eq!(
                no_pin("3.13", before, "3.13"),
                "No minor version of Python is asked for. \
                 To pin 3.13: echo python-3.13 > runtime.txt"
            );
        }
    }
}
