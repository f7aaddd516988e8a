//! From any text to one that can be shown.

use std::fmt::Write;

const SHOWN: usize = 80;

/// The text with everything but printable ASCII escaped, as in `python\u{2013}3.11`, and cut after
/// 80 characters.
pub(super) fn visible(text: &str) -> String {
    let mut characters = text.chars();
    let mut shown: String = characters.by_ref().take(SHOWN).map(escaped).collect();
    let rest = characters.count();
    if rest > 0 {
        let _ = write!(shown, "… and {rest} characters more");
    }
    shown
}

/// The first line of some bytes, shown in the same way.
pub(super) fn visible_bytes(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut shown = String::new();
    for chunk in line[..line.len().min(SHOWN)].utf8_chunks() {
        shown.extend(chunk.valid().chars().map(escaped));
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    if line.len() > SHOWN || line.len() < bytes.len() {
        shown.push('…');
    }
    shown
}

fn escaped(character: char) -> String {
    match character {
        '\t' => "\\t".to_owned(),
        '\r' => "\\r".to_owned(),
        '\n' => "\\n".to_owned(),
        '\\' => "\\\\".to_owned(),
        ' '..='~' => character.to_string(),
        _ => character.escape_unicode().to_string(),
    }
}
