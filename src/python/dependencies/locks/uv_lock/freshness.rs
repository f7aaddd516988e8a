//! Whether a uv.lock belongs to its pyproject.toml: what `uv lock --check` compares, as far as it
//! needs no index. See `Lock::satisfies` in uv's `uv-resolver`, whose answers
//! `scripts/locks.d/mutate.py` compares.

mod requirement;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use toml::{Table, Value};

use self::requirement::{Manifest, Meant, differences, of_lock};
use super::super::error::LockError;
use super::super::groups;
use super::super::marker::normalized;
use super::file::{Lock, Locked};

pub(super) use self::requirement::UvRequirement;

/// Fails unless the lock, whose package for the project is `locked`, was made from this
/// pyproject.toml.
pub(super) fn check(lock: &Lock, locked: &Locked, pyproject: &Table) -> Result<(), LockError> {
    let empty = Table::new();
    let project = table(pyproject, "project").unwrap_or(&empty);
    let uv = table(pyproject, "tool").and_then(|tools| table(tools, "uv")).unwrap_or(&empty);
    // What a workspace says for all its members is in the pyproject.toml of its root.
    let is_root = [&locked.source.r#virtual, &locked.source.editable, &locked.source.directory]
        .iter()
        .any(|place| place.as_deref() == Some("."));
    let metadata = &locked.metadata;
    let requirements =
        metadata.requires_dist.iter().chain(metadata.requires_dev.values().flatten());
    let of_workspace = requirements
        .filter(|requirement| !is_root && !requirement.is_from_index())
        .map(|requirement| requirement.name.clone())
        .collect();
    let pythons = sample(project.get("requires-python").and_then(Value::as_str));
    let manifest = Manifest { project, uv, name: &locked.name, of_workspace, pythons };
    let checked = check_project(lock, locked, pyproject, &manifest)
        .and_then(|()| check_requirements(lock, locked, pyproject, &manifest));
    checked.and_then(|()| if is_root { check_settings(lock, &manifest) } else { Ok(()) })
}

fn stale(why: impl Into<String>) -> LockError {
    LockError::Stale { file: "pyproject.toml", why: why.into() }
}

/// Its version, whether it is a package, and its Python.
fn check_project(
    lock: &Lock,
    locked: &Locked,
    pyproject: &Table,
    manifest: &Manifest<'_>,
) -> Result<(), LockError> {
    let Manifest { project, uv, name, .. } = manifest;
    let version = |text: &str| Version::from_str(text).ok();
    let texts = (project.get("version").and_then(Value::as_str), locked.version.as_deref());
    if let (Some(now), Some(then)) = texts
        && version(now) != version(then)
    {
        return Err(stale(format!("the version is {now} there, and {then} in the lock")));
    }
    let asked = uv.get("package").and_then(Value::as_bool);
    let is_package = asked.unwrap_or(pyproject.contains_key("build-system"));
    if is_package == locked.source.r#virtual.is_some() {
        let verb = if is_package { "is a package" } else { "is no package" };
        return Err(stale(format!("{name} {verb} there")));
    }
    if lock.revision >= 5 && uv.get("default-groups") != locked.default_groups.as_ref() {
        return Err(stale("default-groups has changed there"));
    }
    let now = project.get("requires-python").and_then(Value::as_str);
    if let (Some(now), Some(then), true) =
        (now, lock.requires_python.as_deref(), lock.manifest.members.is_empty())
        && !same_pythons(now, then)
    {
        return Err(stale(format!("requires-python is {now} there, and {then} in the lock")));
    }
    Ok(())
}

/// The Pythons that markers are compared for: those that the project is for.
fn sample(requires: Option<&str>) -> Vec<Version> {
    let allowed = VersionSpecifiers::from_str(requires.unwrap_or_default()).unwrap_or_default();
    let all = (6..=15).flat_map(|minor| [0, 9].map(|patch| Version::new([3, minor, patch])));
    all.filter(|version| allowed.contains(version)).collect()
}

/// Whether two specifiers allow the same Pythons, of all that there may be.
fn same_pythons(one: &str, other: &str) -> bool {
    let read = |text: &str| VersionSpecifiers::from_str(text).ok();
    let (Some(one), Some(other)) = (read(one), read(other)) else { return false };
    (6..30)
        .flat_map(|minor| (0..24).map(move |patch| Version::new([3, minor, patch])))
        .all(|version| one.contains(&version) == other.contains(&version))
}

