//! From a file's bytes to its text.

use super::error::Problem;
use super::shown::visible_bytes;

/// A file that names a version has a few bytes; more than this is something else.
pub(super) const VERSION_FILE_LIMIT: usize = 64 * 1024;
pub(super) const PYPROJECT_LIMIT: usize = 1024 * 1024;

/// The text of a UTF-8 file with or without a byte order mark. Fails when it is longer than `limit`
/// bytes, UTF-16, or not UTF-8 otherwise.
pub(super) fn decode(bytes: &[u8], limit: usize) -> Result<&str, Problem> {
    if bytes.len() > limit {
        return Err(Problem::TooLarge {
            bytes: bytes.len(),
            limit,
            start: visible_bytes(&bytes[..limit]),
        });
    }
    if let Some(text) = utf16(bytes) {
        return Err(Problem::Utf16 { text });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let line = line_at(bytes, error.valid_up_to());
        Problem::NotUtf8 {
            line,
            found: visible_bytes(
                bytes.split(|byte| *byte == b'\n').nth(line - 1).unwrap_or_default(),
            ),
        }
    })
}

/// The number, from 1, of the line in which the byte at `offset` is.
pub(super) fn line_at(bytes: &[u8], offset: usize) -> usize {
    let before = &bytes[..offset.min(bytes.len())];
    before.split(|byte| *byte == b'\n').count()
}

/// What UTF-16 bytes say, with a byte order mark, or without one when every second byte is zero (as
/// an ASCII text's are). `None` when they are not UTF-16.
fn utf16(bytes: &[u8]) -> Option<String> {
    let zeros_at = |offset: usize| {
        bytes.len() >= 4 && bytes.iter().skip(offset).step_by(2).all(|byte| *byte == 0)
    };
    let (body, little_endian) = match bytes {
        [0xff, 0xfe, body @ ..] => (body, true),
        [0xfe, 0xff, body @ ..] => (body, false),
        _ if zeros_at(0) == zeros_at(1) => return None,
        _ => (bytes, zeros_at(1)),
    };
    let unit = if little_endian { u16::from_le_bytes } else { u16::from_be_bytes };
    let (units, _) = body.as_chunks::<2>();
    let units: Vec<u16> = units.iter().copied().map(unit).collect();
    Some(String::from_utf16_lossy(&units))
}
