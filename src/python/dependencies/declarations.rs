//! Declarations of dependencies that nyala does not install from: lock files, pyproject.toml,
//! setup.py, conda's files, and requirements files of another name.
//!
//! A deployment must not succeed with an environment that lacks what the project declares, so each
//! of these is found by what is in it, with the command that turns it into a requirements.txt.

use std::fmt;

use anyhow::Result;
use toml::{Table, Value};

use super::locks::Lock;
use super::text::shown;
use super::tree::{Entry, Resolved, Tree, resolve};

/// A file longer than this counts as a declaration without being read.
const LONGEST: u64 = 10 << 20;

/// A file that declares dependencies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    pub path: String,
    /// How to get what can be installed from: a command, or what to write.
    pub export: String,
    /// The file that this gives.
    pub gives: &'static str,
}

/// The lock that the manifest at the top of `tree` is made for, where there is none: Pipenv, Poetry
/// and uv install from nothing else. `None` when nothing has to be locked.
pub fn missing_lock(tree: &impl Tree) -> Result<Option<Lock>> {
    Top::read(tree)?.missing_lock()
}

/// What declares dependencies at the top of `tree` beside a requirements.txt. The first one counts
/// most: a lock file before the manifest that it was made from.
pub fn declarations(tree: &impl Tree) -> Result<Vec<Declaration>> {
    let top = Top::read(tree)?;
    let mut found = Vec::new();
    let missing_lock = top.missing_lock()?;
    let mut add = |path: &str, export: &str| {
        let lock = missing_lock.filter(|lock| lock.manifests()[0] == path);
        found.push(Declaration {
            path: path.to_owned(),
            export: lock.map_or_else(|| export.to_owned(), |lock| lock.command().to_owned()),
            gives: lock.map_or("requirements.txt", Lock::file_name),
        });
    };
    let pyproject = top.text("pyproject.toml")?.map(|text| text.parse::<Table>().ok());
    let manifest = pyproject.as_ref().map(|table| table.as_ref().map_or(Manifest::Unclear, main));
    for name in top.names.iter().filter(|name| is_pylock(name)) {
        if top.has(name, |text| text.contains("[[packages]]"))? {
            add(name, "uv pip compile pyproject.toml -o requirements.txt");
        }
    }
    for (name, export) in LOCKS {
        // A lock file also holds what only development needs; the manifest says what is needed.
        let declares = match manifest {
            Some(Manifest::Nothing) => false,
            Some(Manifest::Something) => true,
            Some(Manifest::Unclear) | None => top.has(name, locks_something)?,
        };
        if top.names.iter().any(|there| there == name) && declares {
            add(name, export);
        }
    }
    let pipfile_lock = top.names.iter().any(|name| name == "Pipfile.lock");
    if pipfile_lock && top.has("Pipfile.lock", pipfile_lock_has_packages)? {
        add("Pipfile.lock", "pipenv requirements > requirements.txt");
    }
    if top.has("Pipfile", pipfile_has_packages)? && !pipfile_lock {
        add("Pipfile", "pipenv lock && pipenv requirements > requirements.txt");
    }
    if manifest == Some(Manifest::Something) || pyproject == Some(None) {
        add("pyproject.toml", "uv pip compile pyproject.toml -o requirements.txt");
    }
    if top.has("setup.cfg", setup_cfg_has_requirements)? {
        add("setup.cfg", "echo . > requirements.txt");
    }
    if top.has("setup.py", |text| text.contains("install_requires"))? {
        add("setup.py", "echo . > requirements.txt");
    }
    for name in CONDA {
        if top.has(name, is_conda)? {
            add(
                name,
                "In the conda or pixi environment: pip list --format=freeze > requirements.txt",
            );
        }
    }
    if top.has("requirements.in", has_lines)? {
        add("requirements.in", "uv pip compile requirements.in -o requirements.txt");
    }
    for name in top.names.iter().filter(|name| is_other_requirements_file(name)) {
        if top.has(name, has_lines)? {
            let export = if name.eq_ignore_ascii_case("requirements.txt") {
                format!("git mv {} requirements.txt", shown(name))
            } else {
                format!("echo '-r {}' > requirements.txt", shown(name))
            };
            add(name, &export);
        }
    }
    for (name, _) in tree.list("requirements")? {
        let path = format!("requirements/{name}");
        if is_for_production(&name) && ends_in(&name, "txt") && top.has(&path, has_lines)? {
            add(&path, &format!("echo '-r {}' > requirements.txt", shown(&path)));
        }
    }
    Ok(found)
}

