//! What is wrong with a lock file, and how to fix it.

use thiserror::Error;

use super::marker::MarkerError;

/// Why a lock cannot be installed. The file's name is added by whoever knows it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LockError {
    #[error("it cannot be read: line {line}: {why}")]
    Syntax { line: usize, why: String },
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
    #[error("there is no {kind} {name}{}", nearest(kind, suggestion.as_deref(), there))]
    NoSuch { kind: &'static str, name: String, suggestion: Option<String>, there: Vec<String> },
    #[error("it says that {} cannot be installed together", names.join(" and "))]
    Conflicting { names: Vec<String> },
    #[error("{package} has files for other machines only: {files}")]
    OtherMachines { package: String, files: String },
    #[error("it is for Python {wanted}, and this environment has {found}")]
    Python { wanted: String, found: String },
    #[error("it does not belong to {file} any more: {why}")]
    Stale { file: &'static str, why: String },
}

/// The name that was meant, or else those there are.
fn nearest(kind: &str, suggestion: Option<&str>, there: &[String]) -> String {
    match (suggestion, there) {
        (Some(name), _) => format!(" (did you mean {name}?)"),
        (None, []) => format!(", and no other {kind}"),
        (None, names) => format!(" (there is {})", names.join(", ")),
    }
}
