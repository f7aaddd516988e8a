//! Large folders: their files are dealt out in parts, so that all threads can work in one folder.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use super::attributes::Inherited;
use super::entry::Entries;
use super::folder::Folder;
use super::manifest::{Item, Items};
use super::task::{Draft, Files, PART, Shared, Task};
use super::writer::Writer;

impl<'m> Writer<'_, 'm> {
    /// Lets all threads work on the files of one folder.
    pub(super) fn share(
        &mut self,
        parts: impl IntoIterator<Item = Files<'m>>,
        folder: Arc<Folder>,
        draft: Draft<'m>,
        inherited: &Inherited,
    ) {
        let shared = Arc::new(Shared { folder, draft: Mutex::new(draft) });
        let task =
            |files| Task::Part { files, inherited: inherited.clone(), shared: Arc::clone(&shared) };
        let tasks: Vec<_> = parts.into_iter().map(task).collect();
        // Nobody but the tasks holds it when the last one is done.
        drop(shared);
        for task in tasks {
            self.find(task);
        }
    }

    /// Does a part, and records the folder when it was the last.
    pub(super) fn part(
        &mut self,
        files: &Files<'m>,
        inherited: &Inherited,
        shared: Arc<Shared<'m>>,
    ) -> Result<()> {
        let mut items = Vec::new();
        let folder = &shared.folder;
        let all_kept = match files {
            Files::New { tree, id_length, start, end } => {
                let entries = Entries::new(&tree[..*end], *start, *id_length);
                self.write_files(folder, entries, inherited, &mut items)?;
                false
            }
            Files::Standing { items: before, id_length } => {
                self.bring_items(folder, Items::new(before, *id_length), &mut items)?
            }
        };
        let mut draft = lock(&shared.draft);
        draft.items.extend_from_slice(&items);
        draft.as_before = draft.as_before.filter(|_| all_kept);
        drop(draft);
        // Whoever comes last sees the folder as it stays.
        match Arc::into_inner(shared) {
            Some(Shared { folder, draft }) => {
                let draft = draft.into_inner().unwrap_or_else(PoisonError::into_inner);
                self.record(&folder, &draft)
            }
            None => Ok(()),
        }
    }
}

fn lock<'a, 'm>(draft: &'a Mutex<Draft<'m>>) -> MutexGuard<'a, Draft<'m>> {
    draft.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Items in portions of [`PART`].
#[derive(Default)]
pub(super) struct Parts(pub(super) Vec<Vec<u8>>, usize);

impl Parts {
    pub(super) fn push(&mut self, item: &Item) {
        if self.1.is_multiple_of(PART) {
            self.0.push(Vec::new());
        }
        self.1 += 1;
        if let Some(last) = self.0.last_mut() {
            item.push_to(last);
        }
    }
}

/// The same of items that are a manifest's already.
pub(super) fn parts_of(items: &[u8], id_length: usize) -> Result<Vec<Files<'_>>> {
    let mut parts = Vec::new();
    let mut rest = Items::new(items, id_length);
    while !rest.rest().is_empty() {
        let start = rest.rest();
        for item in rest.by_ref().take(PART) {
            item?;
        }
        let (part, _) = start.split_at(start.len() - rest.rest().len());
        parts.push(Files::Standing { items: Cow::Borrowed(part), id_length });
    }
    Ok(parts)
}
