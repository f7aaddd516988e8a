//! A commit's tree in memory, as an input describes it: the first file, and after each line
//! `%%% PATH` another one. `%%%> PATH` begins a link, whose target follows, and `%%%% THEN` the
//! tree that an env was made from before.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use anyhow::Result;
use nyala::python::dependencies::{Entry, Tree};

use super::text::with_crlf;

/// A tree in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryTree {
    entries: BTreeMap<String, Entry>,
    /// What files and links have in them, by their ids.
    contents: BTreeMap<String, Vec<u8>>,
}

/// The trees that an input describes: the first file of each is at `first`.
pub(super) fn trees(data: &[u8], first: &str) -> (MemoryTree, Option<MemoryTree>) {
    let mut trees = vec![MemoryTree::fixed()];
    let mut path = first.to_owned();
    let mut link = false;
    let mut content: Vec<&[u8]> = Vec::new();
    for line in data.split(|byte| *byte == b'\n').map(Some).chain([None]) {
        let heading = line.and_then(|line| line.strip_prefix(b"%%%"));
        if let Some(line) = line
            && heading.is_none()
        {
            content.push(line);
            continue;
        }
        trees.last_mut().expect("there is one").add(&path, &content.join(b"\n".as_slice()), link);
        content.clear();
        let heading = String::from_utf8_lossy(heading.unwrap_or_default()).into_owned();
        if heading.starts_with('%') && trees.len() == 1 {
            trees.push(MemoryTree::fixed());
            first.clone_into(&mut path);
        } else {
            link = heading.starts_with('>');
            heading.trim_start_matches('>').trim().clone_into(&mut path);
        }
    }
    let then = trees.drain(1..).next();
    (trees.remove(0), then)
}

impl MemoryTree {
    /// What every tree has, so that lines can name it.
    fn fixed() -> MemoryTree {
        let mut tree = MemoryTree::default();
        tree.add("lib/setup.py", b"", false);
        tree.add("wheels/a-1-py3-none-any.whl", b"", false);
        tree.entries.insert("vendor".to_owned(), Entry::Submodule { id: "0".repeat(40) });
        tree
    }

    /// Adds a file. Where a name is taken as a folder already, or a folder's name as a file, it is
    /// left out.
    fn add(&mut self, path: &str, content: &[u8], link: bool) {
        let legal = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
        let taken = |other: &String| {
            other.starts_with(&format!("{path}/")) || path.starts_with(&format!("{other}/"))
        };
        if path.split('/').all(legal) && !self.entries.keys().any(taken) {
            let id = self.store(content.to_vec());
            self.entries.insert(
                path.to_owned(),
                if link { Entry::Link { id } } else { Entry::File { id } },
            );
        }
    }

    fn store(&mut self, content: Vec<u8>) -> String {
        let id =
            format!("{:016x}", BuildHasherDefault::<DefaultHasher>::default().hash_one(&content));
        self.contents.insert(id.clone(), content);
        id
    }

    /// The same tree, but for the ends of lines; `None` when there is a CR or what is no UTF-8.
    pub(super) fn with_crlf(&self) -> Option<MemoryTree> {
        let mut changed = self.clone();
        for entry in changed.entries.clone() {
            if let (path, Entry::File { id }) = entry {
                let content = with_crlf(&self.contents[&id])
                    .filter(|content| std::str::from_utf8(content).is_ok())?;
                let id = changed.store(content);
                changed.entries.insert(path, Entry::File { id });
            }
        }
        Some(changed)
    }
}

impl Tree for MemoryTree {
    fn entry(&self, path: &str) -> Result<Entry> {
        if let Some(entry) = self.entries.get(path) {
            return Ok(entry.clone());
        }
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let inside = || self.entries.iter().filter(|(path, _)| path.starts_with(&below));
        let missing = inside().next().is_none() && !path.is_empty();
        Ok(if missing {
            Entry::Missing
        } else {
            Entry::Folder { id: format!("{path} {}", inside().count()) }
        })
    }

    fn list(&self, path: &str) -> Result<Vec<(String, Entry)>> {
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let names =
            self.entries.keys().filter_map(|path| path.strip_prefix(&below)?.split('/').next());
        let names: BTreeSet<&str> = names.collect();
        names
            .into_iter()
            .map(|name| Ok((name.to_owned(), self.entry(&format!("{below}{name}"))?)))
            .collect()
    }

    fn size(&self, id: &str) -> Result<u64> {
        Ok(self.contents[id].len() as u64)
    }

    fn read(&self, id: &str) -> Result<Vec<u8>> {
        Ok(self.contents[id].clone())
    }
}
