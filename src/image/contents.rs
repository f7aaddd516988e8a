//! What is in the layers of an image, as far as it matters for whether a program runs there: links,
//! programs, shared libraries, and what tells a Python.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::python::LIBRARY;
use super::rules::{APP, ENV, PYTHON};
use crate::elf::Object;

/// Paths are from the root of the image, without a slash before them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Contents {
    entries: BTreeMap<String, Entry>,
    /// What a layer removes of those below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    removed: Vec<String>,
    /// The folders of which a layer keeps nothing that is below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    emptied: Vec<String>,
    /// The folders that a layer names, and the number of the user who alone may enter one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    folders: BTreeMap<String, Option<u32>>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Entry {
    Link(String),
    File(Option<Object>),
    /// What the loader is told.
    Configuration(String),
}

const WHITEOUT: &str = ".wh.";
pub(super) const OPAQUE: &str = ".wh..wh..opq";

/// How many links one path may lead through, as on Linux.
const MOST_LINKS: usize = 40;

impl Contents {
    /// Takes note of a link. All of them matter: a library may be found through any.
    pub(super) fn add_link(&mut self, path: &str, target: &str) {
        self.entries.insert(path.to_owned(), Entry::Link(target.to_owned()));
    }

    /// Takes note of a file, if it matters.
    pub(super) fn add_file(&mut self, path: &str, object: Option<Object>) {
        let (folder, name) = split(path);
        if let Some(removed) = name.strip_prefix(WHITEOUT) {
            if name == OPAQUE {
                self.emptied.push(folder.to_owned());
            } else {
                self.removed.push(join(folder, removed));
            }
        } else if object.is_some() || matters(path) {
            self.entries.insert(path.to_owned(), Entry::File(object));
        }
        // Not every archive names the folders that its files are in.
        if let Some(folder) = [APP, ENV, PYTHON].into_iter().find(|it| is_below(path, it)) {
            self.folders.entry(folder.to_owned()).or_default();
        }
    }

    /// Takes note of a file that the loader, or what prepares its work, may read.
    pub(super) fn add_configuration(&mut self, path: &str, text: String) {
        self.add_file(path, None);
        if !split(path).1.starts_with(WHITEOUT) {
            self.entries.insert(path.to_owned(), Entry::Configuration(text));
        }
    }

    /// Takes note of a folder, and of the number of its owner if nobody else may enter it.
    pub(super) fn add_folder(&mut self, path: &str, closed_by: Option<u32>) {
        self.folders.insert(path.to_owned(), closed_by);
    }

    /// Whether there is something in a folder that an image puts its own into.
    pub(super) fn is_taken(&self, path: &str) -> bool {
        self.folders.contains_key(path)
    }

    /// Whether a user may enter all folders that a path leads through.
    pub(super) fn lets_in(&self, path: &str, user: u32) -> bool {
        let closed_by = |folder: &str| self.folders.get(folder).copied().flatten();
        let mut above = path.match_indices('/').map(|(at, _)| &path[..at]);
        user == 0 || above.all(|folder| closed_by(folder).is_none_or(|owner| owner == user))
    }

    /// Whether a user may enter the root folder itself.
    pub(super) fn root_lets_in(&self, user: u32) -> bool {
        let closed_by = self.folders.get("").copied().flatten();
        user == 0 || closed_by.is_none_or(|owner| owner == user)
    }

    /// Puts a layer over these.
    pub(super) fn put_over(&mut self, layer: &Contents) {
        let Contents { entries, removed, emptied, folders } = layer;
        // A folder takes the place of a link.
        for path in folders.keys() {
            let path = self.placed(path);
            self.entries.remove(&path);
        }
        let emptied: Vec<_> = emptied.iter().map(|folder| self.real(folder)).collect();
        let removed: Vec<_> = removed.iter().map(|path| self.placed(path)).collect();
        let stays = |path: &str| {
            !emptied.iter().any(|folder| is_below(path, folder))
                && !removed.iter().any(|gone| path == gone || is_below(path, gone))
        };
        self.entries.retain(|path, _| stays(path));
        self.folders.retain(|path, _| stays(path));
        for (path, closed_by) in folders {
            self.folders.insert(self.placed(path), *closed_by);
        }
        for (path, entry) in entries {
            let path = self.placed(path);
            // And anything else takes the place of a folder, with all that is in it.
            if self.folders.remove(&path).is_some() {
                self.entries.retain(|other, _| !is_below(other, &path));
                self.folders.retain(|other, _| !is_below(other, &path));
            }
            self.entries.insert(path, entry.clone());
        }
    }

