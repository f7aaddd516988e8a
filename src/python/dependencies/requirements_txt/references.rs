//! What the lines of a requirements file on the machine lead to.

use std::collections::BTreeSet;

use super::decode::decode;
use super::line::{logical, written};
use super::options::{Statement, statement};
use super::requirement_source::{
    RequirementSource, included_path, is_archive, local_path, why_mutable,
};
use super::spec::Spec;

/// Something that a requirements file names, relative to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::python) enum Reference {
    Include(String),
    FindLinks(String),
    /// An archive on the machine.
    Archive(String),
    /// Something that can change while this line stays the same.
    Mutable {
        text: String,
        why: &'static str,
        fix: &'static str,
    },
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
            Ok(Statement::Requirement { editable, spec, hashes, .. }) => {
                let source = Spec::parse(&spec, editable).source;
                references.extend(of_source(source, &line.text, &hashes));
            }
            Err(_) => {}
        }
    }
    references
}

fn of_source(source: RequirementSource, text: &str, hashes: &[String]) -> Option<Reference> {
    let (why, fix) = match source {
        RequirementSource::Index => return None,
        RequirementSource::Url(url) => why_mutable(&url, hashes)?,
        RequirementSource::Path(path) if path.starts_with('/') && is_archive(&path) => {
            return Some(Reference::Archive(path));
        }
        // pip looks for a relative path in the folder that it runs in.
        RequirementSource::Path(_) => (
            "is a folder whose changes cannot be seen from here",
            "name it in a requirements file of the commit",
        ),
    };
    Some(Reference::Mutable { text: text.to_owned(), why, fix })
}

/// A logical line of a requirements file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::python) struct Passage {
    /// With its comment, its ends of lines, and the lines that it is continued on.
    pub(in crate::python) written: String,
    pub(in crate::python) meant: Meant,
}

/// What a line means to whoever writes it in another way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::python) enum Meant {
    /// `-r FILE`, of a file that lies beside the one that names it.
    Include(String),
    /// `-e`, with what it names and the options of that.
    Editable {
        named: String,
        options: Vec<String>,
    },
    Other,
}

/// The lines of a requirements file, in their order.
pub(in crate::python) fn passages(text: &str) -> Vec<Passage> {
    let meant = |line: &str| match statement(line) {
        Ok(Statement::Include { path, constraint: false })
            if included_path(&path).as_deref() == Some(path.as_str()) =>
        {
            Meant::Include(path)
        }
        Ok(Statement::Requirement { editable: true, spec, options, .. }) => {
            Meant::Editable { named: spec, options }
        }
        _ => Meant::Other,
    };
    let lines = written(text).into_iter();
    lines.map(|(written, line)| Passage { meant: meant(&line), written }).collect()
}
