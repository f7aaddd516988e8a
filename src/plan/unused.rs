//! What the project declares and the plan does not install: an error where nothing at all is
//! installed, a note where a requirements file counts instead.

use anyhow::Result;

use super::decide::EnvNeed;
use super::error;
use super::project_hint;
use crate::build::BuildPlan;
use crate::python::dependencies::locks::Lock;
use crate::python::dependencies::{Declaration, Line, Recorded, Role, Source, Tree, declarations};

/// What the plan has an env for, and what it installs.
pub(super) struct Uses<'a> {
    pub need: &'a EnvNeed,
    pub source: Option<&'a Source>,
    pub recorded: &'a Recorded,
    /// The packages of a lock that is at the top and is not used; none when it cannot be read.
    pub locked: &'a dyn Fn(Lock) -> Vec<Line>,
}

/// What to say of the declarations that nothing is installed from.
#[derive(Debug, Default)]
pub(super) struct Unused {
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

/// Fails when the tree declares dependencies, nothing installs them, and nobody said that this is
/// meant. Commands of the project may install them, so then it is only a warning.
pub(super) fn check(tree: &impl Tree, uses: &Uses<'_>, build: &BuildPlan) -> Result<Unused> {
    let settings = &build.settings.dependencies.value;
    let mut unused = Unused::default();
    // Somebody else is responsible for what is installed.
    if matches!(uses.need, EnvNeed::Skipped(_) | EnvNeed::CommittedEnv)
        || build.settings.command.is_some()
    {
        return Ok(unused);
    }
    let (ignored, declared): (Vec<_>, Vec<_>) = declarations(tree)?
        .into_iter()
        .filter(|it| uses.source.is_none_or(|source| source.path() != it.path))
        .partition(|it| settings.ignore.contains(&it.path));
    unused.notes.extend(
        ignored.iter().map(|it| format!("{it} is ignored ([dependencies] ignore in nyala.toml).")),
    );
    let without_choice = match uses.source {
        Some(Source::Lock { .. } | Source::Project(_)) => None,
        Some(source @ Source::RequirementsTxt { .. }) => Some(format!("{source} is installed")),
        None => Some("there is neither a lock nor a project".to_owned()),
    };
    let is_chosen = !(settings.groups.is_empty() && settings.extras.is_empty());
    if let Some(why) = without_choice.filter(|_| is_chosen) {
        let what = "groups and extras under [dependencies] have no effect";
        unused.warnings.push(format!("{what}: {why}"));
    }
    if let Some(source) = uses.source {
        unused.of_source(source, uses, &declared);
        return Ok(unused);
    }
    let project = build.settings.project_folder();
    let Some(first) = declared.first() else {
        unused.warnings.extend(project_hint::hint(tree, &project)?);
        return Ok(unused);
    };
    if build.pre_build.is_empty() && build.post_build.is_empty() && *uses.need == EnvNeed::Python {
        return Err(error::nothing_installs(first, &declared).into());
    }
    unused.warnings.push(format!(
        "{first} declares dependencies, and nyala installs nothing from it: {}",
        first.export
    ));
    Ok(unused)
}

impl Unused {
    /// What is said of other declarations where `source` is installed.
    fn of_source(&mut self, source: &Source, uses: &Uses<'_>, declared: &[Declaration]) {
        let of_project = ["pyproject.toml", "setup.cfg", "setup.py"];
        // A lock is made from its manifest.
        let made_from: &[&str] = match source {
            Source::Lock { lock, .. } => lock.manifests(),
            Source::Project(_) => &of_project,
            Source::RequirementsTxt { .. } => &[],
        };
        let others: Vec<_> =
            declared.iter().filter(|it| !made_from.contains(&it.path.as_str())).collect();
        if !uses.recorded.lines.iter().any(|line| line.role == Role::Requirement) {
            let although = others
                .first()
                .map_or(String::new(), |first| format!(", although {first} declares dependencies"));
            self.warnings.push(match source {
                Source::RequirementsTxt { .. } => {
                    format!("{source} is empty, so nothing is installed{although}")
                }
                Source::Lock { .. } | Source::Project(_) => {
                    format!("{source} names no dependencies, so nothing is installed{although}")
                }
            });
        }
        // A requirements file that installs the project itself installs what it declares.
        let installs_itself = uses.recorded.local.iter().any(|local| local.path == ".");
        for it in others {
            // Other requirements files are most likely variants of the one that is used.
            let is_variant = it.path.to_lowercase().starts_with("requirement");
            if is_variant || installs_itself && of_project.contains(&it.path.as_str()) {
                continue;
            }
            let differing = match Lock::named(&it.path) {
                Some(lock) => differing(&(uses.locked)(lock), uses.recorded),
                None => String::new(),
            };
            self.notes.push(format!("{it} is not used, because {source} is there{differing}."));
        }
    }
}

/// The packages that a requirements file pins to other versions than a lock: what a person who
/// changes the one and not the other has to know.
fn differing(locked: &[Line], used: &Recorded) -> String {
    const SHOWN: usize = 5;
    let pinned = |line: &Line| match line.version.strip_prefix("==") {
        Some(version) if !version.contains([',', '*']) => Some(version.to_owned()),
        _ => None,
    };
    let found: Vec<String> = used
        .lines
        .iter()
        .filter(|line| line.role == Role::Requirement)
        .filter_map(|line| {
            let version = pinned(line)?;
            let name = line.key.split([';', ' ']).next().unwrap_or_default();
            let other = locked.iter().find(|other| other.key == name)?;
            (other.version != version && !other.version.is_empty())
                .then(|| format!("{name} {version} (locked: {})", other.version))
        })
        .collect();
    let more = match found.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match found.len() {
        0 => String::new(),
        1 => format!("; one version differs: {}", found[0]),
        many => {
            format!("; {many} versions differ: {}{more}", found[..many.min(SHOWN)].join(", "))
        }
    }
}
