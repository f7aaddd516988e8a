//! Files in the folders below the top of a tree, as far as an application may be in one.

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
        let files = [("a/b/c/d/manage.py", "")];
        assert!(folders_with(&MemoryTree::of(&files), &["manage.py"]).unwrap().is_empty());
    }
}
