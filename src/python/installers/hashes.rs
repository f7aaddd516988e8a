//! Required hashes, and what can have none: a folder of the commit is what was pushed, so there is
//! no download that a hash could prove to be the right one.
//!
//! pip applies its setting also to what it builds packages with, so a project that a lock installs
//! beside its packages could not be built at all.

use anyhow::Result;

use super::error::{locked_without_hash, without_hash};
use super::pip_config::{Setting, is_off};
use super::{Installation, Installer};
use crate::process::Environment;
use crate::python::dependencies::{Line, LocalKind, Role};

const REQUIRE_HASHES: &str = "require-hashes";
const VARIABLES: [&str; 2] = ["PIP_REQUIRE_HASHES", "UV_REQUIRE_HASHES"];

/// What requires hashes.
#[derive(Debug)]
pub(super) enum Required {
    /// The setting of pip or uv that stands there: a variable, or the path of a file.
    Setting(String),
    /// One that has a hash, or says so, such as `line 2 of requirements.txt`.
    Line(String),
}

/// The environment for an installation, and those of pip's settings that hold in it. Fails when
/// hashes are required of what can have none.
pub(super) fn required(
    installer: Installer,
    environment: Environment,
    mut settings: Vec<Setting>,
    installation: &Installation<'_>,
) -> Result<(Environment, Vec<Setting>)> {
    let Installation { recorded, source, complete, .. } = installation;
    let setting = setting(installer, &environment, &settings).map(Required::Setting);
    let required = if *complete { setting } else { setting.or_else(|| line(&recorded.lines)) };
    let Some(required) = required else { return Ok((environment, settings)) };
    let requirements = || recorded.lines.iter().filter(|line| line.role == Role::Requirement);
    if *complete {
        let is_here = |line: &&Line| line.source.as_deref().is_some_and(|it| it.starts_with("./"));
        let without = requirements().filter(|line| line.hashes.is_empty() && !is_here(line));
        let without: Vec<_> = without.map(|line| line.key.clone()).collect();
        if !without.is_empty() {
            return Err(locked_without_hash(source.path(), &without, &required).into());
        }
        // The installer compares the hashes of a lock without the setting, too.
        settings.retain(|setting| setting.name != REQUIRE_HASHES);
        let environment = VARIABLES.iter().fold(environment, |all, name| all.set(name, "0"));
        return Ok((environment, settings));
    }
    let name = |path: &str| if path == "." { "the project itself" } else { path }.to_owned();
    let folders = recorded.local.iter().filter(|local| local.kind != LocalKind::File);
    let folders: Vec<_> = folders.map(|local| name(&local.path)).collect();
    let is_repository = |line: &&Line| {
        let source = line.source.as_deref().unwrap_or_default();
        ["git+", "hg+", "svn+", "bzr+"].iter().any(|system| source.starts_with(system))
    };
    let repositories: Vec<_> =
        requirements().filter(is_repository).map(|line| line.key.clone()).collect();
    if folders.is_empty() && repositories.is_empty() {
        return Ok((environment, settings));
    }
    Err(without_hash(&folders, &repositories, &required).into())
}

/// The setting that requires hashes.
fn setting(
    installer: Installer,
    environment: &Environment,
    settings: &[Setting],
) -> Option<String> {
    let of_pip = settings.iter().find(|it| it.name == REQUIRE_HASHES && !is_off(&it.value));
    let of_uv = || {
        let value = environment.get(VARIABLES[1])?;
        let is_on = installer == Installer::Uv && !is_off(&value.to_string_lossy());
        is_on.then(|| VARIABLES[1].to_owned())
    };
    of_pip.map(|setting| setting.by.clone()).or_else(of_uv)
}

/// The first line that requires hashes of all others.
fn line(lines: &[Line]) -> Option<Required> {
    let requires = |line: &&Line| match line.role {
        Role::Requirement => !line.hashes.is_empty(),
        Role::Option => line.key == "--require-hashes",
        Role::Constraint => false,
    };
    let Line { file, number, .. } = lines.iter().find(requires)?;
    Some(Required::Line(format!("line {number} of {file}")))
}
