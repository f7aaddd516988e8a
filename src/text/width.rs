//! How many columns of a terminal a text takes: CJK characters and emoji take two, combining marks
//! none.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// A text of at most so many columns, which ends with `…` where something was cut off.
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(1);
    let mut taken = 0;
    let mut end = 0;
    for (at, character) in text.char_indices() {
        taken += character.width().unwrap_or_default();
        if taken > room {
            break;
        }
        end = at + character.len_utf8();
    }
    Cow::Owned(if columns == 0 { String::new() } else { format!("{}…", text[..end].trim_end()) })
}

/// A text followed by blanks up to so many columns.
pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(text.width())))
}

/// A text after blanks, so many columns in all.
pub fn pad_left(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(text.width())))
}

/// Breaks a line between words, so that each part takes at most so many columns; a longer word has
/// a part of its own.
pub fn wrap(line: &str, columns: usize) -> Vec<String> {
    if line.width() <= columns {
        return vec![line.to_owned()];
    }
    let mut parts: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match parts.last_mut() {
            Some(part) if part.width() + 1 + word.width() <= columns => {
                part.push(' ');
                part.push_str(word);
            }
            _ => parts.push(word.to_owned()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_and_combining_characters_take_their_columns() {
        assert_eq!([width("日本"), width("e\u{301}"), width("👍")], [4, 1, 2]);
        assert_eq!(pad("日本", 6), "日本  ");
        assert_eq!(pad_left("e\u{301}", 3), "  e\u{301}");
    }

    #[test]
    fn a_text_is_never_cut_without_an_ellipsis() {
        assert_eq!(fit("hello", 5), "hello");
        assert_eq!(fit("hello!", 5), "hell…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("one two", 5), "one…");
        assert_eq!(fit("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!([fit("x", 0), fit("xy", 1)], ["", "…"]);
    }

    #[test]
    fn lines_break_between_words_and_lose_nothing() {
        assert_eq!(wrap("one two", 7), ["one two"]);
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("日本 語 x", 4), ["日本", "語 x"]);
        assert_eq!(wrap("a incomprehensible b", 5), ["a", "incomprehensible", "b"]);
    }
}
