//! What one requirement asks for: its name, its version, where it comes from (pip's
//! `parse_req_from_line`).

use std::collections::BTreeSet;

use super::super::text::normalized_name;
use super::super::tree::normalized_path;
use super::requirement_source::{
    RequirementSource, fragment, is_archive, is_url, source, without_revision,
};

/// One requirement, taken apart as far as two of them have to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spec {
    /// Two lines of the same key are about the same thing: the name (PEP 503) or the place, and the
    /// marker.
    pub(super) key: String,
    pub(super) extras: BTreeSet<String>,
    /// The version specifier, without white space and in a fixed order.
    pub(super) version: String,
    pub(super) source: RequirementSource,
}

impl Spec {
    /// Takes a requirement apart. One that is none is its own key, and pip will say what is wrong
    /// with it.
    pub(super) fn parse(text: &str, editable: bool) -> Self {
        if editable {
            return located(text, "", true);
        }
        let separator = if is_url(text) { "; " } else { ";" };
        let (spec, marker) = text.split_once(separator).unwrap_or((text, ""));
        let (spec, marker) = (spec.trim(), marker_key(marker));
        named(spec, &marker).unwrap_or_else(|| {
            if is_url(spec) || spec.contains('/') || spec.starts_with('.') || is_archive(spec) {
                located(spec, &marker, false)
            } else {
                Spec {
                    key: with_marker(spec, &marker),
                    extras: BTreeSet::new(),
                    version: String::new(),
                    source: RequirementSource::Index,
                }
            }
        })
    }
}

/// `name[extras] @ url` or `name[extras] specifier` (PEP 508).
fn named(spec: &str, marker: &str) -> Option<Spec> {
    let end = spec
        .find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))
        .unwrap_or(spec.len());
    let (name, rest) = spec.split_at(end);
    let edges = [name.chars().next()?, name.chars().next_back()?];
    if !edges.iter().all(char::is_ascii_alphanumeric) {
        return None;
    }
    let rest = rest.trim_start();
    let (extras, rest) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (extras, rest) = rest.split_once(']')?;
            (extras_of(extras), rest.trim_start())
        }
        None => (BTreeSet::new(), rest),
    };

    let (version, source) = if let Some(url) = rest.strip_prefix('@') {
        (String::new(), source(url.trim()))
    } else if rest.is_empty() && is_archive(name) {
        return None;
    } else if rest.is_empty() || rest.starts_with(['<', '>', '=', '!', '~', '(', '$']) {
        (version_key(rest), RequirementSource::Index)
    } else {
        return None;
    };
    Some(Spec { key: with_marker(&normalized_name(name), marker), extras, version, source })
}

/// A requirement without a name: a URL or a path, perhaps with `[extras]` at its end.
fn located(spec: &str, marker: &str, editable: bool) -> Spec {
    let (place, extras) = match spec.strip_suffix(']').and_then(|s| s.rsplit_once('[')) {
        Some((place, extras)) if !place.is_empty() && !extras.is_empty() => (place, extras),
        _ => (spec, ""),
    };
    let source = if editable && !is_url(place) {
        // `git:` and its like are short for `git+git:` after `-e` alone.
        RequirementSource::Path(place.to_owned())
    } else {
        source(place)
    };
    let key = match &source {
        RequirementSource::Index => place.to_owned(),
        RequirementSource::Path(path) => format!("path {}", normalized_path(path)),
        RequirementSource::Url(url) => match fragment(url, "egg") {
            Some(egg) => named(egg, "").map_or_else(|| egg.to_owned(), |spec| spec.key),
            None => without_revision(url).to_owned(),
        },
    };
    Spec {
        key: with_marker(&key, marker),
        extras: extras_of(extras),
        version: String::new(),
        source,
    }
}

fn extras_of(text: &str) -> BTreeSet<String> {
    text.split(',')
        .map(|extra| normalized_name(extra.trim()))
        .filter(|extra| !extra.is_empty())
        .collect()
}

