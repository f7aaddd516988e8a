//! Makes text from outside safe to print, and words for counts, sizes and durations.

mod quantity;
mod screen;
pub mod url;
mod width;

use std::borrow::Cow;
use std::path::Path;

pub use quantity::{ago, bytes, duration, latency};
pub use screen::{clean, clean_bytes};
pub use width::{fit, pad, pad_left, width, wrap};

/// How much of what was found is shown, in characters.
const LONGEST_EXCERPT: usize = 200;

/// A text as a string of TOML, in quotation marks.
pub fn toml_string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A path as one word of a shell.
pub fn shell_word(path: &Path) -> String {
    let path = path.to_string_lossy();
    shlex::try_quote(&path).map_or_else(|_| path.to_string(), Cow::into_owned)
}

/// Gives text from outside as it stands within a sentence of ours: what [`clean`] would act on or
/// drop is shown escaped, so that it changes none of the words around it.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let escaped = |character: char| {
        if is_harmful(character) { character.escape_debug().collect() } else { vec![character] }
    };
    Cow::Owned(text.chars().flat_map(escaped).collect())
}

/// The first line of a text that people wrote, such as a commit's message, as [`escaped`] gives it
/// and cut after 100 characters.
pub fn title(text: &str) -> String {
    const LONGEST: usize = 100;
    let line = cut(text.lines().next().unwrap_or_default(), LONGEST);
    escaped(&line).into_owned()
}

/// A text that begins a sentence.
pub fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// A text of at most so many characters, and an ellipsis where it goes on.
pub fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) if &text[end..] == "…" => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Gives what was found in somebody's file, fit to stand in an error: on one line, everything
/// invisible escaped, and cut after 200 characters.
pub fn excerpt(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST_EXCERPT {
            out.push('…');
            break;
        }
        match c {
            '"' | '\'' | '\\' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
    }
    out
}

/// Gives the first line of a text as it stands within a sentence of ours that goes on: without the
/// full stop or the colon that it ends with. The dots of `…/..` and of an ellipsis stay.
pub fn clause(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default().trim_end().trim_end_matches(':');
    match line.strip_suffix('.') {
        Some(sentence) if !sentence.ends_with(['.', '/', ' ']) => sentence,
        _ => line,
    }
}

/// Gives the byte order mark that a text may begin with, and the rest.
pub fn split_mark(text: &str) -> (&str, &str) {
    text.split_at(if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 })
}

/// Controls (C0, DEL, C1), line and paragraph separators, and the marks that reorder text ("Trojan
/// Source").
fn is_harmful(character: char) -> bool {
    matches!(character,
        '\0'..='\u{8}' | '\u{a}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_are_shown_escaped() {
        assert_eq!(clean("a\0b"), "a\\u{0}b");
        assert_eq!(clean("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(clean("a\u{9b}31mb"), "a\\u{9b}31mb");
        assert_eq!(clean_bytes(b"caf\xe9\x7f"), "caf\u{fffd}\\u{7f}");
    }

    #[test]
    fn what_would_act_on_a_terminal_is_shown_where_it_stands() {
        assert_eq!(escaped("a\rsuccess: \u{1b}[2K\u{202e}"), "a\\rsuccess: \\u{1b}[2K\\u{202e}");
        assert_eq!(escaped("echo 'naïve' \"\\n\""), "echo 'naïve' \"\\n\"");
    }

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt("a\u{1b}[31m\u{200b}é\n\u{202e}"), r"a\u{1b}[31m\u{200b}é\n\u{202e}");
        assert_eq!(excerpt(r#"a; x == "\""#), r#"a; x == "\""#);
        assert_eq!(excerpt(&"x".repeat(5000)).chars().count(), 201);
    }

    #[test]
    fn a_clause_has_no_end_of_its_own() {
        assert_eq!(clause("runtime.txt is wrong.\nfound: x"), "runtime.txt is wrong");
        assert_eq!(clause("the errors were:\n"), "the errors were");
        for whole in [
            "",
            "`x.` is no name",
            "it leads to ..",
            "it leads to .",
            "it leads to /srv/.",
            "and so on...",
        ] {
            assert_eq!(clause(whole), whole);
        }
    }

    #[test]
    fn nothing_harmful_is_ever_left() {
        proptest::proptest!(|(bytes: Vec<u8>)| {
            assert!(!escaped(&String::from_utf8_lossy(&bytes)).contains(is_harmful));
            let text = clean_bytes(&bytes).into_owned();
            assert!(!text.chars().any(is_harmful));
            assert_eq!(clean(&text), text);
        });
    }
}
