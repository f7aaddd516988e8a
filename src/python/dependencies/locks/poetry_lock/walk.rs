//! Which packages of a poetry.lock before 2.1 are installed: a walk from the dependencies that
//! pyproject.toml declares.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::str::FromStr;

use pep440_rs::Version;
use serde::Deserialize;

use super::super::Chosen;
use super::super::error::LockError;
use super::super::groups;
use super::super::marker::{self, Environment, normalized};
use super::super::requirement::Requirement;
use super::{Lock, Locked, allows};

/// One dependency, or several for different Pythons.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Dependencies {
    Version(String),
    One(Dependency),
    Several(Vec<Dependency>),
}

/// A dependency as pyproject.toml and the lock have it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Dependency {
    version: Option<String>,
    python: Option<String>,
    platform: Option<String>,
    markers: Option<String>,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    extras: BTreeSet<String>,
}

/// What pyproject.toml declares: the main dependencies, and those of each group.
#[derive(Debug, Default)]
pub(super) struct Declared {
    main: BTreeMap<String, Dependencies>,
    pub(super) groups: BTreeMap<String, BTreeMap<String, Dependencies>>,
}

impl Declared {
    pub(super) fn of(pyproject: &toml::Table) -> Result<Self, LockError> {
        let poetry = pyproject.get("tool").and_then(|tool| tool.get("poetry"));
        let section = |value: Option<&toml::Value>| -> Result<_, LockError> {
            let Some(value) = value else { return Ok(BTreeMap::new()) };
            value.clone().try_into::<BTreeMap<String, Dependencies>>().map_err(|error| {
                LockError::Unknown { what: format!("a dependency of pyproject.toml: {error}") }
            })
        };
        let mut main = section(poetry.and_then(|poetry| poetry.get("dependencies")))?;
        main.remove("python");
        let project = pyproject.get("project").and_then(|project| project.get("dependencies"));
        for line in project.and_then(toml::Value::as_array).into_iter().flatten() {
            let requirement = Requirement::parse(line.as_str().unwrap_or_default())?;
            main.entry(requirement.name.clone()).or_insert_with(|| {
                Dependencies::One(Dependency {
                    markers: Some(requirement.marker).filter(|marker| !marker.is_empty()),
                    extras: requirement.extras,
                    ..Dependency::default()
                })
            });
        }
        let mut groups: BTreeMap<String, BTreeMap<String, Dependencies>> = BTreeMap::new();
        let tables = poetry.and_then(|poetry| poetry.get("group")).and_then(toml::Value::as_table);
        for (name, group) in tables.into_iter().flatten() {
            groups.insert(normalized(name), section(group.get("dependencies"))?);
        }
        for name in groups::names(pyproject) {
            groups.entry(normalized(&name)).or_default();
        }
        // The name that the group had before there were others.
        if let Some(dev) = poetry.and_then(|poetry| poetry.get("dev-dependencies")) {
            groups.entry("dev".to_owned()).or_insert(section(Some(dev))?);
        }
        Ok(Self { main, groups })
    }
}

pub(super) fn packages<'a>(
    lock: &'a Lock,
    declared: &Declared,
    chosen: &Chosen,
    environment: &'a Environment,
) -> Result<Vec<&'a Locked>, LockError> {
    let mut walk = Walk::new(lock, environment);
    // What the chosen extras bring in, of the optional dependencies.
    let wanted: BTreeSet<String> = lock
        .extras
        .iter()
        .filter(|(name, _)| chosen.extras.contains(&normalized(name)))
        .flat_map(|(_, names)| names)
        .map(|name| Ok(Requirement::parse(name)?.name))
        .collect::<Result<_, LockError>>()?;
    let groups = chosen.groups.iter().filter_map(|group| declared.groups.get(group));
    for (name, dependencies) in groups.chain([&declared.main]).flatten() {
        // Whether a dependency is optional the lock says: one that a group needs, too, is not.
        walk.follow(name, dependencies, |dependency, package| {
            !package.map_or(dependency.optional, |package| package.optional)
                || wanted.contains(&normalized(name))
        })?;
    }
    walk.run()
}

struct Walk<'a> {
    lock: &'a Lock,
    environment: &'a Environment,
    by_name: BTreeMap<String, Vec<usize>>,
    /// Packages, each with an extra that was asked for, or without.
    reached: BTreeSet<(usize, Option<String>)>,
    queue: VecDeque<(usize, Option<String>)>,
}

