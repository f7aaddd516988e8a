//! The members of a uv workspace: the folders that the patterns in its pyproject.toml mean, as uv's
//! `uv-workspace` finds them. uv matches them with the crate `glob`, and so does nyala.

use std::collections::BTreeSet;

use anyhow::Result;
use glob::Pattern;
use toml::{Table, Value};

use super::super::error::not_a_pattern;
use super::super::locks::declared::manifest;
use super::super::locks::{InFolder, Member, Members, Pyproject};
use super::super::tree::{Entry, Resolved, Tree, from_above, resolve};
use crate::user_error::UserError;

/// The patterns of `[tool.uv.workspace]`.
pub(super) struct Patterns {
    members: Vec<Vec<Part>>,
    exclude: Vec<Pattern>,
}

/// What stands between two slashes of a pattern.
#[derive(Debug)]
enum Part {
    /// `**`
    AnyFolders,
    Name(String),
    Pattern(Pattern),
}

impl Patterns {
    /// Those of the pyproject.toml at the top of a workspace. Fails for one that is none.
    pub(super) fn of(pyproject: &Table) -> Result<Patterns, UserError> {
        let workspace = pyproject.get("tool").and_then(|tools| tools.get("uv")?.get("workspace"));
        let texts = |list: &str| {
            let patterns = workspace.and_then(|workspace| workspace.get(list)?.as_array());
            patterns.into_iter().flatten().filter_map(Value::as_str).map(parts)
        };
        let member = |parts: Vec<&str>| parts.into_iter().map(Part::of).collect::<Result<_, _>>();
        // Here a `*` means slashes, too.
        let excluded = |parts: Vec<&str>| pattern("exclude", &parts.join("/"));
        Ok(Patterns {
            members: texts("members").map(member).collect::<Result<_, UserError>>()?,
            exclude: texts("exclude").map(excluded).collect::<Result<_, UserError>>()?,
        })
    }

    /// Whether a folder is a member, if there is a project in it.
    pub(super) fn mean(&self, folder: &[&str]) -> bool {
        self.members.iter().any(|pattern| fits_path(pattern, folder))
            && !self.exclude(&folder.join("/"))
    }

    fn exclude(&self, folder: &str) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches(folder))
    }
}

impl Part {
    fn of(text: &str) -> Result<Part, UserError> {
        Ok(match text {
            "**" => Part::AnyFolders,
            _ if text.contains(['*', '?', '[']) => Part::Pattern(pattern("members", text)?),
            _ => Part::Name(text.to_owned()),
        })
    }
}

/// `list` is where in `[tool.uv.workspace]` it is.
fn pattern(list: &'static str, text: &str) -> Result<Pattern, UserError> {
    Pattern::new(text).map_err(|error| not_a_pattern(list, text, error.msg))
}

/// The members of the workspace whose top folder is `levels` above the tree, by their folders in
/// it; `top` is its pyproject.toml.
pub(super) fn members(tree: &impl Tree, levels: usize, top: &Table) -> Result<Members> {
    let patterns = Patterns::of(top)?;
    let mut members = Members::new();
    if let Some(top) = Member::of(top) {
        members.insert(".".to_owned(), InFolder::Project(top));
    }
    for folder in folders(tree, levels, &patterns.members)? {
        let Some(path) = from_above(tree, levels, &folder) else { continue };
        if folder.is_empty() || patterns.exclude(&folder) {
            continue;
        }
        match resolve(tree, &path)? {
            Resolved::Folder { .. } => {}
            Resolved::Submodule { .. } => {
                members.insert(folder, InFolder::NotSeen);
                continue;
            }
            _ => continue,
        }
        let is_hidden = folder.rsplit('/').next().is_some_and(|name| name.starts_with('.'));
        let member = match pyproject_in(tree, &path)? {
            Some(Pyproject { table, .. }) if is_unmanaged(&table) => continue,
            Some(Pyproject { table, .. }) => {
                Member::of(&table).map_or(InFolder::Nothing, InFolder::Project)
            }
            None if is_hidden => continue,
            None => InFolder::Nothing,
        };
        members.insert(folder, member);
    }
    Ok(members)
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

/// The paths that the patterns mean, and the submodules on the way to others which stay empty.
/// Whether a path without a pattern in it is there is not asked.
fn folders(tree: &impl Tree, levels: usize, patterns: &[Vec<Part>]) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for pattern in patterns {
        let mut walk = Walk { tree, levels, seen: BTreeSet::new(), empty: BTreeSet::new() };
        walk.look("", pattern)?;
        found.extend(walk.seen.into_iter().filter(|(_, left)| *left == 0).map(|(path, _)| path));
        found.append(&mut walk.empty);
    }
    Ok(found)
}

struct Walk<'t, T> {
    tree: &'t T,
    levels: usize,
    /// Each path with how much of the pattern is left for what is in it: nothing of one that it
    /// means. None is looked at twice, whatever the pattern.
    seen: BTreeSet<(String, usize)>,
    empty: BTreeSet<String>,
}