/// Lock files of tools that keep their manifest in pyproject.toml, and what exports them.
const LOCKS: [(&str, &str); 3] = [
    ("uv.lock", "uv export --frozen --no-hashes -o requirements.txt"),
    ("poetry.lock", "poetry export --without-hashes -o requirements.txt"),
    ("pdm.lock", "pdm export --prod --without-hashes -o requirements.txt"),
];

const CONDA: [&str; 6] = [
    "environment.yml",
    "environment.yaml",
    "conda-lock.yml",
    "conda-lock.yaml",
    "pixi.lock",
    "pixi.toml",
];

impl fmt::Display for Declaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.path))
    }
}

/// The top folder of a tree.
struct Top<'a, T> {
    tree: &'a T,
    /// Of files and links, sorted.
    names: Vec<String>,
}

impl<T: Tree> Top<'_, T> {
    fn read(tree: &T) -> Result<Top<'_, T>> {
        let entries = tree.list("")?.into_iter();
        let files =
            entries.filter(|(_, entry)| matches!(entry, Entry::File { .. } | Entry::Link { .. }));
        let mut names: Vec<String> = files.map(|(name, _)| name).collect();
        names.sort();
        Ok(Top { tree, names })
    }

    fn missing_lock(&self) -> Result<Option<Lock>> {
        let is_there = |lock: Lock| self.names.iter().any(|name| name == lock.file_name());
        if !is_there(Lock::Pipfile) && self.has("Pipfile", pipfile_has_packages)? {
            return Ok(Some(Lock::Pipfile));
        }
        let pyproject = self.text("pyproject.toml")?.and_then(|text| text.parse::<Table>().ok());
        let Some(pyproject) = pyproject else { return Ok(None) };
        let wanted = locked_by(&pyproject).filter(|_| main(&pyproject) != Manifest::Nothing);
        Ok(wanted.filter(|_| !Lock::ALL.into_iter().any(is_there)))
    }

    /// Whether the file is there and declares something. One that is too long to read does.
    fn has(&self, path: &str, declares: impl Fn(&str) -> bool) -> Result<bool> {
        let Resolved::File { id, .. } = resolve(self.tree, path)? else { return Ok(false) };
        if self.tree.size(&id)? > LONGEST {
            return Ok(true);
        }
        Ok(declares(&String::from_utf8_lossy(&self.tree.read(&id)?)))
    }

    /// The text of a file; `None` when it is not there.
    fn text(&self, path: &str) -> Result<Option<String>> {
        let Resolved::File { id, .. } = resolve(self.tree, path)? else { return Ok(None) };
        if self.tree.size(&id)? > LONGEST {
            return Ok(Some(String::new()));
        }
        let bytes = self.tree.read(&id)?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
    }
}

/// The lock of the tool that a pyproject.toml is for.
fn locked_by(pyproject: &Table) -> Option<Lock> {
    // `uv pip` and uv's build backend need no lock.
    const OF_NO_PROJECT: [&str; 3] = ["pip", "build-backend", "package"];
    let tool = |name: &str| pyproject.get("tool")?.get(name)?.as_table();
    if tool("poetry").is_some() {
        return Some(Lock::Poetry);
    }
    tool("uv")?.keys().any(|key| !OF_NO_PROJECT.contains(&key.as_str())).then_some(Lock::Uv)
}

/// What a pyproject.toml says of the dependencies that are needed to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manifest {
    Something,
    Nothing,
    /// It has no table that says.
    Unclear,
}

