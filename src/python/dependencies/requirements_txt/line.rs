//! From text to logical lines: joined, without comments, with the app settings they read put in
//! (pip's `preprocess`).

use std::collections::BTreeSet;

use crate::text::url::credentials;

/// One logical line of a requirements file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logical {
    /// Counted from 1, of the first of the lines that were joined.
    pub(super) number: usize,
    /// As it stands in the commit.
    pub(super) text: String,
    /// As pip sees it: with the values of the settings it reads. May hold secrets.
    pub(super) expanded: String,
}

/// The logical lines of `text`. `setting` gives the value of an environment variable that pip will
/// see; the names that were asked for are added to `variables`.
pub(super) fn logical(
    text: &str,
    setting: &impl Fn(&str) -> Option<String>,
    variables: &mut BTreeSet<String>,
) -> Vec<Logical> {
    joined(text)
        .into_iter()
        .filter_map(|(number, line)| {
            let text = without_comment(&line).trim_matches(is_space);
            (!text.is_empty()).then(|| Logical {
                number,
                text: text.to_owned(),
                expanded: expand(text, setting, variables),
            })
        })
        .collect()
}

/// Joins lines that end in `\` with the next one, except comments, which end where they end.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut pending: Option<(usize, String)> = None;
    for (index, line) in split_lines(text).enumerate() {
        let comment = line.trim_start_matches(is_space).starts_with('#');
        let goes_on = line.ends_with('\\') && !comment;
        let (number, mut all) = pending.take().unwrap_or((index + 1, String::new()));
        if goes_on {
            all.push_str(line.trim_matches('\\'));
            pending = Some((number, all));
        } else {
            // pip does the same: after a joined line, a comment has to be seen as one.
            if comment {
                all.push(' ');
            }
            all.push_str(line);
            lines.push((number, all));
        }
    }
    lines.extend(pending);
    lines
}

/// The text in parts: the lines that are joined to one, as they are written, and the logical line.
pub(super) fn written(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = lines_with_ends(text).collect();
    let joined = joined(text);
    let starts: Vec<usize> = joined.iter().map(|(number, _)| number - 1).collect();
    let ends = starts.iter().copied().skip(1).chain([lines.len()]);
    let written = starts.iter().zip(ends).map(|(start, end)| lines[*start..end].concat());
    let logical = joined.iter().map(|(_, line)| without_comment(line).trim_matches(is_space));
    written.zip(logical.map(str::to_owned)).collect()
}

/// As Python's `str.splitlines` does it, because the numbers should be those that pip would name.
fn split_lines(text: &str) -> impl Iterator<Item = &str> {
    lines_with_ends(text).map(|line| {
        line.strip_suffix("\r\n").or_else(|| line.strip_suffix(ends_line)).unwrap_or(line)
    })
}

fn lines_with_ends(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.char_indices().find(|&(_, c)| ends_line(c));
        let end = end.map_or(rest.len(), |(at, c)| {
            at + if rest[at..].starts_with("\r\n") { 2 } else { c.len_utf8() }
        });
        let (line, after) = rest.split_at(end);
        rest = after;
        Some(line)
    })
}

fn ends_line(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// What Python counts as white space.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

/// A `#` begins a comment at the start of a line or after white space; elsewhere it belongs to a
/// URL.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        if c == '#' && is_space(before) {
            return &line[..at];
        }
        before = c;
    }
    line
}

/// Puts the values of settings in place of `${NAME}`; a setting that is not there, or empty,
/// leaves it as it is. Of the `variables`, those are left out that only say who asks for a URL.
fn expand(
    text: &str,
    setting: &impl Fn(&str) -> Option<String>,
    variables: &mut BTreeSet<String>,
) -> String {
    let credentials: Vec<_> = credentials(text.as_bytes()).map(|url| url.user).collect();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let place = text.len() - rest.len() + at;
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let end = from[2..].find(|c| !is_part_of_a_name(c)).unwrap_or(from.len() - 2);
        let name = &from[2..2 + end];
        if name.is_empty() || !from[2 + end..].starts_with('}') {
            out.push_str("${");
            rest = &from[2..];
            continue;
        }
        let (reference, after) = from.split_at(name.len() + 3);
        if !credentials.iter().any(|user| user.contains(&place)) {
            variables.insert(name.to_owned());
        }
        match setting(name).filter(|value| !value.is_empty()) {
            Some(value) => out.push_str(&value),
            None => out.push_str(reference),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn is_part_of_a_name(c: char) -> bool {
    matches!(c, 'A'..='Z' | '0'..='9' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(usize, String)> {
        let setting = |name: &str| (name == "TOKEN").then(|| "s3cret".to_owned());
        logical(text, &setting, &mut BTreeSet::new())
            .into_iter()
            .map(|line| (line.number, line.expanded))
            .collect()
    }

    #[test]
    fn comments_and_blank_lines_are_skipped() {
        assert_eq!(
            lines("# a\n\n  # b\r\nflask # c\nx#egg\r\n\ty \t# d"),
            [(4, "flask".into()), (5, "x#egg".into()), (6, "y".into())]
        );
    }

    #[test]
    fn a_backslash_joins_lines() {
        assert_eq!(lines("a \\\n  b\\\r\nc\nd"), [(1, "a   bc".into()), (4, "d".into())]);
        assert_eq!(lines("a \\\n# b \\\nc"), [(1, "a".into()), (3, "c".into())]);
        assert_eq!(lines("a\\"), [(1, "a".into())]);
        assert_eq!(lines("\\\n\\"), []);
    }

    #[test]
    fn settings_are_put_in() {
        assert_eq!(lines("a${TOKEN}b${TOKEN}"), [(1, "as3cretbs3cret".into())]);
        for text in ["${OTHER}", "${token}", "${}", "${A", "$TOKEN", "${A B}", "${"] {
            assert_eq!(lines(text), [(1, text.to_owned())]);
        }
    }

    #[test]
    fn a_setting_in_a_comment_is_not_read() {
        let mut variables = BTreeSet::new();
        logical("a # ${A}\n${B}${C", &|_| None, &mut variables);
        assert_eq!(variables.into_iter().collect::<Vec<_>>(), ["B"]);
    }

    #[test]
    fn a_setting_with_credentials_decides_nothing() {
        for (text, read) in [
            ("--index-url https://ada:${TOKEN}@${HOST}/simple", vec!["HOST"]),
            ("x @ git+https://${TOKEN}@example.org/x@${TAG}", vec!["TAG"]),
            ("--index-url https://example.org/${TOKEN}/simple", vec!["TOKEN"]),
        ] {
            let mut variables = BTreeSet::new();
            logical(text, &|_| None, &mut variables);
            assert_eq!(variables.into_iter().collect::<Vec<_>>(), read, "{text}");
        }
    }

    #[test]
    fn what_is_joined_is_known_as_it_is_written() {
        let text = "a # b\n\n-e \\\r\n  c\n# d \\\ne";
        let expected = [
            ("a # b\n", "a"),
            ("\n", ""),
            ("-e \\\r\n  c\n", "-e   c"),
            ("# d \\\n", ""),
            ("e", "e"),
        ];
        assert_eq!(written(text), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(written(""), []);
    }

    #[test]
    fn lines_are_counted_as_python_counts_them() {
        assert_eq!(lines("a\rb\u{2028}c\x0cd").last(), Some(&(4, "d".to_owned())));
    }
}
