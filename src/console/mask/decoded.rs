//! A text as it was before a program escaped it for a URL, HTML or a literal.
//!
//! Programs differ in what they escape: one leaves `/`, `~` and `=` as they are, another does not.
//! So a secret is searched for in the text with every escape undone, and masked where it stands.

use std::ops::Range;

pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// Where in the text each byte comes from.
    starts: Vec<usize>,
    end: usize,
}

/// What an escape stands for.
enum Meant {
    Byte(u8),
    Char(char),
}

/// Reads the escape that a text begins with: what it stands for, and its length.
type Read = fn(&[u8]) -> Option<(Meant, usize)>;

/// `\xe4` is a byte where bytes are shown, and a character where a text is.
const READ: [(u8, Read); 5] = [
    (b'%', in_url),
    (b'%', in_script),
    (b'&', in_html),
    (b'\\', |text| in_literal(text, Meant::Byte)),
    (b'\\', |text| in_literal(text, |byte| Meant::Char(char::from(byte)))),
];

/// The text with its escapes undone, in each of the ways in which there are any.
pub(super) fn all(text: &[u8]) -> impl Iterator<Item = Decoded> + '_ {
    READ.into_iter().filter_map(|(sign, read)| Decoded::of(text, sign, read))
}

impl Decoded {
    /// `None` when there are no escapes that begin with this sign.
    fn of(text: &[u8], sign: u8, read: Read) -> Option<Decoded> {
        memchr::memchr(sign, text)?;
        let mut decoded = Decoded {
            bytes: Vec::with_capacity(text.len()),
            starts: Vec::with_capacity(text.len()),
            end: text.len(),
        };
        let (mut at, mut is_escaped) = (0, false);
        while at < text.len() {
            let escape = if text[at] == sign { read(&text[at..]) } else { None };
            is_escaped |= escape.is_some();
            let (meant, length) = escape.unwrap_or((Meant::Byte(text[at]), 1));
            let mut buffer = [0; 4];
            let bytes = match meant {
                Meant::Byte(byte) => {
                    buffer[0] = byte;
                    &buffer[..1]
                }
                Meant::Char(character) => character.encode_utf8(&mut buffer).as_bytes(),
            };
            decoded.bytes.extend_from_slice(bytes);
            decoded.starts.extend(bytes.iter().map(|_| at));
            at += length;
        }
        is_escaped.then_some(decoded)
    }

    /// Where in the text a part of these bytes is.
    pub(super) fn place(&self, part: &Range<usize>) -> Range<usize> {
        let of = |at: usize| self.starts.get(at).copied().unwrap_or(self.end);
        of(part.start)..of(part.end)
    }
}

/// `%2F`
fn in_url(text: &[u8]) -> Option<(Meant, usize)> {
    Some((Meant::Byte(number(text.get(1..3)?, 16)?.try_into().ok()?), 3))
}

/// `%u20AC` and `%E4`: JavaScript's `escape`.
fn in_script(text: &[u8]) -> Option<(Meant, usize)> {
    let Some(b'u') = text.get(1) else {
        return Some((Meant::Char(char::from_u32(number(text.get(1..3)?, 16)?)?), 3));
    };
    utf16(text, "%u")
}

/// `&amp;`, `&#228;`, `&#xe4;`
fn in_html(text: &[u8]) -> Option<(Meant, usize)> {
    const LONGEST: usize = 10;
    let end = memchr::memchr(b';', &text[..text.len().min(LONGEST)])?;
    let character = match &text[1..end] {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(number(digits, 16)?)?,
        [b'#', digits @ ..] => char::from_u32(number(digits, 10)?)?,
        _ => return None,
    };
    Some((Meant::Char(character), end + 1))
}

/// `\"`, `\/`, `\t`, `\xe4`, `\344`, `\u00e4`, `\u{e4}`, `\U000000e4`
fn in_literal(text: &[u8], byte: fn(u8) -> Meant) -> Option<(Meant, usize)> {
    match *text.get(1)? {
        b't' => Some((Meant::Byte(b'\t'), 2)),
        b'x' => Some((byte(number(text.get(2..4)?, 16)?.try_into().ok()?), 4)),
        b'u' if text.get(2) == Some(&b'{') => {
            const LONGEST: usize = 6;
            let digits = text.get(3..text.len().min(4 + LONGEST))?;
            let end = memchr::memchr(b'}', digits)?;
            Some((Meant::Char(char::from_u32(number(&digits[..end], 16)?)?), end + 4))
        }
        b'u' => utf16(text, "\\u"),
        b'U' => Some((Meant::Char(char::from_u32(number(text.get(2..10)?, 16)?)?), 10)),
        b'0'..=b'3' => Some((byte(number(text.get(1..4)?, 8)?.try_into().ok()?), 4)),
        sign if sign.is_ascii_punctuation() => Some((Meant::Byte(sign), 2)),
        _ => None,
    }
}

/// One unit of UTF-16 or, of what needs it, two; each behind this sign.
fn utf16(text: &[u8], sign: &str) -> Option<(Meant, usize)> {
    let unit = |at: usize| number(text.get(at..at + 6)?.strip_prefix(sign.as_bytes())?, 16);
    match unit(0)? {
        high @ 0xd800..0xdc00 => {
            let low = unit(6)?.checked_sub(0xdc00)?;
            Some((Meant::Char(char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)?), 12))
        }
        code => Some((Meant::Char(char::from_u32(code)?), 6)),
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok()?;
    let is_plain = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    if is_plain { u32::from_str_radix(digits, radix).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the secret is found in a text, decoded in any way.
    fn found(secret: &str, text: &str) -> Vec<String> {
        let places = all(text.as_bytes()).filter_map(|decoded| {
            let at = memchr::memmem::find(&decoded.bytes, secret.as_bytes())?;
            Some(text[decoded.place(&(at..at + secret.len()))].to_owned())
        });
        places.collect()
    }

    #[test]
    fn a_secret_is_found_whatever_was_escaped() {
        let secret = "p\u{e4}/=\"~\u{1f600}'+";
        for written in [
            r#"p%C3%A4/="~%F0%9F%98%80'+"#,
            r"p%c3%a4%2F%3d%22%7E%F0%9F%98%80%27%2B",
            "p\u{e4}&#x2F;&#x3D;&quot;~&#128512;&#039;&#43;",
            "p&#xE4;/=&#34;~&#x1F600;&#39;+",
            "p%E4/%3D%22%7E%uD83D%uDE00%27+",
            r#"p\u00E4\/\u003d\"~\ud83d\ude00'+"#,
            r#"p\xe4/=\"~\U0001f600\'+"#,
            r#"p\u{e4}/=\"~\u{1F600}\'\u{00002b}"#,
            r#"p\xc3\xa4/="~\xf0\x9f\x98\x80\'+"#,
            r#"p\303\244/=\"~\360\237\230\200'+"#,
            "p\u{e4}/\\=\\\"\\~\u{1f600}\\'+",
        ] {
            let text = format!("% & \\ {written} % & \\");
            assert!(found(secret, &text).contains(&written.to_owned()), "{written}");
        }
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in ["%", "%2", "%zz", "%+1", "&", "&;", "&#;", "&#x110000;", "&nbsp;", "\\", "\\u"]
        {
            assert_eq!(all(text.as_bytes()).count(), 0, "{text}");
        }
        for text in ["\\ud83d", "\\ud83d\\ude0", "\\x1", "\\xg1", "\\38", "\\n", "\\\u{e4}"] {
            assert_eq!(all(text.as_bytes()).count(), 0, "{text}");
        }
    }
}
