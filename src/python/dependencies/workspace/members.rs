//! The members of a uv workspace: the folders that the patterns in its pyproject.toml mean, as uv's
//! `uv-workspace` finds them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use toml::{Table, Value};

use super::super::locks::declared::manifest;
use super::super::locks::{Member, Pyproject};
use super::super::text::glob;
use super::super::tree::{Entry, Resolved, Tree, from_above, resolve};

/// The patterns of `[tool.uv.workspace]`.
pub(super) struct Patterns<'a> {
    members: Vec<Vec<&'a str>>,
    exclude: Vec<Vec<&'a str>>,
}

impl<'a> Patterns<'a> {
    /// Those of the pyproject.toml at the top of a workspace.
    pub(super) fn of(pyproject: &'a Table) -> Patterns<'a> {
        let workspace = pyproject.get("tool").and_then(|tools| tools.get("uv")?.get("workspace"));
        let patterns = |list: &str| {
            let patterns = workspace.and_then(|workspace| workspace.get(list)?.as_array());
            patterns.into_iter().flatten().filter_map(Value::as_str).map(parts).collect()
        };
        Patterns { members: patterns("members"), exclude: patterns("exclude") }
    }

    /// Whether a folder is a member, if there is a project in it.
    pub(super) fn mean(&self, folder: &[&str]) -> bool {
        self.members.iter().any(|pattern| fits_path(pattern, folder)) && !self.exclude(folder)
    }

    /// Whether the patterns are understood: of `[a-z]` it is not known what it means.
    fn are_known(&self) -> bool {
        !self.members.iter().chain(&self.exclude).flatten().any(|part| part.contains('['))
    }

    /// Here a `*` means slashes, too.
    fn exclude(&self, folder: &[&str]) -> bool {
        self.exclude.iter().any(|pattern| {
            fits_path(pattern, folder)
                || glob(pattern.join("/").as_bytes(), folder.join("/").as_bytes())
        })
    }
}

/// The members of the workspace whose top folder is `levels` above the tree, by their folders in
/// it; `top` is its pyproject.toml. Each is `None` where its folder has no project. `None` where
/// it is not known which they are.
pub(super) fn members(
    tree: &impl Tree,
    levels: usize,
    top: &Table,
) -> Result<Option<BTreeMap<String, Option<Member>>>> {
    let patterns = Patterns::of(top);
    if !patterns.are_known() {
        return Ok(None);
    }
    let mut members = BTreeMap::new();
    if let Some(top) = Member::of(top) {
        members.insert(".".to_owned(), Some(top));
    }
    for folder in folders(tree, levels, &patterns.members)? {
        let parts: Vec<&str> = folder.split('/').collect();
        let Some(path) = from_above(tree, levels, &folder) else { continue };
        if folder.is_empty() || patterns.exclude(&parts) {
            continue;
        }
        match resolve(tree, &path)? {
            Resolved::Folder { .. } => {}
            // What is in it, the commit does not say.
            Resolved::Submodule { .. } => return Ok(None),
            _ => continue,
        }
        let member = match pyproject_in(tree, &path)? {
            Some(Pyproject { table, .. }) if is_unmanaged(&table) => continue,
            Some(Pyproject { table, .. }) => Member::of(&table),
            None if parts.last().is_some_and(|name| name.starts_with('.')) => continue,
            None => None,
        };
        members.insert(folder, member);
    }
    Ok(Some(members))
}

/// The pyproject.toml in a folder; `None` when there is none.
pub(super) fn pyproject_in(tree: &impl Tree, folder: &str) -> Result<Option<Pyproject>> {
    let path = [folder, "/pyproject.toml"].concat();
    let path = path.trim_start_matches('/').to_owned();
    Ok(manifest(tree, &path)?.map(|table| Pyproject { path, table }))
}

/// Whether uv leaves the project alone.
pub(super) fn is_unmanaged(pyproject: &Table) -> bool {
    let managed =
        pyproject.get("tool").and_then(|tools| tools.get("uv")?.get("managed")?.as_bool());
    managed == Some(false)
}

/// The paths that the patterns mean. Whether a path without a pattern in it is there is not asked.
fn folders(tree: &impl Tree, levels: usize, patterns: &[Vec<&str>]) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for pattern in patterns {
        let mut walk = Walk { tree, levels, seen: BTreeSet::new() };
        walk.look("", pattern)?;
        found.extend(walk.seen.into_iter().filter(|(_, left)| *left == 0).map(|(path, _)| path));
    }
    Ok(found)
}

struct Walk<'t, T> {
    tree: &'t T,
    levels: usize,
    /// Each path with how much of the pattern is left for what is in it: nothing of one that it
    /// means. None is looked at twice, whatever the pattern.
    seen: BTreeSet<(String, usize)>,
}

