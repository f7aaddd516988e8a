//! `$Id$` becomes `$Id: BLOB $`, as git's two implementations in convert.c do it.

use git2::Oid;

/// What git calls a space here.
const SPACES: &[u8] = b" \t\r\n";

/// `ident_to_worktree`: git's way when the whole file has to be looked at for another conversion.
/// `None` when nothing changes.
pub(super) fn expand_whole(bytes: &[u8], blob: Oid) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut changed = false;
    let mut rest = bytes;
    while let Some(dollar) = find(rest, b'$') {
        out.extend_from_slice(&rest[..=dollar]);
        rest = &rest[dollar + 1..];
        match after_keyword(rest) {
            Keyword::Not => {}
            Keyword::NoMore => break,
            Keyword::Ends(after) => {
                out.extend_from_slice(format!("Id: {blob} $").as_bytes());
                rest = &rest[after..];
                changed = true;
            }
        }
    }
    out.extend_from_slice(rest);
    changed.then_some(out)
}

enum Keyword {
    Not,
    /// It starts, and there is no dollar in the rest of the file.
    NoMore,
    /// It ends here.
    Ends(usize),
}

fn after_keyword(rest: &[u8]) -> Keyword {
    match rest {
        [b'I', b'd', b'$', ..] => Keyword::Ends(3),
        [b'I', b'd', b':', value @ ..] => {
            let Some(length) = find(value, b'$') else {
                return Keyword::NoMore;
            };
            let value = &value[..length];
            // A space inside is the mark of another version control system's expansion, which is
            // kept.
            let space = value.iter().skip(1).position(|&byte| byte == b' ').map(|at| at + 1);
            if value.contains(&b'\n') || space.is_some_and(|at| at + 1 < length) {
                Keyword::Not
            } else {
                Keyword::Ends(3 + length + 1)
            }
        }
        _ => Keyword::Not,
    }
}

/// `ident_filter_fn`: git's way for all other files, with its quirks. `None` when nothing changes.
///
/// It is an automaton over bytes that never looks back, so `$$Id$` is left alone, and `$Idx$Id:y$`
/// loses its start.
pub(super) fn expand_streamed(bytes: &[u8], blob: Oid) -> Option<Vec<u8>> {
    /// With the NUL that ends it in C, and which git compares as well.
    const HEAD: &[u8] = b"$Id\0";
    if !bytes.windows(3).any(|window| window == &HEAD[..3]) {
        return None;
    }
    let expansion = format!(": {blob} $");
    let mut out = Vec::with_capacity(bytes.len() + 64);
    // What git holds back until it knows what it is.
    let mut held = Vec::new();
    // How much of HEAD has been seen, or that a `$Id:` is being skipped to its end.
    let mut seen = 0;
    let mut skipping = false;
    for &byte in bytes {
        if skipping {
            held.push(byte);
            if byte != b'\n' && byte != b'$' {
                continue;
            }
            if byte == b'$' && !is_foreign(&held) {
                held.truncate(3);
                held.extend_from_slice(expansion.as_bytes());
            }
            skipping = false;
        } else {
            if HEAD.get(seen) == Some(&byte) {
                seen += 1;
                continue;
            }
            held.extend_from_slice(&HEAD[..seen]);
            let is_keyword = seen == 3;
            seen = 0;
            match byte {
                b':' if is_keyword => {
                    held.push(byte);
                    skipping = true;
                    continue;
                }
                b'$' if is_keyword => held.extend_from_slice(expansion.as_bytes()),
                _ => {
                    held.push(byte);
                    if is_keyword {
                        continue;
                    }
                }
            }
        }
        out.append(&mut held);
    }
    if !skipping {
        held.extend_from_slice(&HEAD[..seen]);
    }
    out.append(&mut held);
    (out != bytes).then_some(out)
}

/// `is_foreign_ident`: there is a space before the last one. The text is a C string.
fn is_foreign(held: &[u8]) -> bool {
    let text = held.split(|&byte| byte == 0).next().unwrap_or_default();
    text.strip_prefix(b"$Id: ").is_some_and(|value| {
        value
            .iter()
            .enumerate()
            .any(|(at, byte)| SPACES.contains(byte) && value.get(at + 1) != Some(&b'$'))
    })
}

fn find(bytes: &[u8], byte: u8) -> Option<usize> {
    bytes.iter().position(|&b| b == byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789012345678901234567890123456789";

    fn both(text: &str) -> (String, String) {
        let id = Oid::from_str(HEX).unwrap();
        let shown = |expanded: Option<Vec<u8>>| {
            String::from_utf8(expanded.unwrap_or_else(|| text.into())).unwrap().replace(HEX, "…")
        };
        (shown(expand_whole(text.as_bytes(), id)), shown(expand_streamed(text.as_bytes(), id)))
    }

    #[test]
    fn both_ways_agree_on_ordinary_text() {
        for (text, expected) in [
            ("x $Id$ y", "x $Id: … $ y"),
            ("$Id:$", "$Id: … $"),
            ("$Id: 1234 $\n", "$Id: … $\n"),
            ("$Id: of another system $", "$Id: of another system $"),
            ("$Id: broken\n$Id$", "$Id: broken\n$Id: … $"),
            ("$Ident$ $I $", "$Ident$ $I $"),
            ("$Id", "$Id"),
            ("$Id: never ends", "$Id: never ends"),
            ("", ""),
        ] {
            assert_eq!(both(text), (expected.to_owned(), expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn both_ways_have_gits_own_quirks() {
        assert_eq!(both("$$Id$"), ("$$Id: … $".to_owned(), "$$Id$".to_owned()));
        assert_eq!(both("$Idx$Id:y$").1, "$Id: … $");
    }
}
