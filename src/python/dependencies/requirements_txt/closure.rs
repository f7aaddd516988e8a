//! Reading everything that a requirements file leads to.

mod statements;

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::super::record::{Found, Line, Local, LocalKind, Recorded, Role};
use super::super::text::{without_credentials, without_secrets};
use super::super::tree::{Resolved, Tree, leads_above, normalized_path, resolve};
use super::decode::{has_bom, text_of};
use super::error::{ClosureError, Location, Mention};
use super::line::{Logical, logical};
use super::options::{Setting, Statement, statement};
use super::spec::Spec;
use crate::checkout::LFS_SPEC;
use crate::hex::hex;

/// The most bytes that all requirements files may have together.
const MOST_BYTES: u64 = 10 << 20;
/// The most requirements files there may be, and the most lines in all of them.
const MOST_FILES: usize = 1000;
const MOST_LINES: usize = 100_000;
/// How deep `-r` may nest; each level costs some stack.
const DEEPEST: usize = 100;

/// Everything in a commit that decides what pip installs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    /// The requirements and constraints files, in the order in which pip reads them.
    pub files: Vec<SourceFile>,
    /// The app settings that they read with `${NAME}`, set or not, sorted.
    pub variables: Vec<String>,
    /// The folders outside the commit that `--find-links` names, by their absolute paths.
    pub find_links: Vec<String>,
    /// The files that are not Unicode, and are read by what their `coding:` line says.
    pub not_utf_8: Vec<String>,
    /// Whether something of it is above the tree, elsewhere in the commit.
    pub leads_above: bool,
    recorded: Recorded,
}

/// A requirements file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// As it was named, tidied.
    pub path: String,
    /// Object id in hex.
    pub id: String,
}

impl Closure {
    /// SHA-256, in hex, of everything; see [`Recorded::fingerprint`].
    pub fn fingerprint(&self) -> &str {
        &self.recorded.fingerprint
    }

    /// What the env's marker keeps, and what [`super::compare`] compares.
    pub fn record(&self) -> &Recorded {
        &self.recorded
    }
}

/// Reads the requirements file `root` of a tree and all that it leads to.
///
/// `setting` gives the environment variables that pip will see, for `${NAME}`. Paths in
/// requirements are relative to the tree, which pip is run in; those of `-r` and `-c` to the file
/// that names them; those of `--find-links` to either.
///
/// Fails when pip is bound to fail: a file that is missing or is none, a circle, an encoding or a
/// line nobody can read.
pub fn closure(
    tree: &impl Tree,
    root: &str,
    setting: &impl Fn(&str) -> Option<String>,
) -> Result<Closure, ClosureError> {
    closure_with(tree, root, &[], setting)
}

/// The same, with what pip's own settings make it read `also`, relative to the tree.
pub fn closure_with(
    tree: &impl Tree,
    root: &str,
    setting_files: &[SettingFile],
    setting: &impl Fn(&str) -> Option<String>,
) -> Result<Closure, ClosureError> {
    let mut reader = Reader::new(tree, setting);
    let root = Named { path: root.to_owned(), shown: normalized_path(root) };
    reader.file(&root, Role::Requirement, None)?;
    setting_files.iter().try_for_each(|file| reader.setting_file(file))?;
    Ok(reader.finish())
}

/// The same of requirements that are no requirements file: `file` at the top of the tree names
/// them in its own way.
pub(in crate::python::dependencies) fn closure_of(
    tree: &impl Tree,
    file: &str,
    requirements: &[String],
    setting_files: &[SettingFile],
    setting: &impl Fn(&str) -> Option<String>,
) -> Result<Closure, ClosureError> {
    let mut reader = Reader::new(tree, setting);
    let named = Named { path: file.to_owned(), shown: file.to_owned() };
    for requirement in requirements {
        add(&mut reader.hash, &[b"requirement", requirement.as_bytes()]);
        for line in logical(requirement, setting, &mut reader.variables) {
            reader.line(&named, Role::Requirement, &Logical { number: 0, ..line })?;
        }
    }
    setting_files.iter().try_for_each(|file| reader.setting_file(file))?;
    Ok(reader.finish())
}

/// Something in the tree that a setting of the installer names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFile {
    pub path: String,
    pub role: SettingFileRole,
    /// The setting.
    pub by: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingFileRole {
    Requirements,
    Constraints,
    FindLinks,
}

/// How a file was named: by the path that leads to it, and by one that may be shown.
struct Named {
    path: String,
    shown: String,
}

/// A line in the middle of being read.
struct Reading<'a> {
    file: &'a Named,
    role: Role,
    location: Location,
    /// The line without its secrets.
    text: String,
    digest: Option<String>,
}

