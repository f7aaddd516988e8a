//! The files of a commit, read from the object database and never through the file system: a link
//! in a pushed tree can point anywhere.

use anyhow::{Context, Result, bail};
use git2::{ObjectType, Oid, Tree, TreeEntry};

use super::error;
use crate::user_error::Explain;

/// The tree of one commit.
pub struct CommitTree<'repository> {
    objects: &'repository git2::Repository,
    root: Tree<'repository>,
}

/// What a path names in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    pub oid: Oid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    Link,
    Submodule,
}

const LINK_MODE: i32 = 0o120_000;

impl Entry {
    fn of(entry: &TreeEntry<'_>) -> Entry {
        let kind = match entry.kind() {
            Some(ObjectType::Tree) => Kind::Folder,
            Some(ObjectType::Blob) if entry.filemode() == LINK_MODE => Kind::Link,
            Some(ObjectType::Blob) => Kind::File,
            _ => Kind::Submodule,
        };
        Entry { kind, oid: entry.id() }
    }
}

impl<'repository> CommitTree<'repository> {
    pub fn new(
        objects: &'repository git2::Repository,
        tree: Oid,
    ) -> Result<CommitTree<'repository>> {
        let root = objects
            .find_tree(tree)
            .explain(|| error::unreadable(objects, &format!("the tree {tree}")))?;
        Ok(CommitTree { objects, root })
    }

    /// The repository that its objects are in.
    pub fn objects(&self) -> &'repository git2::Repository {
        self.objects
    }

    /// The id of the tree itself.
    pub fn root(&self) -> Oid {
        self.root.id()
    }

    /// The entry at a path relative to the root, with `/` between its parts; `None` if there is
    /// none. The empty path is the root itself. Links are not followed.
    pub fn entry(&self, path: &str) -> Result<Option<Entry>> {
        let mut at = Entry { kind: Kind::Folder, oid: self.root.id() };
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let Some(folder) = self.folder(at)? else { return Ok(None) };
            // libgit2's own search relies on git's order of names. Without receive.fsckObjects, a
            // tree in another order can be pushed, and all of its entries are checked out.
            let Some(found) = folder.iter().find(|entry| entry.name_bytes() == name.as_bytes())
            else {
                return Ok(None);
            };
            at = Entry::of(&found);
        }
        Ok(Some(at))
    }

    /// The names and entries of a folder; none if there is no folder at this path. Invalid UTF-8 is
    /// replaced.
    pub fn list(&self, path: &str) -> Result<Vec<(String, Entry)>> {
        let folder = self.entry(path)?.map(|entry| self.folder(entry)).transpose()?.flatten();
        let Some(folder) = folder else { return Ok(Vec::new()) };
        let name = |entry: &TreeEntry<'_>| String::from_utf8_lossy(entry.name_bytes()).into_owned();
        Ok(folder.iter().map(|entry| (name(&entry), Entry::of(&entry))).collect())
    }

    fn folder(&self, entry: Entry) -> Result<Option<Tree<'repository>>> {
        if entry.kind != Kind::Folder {
            return Ok(None);
        }
        // Most files are asked for in the root, which may be large, and is read already.
        if entry.oid == self.root.id() {
            return Ok(Some(self.root.clone()));
        }
        let tree = self.objects.find_tree(entry.oid);
        tree.map(Some)
            .explain(|| error::unreadable(self.objects, &format!("the folder {}", entry.oid)))
    }

    /// Parses an object id of this repository's format.
    pub fn id(&self, hex: &str) -> Result<Oid> {
        Oid::from_str_ext(hex, self.root.id().object_format())
            .with_context(|| format!("{hex:?} is not an object id"))
    }

    /// The size of a blob in bytes, without reading it.
    pub fn size(&self, blob: Oid) -> Result<usize> {
        let odb = self.objects.odb().context("the object database cannot be opened")?;
        let header = odb.read_header(blob);
        Ok(header.explain(|| error::unreadable(self.objects, &format!("the object {blob}")))?.0)
    }

    /// The bytes of a blob.
    pub fn read(&self, blob: Oid) -> Result<Vec<u8>> {
        let blob = self
            .objects
            .find_blob(blob)
            .explain(|| error::unreadable(self.objects, &format!("the file {blob}")))?;
        Ok(blob.content().to_owned())
    }

    /// The bytes of the file at a path; `None` when there is nothing. A link, a folder or a
    /// submodule is an error that says so, and so is a file of more than `limit` bytes.
    pub fn file(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        let Some(entry) = self.entry(path)? else {
            return Ok(None);
        };
        let found = match entry.kind {
            Kind::File => {
                let size = self.size(entry.oid)?;
                if size > limit {
                    bail!(error::too_large(path, size, limit));
                }
                return self.read(entry.oid).map(Some);
            }
            Kind::Folder => "a folder",
            Kind::Link => "a symbolic link",
            Kind::Submodule => "a submodule",
        };
        bail!(error::not_a_file(path, found))
    }
}

/// Writes a tree of files, each with its text, into a repository.
#[cfg(test)]
pub fn tree_of(objects: &git2::Repository, files: &[(&str, &str)]) -> Oid {
    let mut update = git2::build::TreeUpdateBuilder::new();
    for (path, text) in files {
        update.upsert(*path, objects.blob(text.as_bytes()).unwrap(), git2::FileMode::Blob);
    }
    let empty = objects.treebuilder(None).unwrap().write().unwrap();
    update.create_updated(objects, &objects.find_tree(empty).unwrap()).unwrap()
}
