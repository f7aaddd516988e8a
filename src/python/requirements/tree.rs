//! A commit's tree, as far as requirements need it, and the way to a path in it.

use std::collections::VecDeque;

use anyhow::{Context, Result};
use git2::{ObjectType, Oid, Repository};

/// The longest path that is looked up: Linux' own `PATH_MAX`.
const LONGEST_PATH: usize = 4096;
/// How many links are followed on the way to one path: Linux' own limit.
const MOST_LINKS: usize = 40;

/// What a tree answers. Paths are relative, normalised, and separated by `/`; the tree itself is `""`.
pub trait Tree {
    /// What is at `path`. No link is followed, on the way or at the end.
    fn entry(&self, path: &str) -> Result<Entry>;
    /// The names in the folder at `path`, and what they are. A name that is not UTF-8 is given lossily.
    fn list(&self, path: &str) -> Result<Vec<(String, Entry)>>;
    /// How many bytes a file or link has.
    fn size(&self, id: &str) -> Result<u64>;
    /// The bytes of a file, or the target of a link.
    fn read(&self, id: &str) -> Result<Vec<u8>>;
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
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            if at.pop().is_none() {
                return Ok(Resolved::Outside { link: last_link });
            }
            here = tree.entry(&at.join("/"))?;
            continue;
        }
        at.push(name);
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

/// `path` without `.`, empty names and the `..` that can be taken back without looking; for showing and as a key.
pub(super) fn tidy(path: &str) -> String {
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

/// The tree of a commit in a git repository.
pub struct GitTree<'repo> {
    repository: &'repo Repository,
    root: git2::Tree<'repo>,
}

impl<'repo> GitTree<'repo> {
    /// The tree that `rev`, a commit or a tree, has.
    pub fn new(repository: &'repo Repository, rev: Oid) -> Result<Self> {
        let root = repository
            .find_object(rev, None)
            .and_then(|object| object.peel_to_tree())
            .with_context(|| format!("cannot read the tree of {rev}"))?;
        Ok(Self { repository, root })
    }

    fn oid(&self, id: &str) -> Result<Oid> {
        Oid::from_str_ext(id, self.root.id().object_format()).with_context(|| format!("{id:?} is not an object id"))
    }

    fn folder(&self, path: &str) -> Result<Option<git2::Tree<'repo>>> {
        let mut folder = self.root.clone();
        for name in names(path) {
            let below = folder
                .get_name_bytes(name.as_bytes())
                .filter(|entry| entry.kind() == Some(ObjectType::Tree))
                .map(|entry| entry.id());
            let Some(id) = below else {
                return Ok(None);
            };
            folder = self.repository.find_tree(id).with_context(|| format!("cannot read the tree {id}"))?;
        }
        Ok(Some(folder))
    }
}

impl Tree for GitTree<'_> {
    fn entry(&self, path: &str) -> Result<Entry> {
        if path.contains('\0') {
            return Ok(Entry::Missing);
        }
        if path.is_empty() {
            return Ok(Entry::Folder { id: self.root.id().to_string() });
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok(self
            .folder(folder)?
            .and_then(|folder| folder.get_name_bytes(name.as_bytes()).map(|e| kind_of(&e)))
            .unwrap_or(Entry::Missing))
    }

    fn list(&self, path: &str) -> Result<Vec<(String, Entry)>> {
        let Some(folder) = self.folder(path)? else {
            return Ok(Vec::new());
        };
        Ok(folder
            .iter()
            .map(|entry| {
                let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
                (name, kind_of(&entry))
            })
            .collect())
    }

    fn size(&self, id: &str) -> Result<u64> {
        let oid = self.oid(id)?;
        let (size, _) = self
            .repository
            .odb()
            .and_then(|odb| odb.read_header(oid))
            .with_context(|| format!("cannot read the object {id}"))?;
        Ok(size as u64)
    }

    fn read(&self, id: &str) -> Result<Vec<u8>> {
        let blob = self.repository.find_blob(self.oid(id)?).with_context(|| format!("cannot read the file {id}"))?;
        Ok(blob.content().to_vec())
    }
}

fn kind_of(entry: &git2::TreeEntry<'_>) -> Entry {
    const LINK: i32 = 0o120_000;
    let id = entry.id().to_string();
    match entry.kind() {
        Some(ObjectType::Tree) => Entry::Folder { id },
        Some(ObjectType::Blob) if entry.filemode() == LINK => Entry::Link { id },
        Some(ObjectType::Blob) => Entry::File { id },
        _ => Entry::Submodule { id },
    }
}