/// What the project and its extras and groups ask for.
fn check_requirements(
    lock: &Lock,
    locked: &Locked,
    pyproject: &Table,
    manifest: &Manifest<'_>,
) -> Result<(), LockError> {
    let Manifest { project, uv, .. } = manifest;
    let is_dynamic = |field: &str| {
        let dynamic = project.get("dynamic").and_then(Value::as_array);
        dynamic.is_some_and(|fields| fields.iter().any(|it| it.as_str() == Some(field)))
    };
    let metadata = &locked.metadata;
    if !is_dynamic("dependencies") && !is_dynamic("optional-dependencies") {
        let extras: BTreeSet<String> = table(project, "optional-dependencies")
            .into_iter()
            .flat_map(Table::keys)
            .map(|name| normalized(name))
            .collect();
        let then = metadata.provides_extras.as_ref().filter(|_| lock.revision >= 1);
        if let Some(then) = then {
            check_names("the extra", &extras, then)?;
        }
        let flattened = !metadata.requires_dist.iter().any(|it| it.name == locked.name);
        let now = manifest.requirements(flattened)?;
        differences(&now, &of_lock(&metadata.requires_dist, manifest, &now)?).map_err(stale)?;
    }
    let mut of_groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in groups::names(pyproject) {
        let requirements = groups::requirements(pyproject, &name);
        of_groups.entry(normalized(&name)).or_default().extend(requirements);
    }
    if let Some(older) = uv.get("dev-dependencies") {
        of_groups.entry("dev".to_owned()).or_default().extend(texts(older));
    }
    // Empty groups are kept since revision 1.
    let counts = |empty: bool| lock.revision >= 1 || !empty;
    let now: BTreeSet<String> = of_groups
        .iter()
        .filter(|(_, requirements)| counts(requirements.is_empty()))
        .map(|(name, _)| name.clone())
        .collect();
    let then = metadata.requires_dev.iter().filter(|(_, it)| counts(it.is_empty()));
    check_names("the group", &now, &then.map(|(name, _)| name.clone()).collect())?;
    for (name, requirements) in &of_groups {
        let now = manifest.read(requirements, None)?;
        let then = metadata.requires_dev.get(name).map_or(&[][..], Vec::as_slice);
        differences(&now, &of_lock(then, manifest, &now)?)
            .map_err(|why| stale(format!("{why}, in the group {name}")))?;
    }
    Ok(())
}

fn check_names(
    what: &str,
    now: &BTreeSet<String>,
    then: &BTreeSet<String>,
) -> Result<(), LockError> {
    if let Some(name) = now.difference(then).next() {
        return Err(stale(format!("{what} {name} is new there")));
    }
    match then.difference(now).next() {
        Some(name) => Err(stale(format!("{what} {name} is no longer there"))),
        None => Ok(()),
    }
}

/// What `[tool.uv]` says of the resolution. What is not written may be in uv's settings elsewhere.
fn check_settings(lock: &Lock, manifest: &Manifest<'_>) -> Result<(), LockError> {
    let uv = manifest.uv;
    for (key, then) in [
        ("constraint-dependencies", &lock.manifest.constraints),
        ("override-dependencies", &lock.manifest.overrides),
        ("build-constraint-dependencies", &lock.manifest.build_constraints),
    ] {
        let now = manifest.read(&uv.get(key).map(texts).unwrap_or_default(), None)?;
        let of_lock: BTreeSet<Meant> = of_lock(then, manifest, &now)?;
        differences(&now, &of_lock).map_err(|why| stale(format!("{why}, in {key}")))?;
    }
    for (key, then, default) in [
        ("resolution", &lock.options.resolution_mode, "highest"),
        ("prerelease", &lock.options.prerelease_mode, "if-necessary-or-explicit"),
        ("fork-strategy", &lock.options.fork_strategy, "requires-python"),
    ] {
        let now = uv.get(key).and_then(Value::as_str);
        if now.is_some_and(|now| now != then.as_deref().unwrap_or(default)) {
            return Err(stale(format!("{key} has changed there")));
        }
    }
    if uv.contains_key("environments") == lock.supported_markers.is_empty() {
        return Err(stale("environments has changed there"));
    }
    let conflicts = uv.get("conflicts").and_then(Value::as_array).map_or(0, Vec::len);
    if lock.manifest.members.is_empty() && conflicts != lock.conflicts.len() {
        return Err(stale("conflicts has changed there"));
    }
    Ok(())
}

fn table<'a>(table: &'a Table, key: &str) -> Option<&'a Table> {
    table.get(key)?.as_table()
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