fn version_key(text: &str) -> String {
    let text = text.trim().trim_start_matches('(').trim_end_matches(')');
    let mut parts: Vec<String> = text
        .split(',')
        .map(|part| part.split_whitespace().collect::<String>())
        .filter(|part| !part.is_empty())
        .collect();
    parts.sort();
    parts.dedup();
    parts.join(",")
}

/// A marker with its white space and quotation marks made the same: its words and signs, a space
/// between each.
fn marker_key(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || "_.-".contains(c);
    let stands_alone = |c: char| c.is_whitespace() || "()\"'".contains(c);
    let mut tokens = Vec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => rest[1..].find(first).map_or(rest.len(), |at| at + 2),
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c if stands_alone(c) => c.len_utf8(),
            _ => rest.find(|c| is_word(c) || stands_alone(c)).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(length);
        if first == '\'' {
            tokens.push(format!("\"{}\"", token.trim_matches('\'')));
        } else {
            tokens.push(token.to_owned());
        }
        rest = after.trim_start();
    }
    tokens.join(" ")
}

fn with_marker(key: &str, marker: &str) -> String {
    match marker {
        "" => key.to_owned(),
        marker => format!("{key} ; {marker}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> String {
        Spec::parse(text, false).key
    }

    fn path(text: &str) -> Option<String> {
        match Spec::parse(text, false).source {
            RequirementSource::Path(path) => Some(path),
            _ => None,
        }
    }

    #[test]
    fn a_name_is_the_same_however_it_is_spelled() {
        for text in [
            "Foo_Bar==1",
            "foo.bar >= 2",
            "foo-bar[x]",
            "foo__bar (>1)",
            "foo-bar @ https://h/x.zip",
        ] {
            assert_eq!(key(text), "foo-bar", "{text}");
        }
    }

    #[test]
    fn a_marker_belongs_to_the_key_however_it_is_written() {
        let wanted = r#"a ; python_version < "3.8" and ( os_name == "a b" )"#;
        assert_eq!(key(r#"a;python_version<"3.8" and(os_name=="a b")"#), wanted);
        assert_eq!(key("A ; python_version  < '3.8' and ( os_name == 'a b' )"), wanted);
        assert_ne!(key("a"), wanted);
    }

    #[test]
    fn a_specifier_has_one_form() {
        assert_eq!(Spec::parse("a >= 1 , < 2", false).version, "<2,>=1");
        assert_eq!(Spec::parse("a (<2,>=1)", false).version, "<2,>=1");
        assert_eq!(
            Spec::parse("a[Y, x_1]~=1", false).extras,
            BTreeSet::from(["x-1".into(), "y".into()])
        );
    }

    #[test]
    fn paths_are_told_from_names() {
        for (text, wanted) in [
            (".", "."),
            (".[dev]", "."),
            ("./lib", "./lib"),
            ("lib/", "lib/"),
            ("./lib[a,b] ; python_version > '3'", "./lib"),
            ("file:./x%20y#egg=z", "./x y"),
            ("lib @ file:///srv/lib", "/srv/lib"),
            ("file://localhost/srv/lib", "/srv/lib"),
            ("wheels/a-1-py3-none-any.whl", "wheels/a-1-py3-none-any.whl"),
            ("a-1.tar.gz", "a-1.tar.gz"),
        ] {
            assert_eq!(path(text).as_deref(), Some(wanted), "{text}");
        }
        for text in [
            "lib",
            "lib[extra]",
            "a @ https://h/a.zip",
            "https://h/a",
            "zope.interface==1",
            "weird name",
        ] {
            assert_eq!(path(text), None, "{text}");
        }
        assert_eq!(Spec::parse("lib", true).source, RequirementSource::Path("lib".into()));
        assert_eq!(key("./lib/"), key("lib/../lib/."));
    }

    #[test]
    fn a_repository_is_the_same_at_another_commit() {
        assert_eq!(key("git+https://h/r.git@a"), key("git+https://h/r.git@b"));
        assert_eq!(key("git+ssh://git@h/r@a#egg=Foo"), "foo");
        assert_eq!(key("git+git@h:r@a"), key("git+git@h:r"));
    }
}
