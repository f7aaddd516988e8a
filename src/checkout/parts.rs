//! Large folders: their files are dealt out in parts, so that all threads can work in one folder.

use std::sync::Arc;

use anyhow::Result;

use super::entry::Entries;
use super::folder::Folder;
use super::task::{Files, Task};
use super::writer::Writer;

impl Writer<'_> {
    /// Lets all threads work on the files of one folder.
    pub(super) fn share(&mut self, parts: impl IntoIterator<Item = Files>, folder: &Arc<Folder>) {
        for files in parts {
            self.find(Task::Part { folder: Arc::clone(folder), files });
        }
    }

    pub(super) fn part(&mut self, folder: &Folder, files: Files) -> Result<()> {
        match files {
            Files::New { tree, id_length, start, end, inherited } => {
                let entries = Entries::new(&tree[..end], start, id_length);
                self.write_files(folder, entries, &inherited)
            }
            Files::Changed(changes) => self.write_changes(folder, changes),
        }
    }
}
