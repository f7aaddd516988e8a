//! Files in the folders below the top of a tree, as far as an application may be in one.

use std::collections::BTreeMap;

use anyhow::Result;

use super::tree::{Entry, Tree};

/// How many folders down it is looked, and in how many folders in all.
const DEEPEST: usize = 3;
const MOST_FOLDERS: usize = 1000;

/// Folders in which no application is looked for.
const OTHERS: [&str; 13] = [
    "__pycache__",
    "doc",
    "docs",
    "env",
    "examples",
    "media",
    "node_modules",
    "scripts",
    "static",
    "test",
    "tests",
    "tools",
    "venv",
];

/// The folders that have a file of one of these names, up to three folders down. The nearest to the
/// top come first, and below such a folder no more are looked for.
pub fn folders_with(tree: &impl Tree, names: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut level = vec![String::new()];
    let mut looked = 0;
    for depth in 0..=DEEPEST {
        let mut next = Vec::new();
        for folder in level {
            looked += 1;
            if looked > MOST_FOLDERS {
                return Ok(found);
            }
            let entries = tree.list(&folder)?;
            let is_file = |entry: &Entry| matches!(entry, Entry::File { .. });
            let has =
                |(name, entry): &(String, Entry)| is_file(entry) && names.contains(&name.as_str());
            if depth > 0 && entries.iter().any(has) {
                found.push(folder);
                continue;
            }
            for (name, entry) in entries {
                let is_other = name.starts_with('.') || OTHERS.contains(&name.as_str());
                if matches!(entry, Entry::Folder { .. }) && !is_other {
                    let at_top = folder.is_empty();
                    next.push(if at_top { name } else { format!("{folder}/{name}") });
                }
            }
        }
        next.sort();
        level = next;
    }
    Ok(found)
}

/// Whether [`folders_with`] finds the same in two trees, as far as the folders that differ tell it:
/// no others are read. It says no when a folder came or went.
pub fn has_same_folders_with(one: &impl Tree, other: &impl Tree, names: &[&str]) -> Result<bool> {
    let mut differ = vec![(String::new(), 0)];
    while let Some((path, depth)) = differ.pop() {
        let (before, now) = (one.list(&path)?, other.list(&path)?);
        let has = |entries: &[(String, Entry)]| {
            entries.iter().any(|(name, entry)| {
                matches!(entry, Entry::File { .. }) && names.contains(&name.as_str())
            })
        };
        let folders = |entries: Vec<(String, Entry)>| -> BTreeMap<String, String> {
            let folder = |(name, entry)| match entry {
                Entry::Folder { id } => Some((name, id)),
                _ => None,
            };
            entries.into_iter().filter_map(folder).collect()
        };
        if has(&before) != has(&now) {
            return Ok(false);
        }
        let (before, now) = (folders(before), folders(now));
        if !before.keys().eq(now.keys()) {
            return Ok(false);
        }
        if depth == DEEPEST {
            continue;
        }
        for (name, id) in now {
            if before.get(&name) != Some(&id) {
                let below = if path.is_empty() { name } else { format!("{path}/{name}") };
                differ.push((below, depth + 1));
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::requirements_txt::tests::MemoryTree;
    use super::*;

    #[test]
    fn folders_are_found_up_to_three_down_the_nearest_first() {
        let paths = ["manage.py", "a/b/c/manage.py", "a/b/c/d/manage.py", "z/manage.py"];
        let hidden = [".x/manage.py", "docs/manage.py", "a/x.py", "z/y/manage.py"];
        let files: Vec<_> = paths.iter().chain(&hidden).map(|path| (*path, "")).collect();
        let found = folders_with(&MemoryTree::of(&files), &["manage.py"]).unwrap();
        assert_eq!(found, ["z", "a/b/c"]);
        let tree = |more: &'static str| {
            let mut all = files.clone();
            all.push((more, ""));
            MemoryTree::of(&all)
        };
        let same = |one: &'static str, other: &'static str| {
            has_same_folders_with(&tree(one), &tree(other), &["manage.py"]).unwrap()
        };
        assert!(same("a/x.py", "a/y.py") && same("page", "z/page"));
        assert!(same("a/b/c/d/x.py", "a/b/c/d/manage.py"), "that is too far down");
        assert!(!same("a/x.py", "a/manage.py") && !same("a/x.py", "new/x.py"));
        let files = [("a/b/c/d/manage.py", "")];
        assert!(folders_with(&MemoryTree::of(&files), &["manage.py"]).unwrap().is_empty());
    }
}
