//! What a terminal would show of one line.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::iter;

use super::is_harmful;

/// Gives one line as a terminal would show it once it has been printed, without anything that could
/// move a cursor, colour what follows, or hide text.
///
/// What `\r` and backspace overwrite is gone; escape sequences are dropped (erasing to the end of
/// the line is honoured); other control characters, and those that change the direction of text,
/// are shown escaped (`\u{0}`). Tabs stay.
pub fn clean(line: &str) -> Cow<'_, str> {
    if line.bytes().any(may_begin_a_control) {
        Cow::Owned(Screen::default().show(line))
    } else {
        Cow::Borrowed(line)
    }
}

/// [`clean`] for bytes that should be UTF-8; what is not becomes U+FFFD.
pub fn clean_bytes(line: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(line) {
        Cow::Borrowed(text) => clean(text),
        Cow::Owned(text) => Cow::Owned(clean(&text).into_owned()),
    }
}

/// ASCII controls, and the first bytes of the other characters that [`is_harmful`] names.
fn may_begin_a_control(byte: u8) -> bool {
    matches!(byte, 0x00..=0x08 | 0x0a..=0x1f | 0x7f | 0xc2 | 0xe2)
}

/// One line of a terminal: characters and a cursor.
#[derive(Default)]
struct Screen {
    /// How many blanks there are before the cells. They are only counted: erasing and printing
    /// again at the end of a long line would otherwise write all of it each time.
    blanks: usize,
    cells: VecDeque<char>,
    cursor: usize,
    rewritten: bool,
    /// No string sequence has an end any more: each that begins would look for one up to the end of
    /// the line.
    strings_are_open: bool,
}

impl Screen {
    fn show(mut self, line: &str) -> String {
        let mut rest = line;
        while let Some(character) = rest.chars().next() {
            let after = &rest[character.len_utf8()..];
            rest = match character {
                '\r' => {
                    self.cursor = 0;
                    self.rewritten |= !after.is_empty();
                    after
                }
                '\u{8}' => {
                    self.cursor = self.cursor.saturating_sub(1);
                    self.rewritten = true;
                    after
                }
                '\u{7}' => after,
                '\u{1b}' => self.escape_sequence(after),
                harmful if is_harmful(harmful) => {
                    for escaped in harmful.escape_unicode() {
                        self.put(escaped);
                    }
                    after
                }
                _ => {
                    self.put(character);
                    after
                }
            };
        }
        let blanks = if self.cells.is_empty() { 0 } else { self.blanks };
        let mut text: String = iter::repeat_n(' ', blanks).chain(self.cells).collect();
        if self.rewritten {
            // Progress lines blank out their longer predecessors with spaces.
            text.truncate(text.trim_end().len());
        }
        text
    }

    fn put(&mut self, character: char) {
        if self.cells.is_empty() {
            self.blanks = self.cursor;
        }
        while self.cursor < self.blanks {
            self.cells.push_front(' ');
            self.blanks -= 1;
        }
        match self.cells.get_mut(self.cursor - self.blanks) {
            Some(cell) => *cell = character,
            None => self.cells.push_back(character),
        }
        self.cursor += 1;
    }

    /// Takes what follows an ESC and gives what comes after the sequence (ECMA-48).
    fn escape_sequence<'t>(&mut self, after: &'t str) -> &'t str {
        match after.bytes().next() {
            Some(b'[') => {
                let body = &after[1..];
                let parameters = prefix(body, 0x30..=0x3f);
                let intermediates = prefix(&body[parameters..], 0x20..=0x2f);
                let end = parameters + intermediates;
                match body.as_bytes().get(end) {
                    Some(last @ 0x40..=0x7e) => {
                        if *last == b'K' {
                            self.erase(&body[..parameters]);
                        }
                        &body[end + 1..]
                    }
                    _ => &body[end..],
                }
            }
            // Titles, links and other strings go up to BEL or ESC \. One without an end hides
            // nothing.
            Some(b']' | b'P' | b'X' | b'^' | b'_') => {
                let body = &after[1..];
                let end = if self.strings_are_open { None } else { end_of_string(body) };
                self.strings_are_open = end.is_none();
                &body[end.unwrap_or(0)..]
            }
            _ => {
                let end = prefix(after, 0x20..=0x2f);
                match after.as_bytes().get(end) {
                    Some(0x30..=0x7e) => &after[end + 1..],
                    _ => &after[end..],
                }
            }
        }
    }

    /// "Erase in line": to the end, to the cursor, or all of it.
    fn erase(&mut self, parameter: &str) {
        self.rewritten = true;
        match parameter {
            "" | "0" => self.cells.truncate(self.cursor.saturating_sub(self.blanks)),
            "1" => {
                let erased = self.cells.len().min((self.cursor + 1).saturating_sub(self.blanks));
                self.cells.drain(..erased);
                self.blanks += erased;
            }
            _ => self.cells.clear(),
        }
    }
}

/// Where what comes after a string sequence begins.
fn end_of_string(body: &str) -> Option<usize> {
    let bytes = body.as_bytes();
    memchr::memchr2_iter(b'\x07', b'\x1b', bytes).find_map(|at| match &bytes[at..] {
        [b'\x07', ..] => Some(at + 1),
        [_, b'\\', ..] => Some(at + 2),
        _ => None,
    })
}

/// How many of the first bytes are in the range (which is ASCII's).
fn prefix(text: &str, range: std::ops::RangeInclusive<u8>) -> usize {
    text.bytes().take_while(|byte| range.contains(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in ["", "a\tb", "naïve — “quoted” … ✓", "日本語"] {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn a_rewritten_line_keeps_what_a_terminal_shows_at_the_end() {
        assert_eq!(clean("10%\r50%\r100%"), "100%");
        assert_eq!(clean("downloading\rdone       "), "done");
        assert_eq!(clean("abc\rX"), "Xbc");
        assert_eq!(clean("abc\r\u{1b}[KX"), "X");
        assert_eq!(clean("abc\u{1b}[2K\rdone"), "done");
        assert_eq!(clean("abc\u{1b}[2Kd"), "   d");
        assert_eq!(clean("abc\u{8}\u{1b}[1Kd\u{8}\u{8}e"), " ed");
        assert_eq!(clean("abc\u{1b}[2K\u{8}d\re"), "e d");
        assert_eq!(clean("abcd\u{8}\u{8}\u{1b}[0Ke\u{1b}[1K"), "");
        assert_eq!(clean("a|\u{8}/\u{8}-"), "a-");
        assert_eq!(clean("windows\r"), "windows");
    }

    #[test]
    fn escape_sequences_are_dropped() {
        assert_eq!(clean("\u{1b}[1;31mred\u{1b}[0m"), "red");
        assert_eq!(clean("\u{1b}]0;title\u{7}text"), "text");
        assert_eq!(clean("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\"), "link");
        assert_eq!(clean("\u{1b}[2J\u{1b}[H\u{1b}cx"), "x");
        assert_eq!(clean("\u{1b}(Bx\u{1b}"), "x");
        assert_eq!(clean("\u{1b}[31"), "");
    }

    #[test]
    fn an_unterminated_string_sequence_hides_nothing() {
        assert_eq!(clean("\u{1b}]0;error: no"), "0;error: no");
        assert_eq!(clean("\u{1b}]0;x\u{1b}[1m\u{7}a\u{1b}]b\u{1b}[0m\u{1b}Xc"), "abc");
    }
}
