//! Makes text from outside harmless, and a few words about time.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::iter;
use std::time::Duration;

/// How much of what was found is shown, in characters.
const LONGEST_EXCERPT: usize = 200;

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
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", escaped(&line[..end])),
        None => escaped(line).into_owned(),
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

/// Gives a number of bytes as people say it: `512 bytes`, `4.2 kB`, `12 MB`, in powers of 1000.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} byte{}", if bytes == 1 { "" } else { "s" });
    }
    // In tenths of a unit, rounded; a thousand of one unit is one of the next.
    let (mut tenths, mut unit) = ((bytes + 50) / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths = (tenths + 500) / 1000;
        unit += 1;
    }
    let unit = UNITS[unit];
    if tenths < 100 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", tenths / 10)
    }
}

/// Gives a duration as people say it: `0.3 s`, `20 s`, `10 min`, `1 h 5 min`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 10 {
        let tenths = duration.as_millis().div_ceil(100);
        let (whole, tenth) = (tenths / 10, tenths % 10);
        return if tenth == 0 { format!("{whole} s") } else { format!("{whole}.{tenth} s") };
    }
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .take(2)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// ASCII controls, and the first bytes of the other characters that [`is_harmful`] names.
fn may_begin_a_control(byte: u8) -> bool {
    matches!(byte, 0x00..=0x08 | 0x0a..=0x1f | 0x7f | 0xc2 | 0xe2)
}

/// Controls (C0, DEL, C1), line and paragraph separators, and the marks that reorder text ("Trojan
/// Source").
fn is_harmful(character: char) -> bool {
    matches!(character,
        '\0'..='\u{8}' | '\u{a}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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

/// The text that a percent-encoded one stands for (RFC 3986). A percent sign without two hexadecimal
/// digits after it stays as it is, and what is not UTF-8 then is replaced.
pub fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let byte = match after {
            [high, low, ..] if *first == b'%' => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        decoded.push(byte.map_or(*first, |(high, low)| high << 4 | low));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_their_unit() {
        let of = |number| bytes(number);
        assert_eq!([of(0), of(1), of(999)], ["0 bytes", "1 byte", "999 bytes"]);
        assert_eq!([of(1000), of(4249), of(12_345)], ["1.0 kB", "4.2 kB", "12 kB"]);
        assert_eq!(
            [of(5_000_000), of(123_456_789), of(2_500_000_000)],
            ["5.0 MB", "123 MB", "2.5 GB"]
        );
    }

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

    #[test]
    fn durations_read_as_people_say_them() {
        let said = |milliseconds| duration(Duration::from_millis(milliseconds));
        assert_eq!(said(300), "0.3 s");
        assert_eq!(said(2000), "2 s");
        assert_eq!(said(20_400), "20 s");
        assert_eq!(said(600_000), "10 min");
        assert_eq!(said(3_900_000), "1 h 5 min");
    }
}
