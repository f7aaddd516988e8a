//! `uv.lock`, version 1 and its revisions.
//!
//! The graph is walked as `uv sync` walks it: from the project, through the dependencies whose
//! markers hold, with the extras that were asked for. The reference is uv's own `uv-resolver`
//! (`lock/mod.rs`); the tests compare the result with `uv export`.

mod file;
mod freshness;
mod origin;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::str::FromStr;

use pep440_rs::VersionSpecifiers;

use super::error::LockError;
use super::files::Wheels;
use super::marker::{self, Environment, normalized};
use super::resolved::{Package, ResolvedSet};
use super::{Chosen, Manifests, Member, groups, toml_packages};
use file::{Conflicting, Dependency, File, Lock, Manifest, Source};
use origin::resolved;

/// Reads the lock `text`.
pub(super) fn read(
    text: &str,
    manifests: &Manifests,
    chosen: &Chosen,
    environment: &Environment,
) -> Result<ResolvedSet, LockError> {
    let lock = toml_packages(text, |lock: &mut Lock| &mut lock.packages)?;
    if lock.version != 1 {
        return Err(LockError::Version {
            found: format!("{} (revision {})", lock.version, lock.revision),
            known: "version 1",
        });
    }
    let project = manifests.project_name();
    if !manifests.frozen {
        freshness::check(&lock, manifests)?;
    }
    super::check_python(lock.requires_python.as_deref(), environment)?;
    let walk = Walk::new(&lock, manifests, environment);
    if !manifests.frozen {
        walk.check_whole()?;
    }
    walk.run(project.as_deref(), chosen)
}

/// A package with one of its extras, or without any.
type Node<'a> = (usize, Option<&'a str>);

struct Walk<'a> {
    lock: &'a Lock,
    manifests: &'a Manifests,
    environment: Environment,
    by_name: BTreeMap<&'a str, Vec<usize>>,
    empty: Names,
}

