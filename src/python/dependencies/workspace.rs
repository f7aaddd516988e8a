//! A uv workspace. Its lock is in its top folder, which may be above the member that is deployed.

mod members;

use std::collections::BTreeSet;

use anyhow::Result;
use toml::Table;

use super::locks::{Lock, Workspace};
use super::source::Source;
use super::tree::{Resolved, Tree, from_above, resolve};
use members::{Patterns, is_unmanaged, members, pyproject_in};

/// A longer lock is not looked at, in bytes.
const LONGEST: u64 = 32 << 20;

/// The nearest uv.lock above `tree` that has the project of the tree as a member; `None` when there
/// is none.
pub fn workspace_lock(tree: &impl Tree) -> Result<Option<Source>> {
    let place: Vec<&str> = tree.place().split('/').filter(|name| !name.is_empty()).collect();
    for levels in 1..=place.len() {
        let path = format!("{}{}", "../".repeat(levels), Lock::Uv.file_name());
        let Resolved::File { id, path } = resolve(tree, &path)? else { continue };
        let member = place[place.len() - levels..].join("/");
        if tree.size(&id)? <= LONGEST
            && has_member(&String::from_utf8_lossy(&tree.read(&id)?), &member)
        {
            return Ok(Some(Source::Lock { lock: Lock::Uv, path }));
        }
    }
    Ok(None)
}

