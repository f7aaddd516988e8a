//! Whether a uv.lock belongs to its pyproject.toml: what `uv lock --check` compares, as far as it
//! needs no index. See `Lock::satisfies` in uv's `uv-resolver`, whose answers
//! `scripts/locks.d/mutate.py` compares.

mod choosing;
mod manifest;
mod members;
mod place;
mod requirement;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use toml::{Table, Value};

use self::manifest::{EMPTY, Manifest};
use self::requirement::{differences, of_lock};
use super::super::error::LockError;
use super::super::marker::normalized;
use super::super::{Manifests, groups};
use super::file::{Lock, Locked};

pub(super) use self::requirement::UvRequirement;

/// The manifest of the project that is deployed.
const OWN: &str = "pyproject.toml";

/// Fails unless the lock was made from the pyproject.toml of the project that is deployed, of the
/// workspace, and of the other projects in it.
pub(super) fn check(lock: &Lock, manifests: &Manifests) -> Result<(), LockError> {
    let Manifests { pyproject, workspace, .. } = manifests;
    let others = &workspace.others;
    members::check_there(lock, workspace)?;
    let own = own(lock, manifests)?;
    let is_top = own.is_none_or(|locked| locked.source.folder() == Some("."));
    let above = others.get(".").map(|it| (it.path.as_str(), &it.table));
    let top = above.or_else(|| is_top.then_some((OWN, pyproject)));
    let editables = members::editables(lock, manifests, top.map(|(_, table)| table));
    let check = |file: &str, table: &Table, locked: &Locked| {
        let is_member = lock.manifest.members.contains(&locked.name);
        let is_within =
            locked.source.folder().is_some_and(|it| workspace.within_others.contains(it));
        let top =
            top.filter(|_| is_member).map(|(_, table)| if is_within { &EMPTY } else { table });
        check_project(lock, locked, &Manifest::new(file, table, Some(locked), top, &editables))
    };
    if let Some(locked) = own {
        check(OWN, pyproject, locked)?;
    }
    let root =
        top.map(|(file, it)| Manifest::new(file, it, own.filter(|_| is_top), None, &editables));
    if let Some(root) = &root {
        members::check(lock, workspace, root)?;
    }
    for locked in &lock.packages {
        if let Some(other) = locked.source.folder().and_then(|folder| others.get(folder)) {
            check(&other.path, &other.table, locked)?;
        }
    }
    root.map_or(Ok(()), |root| settings::check(lock, &root, manifests))
}

/// The project that is deployed, in the lock; `None` where that is no project.
fn own<'a>(lock: &'a Lock, manifests: &Manifests) -> Result<Option<&'a Locked>, LockError> {
    let Some(name) = manifests.project_name() else { return Ok(None) };
    let locked = lock.packages.iter().find(|package| package.name == name);
    locked.map(Some).ok_or_else(|| LockError::Stale {
        file: OWN.to_owned(),
        why: format!("the project is {name} there, which the lock does not have"),
    })
}

/// Its version, whether it is a package, its Python, and what it asks for.
fn check_project(lock: &Lock, locked: &Locked, manifest: &Manifest<'_>) -> Result<(), LockError> {
    let Manifest { project, uv, name, is_root, .. } = *manifest;
    let stale = |why: String| Err(manifest.stale(why));
    let version = |text: &str| Version::from_str(text).ok();
    let texts = (project.get("version").and_then(Value::as_str), locked.version.as_deref());
    if let (Some(now), Some(then)) = texts
        && version(now) != version(then)
    {
        return stale(format!("the version is {now} there, and {then} in the lock"));
    }
    let asked = uv.get("package").and_then(Value::as_bool);
    let is_package = asked.unwrap_or(manifest.pyproject.contains_key("build-system"));
    // What another project depends on is a package, unless it says that it is none.
    let by_default = !is_package && asked.is_none() && !is_root;
    if is_package == locked.source.r#virtual.is_some() && !by_default {
        let verb = if is_package { "is a package" } else { "is no package" };
        return stale(format!("{name} {verb} there"));
    }
    if lock.revision >= 5 && uv.get("default-groups") != locked.default_groups.as_ref() {
        return stale("default-groups has changed there".to_owned());
    }
    let now = project.get("requires-python").and_then(Value::as_str);
    let is_alone = is_root && lock.manifest.members.is_empty();
    if let (Some(now), Some(then), true) = (now, lock.requires_python.as_deref(), is_alone)
        && !same_pythons(now, then)
    {
        return stale(format!("requires-python is {now} there, and {then} in the lock"));
    }
    check_requirements(lock, locked, manifest)?;
    check_groups(lock, locked, manifest)
}