/// Groups and extras.
#[derive(Debug, Default)]
struct Names {
    groups: BTreeSet<String>,
    extras: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    fn new(lock: &'a Lock, manifests: &'a Manifests, environment: &Environment) -> Self {
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, package) in lock.packages.iter().enumerate() {
            by_name.entry(&package.name).or_default().push(index);
        }
        // Markers call the extras and groups that are in use by names of their own.
        let environment = Environment { extras: BTreeSet::new(), ..environment.clone() };
        // The lock does not have those that are empty.
        let empty = Names {
            groups: groups::names(&manifests.pyproject).iter().map(|it| normalized(it)).collect(),
            extras: manifests.extras(),
        };
        Self { lock, manifests, environment, by_name, empty }
    }

    fn run(mut self, project: Option<&str>, chosen: &Chosen) -> Result<ResolvedSet, LockError> {
        let roots = self.roots(project)?;
        let there = self.names(&roots);
        super::check_exist("group", &chosen.groups, there.groups.iter())?;
        super::check_exist("extra", &chosen.extras, there.extras.iter())?;
        self.check_groups(&roots, chosen)?;
        // Which extras are in use decides which markers hold, and so which extras are in use: with
        // conflicts it takes another look, until no new one comes into use.
        let mut reached = self.walk(&roots, chosen)?;
        while !self.lock.conflicts.is_empty() {
            let before = self.environment.extras.len();
            let names = self.names_in_use(&roots, &reached, chosen);
            self.environment.extras.extend(names);
            if self.environment.extras.len() == before {
                break;
            }
            reached = self.walk(&roots, chosen)?;
        }
        self.check_conflicts(&roots)?;
        let packages: BTreeSet<usize> = reached.iter().map(|(index, _)| *index).collect();
        let packages = packages
            .into_iter()
            .map(|index| &self.lock.packages[index])
            .filter(|package| package.source.r#virtual.is_none())
            .map(|package| {
                let wheels = package.wheels.iter().filter_map(File::name).collect();
                let wheels = Wheels { of: &package.name, names: wheels };
                let lacks = wheels.lack(package.sdist.is_some(), &self.environment)?;
                let is_built = !wheels.fit(&self.environment);
                Ok(Package { lacks, is_built, ..resolved(package, &self.environment)? })
            })
            .collect::<Result<_, LockError>>()?;
        ResolvedSet::new(packages, chosen.left_out(there.groups.iter(), there.extras.iter()))
    }

    /// Fails when a package is missing, whoever needs it: the end of the lock may be cut off.
    fn check_whole(&self) -> Result<(), LockError> {
        for package in &self.lock.packages {
            let of_choices = [&package.optional_dependencies, &package.dev_dependencies];
            let of_choices = of_choices.into_iter().flat_map(|it| it.values().flatten());
            for Dependency { name, .. } in package.dependencies.iter().chain(of_choices) {
                if !self.by_name.contains_key(name.as_str()) {
                    return Err(LockError::Missing { package: name.clone() });
                }
            }
        }
        Ok(())
    }

    /// The packages that the walk begins with: the project that is deployed; in a workspace whose
    /// root is no project, all members.
    fn roots(&self, project: Option<&str>) -> Result<Vec<usize>, LockError> {
        let find = |name: &str| {
            let found = self.by_name.get(name).and_then(|found| found.first().copied());
            found.ok_or_else(|| LockError::Missing { package: name.to_owned() })
        };
        let Manifest { members, dependency_groups, .. } = &self.lock.manifest;
        match project {
            Some(name) => Ok(vec![find(name)?]),
            None if members.is_empty()
                && dependency_groups.is_empty()
                && !self.lock.packages.is_empty() =>
            {
                Err(LockError::NoProject)
            }
            None => self.lock.manifest.members.iter().map(|name| find(name)).collect(),
        }
    }

    /// The groups and extras that there are.
    fn names(&self, roots: &[usize]) -> Names {
        let packages = || roots.iter().map(|root| &self.lock.packages[*root]);
        let groups = packages()
            .flat_map(|package| package.dev_dependencies.keys())
            .chain(self.lock.manifest.dependency_groups.keys())
            .chain(&self.empty.groups);
        let extras = packages()
            .flat_map(|package| package.optional_dependencies.keys())
            .chain(&self.empty.extras);
        Names { groups: groups.cloned().collect(), extras: extras.cloned().collect() }
    }

    /// Fails when a group was chosen that is not for this Python. The lock says it since revision
    /// 5; uv asks the manifests of all members that have a group of this name.
    fn check_groups(&self, roots: &[usize], chosen: &Chosen) -> Result<(), LockError> {
        let Manifests { pyproject, workspace, .. } = self.manifests;
        let members = &self.lock.manifest.members;
        let others =
            workspace.others.values().map(|other| &other.table).filter(|table| {
                Member::of(table).is_some_and(|member| members.contains(&member.name))
            });
        let manifests: Vec<_> = others.chain([pyproject]).collect();
        for group in &chosen.groups {
            let of_lock = roots
                .iter()
                .flat_map(|root| &self.lock.packages[*root].group_requires_python)
                .filter(|(name, _)| normalized(name) == *group)
                .map(|(_, wanted)| wanted.as_str());
            let of_manifests = manifests.iter().flat_map(|table| groups::pythons(table, group));
            for wanted in of_lock.chain(of_manifests) {
                self.check_group(group, wanted)?;
            }
        }
        Ok(())
    }

    fn check_group(&self, group: &str, wanted: &str) -> Result<(), LockError> {
        let unknown = || LockError::Unknown { what: format!("the Python of {group}, {wanted:?}") };
        let specifiers = VersionSpecifiers::from_str(wanted).map_err(|_| unknown())?;
        if specifiers.contains(&self.environment.python) {
            return Ok(());
        }
        let wanted = format!("{wanted} with its group {group}");
        Err(LockError::Python { wanted, found: self.environment.python.to_string() })
    }

    /// Fails when more than one of those that conflict are in use.
    fn check_conflicts(&self, roots: &[usize]) -> Result<(), LockError> {
        let is_root = |name: &str| roots.iter().any(|root| self.lock.packages[*root].name == name);
        let in_use = |it: &Conflicting| {
            let Conflicting { package, extra, group } = it;
            let is_used = |kind: &str, name: &str| {
                let of = if is_root(package) { String::new() } else { format!(" of {package}") };
                let is_used = self.environment.extras.contains(&in_markers(kind, package, name));
                is_used.then(|| format!("{kind} {name}{of}"))
            };
            match (extra, group) {
                (Some(extra), _) => is_used("extra", extra),
                (None, Some(group)) => is_used("group", group),
                (None, None) => is_root(package).then(|| package.clone()),
            }
        };
        for conflicting in &self.lock.conflicts {
            let names: Vec<String> = conflicting.iter().filter_map(in_use).collect();
            if names.len() > 1 {
                return Err(LockError::Conflicting { names });
            }
        }
        Ok(())
    }

    fn walk(&self, roots: &[usize], chosen: &'a Chosen) -> Result<BTreeSet<Node<'a>>, LockError> {
        let mut reached = BTreeSet::new();
        let mut queue: VecDeque<Node<'a>> = VecDeque::new();
        let mut reach = |queue: &mut VecDeque<Node<'a>>, node: Node<'a>| {
            if reached.insert(node) {
                queue.push_back(node);
            }
        };
        for &root in roots {
            reach(&mut queue, (root, None));
            let package = &self.lock.packages[root];
            for extra in &chosen.extras {
                if package.optional_dependencies.contains_key(extra) {
                    reach(&mut queue, (root, Some(extra)));
                }
            }
            for group in &chosen.groups {
                for dependency in package.dev_dependencies.get(group).into_iter().flatten() {
                    for node in self.nodes(&package.name, dependency)? {
                        reach(&mut queue, node);
                    }
                }
            }
        }
        for group in &chosen.groups {
            for asked in self.lock.manifest.dependency_groups.get(group).into_iter().flatten() {
                if self.holds(asked.marker.as_deref(), &asked.name)? {
                    for index in self.candidates(&asked.name, None, None)? {
                        reach(&mut queue, (index, None));
                        for extra in &asked.extras {
                            reach(&mut queue, (index, Some(extra)));
                        }
                    }
                }
            }
        }
        while let Some((index, extra)) = queue.pop_front() {
            let package = &self.lock.packages[index];
            let dependencies = match extra {
                None => Some(&package.dependencies),
                // An extra that the package does not have is a warning of uv's, and no error.
                Some(extra) => package.optional_dependencies.get(extra),
            };
            for dependency in dependencies.into_iter().flatten() {
                for node in self.nodes(&package.name, dependency)? {
                    reach(&mut queue, node);
                }
            }
        }
        Ok(reached)
    }

    /// Where a dependency leads; nowhere when its marker does not hold.
    fn nodes(&self, from: &str, dependency: &'a Dependency) -> Result<Vec<Node<'a>>, LockError> {
        if !self.asks_for(dependency, from)? {
            return Ok(Vec::new());
        }
        let Dependency { name, version, source, extra, marker: _ } = dependency;
        let candidates = self.candidates(name, version.as_deref(), source.as_ref())?;
        Ok(candidates
            .into_iter()
            .flat_map(|index| {
                let extras = extra.iter().map(move |extra| (index, Some(extra.as_str())));
                [(index, None)].into_iter().chain(extras)
            })
            .collect())
    }

    /// The package that is meant. The lock says its version and source where there are several.
    fn candidates(
        &self,
        name: &str,
        version: Option<&str>,
        source: Option<&Source>,
    ) -> Result<Vec<usize>, LockError> {
        let is_meant = |index: &&usize| {
            let package = &self.lock.packages[**index];
            version.is_none_or(|version| package.version.as_deref() == Some(version))
                && source.is_none_or(|source| package.source == *source)
        };
        let mut found: Vec<usize> =
            self.by_name.get(name).into_iter().flatten().filter(is_meant).copied().collect();
        if found.len() > 1 {
            // Only the requirements of a workspace without a project name no version: the fork
            // whose markers hold is meant.
            let mut holding = Vec::new();
            for index in found {
                let package = &self.lock.packages[index];
                let mut holds = package.resolution_markers.is_empty();
                for marker in &package.resolution_markers {
                    holds |= self.holds(Some(marker), name)?;
                }
                holding.extend(holds.then_some(index));
            }
            found = holding;
        }
        match found.as_slice() {
            [] => Err(LockError::Missing {
                package: version.map_or(name.to_owned(), |version| format!("{name} {version}")),
            }),
            _ => Ok(found),
        }
    }

    fn holds(&self, marker: Option<&str>, package: &str) -> Result<bool, LockError> {
        let Some(marker) = marker else { return Ok(true) };
        marker::holds(marker, &self.environment)
            .map_err(|error| LockError::Marker { package: package.to_owned(), error })
    }

    /// Whether the marker of a dependency holds. The extras that it brings into use itself count:
    /// those that conflict with others are asked for only where they are in use.
    fn asks_for(&self, dependency: &Dependency, from: &str) -> Result<bool, LockError> {
        let Dependency { name, extra, marker, .. } = dependency;
        let Some(marker) = marker.as_deref() else { return Ok(true) };
        if self.lock.conflicts.is_empty() || extra.is_empty() {
            return self.holds(Some(marker), from);
        }
        let mut environment = self.environment.clone();
        environment.extras.extend(extra.iter().map(|extra| in_markers("extra", name, extra)));
        marker::holds(marker, &environment)
            .map_err(|error| LockError::Marker { package: from.to_owned(), error })
    }

    /// How markers name the extras and groups that are in use.
    fn names_in_use(
        &self,
        roots: &[usize],
        reached: &BTreeSet<Node<'_>>,
        chosen: &Chosen,
    ) -> BTreeSet<String> {
        let encoded = |kind: &str, package: usize, name: &str| {
            in_markers(kind, &self.lock.packages[package].name, name)
        };
        let extras =
            reached.iter().filter_map(|(index, extra)| Some(encoded("extra", *index, (*extra)?)));
        let groups = roots
            .iter()
            .flat_map(|root| chosen.groups.iter().map(move |group| encoded("group", *root, group)));
        extras.chain(groups).collect()
    }
}

/// `extra-3-app-postgres` and `group-3-app-dev`: how markers name an extra or group of a package,
/// with the length of the package's name before it.
fn in_markers(kind: &str, package: &str, name: &str) -> String {
    normalized(&format!("{kind}-{}-{package}-{name}", package.len()))
}
