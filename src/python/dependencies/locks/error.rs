//! What is wrong with a lock file, and how to fix it.

use thiserror::Error;

use super::marker::MarkerError;

/// Why a lock cannot be installed. The file's name is added by whoever knows it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LockError {
    #[error("it is not valid TOML or JSON: {0}")]
    Syntax(String),
    #[error("it has merge conflict markers at line {0}")]
    Conflict(usize),
    #[error("its version is {found}, and nyala reads {known}")]
    Version { found: String, known: &'static str },
    #[error("{what} is not something that nyala understands")]
    Unknown { what: String },
    #[error("{package}: {error}")]
    Marker { package: String, error: MarkerError },
    #[error("it needs {package}, and has no such package")]
    Missing { package: String },
    #[error("it has {name} twice for one Python: {}", versions.join(" and "))]
    Twice { name: String, versions: Vec<String> },
    #[error("{package} is at {path}, which is outside the tree")]
    Outside { package: String, path: String },
    #[error("{package} comes from {address:?}, which is not an address")]
    Address { package: String, address: String },
    #[error(
        "there is no {kind} {name}{}",
        suggestion.as_ref().map_or(String::new(), |it| format!(" (did you mean {it}?)"))
    )]
    NoSuch { kind: &'static str, name: String, suggestion: Option<String> },
    #[error("{package} has files for other machines only: {files}")]
    OtherMachines { package: String, files: String },
    #[error("it is for Python {wanted}, and this environment has {found}")]
    Python { wanted: String, found: String },
    #[error("it does not belong to {file} any more: {why}")]
    Stale { file: &'static str, why: String },
}
