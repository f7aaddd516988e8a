//! The files that a requirements file on the machine leads to.

use std::collections::BTreeSet;

use super::decode::decode;
use super::line::logical;
use super::options::{Statement, statement};
use super::requirement_source::{included_path, local_path};

/// Something that a requirements file names, relative to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::python) enum Reference {
    Include(String),
    FindLinks(String),
}

/// What the text of a requirements file names. A line that cannot be read names nothing: the
/// installer will say what is wrong with it.
pub(in crate::python) fn references(bytes: &[u8]) -> Vec<Reference> {
    let text = decode(bytes).unwrap_or_default();
    let mut references = Vec::new();
    for line in logical(&text, &|_| None, &mut BTreeSet::new()) {
        match statement(&line.text) {
            Ok(Statement::Include { path, .. }) => {
                references.extend(included_path(&path).map(Reference::Include));
            }
            Ok(Statement::Options(options)) => {
                let places = options.into_iter().filter(|option| option.name == "--find-links");
                references.extend(
                    places
                        .filter_map(|option| local_path(&option.value?))
                        .map(Reference::FindLinks),
                );
            }
            Ok(Statement::Requirement { .. }) | Err(_) => {}
        }
    }
    references
}