impl<'a> Walk<'a> {
    fn new(lock: &'a Lock, environment: &'a Environment) -> Self {
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, package) in lock.packages.iter().enumerate() {
            by_name.entry(normalized(&package.name)).or_default().push(index);
        }
        Self { lock, environment, by_name, reached: BTreeSet::new(), queue: VecDeque::new() }
    }

    fn run(mut self) -> Result<Vec<&'a Locked>, LockError> {
        while let Some((index, extra)) = self.queue.pop_front() {
            let package = &self.lock.packages[index];
            // An extra names the optional dependencies that it brings in.
            let brought: BTreeSet<String> = match &extra {
                None => BTreeSet::new(),
                Some(extra) => package
                    .extras
                    .iter()
                    .filter(|(name, _)| normalized(name) == *extra)
                    .flat_map(|(_, requirements)| requirements)
                    .map(|text| {
                        normalized(
                            text.split([' ', '(', '[', ';', '<', '>', '=', '!', '~'])
                                .next()
                                .unwrap_or_default(),
                        )
                    })
                    .collect(),
            };
            for (name, dependencies) in &package.dependencies {
                let is_brought = brought.contains(&normalized(name));
                let takes_optional = extra.is_some() && is_brought;
                self.follow(name, dependencies, |dependency, _| {
                    if dependency.optional { takes_optional } else { extra.is_none() }
                })?;
            }
        }
        let indexes: BTreeSet<usize> = self.reached.iter().map(|(index, _)| *index).collect();
        Ok(indexes.into_iter().map(|index| &self.lock.packages[index]).collect())
    }

    fn follow(
        &mut self,
        name: &str,
        dependencies: &Dependencies,
        takes: impl Fn(&Dependency, Option<&Locked>) -> bool,
    ) -> Result<(), LockError> {
        let one;
        let list: &[Dependency] = match dependencies {
            Dependencies::Version(version) => {
                one = Dependency { version: Some(version.clone()), ..Dependency::default() };
                std::slice::from_ref(&one)
            }
            Dependencies::One(dependency) => std::slice::from_ref(dependency),
            Dependencies::Several(list) => list,
        };
        for dependency in list {
            if !self.applies(name, dependency)? {
                continue;
            }
            let found = self.locked(name, dependency);
            let package = found.as_ref().ok().map(|index| &self.lock.packages[*index]);
            if takes(dependency, package) {
                let index = found?;
                self.reach((index, None));
                for extra in &dependency.extras {
                    self.reach((index, Some(normalized(extra))));
                }
            }
        }
        Ok(())
    }

    fn reach(&mut self, node: (usize, Option<String>)) {
        if self.reached.insert(node.clone()) {
            self.queue.push_back(node);
        }
    }

    fn applies(&self, name: &str, dependency: &Dependency) -> Result<bool, LockError> {
        let Dependency { python, platform, markers, .. } = dependency;
        let python = match python {
            Some(python) => allows(python, &self.environment.python)?,
            None => true,
        };
        let platform = platform.as_deref().is_none_or(|platform| platform == "linux");
        let markers = marker_without_extras(markers.as_deref().unwrap_or_default());
        let holds = marker::holds(&markers, self.environment)
            .map_err(|error| LockError::Marker { package: name.to_owned(), error })?;
        Ok(python && platform && holds)
    }

    /// The package that a dependency means. Of several that fit it is one that is installed
    /// already, as poetry's own export has it, or else the newest.
    fn locked(&self, name: &str, dependency: &Dependency) -> Result<usize, LockError> {
        let (mut all, mut fitting) = (Vec::new(), Vec::new());
        for &index in self.by_name.get(&normalized(name)).into_iter().flatten() {
            let package = &self.lock.packages[index];
            let version =
                Version::from_str(&package.version).map_err(|_| LockError::Malformed {
                    what: "version",
                    package: normalized(name),
                    value: package.version.clone(),
                })?;
            let satisfies = match &dependency.version {
                Some(constraint) => allows(constraint, &version)?,
                None => true,
            };
            all.push(index);
            if satisfies && allows(&package.python_versions, &self.environment.python)? {
                let is_reached = self.reached.iter().any(|(reached, _)| *reached == index);
                fitting.push((is_reached, version, index));
            }
        }
        match (all.as_slice(), fitting.into_iter().max()) {
            ([only], _) => Ok(*only),
            (_, Some((.., index))) => Ok(index),
            ([], _) => Err(LockError::Missing { package: name.to_owned() }),
            _ => Err(LockError::Missing {
                package: format!("{name} for Python {}", self.environment.python),
            }),
        }
    }
}

/// Optional dependencies of a package carry `extra == "…"` in their markers, which the walk has
/// answered already: that part always holds.
fn marker_without_extras(marker: &str) -> String {
    let mut text = marker.to_owned();
    while let Some(start) = text.find("extra ==") {
        let after = start + "extra ==".len();
        let Some(quote) = text[after..].find(['"', '\'']).map(|at| after + at) else { break };
        let Some(end) = text[quote + 1..].find(['"', '\'']).map(|at| quote + 2 + at) else { break };
        text.replace_range(start..end, "os_name == 'posix'");
    }
    text
}
