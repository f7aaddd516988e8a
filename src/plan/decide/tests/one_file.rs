//! What is recorded of a tree with nothing but one file.

use anyhow::Result;

use crate::python::dependencies::locks::{Chosen, Lock};
use crate::python::dependencies::{Entry, ReadContext, Recorded, Source, Tree, requirements_txt};
use crate::python::version::Version;

/// A tree with nothing but one file.
struct OneFile<'a> {
    name: &'a str,
    text: &'a str,
}

impl Tree for OneFile<'_> {
    fn entry(&self, path: &str) -> Result<Entry> {
        Ok(match path {
            "" => Entry::Folder { id: "root".into() },
            name if name == self.name => Entry::File { id: "file".into() },
            _ => Entry::Missing,
        })
    }

    fn list(&self, _: &str) -> Result<Vec<(String, Entry)>> {
        Ok(Vec::new())
    }

    fn size(&self, _: &str) -> Result<u64> {
        Ok(self.text.len() as u64)
    }

    fn read(&self, _: &str) -> Result<Vec<u8>> {
        Ok(self.text.as_bytes().to_vec())
    }
}

pub(in crate::plan::decide) fn recorded(text: &str) -> Recorded {
    let tree = OneFile { name: "requirements.txt", text };
    let closure = requirements_txt::closure(&tree, "requirements.txt", &|_| None);
    closure.unwrap().record().clone()
}

/// What a pylock.toml pins, with these groups chosen.
pub(in crate::plan::decide) fn recorded_lock(text: &str, groups: &[String]) -> Recorded {
    let context = ReadContext {
        variable: &|_| None,
        setting_files: &[],
        python: Some(Version::new(3, 12, 1)),
        chosen: Chosen::new(groups, &[]),
        frozen: false,
    };
    let tree = OneFile { name: "pylock.toml", text };
    Source::lock(Lock::Pylock).read(&tree, &context).unwrap().recorded
}
