//! Updating a folder from one tree to another: only what differs is written.
//!
//! The two trees are walked side by side by their ids. Of what is on the disk nothing is looked at
//! but what goes: nobody else has ever written there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use git2::Oid;

use super::attributes::{Attributes, Inherited};
use super::convert::Conversion;
use super::entry::{Entries, Entry, Kind};
use super::error::two_entries;
use super::fill::{ATTRIBUTES, check_entry, in_folder, inherited_below};
use super::folder::Folder;
use super::objects;
use super::task::{Change, Changing, Files, FolderRef, PART, Task, Trees};
use super::writer::{Writer, path_buf};

impl Writer<'_> {
    pub(super) fn update(&mut self, folder: Folder, trees: &Trees) -> Result<()> {
        let Trees { old, new, ref attributes } = *trees;
        let folder = Arc::new(folder);
        let odb = self.odb;
        let old_object = objects::tree(odb, old).with_context(|| in_folder(&folder))?;
        let new_object = objects::tree(odb, new).with_context(|| in_folder(&folder))?;
        let before = entries_of(old_object.data(), old, &folder)?;
        let wanted = entries_of(new_object.data(), new, &folder)?;
        let attributes = attributes.below(&folder, &before, &wanted)?;

        self.remove_unwanted(&folder, &before, &wanted)?;
        let before: HashMap<_, _> = before.iter().map(|entry| (entry.name, entry)).collect();
        let above = folder.for_those_below();
        let mut changes = Vec::new();
        for entry in &wanted {
            let there =
                before.get(entry.name).filter(|old| can_become(old.kind, entry.kind)).copied();
            match entry.kind {
                Kind::File { .. } | Kind::Link => {
                    changes.extend(self.change(&folder, entry, there, &attributes)?);
                }
                Kind::Folder => self.go_below(&folder, &above, entry, there, &attributes)?,
                Kind::Submodule if there.is_some() => {}
                Kind::Submodule => {
                    folder.make_folder(entry.name)?;
                    self.fill_submodule(&above, entry.name)?;
                }
            }
        }
        if changes.len() > PART {
            let mut parts = Vec::new();
            while !changes.is_empty() {
                parts.push(Files::Changed(changes.split_off(changes.len().saturating_sub(PART))));
            }
            self.share(parts, &folder);
            return Ok(());
        }
        self.write_changes(&folder, changes)
    }

    /// Writes the files and links that differ again.
    pub(super) fn write_changes(&mut self, folder: &Folder, changes: Vec<Change>) -> Result<()> {
        for Change { name, kind, id, conversion, replaces } in changes {
            if self.is_useless() {
                break;
            }
            if let Some(old) = replaces {
                self.done.gone_paths.push(path_buf(&folder.path_of(&name)));
                self.remove_file(folder, &name, old)?;
            }
            self.write(folder, &name, kind, id, conversion)?;
        }
        Ok(())
    }

    /// What has to be written of a file or link; `None` when it stays as it is.
    fn change(
        &mut self,
        folder: &Folder,
        entry: &Entry,
        there: Option<&Entry>,
        attributes: &Changing,
    ) -> Result<Option<Change>> {
        let same = there.is_some_and(|old| old.kind == entry.kind && old.id == entry.id);
        if same && !attributes.differ {
            return Ok(None);
        }
        let (odb, is_file) = (self.odb, matches!(entry.kind, Kind::File { .. }));
        let conversion = |attributes: &mut Attributes, inherited: &Inherited| {
            if is_file {
                attributes.conversion(odb, inherited, || folder.path_of(entry.name))
            } else {
                Ok(Conversion::default())
            }
        };
        let wanted = conversion(&mut self.attributes, &attributes.new)?;
        if same && conversion(&mut self.old_attributes, &attributes.old)? == wanted {
            return Ok(None);
        }
        Ok(Some(Change {
            name: entry.name.to_vec(),
            kind: entry.kind,
            id: entry.id()?,
            conversion: wanted,
            replaces: there.map(|old| old.kind),
        }))
    }

    fn go_below(
        &mut self,
        folder: &Folder,
        above: &Arc<Folder>,
        entry: &Entry,
        there: Option<&Entry>,
        attributes: &Changing,
    ) -> Result<()> {
        let Some(old) = there else {
            folder.make_folder(entry.name)?;
            self.done.exported.count(entry.kind, 0);
            self.find(Task::Fill {
                folder: FolderRef::below(above, entry.name),
                tree: entry.id()?,
                inherited: attributes.new.clone(),
            });
            return Ok(());
        };
        if old.id != entry.id || attributes.differ {
            let trees = Trees { old: old.id()?, new: entry.id()?, attributes: attributes.clone() };
            self.find(Task::Update { folder: FolderRef::below(above, entry.name), trees });
        }
        Ok(())
    }

    /// Removes what the new tree lacks, or has as something else.
    fn remove_unwanted(
        &mut self,
        folder: &Arc<Folder>,
        before: &[Entry],
        wanted: &[Entry],
    ) -> Result<()> {
        let kinds: HashMap<_, _> = wanted.iter().map(|entry| (entry.name, entry.kind)).collect();
        for old in before {
            if !kinds.get(old.name).is_some_and(|kind| can_become(old.kind, *kind)) {
                self.done.removed += 1;
                self.done.gone_paths.push(path_buf(&folder.path_of(old.name)));
                self.remove(folder, old)?;
            }
        }
        Ok(())
    }

    /// Removes what a tree has. Fails when something else is there.
    fn remove(&mut self, folder: &Arc<Folder>, entry: &Entry) -> Result<()> {
        match entry.kind {
            Kind::File { .. } | Kind::Link => {
                return self.remove_file(folder, entry.name, entry.kind);
            }
            Kind::Submodule => {}
            Kind::Folder => {
                let inside = Arc::new(folder.open_below(entry.name)?);
                let id = entry.id()?;
                let object = objects::tree(self.odb, id).with_context(|| in_folder(&inside))?;
                let entries = entries_of(object.data(), id, &inside)?;
                let (folders, files): (Vec<_>, Vec<_>) = entries
                    .into_iter()
                    .partition(|entry| matches!(entry.kind, Kind::Folder | Kind::Submodule));
                for file in &files {
                    self.remove(&inside, file)?;
                }
                // Each level is one of recursion, and must not be an open file as well.
                let above = inside.for_those_below();
                drop(inside);
                for below in &folders {
                    self.remove(&above, below)?;
                }
            }
        }
        self.done.gone.count(entry.kind, 0);
        folder.remove_folder(entry.name)
    }

    fn remove_file(&mut self, folder: &Folder, name: &[u8], kind: Kind) -> Result<()> {
        self.done.gone.count(kind, folder.size_of(name)?);
        folder.remove_file(name)
    }
}

