//! Lock files: each is read into the [`ResolvedSet`] that its own tool would install, for one
//! interpreter and one choice of groups and extras.
//!
//! What a lock says that is not understood is an error that names it, never a guess.

pub(super) mod declared;
mod error;
mod files;
mod freshness;
mod groups;
mod indexes;
mod marker;
mod pdm_lock;
mod pieces;
mod pipfile_lock;
mod poetry_lock;
mod pylock;
mod requirement;
mod resolved;
mod uv_lock;
mod workspace;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use pep440_rs::VersionSpecifiers;
use serde::de::DeserializeOwned;

use marker::normalized;

use super::text::conflict;
use crate::console::did_you_mean;
use crate::user_error::UserError;

pub use error::LockError;
pub use indexes::{IndexOptions, NamedIndex, Search};
pub use marker::{Environment, MarkerError};
pub(super) use requirement::Requirement;
pub use resolved::{Lack, Origin, Package, Part, Requirements, ResolvedSet};
pub use workspace::{InFolder, Member, Members, Pyproject, Workspace};

/// A kind of lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    Pylock,
    Uv,
    Poetry,
    Pdm,
    Pipfile,
}

impl Lock {
    /// In the order in which they count.
    pub const ALL: [Lock; 5] = [Lock::Pylock, Lock::Uv, Lock::Poetry, Lock::Pdm, Lock::Pipfile];

    pub fn file_name(self) -> &'static str {
        match self {
            Lock::Pylock => "pylock.toml",
            Lock::Uv => "uv.lock",
            Lock::Poetry => "poetry.lock",
            Lock::Pdm => "pdm.lock",
            Lock::Pipfile => "Pipfile.lock",
        }
    }

    /// The lock whose file has this name; `None` for every other file.
    pub fn named(name: &str) -> Option<Lock> {
        Lock::ALL.into_iter().find(|lock| lock.file_name() == name)
    }

    /// The lock whose file has this name, or one of the names that PEP 751 lets a project choose:
    /// `pylock.prod.toml`.
    pub fn named_or_chosen(name: &str) -> Option<Lock> {
        let chosen = name.strip_prefix("pylock.").and_then(|rest| rest.strip_suffix(".toml"));
        let is_chosen = chosen.is_some_and(|it| !it.is_empty() && !it.contains(['.', '/']));
        Lock::named(name).or(is_chosen.then_some(Lock::Pylock))
    }

    /// The files that a lock is made from. They declare nothing that the lock does not.
    pub fn manifests(self) -> &'static [&'static str] {
        match self {
            Lock::Pipfile => &["Pipfile"],
            Lock::Pylock | Lock::Uv | Lock::Poetry | Lock::Pdm => {
                &["pyproject.toml", "setup.cfg", "setup.py"]
            }
        }
    }

    /// The command that makes the lock again.
    pub fn command(self) -> &'static str {
        match self {
            Lock::Pylock => "uv export --format pylock.toml -o pylock.toml",
            Lock::Uv => "uv lock",
            Lock::Poetry => "poetry lock",
            Lock::Pdm => "pdm lock",
            Lock::Pipfile => "pipenv lock",
        }
    }

    /// The command that turns the lock into a requirements.txt.
    fn export(self) -> &'static str {
        match self {
            Lock::Pylock => "uv pip compile pyproject.toml -o requirements.txt",
            Lock::Uv => "uv export --frozen --no-default-groups -o requirements.txt",
            Lock::Poetry => "poetry export -o requirements.txt",
            Lock::Pdm => "pdm export --prod -o requirements.txt",
            Lock::Pipfile => "pipenv requirements --hash > requirements.txt",
        }
    }

    /// What its own tool would install: of the lock `text`, with the manifests beside it, for the
    /// groups and extras that are chosen, in one environment.
    pub fn read(
        self,
        text: &str,
        manifests: &Manifests,
        chosen: &Chosen,
        environment: &Environment,
    ) -> Result<ResolvedSet, LockError> {
        let set = match self {
            Lock::Pylock => pylock::read(text, manifests, chosen, environment),
            Lock::Uv => uv_lock::read(text, manifests, chosen, environment),
            Lock::Poetry => poetry_lock::read(text, manifests, chosen, environment),
            Lock::Pdm => pdm_lock::read(text, manifests, chosen, environment),
            Lock::Pipfile => pipfile_lock::read(text, manifests, chosen, environment),
        }?;
        set.check_inside(manifests.above)?;
        // Pipenv locks what it is told with `*` to any version.
        if self != Lock::Pipfile {
            set.check_versions()?;
        }
        Ok(set)
    }
}

