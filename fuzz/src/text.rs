//! What holds for any text that is shown to a person, and other forms of one and the same input.

/// The most bytes that an error may have: a screen or two, whatever the file has that is wrong.
pub const LONGEST: usize = 8 * 1024;

/// Fails when a text cannot be shown: something in it moves a cursor, colours, hides or reorders
/// what stands beside it, or it has more than `longest` bytes.
pub fn assert_fit_to_be_shown(text: &str, longest: usize) {
    let harmful = |c: &char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert_eq!(text.chars().find(harmful), None, "in {text:?}");
    assert!(
        text.len() <= longest,
        "{} bytes: {}…",
        text.len(),
        text.chars().take(200).collect::<String>()
    );
    assert!(!text.trim().is_empty());
}

/// The same lines with CRLF at their ends; `None` when a CR is there already.
pub fn with_crlf(data: &[u8]) -> Option<Vec<u8>> {
    if data.contains(&b'\r') {
        return None;
    }
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    Some(lines.join(b"\r\n".as_slice()))
}

/// The same text with a byte order mark; `None` when it has one, or begins with what would change
/// its meaning.
pub fn with_bom(data: &[u8]) -> Option<Vec<u8>> {
    let is_utf_8 = std::str::from_utf8(data)
        .is_ok_and(|text| !text.starts_with('\u{feff}') && !text.contains('\0'));
    is_utf_8.then(|| [b"\xef\xbb\xbf".as_slice(), data].concat())
}

/// A decimal number without sign and leading zeros.
pub fn number(text: &str) -> Option<u16> {
    text.parse::<u16>().ok().filter(|number| number.to_string() == text)
}
