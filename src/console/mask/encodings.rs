//! The encodings in which programs print a secret.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::iter;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The shortest part of a secret in base64 and base32 that is searched for, in characters. A
/// shorter one would be found by chance.
const SHORTEST_BASE64: usize = 6;
const SHORTEST_BASE32: usize = 8;

/// The characters besides letters and digits that tools leave as they are in a URL: RFC 3986 with
/// and without `/` (Python's `quote` and `quote_plus`), the same before Python 3.7, and
/// JavaScript's
/// `encodeURIComponent`.
const SAFE_IN_URLS: [&str; 5] = ["-._~", "-._~/", "-._", "-._/", "-._~!*'()"];

/// The text with the digits of `%2f` in upper case, and those of `\xe4` and `\u00e4` in lower case,
/// as in [`of`]. Its length is unchanged. `None` if nothing differs.
pub(super) fn with_digits_of_one_case(text: &[u8]) -> Option<Vec<u8>> {
    let mut changed: Option<Vec<u8>> = None;
    for at in memchr::memchr2_iter(b'%', b'\\', text) {
        let digits = match (text[at], text.get(at + 1)) {
            (b'%', _) => at + 1..at + 3,
            (_, Some(b'x')) => at + 2..at + 4,
            (_, Some(b'u')) => at + 2..at + 6,
            (_, Some(b'U')) => at + 2..at + 10,
            _ => continue,
        };
        let Some(written) = text.get(digits.clone()) else { continue };
        if !written.iter().all(u8::is_ascii_hexdigit) {
            continue;
        }
        let is_url = text[at] == b'%';
        let wanted =
            if is_url { written.to_ascii_uppercase() } else { written.to_ascii_lowercase() };
        if wanted != written {
            changed.get_or_insert_with(|| text.to_vec())[digits].copy_from_slice(&wanted);
        }
    }
    changed
}

/// All the bytes to search for, including the value itself.
pub(super) fn of(value: &str) -> BTreeSet<Vec<u8>> {
    let texts = iter::once(value.to_owned())
        .chain(in_urls(value))
        .chain(in_json(value))
        .chain(in_python(value))
        .chain(in_html(value))
        .chain(in_shells(value))
        .chain(in_scripts(value))
        .chain(misread(value))
        .chain(in_mails(value))
        .chain(in_numbers(value))
        .chain(in_utf16(value));
    let mut found: BTreeSet<_> = texts.map(String::into_bytes).collect();
    found.extend(in_base64(value.as_bytes()));
    found.extend(in_base32(value.as_bytes()));
    found
}

/// Each also as it stands in a URL that is itself in a URL, as in `?next=`: there, the digits of
/// what was encoded first can have any case.
fn in_urls(value: &str) -> impl Iterator<Item = String> + '_ {
    let once = SAFE_IN_URLS
        .into_iter()
        .flat_map(move |safe| ["%20", "+"].map(|space| percent_encoded(value, safe, space)));
    once.flat_map(|once| {
        let lower = with_digits_in_lower_case(&once);
        let twice = [once.as_str(), &lower].map(|text| percent_encoded(text, "-._~/", "%20"));
        twice.into_iter().chain([once])
    })
}

fn with_digits_in_lower_case(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        text + "%" + &digits.to_lowercase() + rest
    })
}

/// In quoted-printable, but for the line ends that it may put in: there, a secret is found as one
/// that was broken into lines.
fn in_mails(value: &str) -> [String; 1] {
    let encoded = value.bytes().map(|byte| match byte {
        b' '..=b'~' if byte != b'=' => char::from(byte).to_string(),
        _ => format!("={byte:02X}"),
    });
    [encoded.collect()]
}

