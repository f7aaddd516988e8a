//! A commit's tree, as far as requirements need it, and the way to a path in it.

use std::collections::VecDeque;

use anyhow::{Result, bail};

use super::text::shown;
use crate::checkout;
use crate::git::{self, CommitTree, Kind};

/// The longest path that is looked up: Linux' own `PATH_MAX`.
const LONGEST_PATH: usize = 4096;
/// How many links are followed on the way to one path: Linux' own limit.
const MOST_LINKS: usize = 40;

/// What a tree answers. Paths are relative, normalized, and separated by `/`; the tree itself is
/// `""`. Where the tree is a folder of the commit, `..` leads to what is above it.
pub trait Tree {
    /// The folder of the commit that the tree is; empty for all of the commit.
    #[expect(clippy::unnecessary_literal_bound, reason = "other trees keep theirs in themselves")]
    fn place(&self) -> &str {
        ""
    }
    /// What is at `path`. No link is followed, on the way or at the end.
    fn entry(&self, path: &str) -> Result<Entry>;
    /// The names in the folder at `path`, and what they are. A name that is not UTF-8 is given
    /// lossily.
    fn list(&self, path: &str) -> Result<Vec<(String, Entry)>>;
    /// How many bytes a file or link has.
    fn size(&self, id: &str) -> Result<u64>;
    /// The bytes of a file, or the target of a link.
    fn read(&self, id: &str) -> Result<Vec<u8>>;
    /// The bytes that the file at `path` has where pip reads it: other ones, where they change on
    /// their way there.
    fn written(&self, path: &str) -> Result<Vec<u8>> {
        match self.entry(path)? {
            Entry::File { id } => self.read(&id),
            _ => bail!("{} is no file", shown(path)),
        }
    }
}

/// What is at a path of a tree. An `id` is an object id in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Missing,
    File { id: String },
    Folder { id: String },
    Link { id: String },
    Submodule { id: String },
}

/// Where a path leads when the links on its way are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    Missing,
    /// `path` is where the file really is.
    File {
        id: String,
        path: String,
    },
    /// `path` is where the folder really is.
    Folder {
        id: String,
        path: String,
    },
    /// A submodule or something in one: `id` is the commit it is pinned to.
    Submodule {
        id: String,
    },
    /// Out of the tree; `link` is the link that led there and its target, if one did.
    Outside {
        link: Option<(String, String)>,
    },
    /// Links that lead to each other, or too many of them.
    Loop,
}

/// Follows `path` from the top of the tree as a file system would, by the tree's objects alone.
pub fn resolve(tree: &impl Tree, path: &str) -> Result<Resolved> {
    let path = in_release(path).unwrap_or(path);
    if path.starts_with('/') {
        return Ok(Resolved::Outside { link: None });
    }
    if path.len() > LONGEST_PATH || path.contains('\0') {
        return Ok(Resolved::Missing);
    }

    let mut ahead: VecDeque<String> = names(path);
    let mut at: Vec<String> = Vec::new();
    let mut last_link = None;
    let mut links = 0;
    let mut here = tree.entry("")?;
    let place: Vec<String> = names(tree.place()).into();
    while let Some(name) = ahead.pop_front() {
        let is_above = at.last().is_none_or(|last| last == "..");
        if name == ".." {
            if !is_above {
                at.pop();
            } else if at.len() < place.len() {
                at.push(name);
            } else {
                return Ok(Resolved::Outside { link: last_link });
            }
        } else if is_above && !at.is_empty() && name == place[place.len() - at.len()] {
            // Down again, to the tree itself.
            at.pop();
        } else {
            at.push(name);
        }
        here = tree.entry(&at.join("/"))?;
        match &here {
            Entry::Missing => return Ok(Resolved::Missing),
            Entry::Submodule { id } => return Ok(Resolved::Submodule { id: id.clone() }),
            Entry::File { .. } if !ahead.is_empty() => return Ok(Resolved::Missing),
            Entry::File { .. } | Entry::Folder { .. } => {}
            Entry::Link { id } => {
                links += 1;
                if links > MOST_LINKS || tree.size(id)? > LONGEST_PATH as u64 {
                    return Ok(Resolved::Loop);
                }
                let target = String::from_utf8_lossy(&tree.read(id)?).into_owned();
                last_link = Some((at.join("/"), target.clone()));
                if target.starts_with('/') {
                    return Ok(Resolved::Outside { link: last_link });
                }
                if target.contains('\0') {
                    return Ok(Resolved::Missing);
                }
                at.pop();
                for name in names(&target).into_iter().rev() {
                    ahead.push_front(name);
                }
                // A link to its own folder (`.`) leaves nothing ahead that would look again.
                here = tree.entry(&at.join("/"))?;
            }
        }
    }
    Ok(match here {
        Entry::File { id } => Resolved::File { id, path: at.join("/") },
        Entry::Folder { id } => Resolved::Folder { id, path: at.join("/") },
        Entry::Submodule { id } => Resolved::Submodule { id },
        Entry::Missing | Entry::Link { .. } => Resolved::Missing,
    })
}