struct Reader<'a, T, S> {
    tree: &'a T,
    setting: &'a S,
    files: Vec<SourceFile>,
    variables: BTreeSet<String>,
    recorded: Recorded,
    bytes: u64,
    hash: Sha256,
    /// What has been read: how it was named, where it is, and what for.
    seen: BTreeSet<(String, String, Role)>,
    /// The folders that `--find-links` has named.
    offered: BTreeSet<String>,
    /// Those that lie outside the commit.
    find_links: BTreeSet<String>,
    not_utf_8: BTreeSet<String>,
    leads_above: bool,
    /// The files that are being read, each named by the one before: where they are.
    open: Vec<String>,
}

impl<'a, T: Tree, S: Fn(&str) -> Option<String>> Reader<'a, T, S> {
    fn new(tree: &'a T, setting: &'a S) -> Self {
        Reader {
            tree,
            setting,
            files: Vec::new(),
            variables: BTreeSet::new(),
            recorded: Recorded::default(),
            bytes: 0,
            hash: Sha256::new(),
            seen: BTreeSet::new(),
            offered: BTreeSet::new(),
            find_links: BTreeSet::new(),
            not_utf_8: BTreeSet::new(),
            leads_above: false,
            open: Vec::new(),
        }
    }

    fn finish(mut self) -> Closure {
        if self.leads_above {
            // What is above the tree is in no release, so nothing can be used where it is.
            for local in &mut self.recorded.local {
                if local.kind == LocalKind::Editable {
                    local.kind = LocalKind::Folder;
                }
            }
        }
        self.recorded.local.sort();
        self.recorded.local.dedup();
        self.recorded.found.sort();
        self.recorded.found.dedup();
        for line in &self.recorded.lines {
            if let Some(digest) = &line.digest {
                add(&mut self.hash, &[b"line", digest.as_bytes()]);
            }
        }
        for Local { path, kind, id, whole_tree: _ } in &self.recorded.local {
            let kind = format!("{kind:?}");
            add(&mut self.hash, &[kind.as_bytes(), path.as_bytes(), id.as_bytes()]);
        }
        for Found { path, id } in &self.recorded.found {
            add(&mut self.hash, &[b"found", path.as_bytes(), id.as_bytes()]);
        }
        self.recorded.fingerprint = hex(&self.hash.finalize());
        Closure {
            files: self.files,
            variables: self.variables.into_iter().collect(),
            find_links: self.find_links.into_iter().collect(),
            not_utf_8: self.not_utf_8.into_iter().collect(),
            leads_above: self.leads_above,
            recorded: self.recorded,
        }
    }

    fn setting_file(&mut self, file: &SettingFile) -> Result<(), ClosureError> {
        let SettingFile { path, role, by } = file;
        let role = match role {
            SettingFileRole::Requirements => Role::Requirement,
            SettingFileRole::Constraints => Role::Constraint,
            SettingFileRole::FindLinks => return self.links(std::slice::from_ref(path)),
        };
        let named = Named { path: path.clone(), shown: normalized_path(path) };
        let location = Location { file: by.clone(), line: 0 };
        self.file(&named, role, Some(Mention { location, text: without_secrets(path) }))
    }

    fn file(&mut self, file: &Named, role: Role, at: Option<Mention>) -> Result<(), ClosureError> {
        let (id, path) = self.locate(file, at)?;
        self.leads_above |= leads_above(&path);
        if let Some(first) = self.open.iter().position(|open| *open == path) {
            let mut chain = self.open.split_off(first);
            chain.push(path);
            return Err(ClosureError::Cycle { chain });
        }
        if !self.seen.insert((normalized_path(&file.path), path.clone(), role)) {
            return Ok(());
        }
        if self.seen.len() > MOST_FILES || self.open.len() >= DEEPEST {
            let (most, what) = match self.open.len() {
                DEEPEST => (DEEPEST, "levels of -r"),
                _ => (MOST_FILES, "files"),
            };
            let path = file.shown.clone();
            return Err(ClosureError::TooMany { path, most, what });
        }

        let text = self.read(file, &id, &path)?;
        self.open.push(path);
        for line in logical(&text, self.setting, &mut self.variables) {
            self.line(file, role, &line)?;
        }
        self.open.pop();
        Ok(())
    }

