//! Bringing a folder forward that holds an older tree: only what differs is written, and what
//! somebody else changed, added or removed in it is put right.
//!
//! A folder of which the file system says the same as when it was recorded has the same names in
//! it. Its files are looked at one by one, which is the floor of the cost; its names are read again
//! only when it has changed, and its tree only when that has.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use git2::Oid;

use super::attributes::Inherited;
use super::convert::Conversion;
use super::entry::{Entries, Kind};
use super::fill::{ATTRIBUTES, check_entry, in_folder, inherited_below};
use super::folder::Folder;
use super::manifest::{Item, Items, Recorded};
use super::name::shown;
use super::objects;
use super::parts::{Parts, parts_of};
use super::remove::Found;
use super::stat::Stat;
use super::task::{Draft, Exported, Files, FolderRef, PART, Standing, Task};
use super::writer::{POINTER, Writer};

impl<'m> Writer<'_, 'm> {
    pub(super) fn update_folder(
        &mut self,
        folder: Folder,
        tree: Oid,
        inherited: Inherited,
        standing: Standing<'m>,
    ) -> Result<()> {
        let folder = Arc::new(folder);
        let stat = folder.stat()?;
        let is_intact = stat == standing.recorded.stat && self.is_settled(stat);
        if !is_intact {
            folder.check_owner()?;
            if folder.set_mode()? {
                self.done.repaired += 1;
                self.touch(folder.path());
            }
        }
        let same_tree = standing.recorded.tree == tree.as_bytes();
        if same_tree && is_intact && !standing.attributes_differ {
            return self.keep(folder, tree, inherited, standing.recorded);
        }
        let object;
        let wanted = if same_tree {
            Items::new(standing.recorded.items, tree.as_bytes().len()).collect()
        } else {
            object = objects::tree(self.odb, tree).with_context(|| in_folder(&folder))?;
            items_of(object.data(), tree.as_bytes().len(), &folder)
        }?;
        self.merge(&folder, tree, inherited, standing, &wanted, is_intact)
    }

    /// Nothing is to be changed in a folder, unless one of its files was.
    fn keep(
        &mut self,
        folder: Arc<Folder>,
        tree: Oid,
        inherited: Inherited,
        recorded: Recorded<'m>,
    ) -> Result<()> {
        let id_length = tree.as_bytes().len();
        let own = attributes_of(Items::new(recorded.items, id_length))?;
        let inherited = inherited_below(&folder, inherited, own);
        let above = folder.for_those_below();
        let mut items = Vec::new();
        let mut files = 0;
        for item in Items::new(recorded.items, id_length) {
            let item = item?;
            match item.kind {
                Kind::File { .. } | Kind::Link => {
                    files += 1;
                    continue;
                }
                Kind::Folder => {
                    let standing = self.standing(&folder, &item, false)?;
                    self.go_on_below(&above, &item, &inherited, standing)?;
                }
                Kind::Submodule => self.keep_submodule(&above, item.name)?,
            }
            self.count(item.kind, Stat::default());
            self.record_item(&mut items, &item);
        }
        if files > PART {
            let parts = parts_of(recorded.items, id_length)?;
            let draft = Draft { tree, items, as_before: Some(recorded.block) };
            self.share(parts, folder, draft, &inherited);
            return Ok(());
        }
        let before = Items::new(recorded.items, id_length);
        if self.all_kept(&folder, before.clone())? {
            return self.record_as_before(recorded.block);
        }
        self.bring_items(&folder, before, &mut items)?;
        self.record(&folder, &Draft { tree, items, as_before: None })
    }

    /// Counts the files and links of a folder when all are what they were; says whether they are.
    /// Nearly always they are, and all that it takes then is this look at each.
    fn all_kept(&mut self, folder: &Folder, before: Items) -> Result<bool> {
        let mut counted = Exported::default();
        for item in before {
            let item = item?;
            if matches!(item.kind, Kind::Folder | Kind::Submodule) {
                continue;
            }
            match folder.stat_of(item.name)? {
                Some(stat) if stat == item.stat && self.is_settled(stat) => {
                    counted.count(item.kind, stat.size);
                }
                _ => return Ok(false),
            }
        }
        self.done.exported += counted;
        Ok(true)
    }

    /// Makes a folder what is wanted in it, name by name.
    fn merge(
        &mut self,
        folder: &Arc<Folder>,
        tree: Oid,
        inherited: Inherited,
        standing: Standing<'m>,
        wanted: &[Item],
        is_intact: bool,
    ) -> Result<()> {
        let id_length = tree.as_bytes().len();
        let before: HashMap<_, _> = Items::new(standing.recorded.items, id_length)
            .map(|item| item.map(|item| (item.name, item)))
            .collect::<Result<_>>()?;

        let own = attributes_of(wanted.iter().map(|item| Ok(*item)))?;
        let own_before = attributes_of(before.values().map(|item| Ok(*item)))?;
        let differ = standing.attributes_differ || own != own_before;
        let inherited = inherited_below(folder, inherited, own);

        let found =
            if is_intact { before.values().map(Found::from).collect() } else { folder.found()? };
        let there = self.remove_unwanted(folder, found, wanted, &before)?;

        let above = folder.for_those_below();
        let mut draft = Draft { tree, items: Vec::new(), as_before: None };
        let mut files = Parts::default();
        for item in wanted {
            let is_there = there.contains(item.name);
            match item.kind {
                Kind::File { .. } | Kind::Link => {
                    let old = before.get(item.name);
                    files.push(&self.prepared(folder, *item, old, &inherited, differ)?);
                    continue;
                }
                Kind::Folder if is_there => {
                    let standing = self.standing(folder, item, differ)?;
                    self.go_on_below(&above, item, &inherited, standing)?;
                }
                Kind::Folder => {
                    let was_there = before.get(item.name).is_some_and(|old| old.kind == item.kind);
                    self.done.repaired += u64::from(was_there);
                    self.make_folder(folder, item.name)?;
                    self.find(Task::Fill {
                        folder: FolderRef::below(&above, item.name),
                        tree: item.id()?,
                        inherited: inherited.clone(),
                    });
                }
                Kind::Submodule if is_there => self.keep_submodule(&above, item.name)?,
                Kind::Submodule => {
                    self.make_folder(folder, item.name)?;
                    self.fill_submodule(&above, item.name)?;
                }
            }
            self.count(item.kind, Stat::default());
            self.record_item(&mut draft.items, item);
        }
        if files.0.len() > 1 {
            let parts = files
                .0
                .into_iter()
                .map(|items| Files::Standing { items: Cow::Owned(items), id_length });
            self.share(parts, Arc::clone(folder), draft, &inherited);
            return Ok(());
        }
        for part in files.0 {
            self.bring_items(folder, Items::new(&part, id_length), &mut draft.items)?;
        }
        self.record(folder, &draft)
    }

    /// Removes what must not stay, and says which names are left.
    fn remove_unwanted(
        &mut self,
        folder: &Folder,
        found: Vec<Found>,
        wanted: &[Item],
        before: &HashMap<&[u8], Item>,
    ) -> Result<HashSet<Vec<u8>>> {
        let kinds: HashMap<_, _> = wanted.iter().map(|item| (item.name, item.kind)).collect();
        let mut there = HashSet::with_capacity(found.len());
        for found in found {
            let old = before.get(found.name.as_slice());
            let stays = match kinds.get(found.name.as_slice()) {
                // Of a folder that was not recorded nothing is known.
                Some(Kind::Folder) => {
                    found.is_folder && old.is_some_and(|old| old.kind == Kind::Folder)
                }
                Some(Kind::Submodule) => found.is_folder,
                Some(Kind::File { .. } | Kind::Link) => !found.is_folder,
                None => false,
            };
            if stays {
                there.insert(found.name);
                continue;
            }
            match old {
                Some(old) if Found::from(old) == found => self.done.removed += 1,
                _ => self.done.repaired += 1,
            }
            self.touch(folder.path());
            self.rescue(folder, &found.name)?;
            folder.remove(&found)?;
        }
        Ok(there)
    }

    /// Says of a wanted file what it is made from, and what is known of the one that is there.
    fn prepared<'i>(
        &mut self,
        folder: &Folder,
        mut item: Item<'i>,
        old: Option<&Item>,
        inherited: &Inherited,
        differ: bool,
    ) -> Result<Item<'i>> {
        let same = old.filter(|old| old.kind == item.kind && old.id == item.id);
        item.conversion = match (item.kind, same) {
            (Kind::File { .. }, Some(old)) if !differ => old.conversion,
            (Kind::File { .. }, _) => self
                .attributes
                .conversion(self.odb, inherited, || folder.path_of(item.name))?
                .code(),
            _ => Conversion::default().code(),
        };
        // What may be a pointer of Git LFS, and was a plain file until now, has to be looked at
        // again.
        let is_known = |old: &&Item| {
            old.conversion == item.conversion && (!differ || !POINTER.contains(&old.stat.size))
        };
        item.stat = same.filter(is_known).map_or(Stat::default(), |old| old.stat);
        Ok(item)
    }

    /// Writes those files and links of a folder that are not as they should be, and records all.
    /// Says whether none had to be written.
    pub(super) fn bring_items(
        &mut self,
        folder: &Folder,
        before: Items,
        items: &mut Vec<u8>,
    ) -> Result<bool> {
        let mut all_kept = true;
        for item in before {
            let mut item = item?;
            if matches!(item.kind, Kind::Folder | Kind::Submodule) {
                continue;
            }
            if self.is_useless() {
                break;
            }
            let now = folder.stat_of(item.name)?;
            if !self.is_kept(folder, &item, now)? {
                all_kept = false;
                if now.is_some_and(|now| now != item.stat) {
                    self.rescue(folder, item.name)?;
                }
                self.done.written += 1;
                self.done.repaired += u64::from(item.stat != Stat::default());
                item.stat =
                    self.with_content(folder, item.name, made_of(&item)?, |content| match now {
                        Some(_) => folder.replace(item.name, content),
                        None => folder.write(item.name, content),
                    })?;
                self.touch(folder.path());
                self.touch(&folder.path_of(item.name));
            }
            self.count(item.kind, item.stat);
            self.record_item(items, &item);
        }
        Ok(all_kept)
    }

    fn is_kept(&mut self, folder: &Folder, item: &Item, now: Option<Stat>) -> Result<bool> {
        match now {
            Some(stat) if stat == item.stat => Ok(self.is_settled(stat)
                || self.with_content(folder, item.name, made_of(item)?, |content| {
                    folder.holds(item.name, content)
                })?),
            _ => Ok(false),
        }
    }

    /// A submodule is an empty folder, whatever somebody put into it.
    fn keep_submodule(&mut self, above: &Arc<Folder>, name: &[u8]) -> Result<()> {
        let submodule = above.open_below(name)?;
        submodule.check_owner()?;
        for found in submodule.found()? {
            self.done.repaired += 1;
            self.touch(submodule.path());
            self.rescue(&submodule, &found.name)?;
            submodule.remove(&found)?;
        }
        self.fill_submodule(above, name)
    }

    fn make_folder(&mut self, folder: &Folder, name: &[u8]) -> Result<()> {
        self.touch(folder.path());
        folder.make_folder(name)
    }

    fn go_on_below(
        &mut self,
        above: &Arc<Folder>,
        item: &Item,
        inherited: &Inherited,
        standing: Standing<'m>,
    ) -> Result<()> {
        self.find(Task::Update {
            folder: FolderRef::below(above, item.name),
            tree: item.id()?,
            inherited: inherited.clone(),
            standing,
        });
        Ok(())
    }

    fn standing(
        &self,
        folder: &Folder,
        item: &Item,
        attributes_differ: bool,
    ) -> Result<Standing<'m>> {
        let path = [folder.path(), item.name, b"/"].concat();
        let recorded = self
            .job
            .before
            .and_then(|before| before.folders.get(path.as_slice()))
            .with_context(|| format!("the manifest lacks the folder {}", shown(&path)))?;
        Ok(Standing { recorded: *recorded, attributes_differ })
    }

    fn is_settled(&self, stat: Stat) -> bool {
        self.job.before.is_some_and(|before| before.manifest.is_settled(stat))
    }
}

