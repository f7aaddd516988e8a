//! Requirements of whole trees, and what changed between two of them.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};

use super::super::*;
use super::*;

mod comparing;
mod detecting;
mod errors;
mod git;
mod reading;
mod secrets;

/// A tree in memory. An id is the content itself, so that it changes exactly when the content does.
#[derive(Debug, Default, Clone)]
pub(in crate::python) struct MemoryTree(pub(in crate::python) BTreeMap<String, Entry>);

impl MemoryTree {
    pub(in crate::python) fn of(files: &[(&str, &str)]) -> Self {
        files.iter().fold(Self::default(), |tree, (path, text)| tree.with(path, *text))
    }

    pub(in crate::python) fn with(mut self, path: &str, text: impl Into<String>) -> Self {
        self.0.insert(path.into(), Entry::File { id: text.into() });
        self
    }

    pub(in crate::python) fn link(mut self, path: &str, target: &str) -> Self {
        self.0.insert(path.into(), Entry::Link { id: target.into() });
        self
    }

    pub(in crate::python) fn submodule(mut self, path: &str, id: &str) -> Self {
        self.0.insert(path.into(), Entry::Submodule { id: id.into() });
        self
    }
}

impl Tree for MemoryTree {
    fn entry(&self, path: &str) -> Result<Entry> {
        if let Some(entry) = self.0.get(path) {
            return Ok(entry.clone());
        }
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let inside: Vec<_> = self.0.iter().filter(|(path, _)| path.starts_with(&below)).collect();
        let id = format!("{inside:?}");
        let missing = inside.is_empty() && !path.is_empty();
        Ok(if missing { Entry::Missing } else { Entry::Folder { id } })
    }

    fn list(&self, path: &str) -> Result<Vec<(String, Entry)>> {
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut names: Vec<String> = self
            .0
            .keys()
            .filter_map(|path| path.strip_prefix(&below)?.split('/').next())
            .map(str::to_owned)
            .collect();
        names.dedup();
        names
            .into_iter()
            .map(|name| Ok((name.clone(), self.entry(&format!("{below}{name}"))?)))
            .collect()
    }

    fn size(&self, id: &str) -> Result<u64> {
        Ok(id.len() as u64)
    }

    fn read(&self, id: &str) -> Result<Vec<u8>> {
        if id == "unreadable" {
            return Err(anyhow!("the object is gone"));
        }
        Ok(id.as_bytes().to_vec())
    }
}

fn none(_: &str) -> Option<String> {
    None
}

fn read(tree: &MemoryTree) -> Closure {
    closure(tree, "requirements.txt", &none).unwrap()
}

fn error(tree: &MemoryTree) -> String {
    closure(tree, "requirements.txt", &none).unwrap_err().to_string()
}

fn texts(closure: &Closure) -> Vec<&str> {
    closure.record().lines.iter().map(|line| line.text.as_str()).collect()
}

fn reasons(then: &Closure, now: &Closure) -> Vec<String> {
    compare(then.record(), now.record())
        .iter()
        .map(|change| format!("{:?}: {change}", change.env_action()))
        .collect()
}

/// The reasons between two requirements files that stand alone.
fn between(then: &str, now: &str) -> Vec<String> {
    let read =
        |text: &str| read(&MemoryTree::of(&[("requirements.txt", text), ("lib/setup.py", "")]));
    reasons(&read(then), &read(now))
}

/// What they ask for, or `None` when nothing changed.
fn env_action(then: &str, now: &str) -> Option<EnvAction> {
    let read =
        |text: &str| read(&MemoryTree::of(&[("requirements.txt", text), ("lib/setup.py", "")]));
    compare(read(then).record(), read(now).record()).iter().map(Change::env_action).max()
}
