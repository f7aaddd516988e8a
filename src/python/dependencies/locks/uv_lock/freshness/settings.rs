//! What `[tool.uv]` says of the resolution as a whole, for all projects of a workspace. What is not
//! written may be in uv's settings elsewhere. What is new, and about a package that the lock does
//! not have, changes nothing: uv leaves the lock as it is, without it.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::super::super::Manifests;
use super::super::super::error::LockError;
use super::super::super::marker::normalized;
use super::super::super::requirement::Requirement;
use super::super::file::{Conflicting, Lock, Override};
use super::choosing;
use super::manifest::Manifest;
use super::place::{of_index, plain};
use super::requirement::{OfExtras, canonical, differences, of_lock};
use super::{UvRequirement, texts};

const PYPI: &str = "https://pypi.org/simple";

/// Fails when the settings in the pyproject.toml beside the lock, or in a uv.toml, are others.
pub(super) fn check(
    lock: &Lock,
    manifest: &Manifest<'_>,
    manifests: &Manifests,
) -> Result<(), LockError> {
    let in_pyproject = manifest.uv;
    // Where there is a uv.toml, uv takes these from it alone.
    let settings = manifests.uv_toml.as_ref().unwrap_or(in_pyproject);
    check_constraints(lock, manifest)?;
    check_overrides(lock, manifest)?;
    let then = excluded(&lock.manifest.excludes.iter().collect::<Vec<_>>());
    let mut now = excluded(&list(in_pyproject, "exclude-dependencies"));
    now.retain(|it| {
        let about = if it.0.name.is_empty() { &it.1 } else { &it.0.name };
        then.contains(it) || has(lock, about)
    });
    if now != then {
        return Err(manifest.stale("exclude-dependencies has changed there"));
    }
    let then = stated(manifest, &lock.manifest.dependency_metadata)?;
    let now = list(settings, "dependency-metadata").into_iter().filter_map(Value::as_table);
    let mut now = stated(manifest, now)?;
    now.retain(|it| then.contains(it) || has(lock, &it.of.name));
    if now != then {
        return Err(manifest.stale("dependency-metadata has changed there"));
    }
    choosing::check(lock, manifest, settings, manifests)?;
    for (key, then) in [
        ("environments", &lock.supported_markers),
        ("required-environments", &lock.required_markers),
    ] {
        let now = in_pyproject.get(key).map(texts).unwrap_or_default();
        if manifest.environments(&now)? != manifest.environments(then)? {
            return Err(manifest.stale(format!("{key} has changed there")));
        }
    }
    if lock.manifest.members.is_empty() {
        check_conflicts(lock, manifest)?;
    }
    if manifests.has_other_indexes {
        return Ok(());
    }
    check_indexes(lock, manifest, settings, &manifests.indexes_of_site)
}

fn has(lock: &Lock, package: &str) -> bool {
    lock.packages.iter().any(|it| it.name == package)
}

fn check_constraints(lock: &Lock, manifest: &Manifest<'_>) -> Result<(), LockError> {
    let is_known = |name: &str| has(lock, name);
    let of_builds = |_: &str| true;
    for (key, then, counts) in [
        ("constraint-dependencies", &lock.manifest.constraints, &is_known as &dyn Fn(&str) -> bool),
        ("build-constraint-dependencies", &lock.manifest.build_constraints, &of_builds),
    ] {
        let now = manifest.uv.get(key).map(texts).unwrap_or_default();
        check_list(key, &now, &then.iter().collect::<Vec<_>>(), manifest, counts)?;
    }
    Ok(())
}

fn check_list(
    key: &str,
    now: &[String],
    then: &[&UvRequirement],
    manifest: &Manifest<'_>,
    counts: &dyn Fn(&str) -> bool,
) -> Result<(), LockError> {
    let mut now = manifest.read(now, None)?;
    let then = of_lock(then.iter().copied(), manifest, &now)?;
    now.retain(|it| then.contains(it) || counts(&it.name));
    differences(&now, &then).map_err(|why| manifest.stale(format!("{why}, in {key}")))
}

