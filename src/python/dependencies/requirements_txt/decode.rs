//! From the bytes of a requirements file to its text, as pip reads it
//! (`pip/_internal/utils/encoding.py`).

use super::super::text::conflict;
use super::error::ClosureError;

/// The text of the requirements file at `path`.
pub(super) fn text_of(path: String, bytes: &[u8]) -> Result<String, ClosureError> {
    match decode(bytes) {
        Ok(text) => match conflict(&text) {
            Some(line) => Err(ClosureError::Conflict { path, line }),
            None => Ok(text),
        },
        Err(problem) => Err(ClosureError::Undecodable { path, problem }),
    }
}

/// The text of a requirements file. Fails with the fact that it cannot be read, in words.
///
/// UTF-8, with a BOM or without, UTF-16 and UTF-32 with one, or what a `coding:` comment in the
/// first two lines says (PEP 263). Any such encoding other than UTF-8 is read as Latin-1: what
/// counts here is its ASCII part, and pip itself says whether it knows the encoding.
pub(super) fn decode(bytes: &[u8]) -> Result<String, String> {
    // UTF-32 comes first, because its BOM begins with that of UTF-16. Before 25.0, pip itself took
    // one for the other.
    if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe, 0, 0]) {
        return utf_32(rest, u32::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(&[0, 0, 0xfe, 0xff]) {
        return utf_32(rest, u32::from_be_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe]) {
        return utf_16(rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xfe, 0xff]) {
        return utf_16(rest, u16::from_be_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]) {
        return utf_8(rest);
    }
    match declared(bytes) {
        Some(encoding)
            if !encoding.replace('_', "-").starts_with("utf-8") && encoding != "utf8" =>
        {
            Ok(bytes.iter().map(|&byte| char::from(byte)).collect())
        }
        _ => utf_8(bytes),
    }
}

/// Whether the bytes begin with a mark of UTF-16 or UTF-32.
pub(super) fn has_bom(bytes: &[u8]) -> bool {
    let marks: [&[u8]; 3] = [&[0xff, 0xfe], &[0xfe, 0xff], &[0, 0, 0xfe, 0xff]];
    marks.iter().any(|mark| bytes.starts_with(mark))
}

fn utf_8(bytes: &[u8]) -> Result<String, String> {
    str::from_utf8(bytes).map(str::to_owned).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        let line = good.split(|&byte| byte == b'\n').count();
        let byte = bad.first().copied().unwrap_or_default();
        format!("is not UTF-8: byte 0x{byte:02x} in line {line}")
    })
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, String> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("has the BOM of UTF-16 and an odd number of bytes".to_owned());
    }
    char::decode_utf16(units.iter().map(|&bytes| unit(bytes)))
        .collect::<Result<_, _>>()
        .map_err(|_| "has the BOM of UTF-16 but is not UTF-16".to_owned())
}

fn utf_32(bytes: &[u8], unit: fn([u8; 4]) -> u32) -> Result<String, String> {
    let (units, rest) = bytes.as_chunks::<4>();
    units
        .iter()
        .map(|&bytes| char::from_u32(unit(bytes)))
        .collect::<Option<String>>()
        .filter(|_| rest.is_empty())
        .ok_or_else(|| "has the BOM of UTF-32 but is not UTF-32".to_owned())
}

/// The encoding that a comment in the first two lines names, in lower case.
fn declared(bytes: &[u8]) -> Option<String> {
    bytes.split(|&byte| byte == b'\n').take(2).filter(|line| line.first() == Some(&b'#')).find_map(
        |line| {
            let line = String::from_utf8_lossy(line);
            line.match_indices("coding").find_map(|(at, word)| {
                let name = line[at + word.len()..].strip_prefix([':', '='])?;
                let name: String = name
                    .trim_start()
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
                    .collect();
                (!name.is_empty()).then(|| name.to_ascii_lowercase())
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf_16_le(text: &str) -> Vec<u8> {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        [0xff, 0xfe].into_iter().chain(units).collect()
    }

    #[test]
    fn what_windows_writes_is_read() {
        assert_eq!(decode(&utf_16_le("flask\r\n")).unwrap(), "flask\r\n");
        assert_eq!(decode(b"\xfe\xff\0a").unwrap(), "a");
        assert_eq!(decode(b"\xef\xbb\xbfflask").unwrap(), "flask");
        assert_eq!(decode(b"\xff\xfe\0\0a\0\0\0").unwrap(), "a");
        assert_eq!(decode(b"\0\0\xfe\xff\0\0\0a").unwrap(), "a");
    }

    #[test]
    fn a_coding_line_counts() {
        assert_eq!(
            decode(b"# -*- coding: latin-1 -*-\n./\xe9").unwrap(),
            "# -*- coding: latin-1 -*-\n./é"
        );
        assert_eq!(decode("# coding=utf-8\né".as_bytes()).unwrap(), "# coding=utf-8\né");
        assert!(decode(b"a\nb\n# coding: latin-1\n\xe9").is_err());
    }

    #[test]
    fn what_is_no_text_says_where() {
        assert_eq!(decode(b"a\nb\xe9").unwrap_err(), "is not UTF-8: byte 0xe9 in line 2");
        assert!(decode(b"\xff\xfea").unwrap_err().contains("odd number"));
        assert!(decode(b"\xff\xfe\0\xd8").is_err());
        assert!(decode(b"\xff\xfe\0\0\0\0\0\xff").is_err());
    }
}