/// Optional dependencies and groups do not count: they are a choice.
fn main(pyproject: &Table) -> Manifest {
    let table = |path: &[&str]| -> Option<&Table> {
        path.iter().try_fold(pyproject, |table, name| table.get(*name)?.as_table())
    };
    let is_filled = |value: Option<&Value>| {
        value.and_then(Value::as_array).is_some_and(|array| !array.is_empty())
    };
    let project = table(&["project"]);
    let poetry = table(&["tool", "poetry"]);
    let flit = table(&["tool", "flit", "metadata"]);
    let is_dynamic = project
        .and_then(|project| project.get("dynamic")?.as_array())
        .is_some_and(|dynamic| dynamic.iter().any(|field| field.as_str() == Some("dependencies")));
    let something = is_dynamic
        || is_filled(project.and_then(|project| project.get("dependencies")))
        || is_filled(flit.and_then(|flit| flit.get("requires")))
        || table(&["tool", "poetry", "dependencies"])
            .is_some_and(|dependencies| dependencies.keys().any(|name| name != "python"));
    match (something, project.or(poetry).or(flit)) {
        (true, _) => Manifest::Something,
        // The members of a workspace have dependencies of their own.
        (false, Some(_)) if table(&["tool", "uv", "workspace"]).is_none() => Manifest::Nothing,
        (false, _) => Manifest::Unclear,
    }
}

fn is_pylock(name: &str) -> bool {
    name == "pylock.toml" || name.starts_with("pylock.") && ends_in(name, "toml")
}

/// Whether a lock file has a package beside the project itself.
fn locks_something(text: &str) -> bool {
    let count = |wanted: &[&str]| text.lines().filter(|line| wanted.contains(&line.trim())).count();
    let itself = [r#"source = { virtual = "." }"#, r#"source = { editable = "." }"#];
    count(&["[[package]]"]) > count(&itself)
}

/// Whether a Pipfile has packages that are not for development alone. Besides `[packages]`, it may
/// have categories of any name.
fn pipfile_has_packages(text: &str) -> bool {
    const OTHERS: [&str; 6] =
        ["dev-packages", "pipenv", "pipfile", "requires", "scripts", "source"];
    let Ok(table) = text.parse::<Table>() else { return true };
    table
        .iter()
        .filter(|(name, _)| !OTHERS.contains(&name.as_str()))
        .any(|(_, packages)| packages.as_table().is_some_and(|packages| !packages.is_empty()))
}

fn pipfile_lock_has_packages(text: &str) -> bool {
    let Ok(lock) = serde_json::from_str::<serde_json::Value>(text) else { return true };
    lock.get("default").and_then(|it| it.as_object()).is_some_and(|packages| !packages.is_empty())
}

/// Whether `[options]` has an `install_requires` with something in it.
fn setup_cfg_has_requirements(text: &str) -> bool {
    let mut section = "";
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.trim_end().strip_prefix('[') {
            section = name.trim_end_matches(']').trim();
        } else if let ("options", Some((key, value))) = (section, line.split_once(['=', ':']))
            && key.trim_end() == "install_requires"
        {
            let indented = |line: &str| {
                line.starts_with([' ', '\t']) && !line.trim_start().starts_with(['#', ';'])
            };
            return !value.trim().is_empty()
                || lines
                    .take_while(|line| line.is_empty() || line.starts_with([' ', '\t']))
                    .any(|line| indented(line) && !line.trim().is_empty());
        }
    }
    false
}

/// conda's and pixi's files have a key or table of this name; other tools' files of the same name
/// do not.
fn is_conda(text: &str) -> bool {
    let starts =
        ["dependencies:", "[dependencies]", "package:", "packages:", "[pypi-dependencies]"];
    text.lines().any(|line| starts.iter().any(|start| line.starts_with(start)))
}

/// A requirements file that a person may have meant to be installed.
fn is_other_requirements_file(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_text = ends_in(name, "txt") || !lower.contains('.');
    name != "requirements.txt"
        && is_text
        && (lower.starts_with("requirement") || lower == "reqs.txt")
        && is_for_production(&lower)
}

fn ends_in(name: &str, extension: &str) -> bool {
    let (_, found) = name.rsplit_once('.').unwrap_or_default();
    found.eq_ignore_ascii_case(extension)
}

fn is_for_production(name: &str) -> bool {
    let words = ["dev", "test", "lint", "doc", "ci.", "-ci", "_ci", "build", "local", "constraint"];
    !words.iter().any(|word| name.contains(word))
}

/// Whether a requirements file has anything but comments.
fn has_lines(text: &str) -> bool {
    text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
}

#[cfg(test)]
mod tests;