impl<T: Tree> Walk<'_, T> {
    fn look(&mut self, at: &str, pattern: &[Part]) -> Result<()> {
        if !self.seen.insert((at.to_owned(), pattern.len())) {
            return Ok(());
        }
        let Some((first, rest)) = pattern.split_first() else { return Ok(()) };
        let below = |name: &str| [at, name].join("/").trim_start_matches('/').to_owned();
        if let Part::Name(name) = first {
            return self.look(&below(name), rest);
        }
        let Some(path) = from_above(self.tree, self.levels, at) else { return Ok(()) };
        let path = match resolve(self.tree, &path)? {
            Resolved::Folder { path, .. } => path,
            Resolved::Submodule { .. } => {
                self.empty.insert(at.to_owned());
                return Ok(());
            }
            _ => return Ok(()),
        };
        if matches!(first, Part::AnyFolders) && !rest.is_empty() {
            self.look(at, rest)?;
        }
        for (name, entry) in self.tree.list(&path)? {
            let is_folder = matches!(entry, Entry::Folder { .. } | Entry::Submodule { .. });
            match first {
                // What a link leads to is not looked through, as with uv.
                Part::AnyFolders if is_folder => {
                    self.look(&below(&name), pattern)?;
                    if rest.is_empty() {
                        self.look(&below(&name), rest)?;
                    }
                }
                Part::Pattern(one)
                    if one.matches(&name) && (is_folder || matches!(entry, Entry::Link { .. })) =>
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
fn fits_path(pattern: &[Part], path: &[&str]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return path.is_empty() };
    let next_fits = |fits: &dyn Fn(&str) -> bool| {
        path.split_first().is_some_and(|(name, more)| fits(name) && fits_path(rest, more))
    };
    match first {
        // At the end, it means what is in a folder, and not the folder.
        Part::AnyFolders if rest.is_empty() => !path.is_empty(),
        Part::AnyFolders => (0..=path.len()).any(|skipped| fits_path(rest, &path[skipped..])),
        Part::Name(wanted) => next_fits(&|name| name == wanted),
        Part::Pattern(pattern) => next_fits(&|name| pattern.matches(name)),
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
            Patterns::of(&pyproject).unwrap().mean(&["apps", "a"])
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
    fn found(patterns: &str, tree: &MemoryTree) -> Vec<String> {
        let top: Table = format!("[tool.uv.workspace]\n{patterns}\n").parse().unwrap();
        let shown = |(folder, member): (String, InFolder)| match member {
            InFolder::Project(member) => {
                assert_eq!(member.name, "x-y");
                folder
            }
            InFolder::Nothing => format!("{folder}: none"),
            InFolder::NotSeen => format!("{folder}: not seen"),
        };
        members(tree, 0, &top).unwrap().into_iter().map(shown).collect()
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
            ("members = ['[a-z]pp', 'libs/[!.dtu]*']", &["app", "libs/link", "libs/one"]),
            ("members = ['libs/on[e]', '[A-Z]pp', '[!a]pp']", &["libs/one"]),
            (
                "members = ['libs/*']\nexclude = ['libs/[t-u]*', '[a-m]ibs/deep']",
                &["libs/link", "libs/one"],
            ),
        ] {
            assert_eq!(found(patterns, &tree), folders, "{patterns}");
        }
    }

    #[test]
    fn what_a_submodule_that_stays_empty_would_have_is_not_known() {
        let tree = MemoryTree::of(&[("app/pyproject.toml", PROJECT)]).submodule("libs/sub", "id");
        for (patterns, folders) in [
            ("members = ['app']", &["app"][..]),
            ("members = ['libs/*']", &["libs/sub: not seen"]),
            ("members = ['libs/sub/one']", &["libs/sub/one: not seen"]),
            ("members = ['libs/*/*']", &["libs/sub: not seen"]),
            ("members = ['**']\nexclude = ['libs']", &["app", "libs/sub: not seen"]),
            ("members = ['libs/*']\nexclude = ['libs/s*']", &[]),
        ] {
            assert_eq!(found(patterns, &tree), folders, "{patterns}");
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_named() {
        for (patterns, named) in [
            ("members = ['libs/[a']", "members has \"[a\""),
            ("members = ['a**']", "members has \"a**\""),
            ("members = ['***']", "members has \"***\""),
            ("members = ['[a/b]']", "members has \"[a\""),
            ("members = ['*']\nexclude = ['libs/[']", "exclude has \"libs/[\""),
        ] {
            let top: Table = format!("[tool.uv.workspace]\n{patterns}\n").parse().unwrap();
            let error = members(&MemoryTree::default(), 0, &top).unwrap_err().to_string();
            assert!(error.contains(named), "{patterns}: {error}");
        }
    }

    #[test]
    fn a_pattern_takes_no_longer_than_the_tree_is_large() {
        let deep = (0..60).map(|depth| "a/".repeat(depth) + "f").collect::<Vec<_>>();
        let files: Vec<_> = deep.iter().map(|path| (path.as_str(), "")).collect();
        let pattern = "**/a/".repeat(20);
        let patterns = format!("members = ['{pattern}']\nexclude = ['*']");
        assert_eq!(found(&patterns, &MemoryTree::of(&files)), [""; 0]);
    }
}
