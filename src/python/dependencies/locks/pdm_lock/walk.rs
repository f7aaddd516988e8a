//! Which packages of a pdm.lock without markers are installed: a walk from the dependencies that
//! pyproject.toml declares.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};
use toml::{Table, Value};

use super::super::error::LockError;
use super::super::groups;
use super::super::marker::{self, Environment, normalized};
use super::super::requirement::Requirement;
use super::{Lock, Locked};

/// What pyproject.toml declares: the requirements of each group and extra; `default` are the main
/// ones.
#[derive(Debug, Default)]
pub(super) struct Declared {
    /// The project's own name: `app[web]` in one of its extras is another of its extras.
    name: String,
    requirements: BTreeMap<String, Vec<String>>,
    /// What PDM leaves out of the lock although it is asked for.
    excluded: BTreeSet<String>,
}

impl Declared {
    pub(super) fn of(pyproject: &Table) -> Declared {
        let texts = |value: &Value| -> Vec<String> {
            let list = value.as_array().into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let project = pyproject.get("project");
        let main = project.and_then(|project| project.get("dependencies")).map(texts);
        let mut declared = BTreeMap::from_iter([("default".to_owned(), main.unwrap_or_default())]);
        let extras = project.and_then(|project| project.get("optional-dependencies"));
        let pdm = pyproject.get("tool").and_then(|tool| tool.get("pdm"));
        let older = pdm.and_then(|pdm| pdm.get("dev-dependencies"));
        let tables = [extras, older].into_iter().flatten().filter_map(Value::as_table).flatten();
        for (name, requirements) in tables {
            declared.entry(normalized(name)).or_default().extend(texts(requirements));
        }
        for name in groups::names(pyproject) {
            let requirements = groups::requirements(pyproject, &name);
            declared.entry(normalized(&name)).or_default().extend(requirements);
        }
        let name = project.and_then(|project| project.get("name")?.as_str());
        let excluded = pdm.and_then(|pdm| pdm.get("resolution")?.get("excludes")).map(texts);
        Declared {
            name: name.map(normalized).unwrap_or_default(),
            requirements: declared,
            excluded: excluded.iter().flatten().map(|name| normalized(name)).collect(),
        }
    }

    pub(super) fn names(&self) -> BTreeSet<&String> {
        self.requirements.keys().collect()
    }
}

/// Fails when what the project or a package asks for is not in the lock: the end of it may be cut
/// off.
pub(super) fn check_whole(
    lock: &Lock,
    declared: &Declared,
    (installed, wanted): (&[&Locked], &BTreeSet<String>),
    environment: &Environment,
) -> Result<(), LockError> {
    let there: BTreeSet<String> = lock.packages.iter().map(|it| normalized(&it.name)).collect();
    let is_wanted = |group: &&String| *group == "default" || wanted.contains(*group);
    let groups = declared.requirements.iter().filter(|(group, _)| is_wanted(group));
    let of_packages = installed.iter().flat_map(|package| &package.dependencies);
    for text in groups.flat_map(|(_, requirements)| requirements).chain(of_packages) {
        let requirement = parsed(text)?;
        let name = &requirement.name;
        if !there.contains(name)
            && *name != declared.name
            && !declared.excluded.contains(name)
            && holds(&requirement, environment)?
        {
            return Err(LockError::Missing { package: name.clone() });
        }
    }
    Ok(())
}

/// `-e file:///${PROJECT_ROOT}/lib#egg=lib`, as PDM writes what is linked, is a requirement, too.
fn parsed(text: &str) -> Result<Requirement, LockError> {
    let text = text.strip_prefix("-e ").unwrap_or(text).trim();
    Requirement::parse(text.split_once("#egg=").map_or(text, |(_, name)| name))
}

fn holds(requirement: &Requirement, environment: &Environment) -> Result<bool, LockError> {
    marker::holds(&requirement.marker, environment)
        .map_err(|error| LockError::Marker { package: requirement.name.clone(), error })
}

/// The packages of the main dependencies and of the groups in `wanted`.
pub(super) fn packages<'a>(
    lock: &'a Lock,
    declared: &Declared,
    wanted: &BTreeSet<String>,
    environment: &Environment,
) -> Result<Vec<&'a Locked>, LockError> {
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, package) in lock.packages.iter().enumerate() {
        by_name.entry(normalized(&package.name)).or_default().push(index);
    }
    let mut reached = BTreeSet::new();
    let mut queue = VecDeque::new();
    let mut seen = wanted.clone();
    let mut follow =
        |queue: &mut VecDeque<usize>, own: &mut Vec<String>, text: &str| -> Result<(), LockError> {
            let requirement = parsed(text)?;
            if !holds(&requirement, environment)? {
                return Ok(());
            }
            if requirement.name == declared.name {
                for extra in requirement.extras.iter().filter(|extra| seen.insert((*extra).clone()))
                {
                    own.extend(declared.requirements.get(extra).into_iter().flatten().cloned());
                }
                return Ok(());
            }
            let named = by_name.get(&requirement.name).map_or(&[][..], Vec::as_slice);
            for index in meant(lock, named, &requirement, environment)? {
                if reached.insert(index) {
                    queue.push_back(index);
                }
            }
            Ok(())
        };
    let mut own = Vec::new();
    for (group, requirements) in &declared.requirements {
        if group == "default" || wanted.contains(group) {
            own.extend(requirements.iter().cloned());
        }
    }
    while let Some(requirement) = own.pop() {
        follow(&mut queue, &mut own, &requirement)?;
    }
    while let Some(index) = queue.pop_front() {
        for dependency in &lock.packages[index].dependencies {
            follow(&mut queue, &mut own, dependency)?;
        }
    }
    Ok(reached.into_iter().map(|index| &lock.packages[index]).collect())
}

/// The package of the requirement's name, and the one that adds its extras.
fn meant(
    lock: &Lock,
    named: &[usize],
    requirement: &Requirement,
    environment: &Environment,
) -> Result<Vec<usize>, LockError> {
    let unknown = || LockError::Unknown {
        what: format!("the version of {}, {:?}", requirement.name, requirement.specifiers),
    };
    let specifiers = VersionSpecifiers::from_str(&requirement.specifiers).map_err(|_| unknown())?;
    let find = |extras: &BTreeSet<String>| -> Result<Option<usize>, LockError> {
        let (mut first, mut newest) = (None, None);
        for &index in named {
            let package = &lock.packages[index];
            let its: BTreeSet<String> =
                package.extras.iter().map(|extra| normalized(extra)).collect();
            if its != *extras || !package.is_for(environment)? {
                continue;
            }
            let version = package.version.as_deref().map(Version::from_str);
            match version.transpose().map_err(|_| unknown())? {
                Some(version) if !specifiers.contains(&version) => {}
                // A lock for several targets has several that fit, of which pdm takes the newest.
                version => newest = newest.max(Some((version, index))),
            }
            first.get_or_insert(index);
        }
        // An override may have chosen a version that the requirement does not allow.
        Ok(newest.map(|(_, index)| index).or(first))
    };
    let plain = find(&BTreeSet::new())?;
    let extended = if requirement.extras.is_empty() { None } else { find(&requirement.extras)? };
    let found: Vec<usize> = plain.into_iter().chain(extended).collect();
    if found.is_empty() {
        return Err(LockError::Missing { package: requirement.name.clone() });
    }
    Ok(found)
}
