//! The version of a project that takes it from git, which a release does not have.
//!
//! setuptools-scm, hatch-vcs, PDM and pbr run `git describe` in the project's folder. A release has
//! no `.git`, so they would fail, or ask the repository of a folder above. They all take the
//! version from a variable instead.

use anyhow::Result;

use super::PlanRequest;
use crate::git::{Repository, git, run};
use crate::process::Environment;
use crate::python::dependencies::{LocalKind, Recorded, Resolved, Tree, resolve};

/// What names one of these tools in the files of a project.
const TOOLS: [&str; 5] = ["setuptools_scm", "setuptools-scm", "hatch-vcs", "hatch_vcs", "pbr"];
const FILES: [&str; 3] = ["pyproject.toml", "setup.cfg", "setup.py"];
/// The variables that they take a version from.
const VARIABLES: [&str; 3] =
    ["SETUPTOOLS_SCM_PRETEND_VERSION", "PDM_BUILD_SCM_VERSION", "PBR_VERSION"];
/// A longer file than this is not looked into.
const LONGEST: u64 = 1 << 20;

/// The variables that tell the builds of local projects their version; none when no project asks
/// git for it, or when somebody has set one.
pub(super) fn variables(
    tree: &impl Tree,
    requirements: &Recorded,
    request: &PlanRequest<'_>,
) -> Result<Vec<(&'static str, String)>> {
    let PlanRequest { repository, commit, app_settings, .. } = request;
    let environment = Environment::clean().with_app_settings(app_settings.iter());
    let is_set = |name: &str| {
        environment.iter().any(|(variable, _)| variable.to_string_lossy().starts_with(name))
    };
    let folders = requirements.local.iter().filter(|local| local.kind != LocalKind::File);
    let mut asks = false;
    for local in folders {
        for name in FILES {
            asks |= asks_git(tree, &format!("{}/{name}", local.path))?;
        }
    }
    if !asks {
        return Ok(Vec::new());
    }
    let version = version(repository, &commit.id);
    Ok(VARIABLES.into_iter().filter(|name| !is_set(name)).map(|it| (it, version.clone())).collect())
}

fn asks_git(tree: &impl Tree, path: &str) -> Result<bool> {
    let Resolved::File { id, .. } = resolve(tree, path)? else { return Ok(false) };
    if tree.size(&id)? > LONGEST {
        return Ok(false);
    }
    let text = String::from_utf8_lossy(&tree.read(&id)?).into_owned();
    let is_pdm = text.contains("pdm") && text.contains("\"scm\"");
    Ok(is_pdm || TOOLS.iter().any(|tool| text.contains(tool)))
}

/// What setuptools-scm would make of `git describe` by default: the tag's version, or the next one
/// as a development release; without a tag, one that counts the commits.
fn version(repository: &Repository, commit: &str) -> String {
    let mut describe = git(repository.path());
    describe.args(["describe", "--tags", "--long", "--match", "*[0-9]*", commit]);
    let described = run(&mut describe).ok();
    described.as_deref().and_then(from_description).unwrap_or_else(|| {
        let mut count = git(repository.path());
        let count = run(count.args(["rev-list", "--count", commit])).unwrap_or_default();
        let count = if count.trim().is_empty() { "0" } else { count.trim() };
        format!("0.1.dev{count}+g{}", commit.get(..9).unwrap_or(commit))
    })
}

/// `v1.2.3-4-g1a2b3c4` is `1.2.4.dev4+g1a2b3c4`, and `v1.2.3-0-g…` is `1.2.3`.
fn from_description(text: &str) -> Option<String> {
    let (rest, hash) = text.trim().rsplit_once('-')?;
    let (tag, distance) = rest.rsplit_once('-')?;
    let version = &tag[tag.find(|c: char| c.is_ascii_digit())?..];
    // A tag such as `release-2024` is no version that can be counted on.
    version.parse::<pep440_rs::Version>().ok()?;
    if distance == "0" {
        return Some(version.to_owned());
    }
    let digits = version.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    let (before, last) = version.split_at(digits);
    let next = last.parse::<u64>().ok()?.checked_add(1)?;
    Some(format!("{before}{next}.dev{distance}+{hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_a_version_as_setuptools_scm_has_it() {
        for (text, expected) in [
            ("v1.2.3-0-g1a2b3c4\n", Some("1.2.3")),
            ("v1.2.3-4-g1a2b3c4", Some("1.2.4.dev4+g1a2b3c4")),
            ("release-2.0-1-gabc", Some("2.1.dev1+gabc")),
            ("1.0rc1-2-gabc", Some("1.0rc2.dev2+gabc")),
            ("v1-beta-x-2-gabc", None),
            ("nothing", None),
        ] {
            assert_eq!(from_description(text).as_deref(), expected, "{text}");
        }
    }
}