fn percent_encoded(value: &str, safe: &str, space: &str) -> String {
    let encoded = value.bytes().map(|byte| match byte {
        b' ' => space.to_owned(),
        _ if byte.is_ascii_alphanumeric() || safe.as_bytes().contains(&byte) => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

/// With other characters than ASCII's as they are and escaped; each also with `/` as PHP writes it,
/// as it stands in a page of HTML, and within a text of JSON that is itself in JSON, as of a log.
fn in_json(value: &str) -> impl Iterator<Item = String> {
    let quoted = |text: &str| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let text = quoted(value);
    let ascii = text.chars().fold(String::new(), |mut ascii, character| {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
        ascii
    });
    [text, ascii].into_iter().flat_map(move |text| {
        let in_page = escaped_in_scripts(&text, "<>&'");
        [quoted(&text), text.replace('/', "\\/"), in_page, text]
    })
}

/// Within quotation marks in a page's script: Django's `escapejs`.
fn in_scripts(value: &str) -> [String; 1] {
    [escaped_in_scripts(value, "\\'\"><&=-;`")]
}

/// The text with these characters of ASCII as `\u0027`.
fn escaped_in_scripts(text: &str, special: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, character| {
        if special.contains(character) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
        escaped
    })
}

/// As a program prints it that takes UTF-8 for Latin-1.
fn misread(value: &str) -> [String; 1] {
    [value.bytes().map(char::from).collect()]
}

/// The numbers of its bytes: in hexadecimal, also as `xxd`, `bytes.hex(":")` and a list in C have
/// them, in decimal and in octal. A short value is not searched for: it would be found by chance.
fn in_numbers(value: &str) -> Vec<String> {
    const SHORTEST: usize = 6;
    if value.len() < SHORTEST {
        return Vec::new();
    }
    let each = |written: fn(u8) -> String| value.bytes().map(written).collect::<Vec<_>>();
    let pairs = each(|byte| format!("{byte:02x}"));
    let hexadecimal = ["", " ", ":", "-", ", 0x"].map(|sign| pairs.join(sign));
    // `xxd` puts two bytes together, and what stands before the secret is not known.
    let grouped = [0, 1].map(|first| {
        let (first, rest) = pairs.split_at(first);
        let rest = rest.chunks(2).map(<[String]>::concat);
        first.iter().cloned().chain(rest).collect::<Vec<_>>().join(" ")
    });
    let lower = hexadecimal.into_iter().chain(grouped);
    let mut all: Vec<_> =
        lower.flat_map(|text| [text.to_uppercase().replace("0X", "0x"), text]).collect();
    all.push(each(|byte| byte.to_string()).join(", "));
    all.push(each(|byte| format!("{byte:03o}")).join(" "));
    all
}

/// In UTF-16, every other byte is a NUL, which [`text::clean`](crate::text::clean) escapes.
fn in_utf16(value: &str) -> Option<String> {
    let bytes: Vec<_> = value.chars().map(String::from).collect();
    value.is_ascii().then(|| bytes.join("\\u{0}"))
}

/// `repr` and `ascii` of a text, and `repr` of its bytes. The quotation mark that ends it may be
/// escaped in it.
fn in_python(value: &str) -> impl Iterator<Item = String> {
    let text = value.replace('\\', "\\\\");
    let ascii = text.chars().fold(String::new(), |mut ascii, character| {
        let _ = match u32::from(character) {
            0..0x80 => write!(ascii, "{character}"),
            code @ 0x80..0x100 => write!(ascii, "\\x{code:02x}"),
            code @ 0x100..0x1_0000 => write!(ascii, "\\u{code:04x}"),
            code => write!(ascii, "\\U{code:08x}"),
        };
        ascii
    });
    let bytes = text.bytes().fold(String::new(), |mut bytes, byte| {
        let _ = if byte.is_ascii() {
            write!(bytes, "{}", char::from(byte))
        } else {
            write!(bytes, "\\x{byte:02x}")
        };
        bytes
    });
    [text, ascii, bytes].into_iter().flat_map(|text| [text.replace('\'', "\\'"), text])
}

/// Python's `html.escape`, with and without quotation marks, Jinja's and Django's, and what else
/// writes HTML and XML; each also with other characters than ASCII's as `&#228;`, as lxml has them.
fn in_html(value: &str) -> impl Iterator<Item = String> {
    let plain = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let quotes = [
        ("\"", "'"),
        ("&quot;", "'"),
        ("&quot;", "&#x27;"),
        ("&quot;", "&#39;"),
        ("&quot;", "&apos;"),
        ("&#34;", "&#39;"),
    ];
    let texts = quotes.map(|(double, single)| plain.replace('"', double).replace('\'', single));
    texts.into_iter().flat_map(|text| {
        let ascii = text.chars().fold(String::new(), |mut ascii, character| {
            if character.is_ascii() {
                ascii.push(character);
            } else {
                let _ = write!(ascii, "&#{};", u32::from(character));
            }
            ascii
        });
        [ascii, text]
    })
}

/// Python's `shlex.quote`, and the other usual way to write `'` within single quotes; double
/// quotes, as `export -p` has them; words without any quotes, as `printf %q` has them, and its
/// `$'…'` for what is not ASCII; the single quotes of YAML and SQL; the double ones of CSV; and
/// Python's `re.escape`.
fn in_shells(value: &str) -> [String; 8] {
    let escaped = |is_special: fn(char) -> bool| {
        value.chars().fold(String::new(), |mut escaped, character| {
            escaped.extend(is_special(character).then_some('\\'));
            escaped.push(character);
            escaped
        })
    };
    let octal = value.bytes().fold(String::new(), |mut octal, byte| {
        let _ = match byte {
            b'\\' | b'\'' => write!(octal, "\\{}", char::from(byte)),
            0..0x80 => write!(octal, "{}", char::from(byte)),
            _ => write!(octal, "\\{byte:03o}"),
        };
        octal
    });
    [
        octal,
        value.replace('\'', "'\"'\"'"),
        value.replace('\'', "'\\''"),
        value.replace('\'', "''"),
        value.replace('"', "\"\""),
        escaped(|character| "\\\"$`".contains(character)),
        escaped(|it| it.is_ascii() && !it.is_ascii_alphanumeric() && !"_@%+=:,./-".contains(it)),
        escaped(|it| "()[]{}?*+-|^$\\.&~# ".contains(it)),
    ]
}

/// A user and a password in an `Authorization` header are one text in base64, so what stands before
/// the secret is not known: each of the three ways in which it can begin within a group. Where
/// nothing follows it either, all of its digits are its own.
pub(super) fn in_base64(value: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let digit = |last: [u8; 2]| {
        move |six| match six {
            0..26 => b'A' + six,
            26..52 => b'a' + six - 26,
            52..62 => b'0' + six - 52,
            62 => last[0],
            _ => last[1],
        }
    };
    let alone = [STANDARD_NO_PAD.encode(value), URL_SAFE_NO_PAD.encode(value)];
    let found: Vec<Vec<u8>> = (0..3)
        .flat_map(|before| [*b"+/", *b"-_"].map(|last| aligned(value, before, 6, digit(last))))
        .chain(alone.map(String::into_bytes))
        .filter(|text| text.len() >= SHORTEST_BASE64)
        .collect();
    found.into_iter()
}

/// The same in base32, in which keys for one-time passwords are written.
fn in_base32(value: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let digit = |five| if five < 26 { b'A' + five } else { b'2' + five - 26 };
    let all = (0..5).map(move |before| aligned(value, before, 5, digit));
    all.filter(|text| text.len() >= SHORTEST_BASE32)
}

/// The digits, of so many bits each, in which there is nothing but the value, after so many other
/// bytes.
fn aligned(value: &[u8], before: usize, bits: usize, digit: impl Fn(u8) -> u8) -> Vec<u8> {
    let bytes: Vec<u8> = iter::repeat_n(0, before).chain(value.iter().copied()).collect();
    let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    let number = |at: usize| (0..bits).fold(0, |number, more| number << 1 | bit(bits * at + more));
    ((8 * before).div_ceil(bits)..8 * bytes.len() / bits).map(|at| digit(number(at))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_found_whatever_precedes_the_secret() {
        let found: Vec<_> = in_base64(b"open sesame").collect();
        // `base64` of it, of `x:` and it, and of `me:` and it.
        for encoded in ["b3BlbiBzZXNhbWU=", "eDpvcGVuIHNlc2FtZQ==", "bWU6b3BlbiBzZXNhbWU="] {
            let is_in = |needle: &Vec<u8>| {
                encoded.contains(std::str::from_utf8(needle).unwrap()) && needle.len() >= 12
            };
            assert!(found.iter().any(is_in), "{encoded}");
        }
        assert_eq!(in_base64(b"abc").count(), 0);
    }

    #[test]
    fn quotes_and_escapes_are_known() {
        let found = of("a'b\"c<$\\d");
        for encoded in [
            r#"a''b"c<$\d"#,
            r#"a'b""c<$\d"#,
            r#"a'b\"c<\$\\d"#,
            r#"a\'b\"c\<\$\\d"#,
            r#"a\u0027b\"c\u003c$\\d"#,
            r"a\u0027b\u0022c\u003c$\u005cd",
            r#"a'b\\\"c<$\\\\d"#,
            "6127622263",
            "a'b&quot;c&lt;$",
            "a&apos;b&quot;c&lt;$",
            r#"a'b"c<\$\\d"#,
        ] {
            let is_in = |needle: &Vec<u8>| needle.starts_with(encoded.as_bytes());
            assert!(found.iter().any(is_in), "{encoded}");
        }
    }

    #[test]
    fn what_is_not_ascii_may_be_a_number() {
        let found = of("p\u{e4}'");
        for encoded in ["p&#228;'", "p&#228;&#39;", "p\\303\\244\\'", "p\u{c3}\u{a4}'"] {
            assert!(found.iter().any(|needle| needle == encoded.as_bytes()), "{encoded}");
        }
    }

    #[test]
    fn a_plain_value_is_searched_for_in_few_ways() {
        let base64 = in_base64(b"hunter22").collect::<BTreeSet<_>>().len();
        let numbers = in_numbers("hunter22").len();
        let base32 = in_base32(b"hunter22").count();
        let utf16 = 1;
        assert_eq!(of("hunter22").len(), 1 + numbers + base64 + base32 + utf16);
    }

    #[test]
    fn the_numbers_of_bytes_are_known() {
        let found = of("hunter-22");
        for encoded in [
            "68756e7465722d3232",
            "68:75:6E:74:65:72:2D:32:32",
            "68 75 6e 74 65 72 2d 32 32",
            "6875 6e74 6572 2d32 32",
            "68 756e 7465 722d 3232",
            "68, 0x75, 0x6e, 0x74, 0x65, 0x72, 0x2d, 0x32, 0x32",
            "104, 117, 110, 116, 101, 114, 45, 50, 50",
            "150 165 156 164 145 162 055 062 062",
            &crate::text::clean("h\0u\0n\0t\0e\0r\0-\x002\x002"),
        ] {
            assert!(found.contains(encoded.as_bytes()), "{encoded}");
        }
    }

    #[test]
    fn base32_is_found_whatever_precedes_the_secret() {
        let found: Vec<_> = in_base32(b"open sesame").collect();
        // `base32` of it, of `x:` and it, and of `me:` and it.
        for encoded in ["N5YGK3RAONSXGYLNMU======", "PA5G64DFNYQHGZLTMFWWK===", "NVSTU33QMVXCA43F"]
        {
            let is_in = |needle: &Vec<u8>| {
                let start = &needle[..needle.len().min(11)];
                encoded.contains(std::str::from_utf8(start).unwrap())
            };
            assert!(found.iter().any(is_in), "{encoded}");
        }
    }
}
