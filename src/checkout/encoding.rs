//! `working-tree-encoding`: git stores such a file in UTF-8 and checks it out in the encoding
//! named.

use anyhow::{Result, bail};

use super::error;
use crate::user_error::Explain;

/// The encodings that we write. git has all those of the system's iconv.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf16 { order: Order, mark: bool },
    Utf32 { order: Order, mark: bool },
    Latin1,
    Ascii,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

/// iconv writes the machine's own order where the name says none.
const NATIVE: Order = if cfg!(target_endian = "big") { Order::Big } else { Order::Little };

const BYTE_ORDER_MARK: char = '\u{feff}';

impl Encoding {
    /// `None` for UTF-8. Fails when the name is of an encoding that we do not write.
    pub(super) fn named(name: &[u8]) -> Result<Option<Encoding>> {
        use Order::{Big, Little};
        let lower = name.to_ascii_lowercase();
        let utf = lower.strip_prefix(b"utf").map(|rest| rest.strip_prefix(b"-").unwrap_or(rest));
        let utf16 = |order, mark| Encoding::Utf16 { order, mark };
        let utf32 = |order, mark| Encoding::Utf32 { order, mark };
        Ok(Some(match (utf, lower.as_slice()) {
            (_, b"") | (Some(b"8"), _) => return Ok(None),
            (Some(b"16"), _) => utf16(NATIVE, true),
            (Some(b"16le"), _) => utf16(Little, false),
            (Some(b"16be"), _) => utf16(Big, false),
            (Some(b"16le-bom"), _) => utf16(Little, true),
            (Some(b"16be-bom"), _) => utf16(Big, true),
            (Some(b"32"), _) => utf32(NATIVE, true),
            (Some(b"32le"), _) => utf32(Little, false),
            (Some(b"32be"), _) => utf32(Big, false),
            (_, b"iso-8859-1" | b"iso8859-1" | b"iso_8859-1" | b"latin1" | b"l1") => {
                Encoding::Latin1
            }
            (_, b"ascii" | b"us-ascii") => Encoding::Ascii,
            _ => bail!(error::unknown_encoding(name)),
        }))
    }

    /// UTF-8 in, this encoding out. Fails when it is not UTF-8, or has a character that the
    /// encoding lacks.
    ///
    /// git leaves such a file in UTF-8 and only says so; a site would read garbage from it.
    pub(super) fn encode(self, utf8: &[u8]) -> Result<Vec<u8>> {
        let text = std::str::from_utf8(utf8).explain(error::not_utf8)?;
        match self {
            Encoding::Utf16 { order, mark } => Ok(with_mark(text, mark)
                .flat_map(|c| {
                    let mut units = [0; 2];
                    let count = c.encode_utf16(&mut units).len();
                    units.into_iter().take(count)
                })
                .flat_map(|unit| match order {
                    Order::Little => unit.to_le_bytes(),
                    Order::Big => unit.to_be_bytes(),
                })
                .collect()),
            Encoding::Utf32 { order, mark } => Ok(with_mark(text, mark)
                .flat_map(|c| match order {
                    Order::Little => u32::from(c).to_le_bytes(),
                    Order::Big => u32::from(c).to_be_bytes(),
                })
                .collect()),
            Encoding::Latin1 => single_bytes(text, 0xff, "ISO-8859-1"),
            Encoding::Ascii => single_bytes(text, 0x7f, "ASCII"),
        }
    }
}

fn with_mark(text: &str, mark: bool) -> impl Iterator<Item = char> {
    mark.then_some(BYTE_ORDER_MARK).into_iter().chain(text.chars())
}

fn single_bytes(text: &str, last: u8, name: &str) -> Result<Vec<u8>> {
    text.chars()
        .map(|c| {
            u8::try_from(u32::from(c))
                .ok()
                .filter(|byte| *byte <= last)
                .ok_or_else(|| error::no_character(name, c).into())
        })
        .collect()
}
