//! What the project declares and the plan does not install: an error where nothing at all is
//! installed, a note where a requirements file counts instead.

use anyhow::Result;

use super::decide::EnvNeed;
use crate::build::BuildPlan;
use crate::git::CommitTree;
use crate::python::dependencies::{Declaration, Recorded, Role, Source, declarations};
use crate::site::settings::Dependencies;
use crate::user_error::UserError;

/// What the plan has an env for, and what it installs.
#[derive(Debug)]
pub(super) struct Uses<'a> {
    pub need: &'a EnvNeed,
    pub source: Option<&'a Source>,
    pub recorded: &'a Recorded,
}

/// What to say of the declarations that nothing is installed from.
#[derive(Debug, Default)]
pub(super) struct Unused {
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

/// Fails when the tree declares dependencies, nothing installs them, and nobody said that this is
/// meant. Commands of the project may install them, so then it is only a warning.
pub(super) fn check(
    tree: &CommitTree<'_>,
    uses: &Uses<'_>,
    settings: &Dependencies,
    build: &BuildPlan,
) -> Result<Unused> {
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
    let Some(first) = declared.first() else { return Ok(unused) };
    match uses.source {
        Some(source) => {
            let is_empty = !uses.recorded.lines.iter().any(|line| line.role == Role::Requirement);
            if is_empty {
                unused.warnings.push(format!(
                    "{source} is empty, so nothing is installed, although {first} declares \
                     dependencies"
                ));
            }
            // A requirements file that installs the project itself installs what it declares.
            let installs_itself = uses.recorded.local.iter().any(|local| local.path == ".");
            let of_project = ["pyproject.toml", "setup.cfg", "setup.py"];
            // A lock is made from its manifest.
            let made_from: &[&str] = match source {
                Source::Lock(lock) => lock.manifests(),
                Source::RequirementsTxt { .. } => &[],
            };
            // Other requirements files are most likely variants of the one that is used.
            let is_worth_a_note = |it: &&Declaration| {
                let is_variant = it.path.to_lowercase().starts_with("requirement");
                let is_installed = installs_itself && of_project.contains(&it.path.as_str());
                !(is_variant || is_installed || made_from.contains(&it.path.as_str()))
            };
            unused.notes.extend(
                declared
                    .iter()
                    .filter(is_worth_a_note)
                    .map(|it| format!("{it} is not used, because {source} is there.")),
            );
        }
        None if build.pre_build.is_empty()
            && build.post_build.is_empty()
            && *uses.need == EnvNeed::Python =>
        {
            return Err(nothing_installs(first, &declared).into());
        }
        None => unused.warnings.push(format!(
            "{first} declares dependencies, and nyala installs nothing from it: {}",
            first.export
        )),
    }
    Ok(unused)
}

fn nothing_installs(first: &Declaration, declared: &[Declaration]) -> UserError {
    let names: Vec<_> = declared.iter().map(ToString::to_string).collect();
    UserError::new(format!(
        "{first} declares dependencies, and nyala cannot install from it: it needs a \
         requirements.txt or a lock file, and there is none"
    ))
    .found(names.join(", "))
    .fix(&first.export)
    .fix("git add requirements.txt, commit, and push again")
    .fix(format!(
        "Or, if nothing is to be installed: ignore = [{}] under [dependencies] in nyala.toml, or \
         commit an empty requirements.txt",
        names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    ))
}