/// What takes the place of a requirement: of each package, under an empty name, or of one.
fn check_overrides(lock: &Lock, manifest: &Manifest<'_>) -> Result<(), LockError> {
    const KEY: &str = "override-dependencies";
    let mut now: BTreeMap<Scope, Vec<String>> = BTreeMap::new();
    for entry in list(manifest.uv, KEY) {
        match entry {
            Value::String(text) => now.entry(Scope::default()).or_default().push(text.clone()),
            table => now
                .entry(Scope::of(table.get("package").and_then(Value::as_table)))
                .or_default()
                .extend(table.get("dependencies").map(texts).unwrap_or_default()),
        }
    }
    let mut then: BTreeMap<Scope, Vec<&UvRequirement>> = BTreeMap::new();
    for entry in &lock.manifest.overrides {
        match entry {
            Override::OfAll(requirement) => {
                then.entry(Scope::default()).or_default().push(requirement);
            }
            Override::OfPackage { package, dependencies } => {
                then.entry(Scope::of(Some(package))).or_default().extend(dependencies);
            }
        }
    }
    let scopes: BTreeSet<Scope> = now.keys().chain(then.keys()).cloned().collect();
    for scope in scopes {
        let now = now.remove(&scope).unwrap_or_default();
        let then = then.remove(&scope).unwrap_or_default();
        let counts = |name: &str| has(lock, if scope.name.is_empty() { name } else { &scope.name });
        check_list(KEY, &now, &then, manifest, &counts)?;
    }
    Ok(())
}

/// The package whose dependencies are meant; without a name, all.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Scope {
    name: String,
    version: String,
}

impl Scope {
    fn of(package: Option<&Table>) -> Scope {
        let text = |key: &str| package.and_then(|it| it.get(key)?.as_str()).unwrap_or_default();
        Scope { name: normalized(text("name")), version: text("version").to_owned() }
    }
}

/// What `exclude-dependencies` leaves out, and of which package.
fn excluded(entries: &[&Value]) -> BTreeSet<(Scope, String)> {
    let mut found = BTreeSet::new();
    for entry in entries {
        match entry {
            Value::String(name) => drop(found.insert((Scope::default(), normalized(name)))),
            table => {
                let scope = Scope::of(table.get("package").and_then(Value::as_table));
                let names = table.get("dependencies").map(texts).unwrap_or_default();
                found.extend(names.iter().map(|name| (scope.clone(), normalized(name))));
            }
        }
    }
    found
}

/// The metadata of a package that `dependency-metadata` states.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Stated {
    of: Scope,
    requires: BTreeSet<StatedRequirement>,
    python: BTreeSet<String>,
    extras: BTreeSet<String>,
}

/// Name, extras, versions and address of a requirement, and where its marker holds.
type StatedRequirement = (String, BTreeSet<String>, BTreeSet<String>, String, OfExtras);

fn stated<'a>(
    manifest: &Manifest<'_>,
    tables: impl IntoIterator<Item = &'a Table>,
) -> Result<BTreeSet<Stated>, LockError> {
    let requirement = |line: &String| {
        let Requirement { name, extras, specifiers, url, marker } = Requirement::parse(line)?;
        let holds = manifest.holds_with_extras(&marker, &name)?;
        let url = url.map_or(String::new(), |url| plain(&url));
        Ok((name, extras, canonical(&specifiers), url, holds))
    };
    let one = |table: &Table| {
        let lines = table.get("requires-dist").map(texts).unwrap_or_default();
        let python = table.get("requires-python").and_then(Value::as_str).unwrap_or_default();
        let extras =
            ["provides-extras", "provides-extra"].into_iter().filter_map(|it| table.get(it));
        Ok(Stated {
            of: Scope::of(Some(table)),
            requires: lines.iter().map(requirement).collect::<Result<_, _>>()?,
            python: canonical(python),
            extras: extras.flat_map(texts).map(|name| normalized(&name)).collect(),
        })
    };
    tables.into_iter().map(one).collect()
}

/// Each of the sets that pyproject.toml names has to be in the lock. uv adds others, for groups
/// that include the ones that conflict.
fn check_conflicts(lock: &Lock, manifest: &Manifest<'_>) -> Result<(), LockError> {
    type Set = BTreeSet<(String, String, String)>;
    let text = |item: &Value, key: &str| item.get(key).and_then(Value::as_str).map(normalized);
    let one = |item: &Value| {
        let package = text(item, "package").unwrap_or_else(|| manifest.name.to_owned());
        let [extra, group] = ["extra", "group"].map(|it| text(item, it).unwrap_or_default());
        (package, extra, group)
    };
    let sets = list(manifest.uv, "conflicts").into_iter();
    let now: BTreeSet<Set> =
        sets.map(|set| set.as_array().into_iter().flatten().map(one).collect()).collect();
    let of_lock = |it: &Conflicting| {
        let Conflicting { package, extra, group } = it;
        let [extra, group] = [extra, group].map(|it| it.clone().unwrap_or_default());
        (package.clone(), extra, group)
    };
    let then: BTreeSet<Set> =
        lock.conflicts.iter().map(|set| set.iter().map(of_lock).collect()).collect();
    let groups = manifest.pyproject.get("dependency-groups").and_then(Value::as_table);
    let mut entries = groups.into_iter().flat_map(Table::values).filter_map(Value::as_array);
    let may_have_more = entries.any(|entries| entries.iter().any(Value::is_table));
    if now.is_subset(&then) && (may_have_more && !now.is_empty() || now == then) {
        return Ok(());
    }
    Err(manifest.stale("conflicts has changed there"))
}