    /// Where something of a layer comes to be: links may be among the folders above it.
    fn placed(&self, path: &str) -> String {
        let (above, name) = split(path);
        if above.is_empty() { path.to_owned() } else { join(&self.real(above), name) }
    }

    /// The folder that a path leads to.
    pub(super) fn real(&self, folder: &str) -> String {
        match self.go(folder, true) {
            Some((real, None)) => real,
            _ => folder.to_owned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The programs and libraries.
    pub(super) fn objects(&self) -> impl Iterator<Item = (&str, &Object)> {
        self.iter().filter_map(|(path, entry)| match entry {
            Entry::File(Some(object)) => Some((path, object)),
            _ => None,
        })
    }

    /// Follows the links of a path, and gives the path of the file that it leads to; `None` when
    /// there is none that matters.
    pub(super) fn resolve(&self, path: &str) -> Option<(String, Option<&Object>)> {
        match self.walk(path, true)? {
            (path, Entry::File(object)) => Some((path, object.as_ref())),
            (path, Entry::Configuration(_)) => Some((path, None)),
            (_, Entry::Link(_)) => None,
        }
    }

    /// The text of a configuration of the loader.
    pub(super) fn configuration(&self, path: &str) -> Option<&str> {
        match self.walk(path, true)? {
            (_, Entry::Configuration(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether there is a file or a link at a path. Where a link leads need not matter, and so be
    /// known.
    pub(super) fn has(&self, path: &str) -> bool {
        self.walk(path, false).is_some()
    }

    /// What is at the end of a path.
    fn walk(&self, path: &str, follows: bool) -> Option<(String, &Entry)> {
        let (path, entry) = self.go(path, follows)?;
        Some((path, entry?))
    }

    /// Goes to the end of a path: by way of links, also of one at the end if `follows` says so. A
    /// folder, and what does not matter, is no entry. `None` when it leads nowhere.
    fn go(&self, path: &str, follows: bool) -> Option<(String, Option<&Entry>)> {
        let mut todo: Vec<String> = parts(path).rev().map(str::to_owned).collect();
        let mut at = String::new();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            if part == ".." {
                at.truncate(split(&at).0.len());
                continue;
            }
            let next = join(&at, &part);
            match self.entries.get(&next) {
                Some(link @ Entry::Link(_)) if todo.is_empty() && !follows => {
                    return Some((next, Some(link)));
                }
                Some(Entry::Link(target)) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return None;
                    }
                    if target.starts_with('/') {
                        at.clear();
                    }
                    todo.extend(parts(target).rev().map(str::to_owned));
                }
                Some(file) if todo.is_empty() => return Some((next, Some(file))),
                Some(_) => return None,
                // A folder, or nothing that matters.
                None => at = next,
            }
        }
        Some((at, None))
    }
}

/// Whether a file that is no program and no library matters.
fn matters(path: &str) -> bool {
    let (folder, name) = split(path);
    let in_programs = matches!(split(folder).1, "bin" | "sbin");
    let in_library = || LIBRARY.iter().any(|file| path.ends_with(file));
    in_programs || name.contains(".so") || name.starts_with("_sysconfigdata") || in_library()
}

/// Whether a path is in a folder, which itself is not.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| folder.is_empty() || rest.starts_with('/'))
}

/// The folder and the name of a path.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

pub(super) fn join(folder: &str, name: &str) -> String {
    let folder = folder.trim_matches('/');
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library() -> Object {
        Object::default()
    }

    #[test]
    fn a_library_is_found_through_links() {
        let mut contents = Contents::default();
        contents.add_link("lib", "usr/lib");
        contents.add_file("usr/lib/x86_64-linux-gnu/libz.so.1.3", Some(library()));
        contents.add_link("usr/lib/x86_64-linux-gnu/libz.so.1", "libz.so.1.3");
        contents.add_link("lib64", "/usr/../lib");
        let object = Object::default();
        let found = contents.library("libz.so.1", "srv/env/a.so", &object, &[]).unwrap();
        assert_eq!(found.0, "usr/lib/x86_64-linux-gnu/libz.so.1.3");
        assert!(contents.resolve("lib64/x86_64-linux-gnu/libz.so.1").is_some());
        assert!(contents.library("libz.so.2", "srv/env/a.so", &object, &[]).is_none());
        contents.add_link("usr/bin/tool", "../share/tool");
        contents.add_link("bin", "usr/bin");
        assert!(contents.has("bin/tool") && contents.resolve("bin/tool").is_none());
        assert!(!contents.has("bin/other"));
    }

    #[test]
    fn the_folders_of_an_object_come_first() {
        let mut contents = Contents::default();
        contents.add_file("srv/env/p.libs/libq.so", Some(library()));
        let run_paths = vec!["$ORIGIN/../p.libs".to_owned()];
        let object = Object { run_paths, ..Object::default() };
        assert!(contents.library("libq.so", "srv/env/p/a.so", &object, &[]).is_some());
        assert!(contents.library("libq.so", "srv/b.so", &object, &[]).is_none());
    }

    #[test]
    fn links_in_a_circle_lead_nowhere() {
        let mut contents = Contents::default();
        contents.add_link("a", "b");
        contents.add_link("b", "a");
        assert!(contents.resolve("a/c").is_none());
        contents.add_link("up", "../../../..");
        contents.add_file("bin/sh", None);
        assert!(contents.resolve("up/bin/sh").is_some());
    }

    #[test]
    fn a_layer_removes_what_is_below_it() {
        let mut contents = Contents::default();
        for path in ["bin/a", "bin/b", "usr/bin/c", "usr/bin/d"] {
            contents.add_file(path, None);
        }
        let mut layer = Contents::default();
        layer.add_file("bin/.wh.a", None);
        layer.add_file("usr/bin/.wh..wh..opq", None);
        layer.add_file("usr/bin/e", None);
        contents.put_over(&layer);
        let left: Vec<_> = contents.iter().map(|(path, _)| path).collect();
        assert_eq!(left, ["bin/b", "usr/bin/e"]);
    }

    #[test]
    fn what_a_layer_removes_is_found_through_links_of_those_below() {
        let mut contents = Contents::default();
        contents.add_link("lib", "usr/lib");
        contents.add_link("srv", "var/srv");
        for path in ["usr/lib/a.so", "usr/lib/b/c.so", "usr/lib/d.so", "var/srv/bin/e"] {
            contents.add_file(path, None);
        }
        let mut layer = Contents::default();
        layer.add_file("lib/.wh.a.so", None);
        layer.add_file("lib/b/.wh..wh..opq", None);
        // A folder of its own takes the place of the link first.
        layer.add_folder("srv", None);
        layer.add_file("srv/.wh..wh..opq", None);
        contents.put_over(&layer);
        let left: Vec<_> = contents.iter().map(|(path, _)| path).collect();
        assert_eq!(left, ["lib", "usr/lib/d.so", "var/srv/bin/e"]);
    }

    #[test]
    fn a_layer_goes_through_the_links_below_it_unless_it_has_the_folder_itself() {
        let mut base = Contents::default();
        base.add_link("lib", "usr/lib");
        base.add_link("srv", "var/srv");
        base.add_file("opt/tool/bin/a", None);
        base.add_folder("opt/tool", None);
        base.add_file("usr/bin/old/bin/b", None);
        let mut layer = Contents::default();
        layer.add_file("lib/libz.so.1", Some(library()));
        layer.add_folder("srv", None);
        layer.add_file("srv/bin/c", None);
        layer.add_link("opt/tool", "/usr/bin");
        let mut contents = Contents::default();
        contents.put_over(&base);
        contents.put_over(&layer);
        let left: Vec<_> = contents.iter().map(|(path, _)| path).collect();
        let expected = ["lib", "opt/tool", "srv/bin/c", "usr/bin/old/bin/b", "usr/lib/libz.so.1"];
        assert_eq!(left, expected);
        for path in ["lib/libz.so.1", "srv/bin/c", "opt/tool/old/bin/b"] {
            assert!(contents.resolve(path).is_some(), "{path}");
        }
        assert!(contents.resolve("opt/tool/bin/a").is_none());
    }

    #[test]
    fn a_folder_lets_in_whom_it_may() {
        let mut contents = Contents::default();
        contents.add_folder("root", Some(0));
        contents.add_folder("root/.local", None);
        contents.add_folder("home/app", Some(1000));
        assert!(contents.lets_in("root/.local/bin/python3", 0));
        assert!(!contents.lets_in("root/.local/bin/python3", 1000));
        assert!(contents.lets_in("home/app/bin/python3", 1000));
        assert!(!contents.lets_in("home/app/bin/python3", 33));
        assert!(contents.lets_in("usr/bin/python3", 33));
    }

    #[test]
    fn a_folder_is_taken_also_if_the_layer_does_not_name_it() {
        let mut layer = Contents::default();
        layer.add_file("srv/env/pyvenv.cfg", None);
        assert!(layer.is_taken("srv/env") && !layer.is_taken("srv/app"));
        let mut contents = layer.clone();
        let mut above = Contents::default();
        above.add_file("srv/.wh.env", None);
        contents.put_over(&above);
        assert!(!contents.is_taken("srv/env"));
    }
}