/// The entries of a tree as items of which nothing is known.
fn items_of<'t>(tree: &'t [u8], id_length: usize, folder: &Folder) -> Result<Vec<Item<'t>>> {
    let mut entries = Entries::new(tree, 0, id_length);
    let mut names = HashSet::new();
    let mut items = Vec::new();
    while let Some(entry) = entries.next().with_context(|| in_folder(folder))? {
        check_entry(&entry, folder)?;
        ensure!(
            names.insert(entry.name),
            "the tree has two entries of that name\nfound: {}",
            shown(&folder.path_of(entry.name))
        );
        items.push(Item::of(&entry, Conversion::default(), Stat::default()));
    }
    Ok(items)
}

fn attributes_of<'i>(mut items: impl Iterator<Item = Result<Item<'i>>>) -> Result<Option<Oid>> {
    let own = items.find(|item| {
        item.as_ref().map_or(true, |item| {
            item.name == ATTRIBUTES && matches!(item.kind, Kind::File { .. } | Kind::Link)
        })
    });
    own.map(|item| item?.id()).transpose()
}

fn made_of(item: &Item) -> Result<(Kind, Oid, Conversion)> {
    let conversion = Conversion::from_code(item.conversion).context("the manifest is damaged")?;
    Ok((item.kind, item.id()?, conversion))
}

impl From<&Item<'_>> for Found {
    fn from(item: &Item) -> Found {
        Found {
            name: item.name.to_vec(),
            is_folder: matches!(item.kind, Kind::Folder | Kind::Submodule),
        }
    }
}
