//! The raw bytes of a tree: `MODE NAME NUL ID`, again and again.

use anyhow::{Context, Result, bail, ensure};
use git2::Oid;

/// What an entry of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File { executable: bool },
    Link,
    Folder,
    Submodule,
}

/// One entry of a tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) kind: Kind,
    pub(super) name: &'a [u8],
    pub(super) id: &'a [u8],
}

impl Entry<'_> {
    pub(super) fn id(&self) -> Result<Oid> {
        Oid::from_bytes(self.id).context("cannot read an id in a tree")
    }
}

/// Reads the entries of a tree one by one. Nothing is checked but their form: names may be anything
/// without a NUL.
///
/// libgit2's own parser is not used because it makes an object for each entry.
#[derive(Debug, Clone)]
pub(super) struct Entries<'a> {
    whole: &'a [u8],
    position: usize,
    id_length: usize,
}

impl<'a> Entries<'a> {
    /// `tree` are the bytes of a tree object, `position` where to start in them, `id_length` is 20
    /// for SHA-1 and 32 for SHA-256.
    pub(super) fn new(tree: &'a [u8], position: usize, id_length: usize) -> Self {
        Entries { whole: tree, position, id_length }
    }

    /// The offset in the tree of the entry that comes next.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The next entry; `None` at the end of the tree. Fails when the tree is not well-formed.
    pub(super) fn next(&mut self) -> Result<Option<Entry<'a>>> {
        let rest = &self.whole[self.position..];
        if rest.is_empty() {
            return Ok(None);
        }
        let (mode, rest) = split_at_byte(rest, b' ').context("a tree's entry has no mode")?;
        let (name, rest) = split_at_byte(rest, 0).context("a tree's entry has no name")?;
        let (id, rest) =
            rest.split_at_checked(self.id_length).context("a tree ends in the middle of an id")?;
        self.position = self.whole.len() - rest.len();
        Ok(Some(Entry { kind: kind(mode)?, name, id }))
    }
}

fn split_at_byte(bytes: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&b| b == byte)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// Of the permission bits only the owner's `x` counts, as in git: 100664 of old commits is 0644,
/// and setuid is nothing.
fn kind(mode: &[u8]) -> Result<Kind> {
    const TYPE: u32 = 0o170_000;
    ensure!(
        (1..=7).contains(&mode.len()) && mode.iter().all(|digit| (b'0'..=b'7').contains(digit)),
        "a tree's entry has a mode that is not a number"
    );
    let bits = mode.iter().fold(0, |bits, digit| bits * 8 + u32::from(digit - b'0'));
    Ok(match bits & TYPE {
        0o100_000 => Kind::File { executable: bits & 0o100 != 0 },
        0o120_000 => Kind::Link,
        0o040_000 => Kind::Folder,
        0o160_000 => Kind::Submodule,
        _ => bail!("a tree's entry has the mode {bits:o}, which git does not know"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(tree: &[u8]) -> Result<Vec<(Kind, Vec<u8>)>> {
        let mut entries = Entries::new(tree, 0, 20);
        let mut found = Vec::new();
        while let Some(entry) = entries.next()? {
            found.push((entry.kind, entry.name.to_vec()));
        }
        Ok(found)
    }

    fn entry(start: &str) -> Vec<u8> {
        [start.as_bytes(), b"\0", &[7; 20]].concat()
    }

    #[test]
    fn entries_are_read_in_order() {
        let tree = [
            entry("100644 a"),
            entry("100755 b c"),
            entry("120000 d"),
            entry("40000 e"),
            entry("160000 f"),
        ]
        .concat();
        let kinds: Vec<_> = all(&tree).unwrap().into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(
            kinds,
            [
                Kind::File { executable: false },
                Kind::File { executable: true },
                Kind::Link,
                Kind::Folder,
                Kind::Submodule
            ]
        );
        assert_eq!(all(&tree).unwrap()[1].1, b"b c");
    }

    #[test]
    fn of_odd_permissions_only_the_owners_x_counts() {
        for (mode, executable) in [
            ("100664", false),
            ("100600", false),
            ("104755", true),
            ("100777", true),
            ("106611", false),
        ] {
            assert_eq!(
                all(&entry(&format!("{mode} a"))).unwrap()[0].0,
                Kind::File { executable },
                "{mode}"
            );
        }
    }

    #[test]
    fn a_malformed_tree_is_an_error() {
        for tree in [b"100644".as_slice(), b"100644 a", b"100644 a\0short", b" a\0", b"1006x4 a\0"]
        {
            assert!(all(tree).is_err(), "{tree:?}");
        }
        assert!(all(&entry("10644 a")).is_err());
        assert!(all(&entry("99999999999 a")).is_err());
    }
}