/// The nearest uv.lock above `tree` that lacks the project of the tree, although the workspace has
/// it as a member; `None` when there is none.
pub fn lock_without_member(tree: &impl Tree) -> Result<Option<String>> {
    let read = |path: &str| -> Result<Table> {
        match resolve(tree, path)? {
            Resolved::File { id, .. } if tree.size(&id)? <= LONGEST => {
                Ok(String::from_utf8_lossy(&tree.read(&id)?).parse().unwrap_or_default())
            }
            _ => Ok(Table::new()),
        }
    };
    let own = read("pyproject.toml")?;
    if !own.contains_key("project") || is_unmanaged(&own) {
        return Ok(None);
    }
    let place: Vec<&str> = tree.place().split('/').filter(|name| !name.is_empty()).collect();
    for levels in 1..=place.len() {
        let above = "../".repeat(levels);
        let lock = format!("{above}{}", Lock::Uv.file_name());
        let Resolved::File { path, .. } = resolve(tree, &lock)? else { continue };
        let workspace = read(&format!("{above}pyproject.toml"))?;
        if Patterns::of(&workspace)?.mean(&place[place.len() - levels..]) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Whether a lock has the project in the folder `member`, as uv writes it.
fn has_member(lock: &str, member: &str) -> bool {
    folders(lock).any(|folder| folder == member)
}

/// What of the workspace of a uv.lock, in the folder `levels` above the tree, is in the commit.
/// `pyproject` is the project's own.
pub(super) fn workspace(
    tree: &impl Tree,
    levels: usize,
    lock: &str,
    pyproject: &Table,
) -> Result<Workspace> {
    let mut found = Workspace::default();
    // The top is one of them where it is a project.
    for folder in folders(lock).chain(["."]).collect::<BTreeSet<_>>() {
        if is_within_another(tree, levels, folder)? {
            found.within_others.insert(folder.to_owned());
        }
        let Some(path) = from_above(tree, levels, folder).filter(|path| !path.is_empty()) else {
            continue;
        };
        if let Some(project) = pyproject_in(tree, &path)? {
            found.others.insert(folder.to_owned(), project);
        } else if folder != "."
            && let Some(gone) = gone(tree, &path)?
        {
            found.gone.insert(folder.to_owned(), gone);
        }
    }
    for file in locals(lock, &["path"]) {
        if let Some(path) = from_above(tree, levels, file)
            && matches!(resolve(tree, &path)?, Resolved::Missing)
        {
            found.gone.insert(file.to_owned(), path);
        }
    }
    let top = if levels == 0 { Some(pyproject) } else { found.others.get(".").map(|it| &it.table) };
    found.members = match top {
        Some(top) => Some(members(tree, levels, top)?),
        None => None,
    };
    Ok(found)
}

/// Whether a pyproject.toml is in a folder between a project and the top of its workspace.
fn is_within_another(tree: &impl Tree, levels: usize, folder: &str) -> Result<bool> {
    let above = folder.match_indices('/').map(|(at, _)| &folder[..at]);
    for folder in above.filter(|folder| !folder.ends_with("..")) {
        let Some(path) = from_above(tree, levels, folder) else { continue };
        let path = [path.as_str(), "/pyproject.toml"].concat();
        if let Resolved::File { .. } = resolve(tree, path.trim_start_matches('/'))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is missing of the project in a folder, which has no pyproject.toml; `None` for one of a
/// kind that needs none, and for what is not in the commit itself.
fn gone(tree: &impl Tree, folder: &str) -> Result<Option<String>> {
    Ok(match resolve(tree, folder)? {
        Resolved::Folder { .. } => {
            let setup_py = resolve(tree, &format!("{folder}/setup.py"))?;
            matches!(setup_py, Resolved::Missing).then(|| format!("{folder}/pyproject.toml"))
        }
        Resolved::Submodule { .. } | Resolved::Outside { .. } => None,
        Resolved::Missing | Resolved::File { .. } | Resolved::Loop => Some(folder.to_owned()),
    })
}

/// The folders of the projects that a uv.lock has beside packages: the members of the workspace,
/// and others that they depend on. They are relative to the folder of the lock.
fn folders(lock: &str) -> impl Iterator<Item = &str> {
    locals(lock, &["editable", "virtual", "directory"])
}

/// The paths of what a uv.lock has from the tree itself, by these kinds of sources.
fn locals<'a>(lock: &'a str, kinds: &[&str]) -> impl Iterator<Item = &'a str> {
    lock.lines().filter_map(move |line| {
        let source = line.strip_prefix("source = { ")?.strip_suffix(" }")?;
        let (kind, path) = source.split_once(" = ")?;
        kinds.contains(&kind).then(|| path.trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::build_inputs::{Finds, build_inputs};
    use super::super::requirements_txt::tests::MemoryTree;
    use super::super::tree::{Entry, from_above, in_commit};
    use super::*;

    /// The folder `apps/a` of a commit.
    struct Member(MemoryTree);

    impl Tree for Member {
        fn place(&self) -> &'static str {
            "apps/a"
        }

        fn entry(&self, path: &str) -> Result<Entry> {
            self.0.entry(&in_commit(self.place(), path))
        }

        fn list(&self, path: &str) -> Result<Vec<(String, Entry)>> {
            self.0.list(&in_commit(self.place(), path))
        }

        fn size(&self, id: &str) -> Result<u64> {
            self.0.size(id)
        }

        fn read(&self, id: &str) -> Result<Vec<u8>> {
            self.0.read(id)
        }
    }

    fn file_at(tree: &impl Tree, path: &str) -> Option<String> {
        match resolve(tree, path).unwrap() {
            Resolved::File { path, .. } => Some(path),
            Resolved::Outside { .. } => None,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn a_project_within_another_one_is_told_by_the_folders_between() {
        let files = [
            ("pyproject.toml", ""),
            ("apps/pyproject.toml", "[tool.ruff]"),
            ("apps/a/pyproject.toml", ""),
            ("libs/b/pyproject.toml", ""),
        ];
        let tree = MemoryTree::of(&files);
        for (folder, is_within) in [("apps/a", true), ("apps", false), ("libs/b", false)] {
            assert_eq!(is_within_another(&tree, 0, folder).unwrap(), is_within, "{folder}");
        }
        assert!(is_within_another(&Member(tree), 2, "apps/a").unwrap());
    }

    #[test]
    fn what_is_above_is_found_as_far_as_it_is_in_the_commit() {
        let files = [("common.txt", ""), ("apps/a/f", ""), ("apps/b/f", ""), ("lib/f", "")];
        let tree = Member(MemoryTree::of(&files).link("apps/a/lib", "../../lib"));
        for (path, found) in [
            ("f", Some("f")),
            ("../b/f", Some("../b/f")),
            ("../../common.txt", Some("../../common.txt")),
            ("../../lib/../common.txt", Some("../../common.txt")),
            ("lib/f", Some("../../lib/f")),
            ("../a/f", Some("f")),
            ("../../apps/a/f", Some("f")),
            ("../../apps/b/f", Some("../b/f")),
            ("../../../f", None),
            ("../../lib/../../f", None),
        ] {
            assert_eq!(file_at(&tree, path).as_deref(), found, "{path}");
        }
        // A tree that is the whole commit has nothing above it.
        assert_eq!(file_at(&tree.0, "../f"), None);
    }

    #[test]
    fn paths_of_a_lock_above_are_seen_from_the_member() {
        let tree = Member(MemoryTree::default());
        for (levels, path, seen) in [
            (2, "apps/a", Some("")),
            (2, "apps/a/x", Some("x")),
            (2, "lib", Some("../../lib")),
            (2, "apps/b", Some("../b")),
            (1, "b", Some("../b")),
            (0, "../../lib", Some("../../lib")),
            (0, "lib", Some("lib")),
            (2, "../lib", None),
            (3, "lib", None),
        ] {
            assert_eq!(from_above(&tree, levels, path).as_deref(), seen, "{levels} {path}");
        }
    }

    #[test]
    fn a_member_is_found_by_its_folder() {
        let lock = "[[package]]\nname = \"a\"\nsource = { editable = \"apps/a\" }\n\
                    [[package]]\nname = \"b\"\nsource = { virtual = \"b\" }\n\
                    [[package]]\nname = \"c\"\nsource = { registry = \"c\" }\n";
        assert!(has_member(lock, "apps/a") && has_member(lock, "b"));
        assert!(!has_member(lock, "a") && !has_member(lock, "c") && !has_member(lock, ""));

        let of_another = lock.replace("apps/a", "apps/x");
        let tree = Member(MemoryTree::of(&[("uv.lock", lock), ("apps/uv.lock", &of_another)]));
        let found = workspace_lock(&tree).unwrap().unwrap();
        assert_eq!(found.path(), "../../uv.lock");
        assert!(workspace_lock(&tree.0).unwrap().is_none());
    }

    #[test]
    fn a_member_that_is_new_is_found_by_the_patterns_of_the_workspace() {
        let top = "[tool.uv.workspace]\nmembers = ['apps/*']\n";
        let found = |own: &str| {
            let files = [("uv.lock", ""), ("pyproject.toml", top), ("apps/a/pyproject.toml", own)];
            lock_without_member(&Member(MemoryTree::of(&files))).unwrap()
        };
        assert_eq!(found("[project]\nname = 'a'\n").as_deref(), Some("../../uv.lock"));
        assert_eq!(found("[tool.black]\n"), None);
        assert_eq!(found("[project]\nname = 'a'\n[tool.uv]\nmanaged = false\n"), None);
    }

    #[test]
    fn where_a_lock_says_what_is_installed_a_member_is_its_folder_alone() {
        let sources = "[project]\nname = \"lib\"\nversion = \"1\"\n\
                       [build-system]\nrequires = [\"hatchling\"]\n\
                       build-backend = \"hatchling.build\"\n[tool.uv.sources]\n\
                       other = { workspace = true }\nthird = { path = \"../third\" }\n";
        let app = ("apps/a/f", "");
        let tree = Member(MemoryTree::of(&[app, ("lib/pyproject.toml", sources)]));
        let of = |finds| build_inputs(&tree, "../../lib", "id", finds).unwrap();
        assert_eq!(of(Finds::Lock).whole_tree, None);
        assert!(of(Finds::Installer).whole_tree.is_some());
        // Here the build itself needs what comes from elsewhere in the commit.
        let own = sources.replace("other =", "hatchling =");
        let tree = Member(MemoryTree::of(&[app, ("lib/pyproject.toml", &own)]));
        assert!(build_inputs(&tree, "../../lib", "id", Finds::Lock).unwrap().whole_tree.is_some());
    }
}
