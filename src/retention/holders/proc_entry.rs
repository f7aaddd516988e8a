//! Which folders a process uses, as /proc shows it.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use memchr::memmem;

use super::UsedAs;
use super::sockets::Sockets;
use crate::disk::file_id;

/// A folder that somebody may hold.
pub(super) struct Folder<'a> {
    pub(super) path: &'a Path,
    pub(super) canonical: PathBuf,
    /// With a slash behind it, as it begins the paths of what is in it.
    prefix: Vec<u8>,
    identity: (u64, u64),
}

impl<'a> Folder<'a> {
    /// `None` when it is not there.
    pub(super) fn new(path: &'a PathBuf) -> Option<Folder<'a>> {
        let canonical = path.canonicalize().ok()?;
        let identity = file_id(&fs::metadata(&canonical).ok()?);
        let prefix = [canonical.as_os_str().as_bytes(), b"/"].concat();
        Some(Folder { path, canonical, prefix, identity })
    }

    fn has(&self, path: &[u8]) -> bool {
        path.starts_with(&self.prefix) || path == &self.prefix[..self.prefix.len() - 1]
    }
}

/// The variables of a process that say which env it runs in, or where its modules are.
const VARIABLES: [&str; 2] = ["VIRTUAL_ENV", "PYTHONPATH"];

/// A process by its folder in /proc.
pub(super) struct ProcEntry<'a> {
    proc: PathBuf,
    folders: &'a [Folder<'a>],
    /// It names its paths in another way: it has a mount namespace of its own, as services and
    /// containers do.
    is_foreign: bool,
}