/// What stands for the folder of the release in the values of variables. Where it will be is not
/// known yet, and another one each time, so it must not count as a change.
pub(super) const RELEASE: &str = "/.nyala-release";

/// The path in the tree that a path below [`RELEASE`] is; `None` for any other.
pub(super) fn in_release(path: &str) -> Option<&str> {
    let rest = path.trim_start_matches('/').strip_prefix(&RELEASE[1..])?;
    let is_below = path.starts_with('/') && (rest.is_empty() || rest.starts_with('/'));
    is_below.then(|| rest.trim_start_matches('/'))
}

/// `path` without `.`, empty names and the `..` that can be taken back without looking; for showing
/// and as a key.
pub(super) fn normalized_path(path: &str) -> String {
    let mut tidied: Vec<&str> = Vec::new();
    for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
        match (name, tidied.last()) {
            ("..", Some(&last)) if last != ".." => drop(tidied.pop()),
            _ => tidied.push(name),
        }
    }
    let tidied = tidied.join("/");
    match (path.starts_with('/'), tidied.is_empty()) {
        (true, _) => format!("/{tidied}"),
        (false, true) => ".".to_owned(),
        (false, false) => tidied,
    }
}

/// A path that is relative to the folder `levels` above the tree, as seen from the tree; `None` if
/// it leads out of the commit.
pub(super) fn from_above(tree: &impl Tree, levels: usize, path: &str) -> Option<String> {
    let place: Vec<String> = names(tree.place()).into();
    let above = place[..place.len().checked_sub(levels)?].join("/");
    let at = joined(&above, path)?;
    let at: Vec<&str> = at.split('/').filter(|name| !name.is_empty()).collect();
    let shared = at.iter().zip(&place).take_while(|(one, other)| *one == other).count();
    let up = vec![".."; place.len() - shared];
    Some([&up, &at[shared..]].concat().join("/"))
}

/// A path that is relative to a folder, without `.` and `..` in it; `None` if it leads out of what
/// the folder is in.
pub fn joined(folder: &str, path: &str) -> Option<String> {
    let mut at: Vec<&str> = folder.split('/').filter(|name| !name.is_empty()).collect();
    for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
        match name {
            ".." => drop(at.pop()?),
            name => at.push(name),
        }
    }
    Some(at.join("/"))
}

/// The path in the commit of one that is relative to its folder `place`.
pub fn in_commit(place: &str, path: &str) -> String {
    let mut at: Vec<&str> = place.split('/').filter(|name| !name.is_empty()).collect();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        match name {
            ".." => drop(at.pop()),
            name => at.push(name),
        }
    }
    at.join("/")
}

/// Whether a path as [`resolve()`] gives it is above the tree.
pub fn leads_above(path: &str) -> bool {
    path == ".." || path.starts_with("../")
}

/// `path` as seen from the folder that the file `from` is in.
pub(super) fn beside(from: &str, path: &str) -> String {
    match from.rsplit_once('/') {
        Some((folder, _)) if !path.starts_with('/') => format!("{folder}/{path}"),
        _ => path.to_owned(),
    }
}

fn names(path: &str) -> VecDeque<String> {
    path.split('/').filter(|name| !matches!(*name, "" | ".")).map(str::to_owned).collect()
}

impl Tree for CommitTree<'_> {
    fn entry(&self, path: &str) -> Result<Entry> {
        Ok(CommitTree::entry(self, path)?.map_or(Entry::Missing, in_hex))
    }

    fn list(&self, path: &str) -> Result<Vec<(String, Entry)>> {
        Ok(CommitTree::list(self, path)?
            .into_iter()
            .map(|(name, entry)| (name, in_hex(entry)))
            .collect())
    }

    fn size(&self, id: &str) -> Result<u64> {
        Ok(CommitTree::size(self, self.id(id)?)? as u64)
    }

    fn read(&self, id: &str) -> Result<Vec<u8>> {
        CommitTree::read(self, self.id(id)?)
    }

    fn written(&self, path: &str) -> Result<Vec<u8>> {
        checkout::preview(self.objects(), self.root(), path)
    }
}

fn in_hex(entry: git::Entry) -> Entry {
    let id = entry.oid.to_string();
    match entry.kind {
        Kind::File => Entry::File { id },
        Kind::Folder => Entry::Folder { id },
        Kind::Link => Entry::Link { id },
        Kind::Submodule => Entry::Submodule { id },
    }
}