    /// The id of a file, and where it is.
    fn locate(&self, file: &Named, at: Option<Mention>) -> Result<(String, String), ClosureError> {
        let path = file.shown.clone();
        let at = at.map(Box::new);
        let not_a_file = |path, what, at| Err(ClosureError::NotAFile { path, what, at });
        match resolve(self.tree, &file.path)? {
            Resolved::File { id, path } => Ok((id, path)),
            Resolved::Missing => Err(ClosureError::Missing { path, at }),
            Resolved::Folder { .. } => not_a_file(path, "a folder", at),
            Resolved::Submodule { .. } => {
                not_a_file(path, "in a submodule that is not checked out", at)
            }
            Resolved::Outside { link: None } => Err(ClosureError::Outside { path, at }),
            Resolved::Outside { link: Some((link, target)) } => {
                Err(ClosureError::LeavesTree { path, link, target, at })
            }
            Resolved::Loop => Err(ClosureError::LinkLoop { path, at }),
        }
    }

    fn read(&mut self, file: &Named, id: &str, at: &str) -> Result<String, ClosureError> {
        let path = file.shown.clone();
        let size = self.tree.size(id)?;
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > MOST_BYTES {
            return Err(ClosureError::TooLarge { path, total: self.bytes, most: MOST_BYTES });
        }
        let bytes = self.tree.written(at)?;
        // What a pointer stands for is not in the commit, and takes its place before pip runs.
        if bytes.starts_with(LFS_SPEC.as_bytes()) {
            return Err(ClosureError::NotAFile { path, what: "kept in Git LFS", at: None });
        }
        add(&mut self.hash, &[b"file", path.as_bytes(), &bytes]);
        self.files.push(SourceFile { path: path.clone(), id: id.to_owned() });
        if !has_bom(&bytes) && str::from_utf8(&bytes).is_err() {
            self.not_utf_8.insert(path.clone());
        }
        text_of(path, &bytes)
    }

    fn line(&mut self, file: &Named, role: Role, line: &Logical) -> Result<(), ClosureError> {
        let text = without_secrets(&line.text);
        let location = Location { file: file.shown.clone(), line: line.number };
        let meant = statement(&line.expanded).map_err(|problem| ClosureError::Line {
            location: location.clone(),
            text: text.clone(),
            problem,
        })?;
        // What may be shown and kept is read from the text without secrets, as long as that says
        // the same kind of thing.
        let visible =
            if text == line.expanded { Some(meant.clone()) } else { statement(&text).ok() };
        let counts = without_credentials(&line.expanded);
        let reading = Reading {
            digest: (counts != text).then(|| hex(&Sha256::digest(counts))),
            file,
            role,
            location,
            text,
        };

        match (meant, visible) {
            (Statement::Include { path, constraint }, visible) => {
                let visible = match visible {
                    Some(Statement::Include { path, .. }) => Some(path),
                    _ => None,
                };
                self.include(&reading, &path, visible, constraint)
            }
            (Statement::Requirement { editable, spec, hashes, .. }, visible) => {
                let meant = Spec::parse(&spec, editable);
                let visible = visible.unwrap_or(Statement::Options(Vec::new()));
                self.requirement(&reading, editable, &meant, &hashes, visible)
            }
            (Statement::Options(meant), Some(Statement::Options(visible)))
                if same_names(&meant, &visible) =>
            {
                for (meant, visible) in meant.iter().zip(&visible) {
                    self.option(&reading, visible)?;
                    self.find_links(&reading, meant)?;
                }
                Ok(())
            }
            (Statement::Options(meant), _) => {
                let visible = Setting { name: reading.text.clone(), value: None };
                self.option(&reading, &visible)?;
                meant.iter().try_for_each(|meant| self.find_links(&reading, meant))
            }
        }
    }

    fn push(&mut self, line: Line) -> Result<(), ClosureError> {
        if self.recorded.lines.len() >= MOST_LINES {
            return Err(ClosureError::TooMany { path: line.file, most: MOST_LINES, what: "lines" });
        }
        self.recorded.lines.push(line);
        Ok(())
    }
}

impl Reading<'_> {
    fn mention(&self) -> Mention {
        Mention { location: self.location.clone(), text: self.text.clone() }
    }

    /// A line of which nothing is known but its key and its text.
    fn line(&self, key: String, text: String) -> Line {
        Line {
            role: self.role,
            key,
            file: self.location.file.clone(),
            number: self.location.line,
            text,
            extras: BTreeSet::new(),
            version: String::new(),
            source: None,
            hashes: BTreeSet::new(),
            options: Vec::new(),
            editable: false,
            digest: self.digest.clone(),
        }
    }
}

fn same_names(one: &[Setting], other: &[Setting]) -> bool {
    one.iter().map(|s| &s.name).eq(other.iter().map(|s| &s.name))
}

/// Hashes each part with its length, so that no two lists of parts give the same bytes.
fn add(hash: &mut Sha256, parts: &[&[u8]]) {
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
}