/// The files that a lock is made from.
#[derive(Debug, Default)]
pub struct Manifests {
    /// The project's pyproject.toml; empty when there is none.
    pub pyproject: toml::Table,
    pub pipfile: Option<toml::Table>,
    /// Whether a lock counts although it was made from other manifests.
    pub frozen: bool,
    /// How many folders above that of the lock are in the tree.
    pub above: usize,
    /// What else a uv.lock was made from.
    pub workspace: Workspace,
    /// The uv.toml beside a uv.lock.
    pub uv_toml: Option<toml::Table>,
    /// Whether a file of the machine may name indexes beside those of the manifests.
    pub has_other_indexes: bool,
    /// The addresses of those that settings of the site name.
    pub indexes_of_site: Vec<String>,
    /// What settings of the site say of how uv chooses versions, by the key of `[tool.uv]`.
    pub of_site: BTreeMap<&'static str, String>,
}

impl Manifests {
    /// The name of `[project]`, normalized.
    fn project_name(&self) -> Option<String> {
        Member::of(&self.pyproject).map(|project| project.name)
    }

    /// The extras of `[project]`, normalized.
    fn extras(&self) -> BTreeSet<String> {
        let project = self.pyproject.get("project");
        let extras = project.and_then(|project| project.get("optional-dependencies")?.as_table());
        extras.into_iter().flat_map(toml::Table::keys).map(|name| normalized(name)).collect()
    }
}

/// The groups and extras that are installed beside the main dependencies, normalized.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    pub groups: BTreeSet<String>,
    pub extras: BTreeSet<String>,
}

impl Chosen {
    /// The groups and extras of these names.
    pub fn new(groups: &[String], extras: &[String]) -> Chosen {
        let normalized = |names: &[String]| names.iter().map(|name| normalized(name)).collect();
        Chosen { groups: normalized(groups), extras: normalized(extras) }
    }

    /// What of these is there and was not chosen, for the log.
    pub(super) fn left_out<'a>(
        &self,
        groups: impl Iterator<Item = &'a String>,
        extras: impl Iterator<Item = &'a String>,
    ) -> BTreeSet<String> {
        let groups = groups.filter(|name| !self.groups.contains(*name));
        let extras = extras.filter(|name| !self.extras.contains(*name));
        groups
            .map(|name| format!("group {name}"))
            .chain(extras.map(|name| format!("extra {name}")))
            .collect()
    }
}

/// Fails when one that was chosen is none of those there are, with the nearest one.
fn check_exist<'a>(
    kind: &'static str,
    chosen: &BTreeSet<String>,
    there: impl Iterator<Item = &'a String>,
) -> Result<(), LockError> {
    let there: BTreeSet<&String> = there.collect();
    match chosen.iter().find(|name| !there.contains(name)) {
        None => Ok(()),
        Some(name) => Err(LockError::NoSuch {
            kind,
            name: name.clone(),
            suggestion: did_you_mean(name, there.iter().map(|it| it.as_str())).map(str::to_owned),
            there: there.into_iter().cloned().collect(),
        }),
    }
}

/// Fails when the lock is not for this Python.
fn check_python(requires: Option<&str>, environment: &Environment) -> Result<(), LockError> {
    let Some(requires) = requires else { return Ok(()) };
    let specifiers = VersionSpecifiers::from_str(requires)
        .map_err(|_| LockError::Unknown { what: format!("requires-python {requires:?}") })?;
    if specifiers.contains(&environment.python) {
        Ok(())
    } else {
        Err(LockError::Python {
            wanted: requires.to_owned(),
            found: environment.python.to_string(),
        })
    }
}