impl Changing {
    /// Those that hold in a folder: what its own `.gitattributes` were and are comes to it.
    fn below(&self, folder: &Folder, before: &[Entry], wanted: &[Entry]) -> Result<Changing> {
        let (old, new) = (attributes_of(before)?, attributes_of(wanted)?);
        let differ = self.differ || old != new;
        let new = inherited_below(folder, self.new.clone(), new);
        let old = if differ { inherited_below(folder, self.old.clone(), old) } else { new.clone() };
        Ok(Changing { old, new, differ })
    }
}

/// Whether one is updated to the other where it is; else it goes first.
fn can_become(old: Kind, new: Kind) -> bool {
    let is_file = |kind| matches!(kind, Kind::File { .. } | Kind::Link);
    old == new || (is_file(old) && is_file(new))
}

/// The entries of a tree. Fails when it has one that must not be written, or two of one name.
fn entries_of<'t>(bytes: &'t [u8], tree: Oid, folder: &Folder) -> Result<Vec<Entry<'t>>> {
    let mut entries = Entries::new(bytes, 0, tree.as_bytes().len());
    let mut names = HashSet::new();
    let mut all = Vec::new();
    while let Some(entry) = entries.next().with_context(|| in_folder(folder))? {
        check_entry(&entry, folder)?;
        if !names.insert(entry.name) {
            bail!(two_entries(&folder.path_of(entry.name)));
        }
        all.push(entry);
    }
    Ok(all)
}

fn attributes_of(entries: &[Entry]) -> Result<Option<Oid>> {
    let is_it = |entry: &&Entry| {
        entry.name == ATTRIBUTES && matches!(entry.kind, Kind::File { .. } | Kind::Link)
    };
    entries.iter().find(is_it).map(Entry::id).transpose()
}
