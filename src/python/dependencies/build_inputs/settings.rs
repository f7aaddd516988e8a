//! Which settings the builds of local projects read: a `setup.py` may decide by a variable what it
//! builds.
//!
//! Code that looks into its environment names what it looks for, in nearly all cases. So each word
//! of such a script counts as a name: of the words, only those matter that a setting has.

use std::collections::BTreeSet;

use anyhow::Result;
use toml::{Table, Value};

use super::super::record::Recorded;
use super::super::tree::{Resolved, Tree, resolve};
use super::{LONGEST, below};

/// What runs in a build, beside what it imports and what pyproject.toml names.
const SCRIPTS: [&str; 3] = ["setup.py", "pdm_build.py", "hatch_build.py"];

/// More files of one project are not looked at.
const MOST_FILES: usize = 100;

/// The names of variables that the builds of these local projects may read.
pub fn variables_of_builds(tree: &impl Tree, recorded: &Recorded) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for local in &recorded.local {
        let folder = if local.path == "." { "" } else { &local.path };
        if let Resolved::Folder { path: folder, .. } = resolve(tree, folder)? {
            of_project(tree, &folder, &mut found)?;
        }
    }
    Ok(found)
}

fn of_project(tree: &impl Tree, folder: &str, found: &mut BTreeSet<String>) -> Result<()> {
    let mut ahead: Vec<String> = SCRIPTS.iter().map(|name| below(folder, name)).collect();
    ahead.extend(own_backend(tree, folder)?);
    let mut seen = BTreeSet::new();
    while let Some(path) = ahead.pop() {
        if seen.len() >= MOST_FILES || !seen.insert(path.clone()) {
            continue;
        }
        let Some(text) = read(tree, &path)? else { continue };
        let own = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for module in imported(&text) {
            for within in [own, folder] {
                ahead.push(below(within, &format!("{module}.py")));
                ahead.push(below(within, &format!("{module}/__init__.py")));
            }
        }
        if text.contains("env") {
            found.extend(words(&text).map(str::to_owned));
        }
    }
    Ok(())
}

/// The files of a build backend that the project brings along.
fn own_backend(tree: &impl Tree, folder: &str) -> Result<Vec<String>> {
    let text = read(tree, &below(folder, "pyproject.toml"))?.unwrap_or_default();
    let pyproject = text.parse::<Table>().unwrap_or_default();
    let system = pyproject.get("build-system").and_then(Value::as_table);
    let folders = system.and_then(|it| it.get("backend-path")?.as_array());
    let mut files = Vec::new();
    for within in folders.into_iter().flatten().filter_map(Value::as_str) {
        let within = if within == "." { folder.to_owned() } else { below(folder, within) };
        if let Resolved::Folder { path, .. } = resolve(tree, &within)? {
            let names = tree.list(&path)?.into_iter().map(|(name, _)| name);
            let scripts = names.filter(|it| matches!(it.rsplit_once('.'), Some((_, "py"))));
            files.extend(scripts.map(|name| below(&path, &name)));
        }
    }
    Ok(files)
}

fn read(tree: &impl Tree, path: &str) -> Result<Option<String>> {
    let Resolved::File { id, .. } = resolve(tree, path)? else { return Ok(None) };
    if tree.size(&id)? > LONGEST {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&tree.read(&id)?).into_owned()))
}

/// What `import a.b, c` and `from a.b import c` may load from folders, as paths.
fn imported(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines().map(str::trim_start) {
        let Some((word, rest)) = line.split_once(' ') else { continue };
        if !matches!(word, "import" | "from") {
            continue;
        }
        for name in rest.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')) {
            let name = name.trim_matches('.').replace('.', "/");
            if !name.is_empty() {
                found.insert(name);
            }
        }
    }
    found
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::super::record::{Local, LocalKind};
    use super::super::super::requirements_txt::tests::MemoryTree;
    use super::*;

    fn reads_flag(path: &str, files: &[(&str, &str)]) -> bool {
        let local = Local {
            path: path.to_owned(),
            kind: LocalKind::Folder,
            id: String::new(),
            whole_tree: None,
        };
        let recorded = Recorded { local: vec![local], ..Recorded::default() };
        variables_of_builds(&MemoryTree::of(files), &recorded).unwrap().contains("FLAG")
    }

    #[test]
    fn what_the_code_of_a_build_names_may_be_read() {
        let reads = "import os\nos.environ['FLAG']\n";
        let backend = "[build-system]\nbuild-backend = 'own'\nbackend-path = ['.', 'tools']\n";
        let files: [&[(&str, &str)]; 5] = [
            &[("lib/setup.py", reads)],
            &[("lib/setup.py", "from support.flags import x"), ("lib/support/flags.py", reads)],
            &[("lib/setup.py", "import lib, os"), ("lib/lib/__init__.py", reads)],
            &[("lib/pyproject.toml", backend), ("lib/tools/own.py", reads)],
            &[("lib/pyproject.toml", backend), ("lib/own.py", reads)],
        ];
        for files in files {
            assert!(reads_flag("lib", files), "{files:?}");
            assert!(!reads_flag("other", &[files, &[("other/x.py", "")]].concat()), "{files:?}");
        }
        assert!(reads_flag(".", &[("setup.py", reads)]));
        for files in [
            [("lib/setup.py", "setup(name='FLAG')"), ("lib/lib.py", reads)],
            [("lib/setup.py", "print('no flag in env')"), ("setup.py", reads)],
        ] {
            assert!(!reads_flag("lib", &files), "{files:?}");
        }
    }
}
