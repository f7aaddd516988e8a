//! Dependency specifiers (PEP 508), as far as locks are compared with them.

use std::collections::BTreeSet;

use super::error::LockError;
use super::marker::normalized;

/// `name[extra] >=1,<2 ; marker`, or `name @ URL ; marker`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::python::dependencies) struct Requirement {
    pub name: String,
    /// Normalized.
    pub extras: BTreeSet<String>,
    /// As it is written, without white space; empty when any version will do.
    pub specifiers: String,
    pub url: Option<String>,
    /// Empty when there is none.
    pub marker: String,
}

impl Requirement {
    pub(in crate::python::dependencies) fn parse(text: &str) -> Result<Self, LockError> {
        let unknown = || LockError::Unknown { what: format!("the dependency {text:?}") };
        let text_ = text.trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let end = text_.find(|c| !is_name(c)).unwrap_or(text_.len());
        let (name, rest) = text_.split_at(end);
        if name.is_empty() {
            return Err(unknown());
        }
        let mut rest = rest.trim_start();
        let mut extras = BTreeSet::new();
        if let Some(inside) = rest.strip_prefix('[') {
            let (list, after) = inside.split_once(']').ok_or_else(unknown)?;
            extras = list
                .split(',')
                .map(str::trim)
                .filter(|it| !it.is_empty())
                .map(normalized)
                .collect();
            rest = after.trim_start();
        }
        let (what, marker) = match rest.strip_prefix('@') {
            // A URL may have a semicolon in it, so white space has to come before the marker's.
            Some(url) => url.split_once(" ;").unwrap_or((url, "")),
            None => rest.split_once(';').unwrap_or((rest, "")),
        };
        let url = rest.starts_with('@').then(|| what.trim().to_owned());
        let specifiers: String = if url.is_some() {
            String::new()
        } else {
            what.chars().filter(|c| !c.is_whitespace() && !"()".contains(*c)).collect()
        };
        if !specifiers.is_empty() && !specifiers.starts_with(['<', '>', '=', '!', '~']) {
            return Err(unknown());
        }
        Ok(Self {
            name: normalized(name),
            extras,
            specifiers,
            url,
            marker: marker.trim().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Requirement;

    #[test]
    fn the_parts_of_a_requirement_are_told_apart() {
        let parsed = Requirement::parse("Foo.Bar [b, A] >= 1, <2 ; os_name == 'posix'").unwrap();
        assert_eq!(parsed.name, "foo-bar");
        assert_eq!(parsed.extras, ["a".to_owned(), "b".to_owned()].into());
        assert_eq!(parsed.specifiers, ">=1,<2");
        assert_eq!(parsed.marker, "os_name == 'posix'");
        let url =
            Requirement::parse("foo @ https://example.org/a;b.whl ; os_name == 'nt'").unwrap();
        assert_eq!(url.url.as_deref(), Some("https://example.org/a;b.whl"));
        assert_eq!(url.marker, "os_name == 'nt'");
        assert_eq!(Requirement::parse("foo(>=1)").unwrap().specifiers, ">=1");
        for wrong in ["", ">=1", "foo bar", "foo[bar", "-e ."] {
            assert!(Requirement::parse(wrong).is_err(), "{wrong}");
        }
    }
}
