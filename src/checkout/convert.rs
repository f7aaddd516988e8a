//! What becomes of a blob on its way to a file: line endings, `$Id$` and the encoding.
//!
//! The rules are those of git's convert.c with its default configuration on Linux, where lines end
//! in LF. So a file is only ever given CRLF, and only where `eol=crlf` says so.

use std::borrow::Cow;

use anyhow::Result;
use git2::Oid;

use super::encoding::Encoding;
use super::ident;
use super::stream::Streamed;

/// The attribute `text`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    Yes,
    No,
    Input,
    Auto,
}

/// The attribute `eol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEndings {
    Lf,
    Crlf,
}

/// What to do with the bytes of one file. The default is nothing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Conversion {
    endings: Endings,
    ident: Ident,
    encoding: Option<Encoding>,
    /// Whether a filter is asked for that nobody runs.
    pub(super) is_unfiltered: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Endings {
    #[default]
    Keep,
    Crlf,
    /// CRLF unless the content looks binary or has a CR already.
    CrlfIfText,
}

/// git has two implementations of `$Id$`, which disagree on odd input. Which one it takes depends
/// on the other conversions.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Ident {
    #[default]
    Keep,
    Streamed,
    Whole,
}

impl Conversion {
    pub(super) fn new(
        text: Option<Text>,
        endings: Option<LineEndings>,
        ident: bool,
        encoding: Option<Encoding>,
    ) -> Conversion {
        let is_streamed =
            encoding.is_none() && (text != Some(Text::Auto) || endings == Some(LineEndings::Lf));
        Conversion {
            endings: match (text, endings) {
                (Some(Text::No), _) | (_, None | Some(LineEndings::Lf)) => Endings::Keep,
                (Some(Text::Auto), Some(LineEndings::Crlf)) => Endings::CrlfIfText,
                (_, Some(LineEndings::Crlf)) => Endings::Crlf,
            },
            ident: match (ident, is_streamed) {
                (false, _) => Ident::Keep,
                (true, true) => Ident::Streamed,
                (true, false) => Ident::Whole,
            },
            encoding,
            is_unfiltered: false,
        }
    }

    /// How to convert a blob piece by piece; `None` when it has to be seen as a whole, which git
    /// does as well.
    pub(super) fn streamed(self) -> Option<Streamed> {
        let has_crlf = match self.endings {
            Endings::Keep => false,
            Endings::Crlf => true,
            Endings::CrlfIfText => return None,
        };
        let is_possible = self.ident == Ident::Keep && self.encoding.is_none();
        is_possible.then_some(Streamed { has_crlf })
    }

    /// The bytes of the file that a blob becomes. Fails when they cannot be written in the encoding
    /// that is asked for.
    pub(super) fn apply(self, blob: &[u8], id: Oid) -> Result<Cow<'_, [u8]>> {
        let mut bytes = Cow::Borrowed(blob);
        if bytes.is_empty() {
            return Ok(bytes);
        }
        let expanded = match self.ident {
            Ident::Keep => None,
            Ident::Streamed => ident::expand_streamed(&bytes, id),
            Ident::Whole => ident::expand_whole(&bytes, id),
        };
        replace(&mut bytes, expanded);
        let wants_crlf = match self.endings {
            Endings::Keep => false,
            Endings::Crlf => true,
            Endings::CrlfIfText => may_become_crlf(&bytes),
        };
        if wants_crlf {
            let converted = with_crlf(&bytes);
            replace(&mut bytes, converted);
        }
        if let Some(encoding) = self.encoding {
            bytes = Cow::Owned(encoding.encode(&bytes)?);
        }
        Ok(bytes)
    }
}

fn replace(bytes: &mut Cow<[u8]>, by: Option<Vec<u8>>) {
    if let Some(new) = by {
        *bytes = Cow::Owned(new);
    }
}

/// Every LF that has no CR before it gets one; `None` when there is none.
fn with_crlf(bytes: &[u8]) -> Option<Vec<u8>> {
    let naked = naked_line_feeds(bytes);
    if naked == 0 {
        return None;
    }
    let mut converted = Vec::with_capacity(bytes.len() + naked);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        match line {
            [start @ .., b'\r', b'\n'] | [start @ .., b'\n'] => {
                converted.extend_from_slice(start);
                converted.extend_from_slice(b"\r\n");
            }
            last => converted.extend_from_slice(last),
        }
    }
    Some(converted)
}

fn naked_line_feeds(bytes: &[u8]) -> usize {
    let first = usize::from(bytes.first() == Some(&b'\n'));
    let others = bytes.windows(2).filter(|pair| pair[1] == b'\n' && pair[0] != b'\r').count();
    first + others
}

/// `text=auto`: content with any CR stays as it is, and so does what looks binary
/// (`convert_is_binary` in git's convert.c).
fn may_become_crlf(bytes: &[u8]) -> bool {
    let mut printable = 0_usize;
    let mut others = 0_usize;
    for &byte in bytes {
        match byte {
            0 | b'\r' => return false,
            b'\n' => {}
            // But backspace, tab, form feed and escape.
            1..=0x07 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f => others += 1,
            _ => printable += 1,
        }
    }
    // The end-of-file mark of DOS.
    if bytes.last() == Some(&0x1a) {
        others -= 1;
    }
    printable >> 7 >= others
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crlf(bytes: &[u8]) -> Vec<u8> {
        with_crlf(bytes).unwrap_or_else(|| bytes.to_vec())
    }

    #[test]
    fn only_naked_line_feeds_get_a_carriage_return() {
        assert_eq!(crlf(b"a\nb\r\nc\rd\n\ne"), b"a\r\nb\r\nc\rd\r\n\r\ne");
        assert_eq!(crlf(b"\n"), b"\r\n");
        assert_eq!(crlf(b"\r\r\n"), b"\r\r\n");
        assert_eq!(with_crlf(b"a\r\nb"), None);
        assert_eq!(with_crlf(b""), None);
    }

    #[test]
    fn what_looks_binary_stays_as_it_is() {
        assert!(may_become_crlf(b"plain\ntext\n"));
        assert!(!may_become_crlf(b"a\0b\n"));
        assert!(!may_become_crlf(b"a\rb\n"));
        assert!(!may_become_crlf(b"a\r\nb\n"));
        assert!(!may_become_crlf(b"\x01 short\n"));
        assert!(may_become_crlf(&[b"\x01".as_slice(), &[b'x'; 128], b"\n"].concat()));
        assert!(may_become_crlf(b"dos\n\x1a"));
    }

    #[test]
    fn eol_alone_means_text_and_minus_text_wins() {
        let endings = |text, eol| Conversion::new(text, eol, false, None).endings;
        assert_eq!(endings(None, Some(LineEndings::Crlf)), Endings::Crlf);
        assert_eq!(endings(Some(Text::Input), Some(LineEndings::Crlf)), Endings::Crlf);
        assert_eq!(endings(Some(Text::No), Some(LineEndings::Crlf)), Endings::Keep);
        assert_eq!(endings(Some(Text::Auto), Some(LineEndings::Crlf)), Endings::CrlfIfText);
        assert_eq!(endings(Some(Text::Auto), None), Endings::Keep);
        assert_eq!(endings(Some(Text::Yes), Some(LineEndings::Lf)), Endings::Keep);
    }
}