impl<T: Tree> Walk<'_, T> {
    fn look(&mut self, at: &str, pattern: &[&str]) -> Result<()> {
        if !self.seen.insert((at.to_owned(), pattern.len())) {
            return Ok(());
        }
        let Some((first, rest)) = pattern.split_first() else { return Ok(()) };
        let below = |name: &str| [at, name].join("/").trim_start_matches('/').to_owned();
        if !first.contains(['*', '?']) {
            return self.look(&below(first), rest);
        }
        let Some(path) = from_above(self.tree, self.levels, at) else { return Ok(()) };
        let Resolved::Folder { path, .. } = resolve(self.tree, &path)? else { return Ok(()) };
        let is_any = *first == "**";
        if is_any && !rest.is_empty() {
            self.look(at, rest)?;
        }
        for (name, entry) in self.tree.list(&path)? {
            match entry {
                Entry::Folder { .. } if is_any => {
                    self.look(&below(&name), pattern)?;
                    if rest.is_empty() {
                        self.look(&below(&name), rest)?;
                    }
                }
                Entry::Folder { .. } | Entry::Link { .. } | Entry::Submodule { .. }
                    if !is_any && glob(first.as_bytes(), name.as_bytes()) =>
                {
                    self.look(&below(&name), rest)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The parts of a pattern, without those that mean nothing.
fn parts(pattern: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            "**" if parts.last() == Some(&"**") => {}
            part => parts.push(part),
        }
    }
    parts
}

/// Whether a pattern such as `libs/*` or `**/app` means a path.
fn fits_path(pattern: &[&str], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        // At the end, it means what is in a folder, and not the folder.
        Some((&"**", [])) => !path.is_empty(),
        Some((&"**", rest)) => (0..=path.len()).any(|skipped| fits_path(rest, &path[skipped..])),
        Some((first, rest)) => path.split_first().is_some_and(|(name, more)| {
            glob(first.as_bytes(), name.as_bytes()) && fits_path(rest, more)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::requirements_txt::tests::MemoryTree;
    use super::*;

    const PROJECT: &str = "[project]\nname = 'X_y'\nrequires-python = '>=3.9'\n";

    #[test]
    fn a_member_is_a_folder_that_a_pattern_means() {
        let means = |patterns: &str| {
            let pyproject = format!("[tool.uv.workspace]\n{patterns}\n").parse().unwrap();
            Patterns::of(&pyproject).mean(&["apps", "a"])
        };
        for members in ["'apps/*'", "'x', './apps/a/'", "'**'", "'**/a'", "'app?/a'", "'apps/**'"] {
            assert!(means(&format!("members = [{members}]")), "{members}");
        }
        for members in ["", "'*'", "'apps'", "'apps/a/*'", "'apps/b*'", "'apps/a/**'"] {
            assert!(!means(&format!("members = [{members}]")), "{members}");
        }
        for exclude in ["'apps/a'", "'./apps/a'", "'*'", "'*a'", "'**/a'", "'x/../apps/a'"] {
            assert!(!means(&format!("members = ['**']\nexclude = [{exclude}]")), "{exclude}");
        }
        assert!(means("members = ['**']\nexclude = ['apps', 'a', 'apps/b']"));
    }

    /// The folders of the members in a commit with these files, each with whether it has a project.
    fn found(patterns: &str, tree: &MemoryTree) -> Option<Vec<String>> {
        let top: Table = format!("[tool.uv.workspace]\n{patterns}\n").parse().unwrap();
        let members = members(tree, 0, &top).unwrap()?;
        let shown = |(folder, member): (String, Option<Member>)| match member {
            Some(member) => {
                assert_eq!(member.name, "x-y");
                folder
            }
            None => format!("{folder}: none"),
        };
        Some(members.into_iter().map(shown).collect())
    }

    #[test]
    fn members_are_found_in_the_commit() {
        let tree = MemoryTree::of(&[
            ("libs/one/pyproject.toml", PROJECT),
            ("libs/two/pyproject.toml", "[tool.black]\n"),
            ("libs/three/README.md", ""),
            (
                "libs/unmanaged/pyproject.toml",
                "[project]\nname = 'u'\n[tool.uv]\nmanaged = false\n",
            ),
            ("libs/.hidden/x", ""),
            ("libs/deep/er/pyproject.toml", PROJECT),
            ("libs/file.txt", ""),
            ("app/pyproject.toml", PROJECT),
        ])
        .link("libs/link", "../app");
        for (patterns, folders) in [
            ("members = []", &[][..]),
            ("members = ['app', 'gone', './libs/one/']", &["app", "libs/one"]),
            (
                "members = ['libs/*']\nexclude = ['libs/t*', 'libs/deep']",
                &["libs/link", "libs/one"],
            ),
            (
                "members = ['libs/*']",
                &["libs/deep: none", "libs/link", "libs/one", "libs/three: none", "libs/two: none"],
            ),
            ("members = ['**/er', '*/../app']", &["app", "libs/deep/er"]),
            (
                "members = ['libs/**']\nexclude = ['libs/t*']",
                &["libs/deep: none", "libs/deep/er", "libs/one"],
            ),
            ("members = ['*']\nexclude = ['l*']", &["app"]),
        ] {
            assert_eq!(found(patterns, &tree).unwrap(), folders, "{patterns}");
        }
        assert_eq!(found("members = ['[a-z]pp']", &tree), None);
        let with_submodule = tree.submodule("libs/sub", "id");
        assert_eq!(found("members = ['libs/*']", &with_submodule), None);
        assert_eq!(found("members = ['app']", &with_submodule).unwrap(), ["app"]);
    }

    #[test]
    fn a_pattern_takes_no_longer_than_the_tree_is_large() {
        let deep = (0..60).map(|depth| "a/".repeat(depth) + "f").collect::<Vec<_>>();
        let files: Vec<_> = deep.iter().map(|path| (path.as_str(), "")).collect();
        let pattern = "**/a/".repeat(20);
        let patterns = format!("members = ['{pattern}']\nexclude = ['*']");
        assert_eq!(found(&patterns, &MemoryTree::of(&files)).unwrap(), [""; 0]);
    }
}