impl<'a> ProcEntry<'a> {
    pub(super) fn new(
        pid: u32,
        own_namespace: Option<&Path>,
        folders: &'a [Folder<'a>],
    ) -> ProcEntry<'a> {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        let namespace = fs::read_link(proc.join("ns/mnt")).ok();
        let is_foreign = namespace.is_some() && namespace.as_deref() != own_namespace;
        ProcEntry { proc, folders, is_foreign }
    }

    /// The folders that it uses, each with the first use that was found. Of a process of somebody
    /// else nothing can be seen but its arguments.
    pub(super) fn uses(&self, sockets: &mut Sockets) -> HashMap<PathBuf, UsedAs> {
        let mut uses = HashMap::new();
        let mut add = |path: &Path, used_as| {
            uses.entry(path.to_owned()).or_insert(used_as);
        };
        let arguments = fs::read(self.proc.join("cmdline")).unwrap_or_default();
        for argument in self.paths(&arguments, b"\0=:,") {
            self.named_by(argument.as_bytes()).for_each(|path| add(path, UsedAs::Argument));
        }
        // A kernel thread has none, and of somebody else's process it cannot be seen.
        let Some(program) = self.link("exe") else { return uses };
        let links = [(self.link("root"), UsedAs::Root), (Some(program), UsedAs::Program)];
        let links = links.into_iter().filter_map(|(path, used_as)| Some((path?, used_as)));
        let working = self.working_directories().into_iter().map(PathBuf::into_os_string);
        let links = working.map(|path| (path, UsedAs::WorkingDirectory)).chain(links);
        let open = self.open_files();
        let sockets = self.sockets(&open, sockets).into_iter().map(|path| (path, UsedAs::Socket));
        // What is no file has no path: `socket:[4711]`.
        let open = open.into_iter().filter(|path| path.is_absolute());
        let open = open.map(|path| (path.into_os_string(), UsedAs::OpenFile));
        let mapped = self.mapped_files().into_iter().map(|path| (path, UsedAs::MappedFile));
        let variables = self.variables();
        let paths: Vec<_> =
            links.chain(variables).chain(open).chain(sockets).chain(mapped).collect();
        for (path, used_as) in &paths {
            self.named_by(path.as_bytes()).for_each(|path| add(path, *used_as));
        }
        if self.is_foreign {
            self.above("cwd").iter().for_each(|path| add(path, UsedAs::WorkingDirectory));
            self.above("root").iter().for_each(|path| add(path, UsedAs::Root));
            let mut looked_at = HashSet::new();
            for (path, used_as) in &paths {
                self.reached_by(path, &mut looked_at).iter().for_each(|path| add(path, *used_as));
            }
        }
        uses
    }

    /// The folders that a path in this process's words is in.
    fn named_by(&self, path: &[u8]) -> impl Iterator<Item = &'a Path> {
        self.folders.iter().filter(move |folder| folder.has(path)).map(|folder| folder.path)
    }

    /// The folders that are this one, or above it, whatever they are called in there.
    fn above(&self, link: &str) -> Vec<&'a Path> {
        /// No path is deeper.
        const DEEPEST: usize = 2048;
        let mut found = Vec::new();
        let mut path = self.proc.join(link).join(".");
        let mut last = None;
        for _ in 0..DEEPEST {
            let Ok(metadata) = fs::metadata(&path) else { break };
            let this = file_id(&metadata);
            if last == Some(this) {
                break;
            }
            found.extend(self.identified(this));
            last = Some(this);
            path.push("..");
        }
        found
    }

    /// The folders that hold a file, by what is above it where this process would look for it.
    fn reached_by(&self, path: &OsStr, looked_at: &mut HashSet<PathBuf>) -> Vec<&'a Path> {
        let root = self.proc.join("root");
        let mut found = Vec::new();
        for folder in Path::new(path).ancestors().skip(1) {
            if !looked_at.insert(folder.to_owned()) {
                break;
            }
            let Ok(folder) = folder.strip_prefix("/") else { break };
            if let Ok(metadata) = fs::symlink_metadata(root.join(folder)) {
                found.extend(self.identified(file_id(&metadata)));
            }
        }
        found
    }

    fn identified(&self, identity: (u64, u64)) -> Option<&'a Path> {
        self.folders.iter().find(|folder| folder.identity == identity).map(|folder| folder.path)
    }

    fn link(&self, name: &str) -> Option<OsString> {
        fs::read_link(self.proc.join(name)).ok().map(PathBuf::into_os_string)
    }

    /// What its open descriptors lead to.
    fn open_files(&self) -> HashSet<PathBuf> {
        let entries = fs::read_dir(self.proc.join("fd")).into_iter().flatten().flatten();
        entries.filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
    }

    /// The files of the Unix sockets among them. A relative path is from the folder where it was
    /// bound, which is most likely still the process's own.
    fn sockets(&self, open: &HashSet<PathBuf>, sockets: &mut Sockets) -> Vec<OsString> {
        let inode = |path: &PathBuf| -> Option<u64> {
            path.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        };
        let inodes: Vec<_> = open.iter().filter_map(inode).collect();
        if inodes.is_empty() {
            return Vec::new();
        }
        let named = sockets.of(&self.proc);
        let paths = inodes.iter().filter_map(|inode| named.get(inode));
        let folder = self.link("cwd").map(PathBuf::from).unwrap_or_default();
        paths
            .map(|path| folder.join(path))
            // It may have been bound by way of a link.
            .flat_map(|path| [in_canonical_folder(&path), Some(path)])
            .flatten()
            .map(PathBuf::into_os_string)
            .collect()
    }

    fn mapped_files(&self) -> HashSet<OsString> {
        let text = fs::read(self.proc.join("maps")).unwrap_or_default();
        let is_named = |folder: &Folder<'_>| memmem::find(&text, &folder.prefix).is_some();
        // Most processes use nothing of a site, and their maps are long.
        if !self.is_foreign && !self.folders.iter().any(is_named) {
            return HashSet::new();
        }
        let mut last: &[u8] = b"";
        let mut found = HashSet::new();
        for line in text.split(|byte| *byte == b'\n') {
            let Some(at) = line.iter().position(|byte| *byte == b'/') else { continue };
            // A library has several lines, one behind the other.
            if line[at..] != *last {
                last = &line[at..];
                found.insert(OsString::from_vec(last.to_vec()));
            }
        }
        found
    }

    /// Or only its environment, after `bin/activate`, or where it looks for modules.
    fn variables(&self) -> Vec<(OsString, UsedAs)> {
        let text = fs::read(self.proc.join("environ")).unwrap_or_default();
        let values = text.split(|byte| *byte == 0).filter_map(|variable| {
            VARIABLES.into_iter().find_map(|name| {
                let value = variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
                Some((name, value))
            })
        });
        values
            .flat_map(|(name, value)| {
                let paths = self.paths(value, b":").into_iter();
                paths.map(move |path| (path, UsedAs::Variable(name)))
            })
            .collect()
    }

    /// The paths in a text, between these signs. Python does not keep its modules open, and
    /// `bin/python` is a link to a program elsewhere: often only the command line tells which env a
    /// process runs in (`--venv=/x`, `PYTHONPATH=/x:/y`). It may do so from the folder that the
    /// process is in, or by way of a link.
    fn paths(&self, text: &[u8], signs: &[u8]) -> Vec<OsString> {
        let mut found = Vec::new();
        let mut here = None;
        for path in text.split(|byte| signs.contains(byte)) {
            let path = if path.starts_with(b"/") {
                PathBuf::from(OsStr::from_bytes(path))
            } else if path.contains(&b'/') {
                let Some(here) = here.get_or_insert_with(|| self.link("cwd")) else { continue };
                Path::new(here).join(OsStr::from_bytes(path))
            } else {
                continue;
            };
            let ways = [in_canonical_folder(&path), path.canonicalize().ok(), Some(path)];
            found.extend(ways.into_iter().flatten().map(PathBuf::into_os_string));
        }
        found
    }

    /// The working directories of its threads. A server may give each its own: `CLONE_FS` of
    /// unshare(2).
    fn working_directories(&self) -> HashSet<PathBuf> {
        let threads = fs::read_dir(self.proc.join("task")).into_iter().flatten().flatten();
        threads.filter_map(|thread| fs::read_link(thread.path().join("cwd")).ok()).collect()
    }
}

/// The same file by the way to its folder that has no links. The file may be one itself, as
/// `bin/python` is.
fn in_canonical_folder(path: &Path) -> Option<PathBuf> {
    Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?))
}