/// What the projects ask for has to come from an index that is named, or from `PyPI` where no other
/// default is. Without any, uv leaves a lock as it is.
///
/// What settings of the site name, `of_site`, is one of them. To uv, such a setting also takes the
/// place of the default: a lock that was made from `PyPI` is stale where a mirror is set, and with
/// pip's settings it is not. Here it is the same lock wherever its packages are downloaded from.
fn check_indexes(
    lock: &Lock,
    manifest: &Manifest<'_>,
    settings: &Table,
    of_site: &[String],
) -> Result<(), LockError> {
    let declared = list(settings, "index");
    let url = |index: &Value| index.get("url").and_then(Value::as_str).map(of_index);
    let mut known: BTreeSet<String> = declared.iter().filter_map(|index| url(index)).collect();
    let is_default = |index: &&Value| index.get("default").and_then(Value::as_bool) == Some(true);
    let mut has_default = declared.iter().any(is_default);
    if let Some(url) = settings.get("index-url").and_then(Value::as_str) {
        known.insert(of_index(url));
        has_default = true;
    }
    let urls = |key: &str| settings.get(key).map(texts).unwrap_or_default();
    known.extend(urls("extra-index-url").iter().map(|it| of_index(it)));
    let is_none = settings.get("no-index").and_then(Value::as_bool) == Some(true);
    if is_none {
        known.clear();
        has_default = true;
    }
    known.extend(urls("find-links").iter().map(|it| of_index(it)));
    if known.is_empty() && !is_none {
        return Ok(());
    }
    if !has_default {
        known.insert(PYPI.to_owned());
    }
    // Of a server's setting, nobody writes the last slash as it is in the lock.
    let of_site = of_site.iter().map(|url| of_index(url.trim_end_matches('/')));
    known.extend(of_site.flat_map(|url| [format!("{url}/"), url]));
    let projects = || lock.packages.iter().filter(|it| it.source.folder().is_some());
    for project in projects() {
        let metadata = &project.metadata;
        let all = metadata.requires_dist.iter().chain(metadata.requires_dev.values().flatten());
        known.extend(all.filter_map(|it| it.index.as_deref()).map(of_index));
    }
    let asked = projects().flat_map(|project| {
        let of_choices = [&project.optional_dependencies, &project.dev_dependencies];
        project
            .dependencies
            .iter()
            .chain(of_choices.into_iter().flat_map(|it| it.values().flatten()))
    });
    let asked: BTreeSet<(&str, Option<&str>)> =
        asked.map(|it| (it.name.as_str(), it.version.as_deref())).collect();
    let is_asked = |name: &str, version: Option<&str>| {
        asked.contains(&(name, None)) || asked.contains(&(name, version))
    };
    let found: Vec<(&str, String)> = lock
        .packages
        .iter()
        .filter(|package| is_asked(&package.name, package.version.as_deref()))
        .filter_map(|package| {
            Some((package.name.as_str(), of_index(package.source.registry.as_ref()?)))
        })
        .filter(|(_, index)| index.contains("://"))
        .collect();
    // A lock without PyPI may have been made where a setting of the machine names another default.
    let of_machine = !has_default && !found.iter().any(|(_, index)| index == PYPI);
    match found.iter().find(|(_, index)| !known.contains(index)) {
        Some((name, index)) if !of_machine => {
            let slash = match index.strip_suffix('/') {
                Some(without) => without.to_owned(),
                None => format!("{index}/"),
            };
            let why = if known.contains(&slash) {
                format!("and the index there is {slash}, which is another one to uv")
            } else {
                "which is no index there".to_owned()
            };
            Err(manifest.stale(format!("{name} is from {index}, {why}")))
        }
        _ => Ok(()),
    }
}

fn list<'a>(table: &'a Table, key: &str) -> Vec<&'a Value> {
    table.get(key).and_then(Value::as_array).into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