/// Whether two specifiers allow the same Pythons, of all that there may be.
fn same_pythons(one: &str, other: &str) -> bool {
    let read = |text: &str| VersionSpecifiers::from_str(text).ok();
    let (Some(one), Some(other)) = (read(one), read(other)) else { return false };
    is_same_for_all(|version| one.contains(version), |version| other.contains(version))
}

fn is_same_for_all(one: impl Fn(&Version) -> bool, other: impl Fn(&Version) -> bool) -> bool {
    (6..30)
        .flat_map(|minor| (0..24).map(move |patch| Version::new([3, minor, patch])))
        .all(|version| one(&version) == other(&version))
}

/// What the project and its extras ask for.
fn check_requirements(
    lock: &Lock,
    locked: &Locked,
    manifest: &Manifest<'_>,
) -> Result<(), LockError> {
    let project = manifest.project;
    let is_dynamic = |field: &str| {
        let dynamic = project.get("dynamic").and_then(Value::as_array);
        dynamic.is_some_and(|fields| fields.iter().any(|it| it.as_str() == Some(field)))
    };
    if is_dynamic("dependencies") || is_dynamic("optional-dependencies") {
        return Ok(());
    }
    let metadata = &locked.metadata;
    let extras: BTreeSet<String> = table(project, "optional-dependencies")
        .into_iter()
        .flat_map(Table::keys)
        .map(|name| normalized(name))
        .collect();
    let then = metadata.provides_extras.as_ref().filter(|_| lock.revision >= 1);
    if let Some(then) = then {
        check_names("the extra", &extras, then).map_err(|why| manifest.stale(why))?;
    }
    let flattened = !metadata.requires_dist.iter().any(|it| it.name == locked.name);
    let now = manifest.requirements(flattened)?;
    let then = of_lock(&metadata.requires_dist, manifest, &now)?;
    differences(&now, &then).map_err(|why| manifest.stale(why))
}

/// What its groups ask for.
fn check_groups(lock: &Lock, locked: &Locked, manifest: &Manifest<'_>) -> Result<(), LockError> {
    let Manifest { pyproject, uv, .. } = manifest;
    let metadata = &locked.metadata;
    let mut of_groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in groups::names(pyproject) {
        let requirements = groups::requirements_of_uv(pyproject, &name);
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
    check_names("the group", &now, &then.map(|(name, _)| name.clone()).collect())
        .map_err(|why| manifest.stale(why))?;
    for (name, requirements) in &of_groups {
        let manifest = manifest.for_group(name);
        let now = manifest.read(requirements, None)?;
        let then = metadata.requires_dev.get(name).map_or(&[][..], Vec::as_slice);
        differences(&now, &of_lock(then, &manifest, &now)?)
            .map_err(|why| manifest.stale(format!("{why}, in the group {name}")))?;
    }
    Ok(())
}

fn check_names(what: &str, now: &BTreeSet<String>, then: &BTreeSet<String>) -> Result<(), String> {
    if let Some(name) = now.difference(then).next() {
        return Err(format!("{what} {name} is new there"));
    }
    match then.difference(now).next() {
        Some(name) => Err(format!("{what} {name} is no longer there")),
        None => Ok(()),
    }
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