/// A file that dependencies are declared in, as TOML. Fails with the number of the line that is
/// wrong, and without its text: an address in it may have a password.
pub(super) fn manifest(path: &str, text: &str) -> Result<toml::Table, UserError> {
    toml(text).map_err(|error| error::wrong_manifest(path, &error))
}

fn toml<T: DeserializeOwned>(text: &str) -> Result<T, LockError> {
    check_conflicts(text)?;
    toml::from_str(text).map_err(|error| {
        // Not the parser's own display: that repeats the line, and an address in it may have a
        // password.
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
        LockError::Syntax { line, why: first_line(error.message()) }
    })
}

/// [`toml`] for a lock that has a table for each package; `list` is where they are in it.
fn toml_packages<T: DeserializeOwned, P: DeserializeOwned + Send>(
    text: &str,
    list: impl FnOnce(&mut T) -> &mut Vec<P>,
) -> Result<T, LockError> {
    check_conflicts(text)?;
    pieces::parse(text, list).map_or_else(|| toml(text), Ok)
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, LockError> {
    check_conflicts(text)?;
    serde_json::from_str(text).map_err(|error| {
        let why = error.to_string();
        let why = why.split(" at line ").next().unwrap_or_default();
        LockError::Syntax { line: error.line(), why: first_line(why) }
    })
}

/// What a parser says, without the names of types.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected a table"),
        None => line.replace("expected u64", "expected a whole number"),
    }
}

fn check_conflicts(text: &str) -> Result<(), LockError> {
    conflict(text).map_or(Ok(()), |line| Err(LockError::Conflict(line)))
}

/// The full id of a commit. A branch or a tag in its place would not be locked.
fn commit(package: &str, id: &str) -> Result<String, LockError> {
    if id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(id.to_owned());
    }
    let (package, value) = (package.to_owned(), id.to_owned());
    Err(LockError::Malformed { what: "commit", package, value })
}

/// A path of a lock, relative to the lock's folder. How far up it may lead,
/// [`ResolvedSet::check_inside`] says.
fn tree_path(package: &str, path: &str) -> Result<String, LockError> {
    let outside = || LockError::Outside { package: package.to_owned(), path: path.to_owned() };
    if path.starts_with('/') || path.contains('\0') || path.contains('\n') {
        return Err(outside());
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// The address of a git repository, also in git's own short form: `git@example.org:acme/lib.git`.
fn git_address(package: &str, address: &str) -> Result<String, LockError> {
    let short = address.split_once(':').filter(|(host, path)| {
        let part = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        };
        host.split_once('@').is_some_and(|(user, host)| part(user) && part(host))
            && !path.starts_with('/')
    });
    match short {
        Some((host, path)) => web_address(package, &format!("ssh://{host}/{path}")),
        None => web_address(package, address),
    }
}

/// The address of a file. One on this machine may be anything, and is not part of what was pushed.
fn file_address(package: &str, address: &str) -> Result<String, LockError> {
    if address.to_ascii_lowercase().starts_with("file:") {
        let (package, path) = (package.to_owned(), address.to_owned());
        return Err(LockError::Outside { package, path });
    }
    web_address(package, address)
}

/// An address that may stand in a requirements file. Fails for what could be read as an option, or
/// as more than one line.
fn web_address(package: &str, address: &str) -> Result<String, LockError> {
    let scheme = address.split_once("://").map(|(scheme, _)| scheme);
    let is_scheme = scheme.is_some_and(|scheme| {
        scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme.bytes().all(|byte| byte.is_ascii_lowercase() || b"+.-".contains(&byte))
    });
    if !is_scheme || address.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(LockError::Address {
            package: package.to_owned(),
            address: address.to_owned(),
        });
    }
    Ok(address.to_owned())
}

#[cfg(test)]
mod tests;
