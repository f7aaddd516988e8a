//! What a local project can read while it is built, and so what decides the package that comes out.
//!
//! pip and uv build `./lib` where it is, in the release: a `setup.py` may read `../deps.txt`, and a
//! link in `lib` may lead to a folder beside it. The identity of a project is therefore that of its
//! folder and of all that its links lead to, where it is certain that its build reads nothing else
//! (see [`self::build`]), and otherwise that of the whole tree.

mod build;
mod root;
mod settings;
mod setup_py;

use std::collections::BTreeSet;

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::tree::{Entry, Resolved, Tree, normalized_path, resolve};
use crate::hex::hex;

pub use settings::variables_of_builds;

/// A longer file is not looked at, in bytes.
const LONGEST: u64 = 1 << 20;

/// A folder with more entries than this is not walked.
const MOST_ENTRIES: usize = 20_000;

/// What stands for everything that a build can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BuildInputs {
    /// Another one when any of it changes.
    pub(super) id: String,
    /// Why the whole tree counts; `None` when only the folder does.
    pub(super) whole_tree: Option<String>,
    /// A link that leads out of the tree, where changes cannot be seen.
    pub(super) leaves: Option<String>,
}

/// Who finds what a project depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finds {
    /// The installer, by what the project says.
    Installer,
    /// Whoever made the lock; what the project says of it is not read any more.
    Lock,
}

/// The path of a name in a folder of the tree, which is empty for the top.
fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// What the project in the folder `path`, whose object is `id`, can read while it is built.
pub(super) fn build_inputs(
    tree: &impl Tree,
    path: &str,
    id: &str,
    finds: Finds,
) -> Result<BuildInputs> {
    let whole_tree = |why: String, leaves| {
        let root = match tree.entry(&top(tree))? {
            Entry::Folder { id } => id,
            _ => String::new(),
        };
        // A submodule is in the tree by its commit, and that is in the tree's id.
        Ok(BuildInputs { id: format!("{id} in {root}"), whole_tree: Some(why), leaves })
    };
    let mut walk =
        Walk { tree, entries: 0, seen: BTreeSet::new(), led_to: Vec::new(), leaves: None };
    if path.is_empty() {
        return match of_root(&mut walk, finds)? {
            Some(id) => Ok(BuildInputs { id, whole_tree: None, leaves: walk.leaves }),
            // Of the whole commit, that is.
            None if !tree.place().is_empty() => {
                whole_tree("its build may read any file".to_owned(), walk.leaves)
            }
            None => Ok(BuildInputs { id: id.to_owned(), whole_tree: None, leaves: walk.leaves }),
        };
    }
    let unseen = walk.folder(path, path)?;
    if let Some(why) = unseen {
        return whole_tree(why, walk.leaves);
    }
    let known = match build::known_inputs(tree, path, finds)? {
        Ok(known) => known,
        Err(why) => return whole_tree(why, walk.leaves),
    };
    if walk.led_to.is_empty() && known.is_empty() {
        return Ok(BuildInputs { id: id.to_owned(), whole_tree: None, leaves: walk.leaves });
    }
    let parts = std::iter::once(id).chain(walk.led_to.iter().chain(&known).map(String::as_str));
    Ok(BuildInputs { id: digest(parts), whole_tree: None, leaves: walk.leaves })
}

/// The folder of the commit itself.
fn top(tree: &impl Tree) -> String {
    let levels = tree.place().split('/').filter(|name| !name.is_empty()).count();
    vec![".."; levels].join("/")
}

/// The project at the top of the tree: of the tree's entries, those that its build can read. `None`
/// when that can be anything.
fn of_root<T: Tree>(walk: &mut Walk<'_, T>, finds: Finds) -> Result<Option<String>> {
    let known = match build::known_inputs(walk.tree, "", finds)? {
        Ok(_) => root::entries(walk.tree)?,
        Err(_) => None,
    };
    let Some(known) = known else {
        walk.folder("", "")?;
        return Ok(None);
    };
    let mut parts = Vec::new();
    for (name, entry) in known {
        let unseen = match &entry {
            Entry::Folder { .. } | Entry::Submodule { .. } => walk.folder(&name, &name)?,
            Entry::Link { .. } => walk.link(&name, &name)?,
            Entry::File { .. } | Entry::Missing => None,
        };
        if unseen.is_some() {
            return Ok(None);
        }
        parts.push(format!("{name} {entry:?}"));
    }
    parts.append(&mut walk.led_to);
    Ok(Some(digest(parts.iter().map(String::as_str))))
}

fn digest<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

struct Walk<'a, T> {
    tree: &'a T,
    entries: usize,
    /// The folders that were walked.
    seen: BTreeSet<String>,
    /// What links lead to outside of the project's folder: path and object.
    led_to: Vec<String>,
    leaves: Option<String>,
}

impl<T: Tree> Walk<'_, T> {
    /// Follows the links below `folder` that leave `project`. Says why when not everything can be
    /// seen.
    fn folder(&mut self, project: &str, folder: &str) -> Result<Option<String>> {
        if !self.seen.insert(folder.to_owned()) {
            return Ok(None);
        }
        for (name, entry) in self.tree.list(folder)? {
            self.entries += 1;
            if self.entries > MOST_ENTRIES {
                return Ok(Some(format!("it has more than {MOST_ENTRIES} files")));
            }
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let unseen = match entry {
                Entry::File { .. } | Entry::Missing => None,
                Entry::Folder { .. } => self.folder(project, &path)?,
                Entry::Submodule { .. } => match self.tree.entry(&path)? {
                    Entry::Folder { .. } => self.folder(project, &path)?,
                    _ => Some("it contains a submodule".to_owned()),
                },
                Entry::Link { .. } => self.link(project, &path)?,
            };
            if unseen.is_some() {
                return Ok(unseen);
            }
        }
        Ok(None)
    }

    fn link(&mut self, project: &str, path: &str) -> Result<Option<String>> {
        let is_inside = |path: &str| project.is_empty() || path.starts_with(&format!("{project}/"));
        match resolve(self.tree, path)? {
            Resolved::File { path, id } if !is_inside(&path) => {
                self.led_to.push(format!("{path} {id}"));
            }
            Resolved::Folder { path, .. } if path == project => {}
            Resolved::Folder { path, id } if !is_inside(&path) => {
                self.led_to.push(format!("{path} {id}"));
                return self.folder(project, &path);
            }
            Resolved::Submodule { .. } => {
                return Ok(Some("a link leads to a submodule".to_owned()));
            }
            Resolved::Outside { .. } => self.leaves = Some(normalized_path(path)),
            // One that leads nowhere today may lead somewhere tomorrow.
            Resolved::Missing | Resolved::Loop => self.led_to.push(format!("{path} leads nowhere")),
            Resolved::File { .. } | Resolved::Folder { .. } => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
