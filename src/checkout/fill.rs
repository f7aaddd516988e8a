//! Filling a folder that is new: everything in it is made, and nothing may be there before.

use std::sync::Arc;

use anyhow::{Context, Result};
use git2::Oid;

use super::attributes::{Inherited, Node};
use super::convert::Conversion;
use super::entry::{Entries, Entry, Kind};
use super::error::entry_refused;
use super::folder::Folder;
use super::name::{check, shown};
use super::objects;
use super::task::{Files, FolderRef, PART, Task};
use super::writer::{Writer, path_buf};

/// What there is in a tree.
struct TreeContents<'t> {
    folders: Vec<Entry<'t>>,
    attributes: Option<Oid>,
    /// Where in the tree the parts of [`PART`] files end.
    parts: Vec<usize>,
}

impl Writer<'_> {
    pub(super) fn fill(&mut self, folder: Folder, tree: Oid, inherited: Inherited) -> Result<()> {
        folder.set_mode()?;
        let folder = Arc::new(folder);
        let id_length = tree.as_bytes().len();
        let object = objects::tree(self.odb, tree).with_context(|| in_folder(&folder))?;
        let contents = TreeContents::of(object.data(), id_length, &folder)?;
        let inherited = inherited_below(&folder, inherited, contents.attributes);

        let above = folder.for_those_below();
        for entry in &contents.folders {
            folder.make_folder(entry.name)?;
            self.done.exported.count(entry.kind, 0);
            match entry.kind {
                Kind::Folder => self.find(Task::Fill {
                    folder: FolderRef::below(&above, entry.name),
                    tree: entry.id()?,
                    inherited: inherited.clone(),
                }),
                _ => self.fill_submodule(&above, entry.name)?,
            }
        }
        if contents.parts.len() > 1 {
            let tree: Arc<[u8]> = object.data().into();
            self.share(contents.parts_of(&tree, id_length, &inherited), &folder);
            return Ok(());
        }
        self.write_files(&folder, Entries::new(object.data(), 0, id_length), &inherited)
    }

    /// A submodule is an empty folder.
    pub(super) fn fill_submodule(&mut self, above: &Arc<Folder>, name: &[u8]) -> Result<()> {
        above.open_below(name)?.set_mode()?;
        self.done.exported.submodules.push(path_buf(&above.path_of(name)));
        Ok(())
    }

    /// Writes the files and links of a tree into a folder that has none of them.
    pub(super) fn write_files(
        &mut self,
        folder: &Folder,
        mut entries: Entries,
        inherited: &Inherited,
    ) -> Result<()> {
        while let Some(entry) = entries.next()? {
            let conversion = match entry.kind {
                Kind::Folder | Kind::Submodule => continue,
                Kind::Link => Conversion::default(),
                Kind::File { .. } => {
                    let path = || folder.path_of(entry.name);
                    self.attributes.conversion(self.odb, inherited, path)?
                }
            };
            if self.is_useless() {
                break;
            }
            self.write(folder, entry.name, entry.kind, entry.id()?, conversion)?;
        }
        Ok(())
    }
}

impl<'t> TreeContents<'t> {
    /// Looks through a tree, and fails when it has an entry that must not be written.
    fn of(tree: &'t [u8], id_length: usize, folder: &Folder) -> Result<TreeContents<'t>> {
        let mut contents =
            TreeContents { folders: Vec::new(), attributes: None, parts: Vec::new() };
        let mut entries = Entries::new(tree, 0, id_length);
        let mut files = 0;
        while let Some(entry) = entries.next().with_context(|| in_folder(folder))? {
            check_entry(&entry, folder)?;
            match entry.kind {
                Kind::Folder | Kind::Submodule => contents.folders.push(entry),
                Kind::File { .. } | Kind::Link => {
                    if entry.name == ATTRIBUTES {
                        contents.attributes = Some(entry.id()?);
                    }
                    files += 1;
                    if files % PART == 0 {
                        contents.parts.push(entries.position());
                    }
                }
            }
        }
        if files % PART > 0 {
            contents.parts.push(entries.position());
        }
        Ok(contents)
    }

    fn parts_of(&self, tree: &Arc<[u8]>, id_length: usize, inherited: &Inherited) -> Vec<Files> {
        let starts = std::iter::once(0).chain(self.parts.iter().copied());
        let part = |(start, &end)| Files::New {
            tree: Arc::clone(tree),
            id_length,
            start,
            end,
            inherited: inherited.clone(),
        };
        starts.zip(&self.parts).map(part).collect()
    }
}

/// The `.gitattributes` of a folder hold for what is in it and below. git reads them from its
/// index, where a link's target is as good as a file.
pub(super) const ATTRIBUTES: &[u8] = b".gitattributes";

pub(super) fn inherited_below(folder: &Folder, above: Inherited, own: Option<Oid>) -> Inherited {
    match own {
        Some(blob) => Some(Node::below(above, folder.path_of(ATTRIBUTES), blob)),
        None => above,
    }
}

/// Fails when a tree has an entry that must not be written.
pub(super) fn check_entry(entry: &Entry, folder: &Folder) -> Result<()> {
    check(entry.name, entry.kind == Kind::Link)
        .map_err(|why| entry_refused(&folder.path_of(entry.name), why).into())
}

pub(super) fn in_folder(folder: &Folder) -> String {
    match folder.path() {
        b"" => "cannot read the tree".to_owned(),
        path => format!("cannot read the tree of the folder {}", shown(path)),
    }
}
