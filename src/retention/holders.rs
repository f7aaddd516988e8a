//! What holds a folder: a process that still uses it, or a mount below it. Such a folder is neither
//! removed nor moved, and nothing in it is.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, Metadata};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use memchr::memmem;

use crate::console;
use crate::disk::{Mounted, mounts};
use crate::site::{Site, entry_name, is_release_folder};

/// Why a folder stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    Process(Process),
    Mount(Mounted),
}

/// A process that uses a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// The name of its program. Arguments may hold secrets.
    pub command: String,
    pub used_as: UsedAs,
}

/// What a process uses a folder as; see `proc_pid_cwd(5)` and its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsedAs {
    WorkingDirectory,
    Root,
    Program,
    OpenFile,
    MappedFile,
    Argument,
}

/// Something that is not needed, and is not removed for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stays {
    /// What it is: `release 3`, `env 2`.
    pub what: String,
    pub holder: Holder,
}

impl Stays {
    /// What has been mounted into a release, and is not part of it: the paths that `shared` would
    /// have to name.
    fn shared(&self) -> Vec<String> {
        let Holder::Mount(Mounted { path, mounts }) = &self.holder else { return Vec::new() };
        if !is_release_folder(path) {
            return Vec::new();
        }
        let path = path.canonicalize().unwrap_or_else(|_| path.clone());
        let mut outermost: Vec<&Path> = Vec::new();
        // A mount in another one comes after it.
        for inside in mounts.iter().filter_map(|mount| mount.strip_prefix(&path).ok()) {
            if !outermost.iter().any(|outer| inside.starts_with(outer)) {
                outermost.push(inside);
            }
        }
        outermost.retain(|inside| !inside.as_os_str().is_empty());
        outermost.iter().map(|inside| inside.to_string_lossy().into_owned()).collect()
    }

    /// The folder that stays because something is mounted in it.
    pub fn path(&self) -> Option<&PathBuf> {
        match &self.holder {
            Holder::Mount(Mounted { path, .. }) => Some(path),
            Holder::Process(_) => None,
        }
    }

    /// What to do so that it need not stay.
    pub fn fix(&self) -> String {
        match &self.holder {
            Holder::Process(_) => "it goes with the first push after the process has ended".into(),
            Holder::Mount(mounted) => match &self.shared()[..] {
                [] => format!("umount {}", shell(&mounted.mounts[0])),
                shared => {
                    let quoted = shared.iter().map(|it| toml::Value::from(it.as_str()).to_string());
                    format!(
                        "unmount it, set shared = [{}] in nyala.toml, and mount it at shared/{}",
                        quoted.collect::<Vec<_>>().join(", "),
                        shared[0].escape_debug()
                    )
                }
            },
        }
    }

    /// Logs what stays: a line for all that is only in use, a warning for each mount.
    pub fn log(all: &[Stays]) {
        let is_used = |stays: &&Stays| matches!(stays.holder, Holder::Process(_));
        let used: Vec<_> = all.iter().filter(is_used).map(|stays| stays.what.as_str()).collect();
        if !used.is_empty() {
            let (used, s) = (used.join(", "), if used.len() == 1 { "s" } else { "" });
            console::info(format_args!(
                "Still used by a process, so it stay{s} for now: {used} (nyala gc says by which)."
            ));
        }
        for stays in all.iter().filter(|stays| !is_used(stays)) {
            console::warning(stays);
            console::hint(stays.fix());
        }
    }
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not removed: {}", self.what, self.holder)
    }
}

fn shell(path: &Path) -> String {
    shlex::try_quote(&path.to_string_lossy())
        .map_or_else(|_| path.display().to_string(), Into::into)
}

/// The releases, envs and leftovers of a site in which something is mounted.
pub fn mounted(site: &Site) -> Vec<Stays> {
    let releases = site.release_ids().unwrap_or_default().into_iter().map(|id| site.release(id));
    let envs = site.env_ids().unwrap_or_default().into_iter().map(|id| site.env(id));
    let temporaries = site.temporary_ids().unwrap_or_default();
    let temporaries = temporaries.into_iter().map(|id| site.temporary(id));
    let kept = releases.chain(envs).chain(temporaries).map(|path| {
        let was = path.strip_prefix(site.root()).unwrap_or(&path).to_owned();
        (path, was)
    });
    let trash = site.trash().into_iter().map(|trash| (trash.path, trash.was));
    let mut found = Vec::new();
    for (path, was) in kept.chain(trash) {
        let mounts = mounts::below(&path).unwrap_or_default();
        if !mounts.is_empty() {
            let holder = Holder::Mount(Mounted { path, mounts });
            found.push(Stays { what: entry_name(&was), holder });
        }
    }
    found
}

/// Finds what holds each of these folders, as far as this process can see; those that nothing holds
/// are not in the result. Looks through /proc once for all of them, and not at all for none.
pub fn holders(folders: &[PathBuf]) -> HashMap<PathBuf, Holder> {
    let folders: Vec<_> = folders.iter().filter_map(Folder::new).collect();
    if folders.is_empty() {
        return HashMap::new();
    }
    let mut found = HashMap::new();
    for folder in &folders {
        let mounts = mounts::below(&folder.canonical).unwrap_or_default();
        if !mounts.is_empty() {
            let path = folder.path.to_owned();
            found.insert(path.clone(), Holder::Mount(Mounted { path, mounts }));
        }
    }
    let own_namespace = fs::read_link("/proc/self/ns/mnt").ok();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids.filter(|pid| *pid != std::process::id()) {
        let seen = Seen::new(pid, own_namespace.as_deref(), &folders);
        for (path, used_as) in seen.uses() {
            let command = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let process = Process { pid, command: command.trim_end().to_owned(), used_as };
            found.entry(path).or_insert(Holder::Process(process));
        }
    }
    found
}

/// A folder that somebody may hold.
struct Folder<'a> {
    path: &'a Path,
    canonical: PathBuf,
    /// With a slash behind it, as it begins the paths of what is in it.
    prefix: Vec<u8>,
    identity: (u64, u64),
}

impl<'a> Folder<'a> {
    /// `None` when it is not there.
    fn new(path: &'a PathBuf) -> Option<Folder<'a>> {
        let canonical = path.canonicalize().ok()?;
        let identity = identity(&fs::metadata(&canonical).ok()?);
        let prefix = [canonical.as_os_str().as_bytes(), b"/"].concat();
        Some(Folder { path, canonical, prefix, identity })
    }

    fn has(&self, path: &[u8]) -> bool {
        path.starts_with(&self.prefix) || path == &self.prefix[..self.prefix.len() - 1]
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// A process as /proc shows it.
struct Seen<'a> {
    proc: PathBuf,
    folders: &'a [Folder<'a>],
    /// It names its paths in another way: it has a mount namespace of its own, as services and
    /// containers do.
    is_foreign: bool,
}

impl<'a> Seen<'a> {
    fn new(pid: u32, own_namespace: Option<&Path>, folders: &'a [Folder<'a>]) -> Seen<'a> {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        let namespace = fs::read_link(proc.join("ns/mnt")).ok();
        let is_foreign = namespace.is_some() && namespace.as_deref() != own_namespace;
        Seen { proc, folders, is_foreign }
    }

    /// The folders that it uses, each with the first use that was found. Of a process of somebody
    /// else nothing can be seen but its arguments.
    fn uses(&self) -> HashMap<PathBuf, UsedAs> {
        let mut uses = HashMap::new();
        let mut add = |path: &Path, used_as| {
            uses.entry(path.to_owned()).or_insert(used_as);
        };
        for argument in self.arguments() {
            self.named_by(argument.as_bytes()).for_each(|path| add(path, UsedAs::Argument));
        }
        // A kernel thread has none, and of somebody else's process it cannot be seen.
        let Some(program) = self.link("exe") else { return uses };
        let links = [
            (self.link("cwd"), UsedAs::WorkingDirectory),
            (self.link("root"), UsedAs::Root),
            (Some(program), UsedAs::Program),
        ];
        let links = links.into_iter().filter_map(|(path, used_as)| Some((path?, used_as)));
        let open = self.open_files().into_iter().map(|path| (path, UsedAs::OpenFile));
        let mapped = self.mapped_files().into_iter().map(|path| (path, UsedAs::MappedFile));
        let paths: Vec<_> = links.chain(open).chain(mapped).collect();
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
            let this = identity(&metadata);
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
                found.extend(self.identified(identity(&metadata)));
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

    fn open_files(&self) -> HashSet<OsString> {
        let entries = fs::read_dir(self.proc.join("fd")).into_iter().flatten().flatten();
        let files = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
        // What is no file has no path: `socket:[4711]`.
        files.filter(|path| path.is_absolute()).map(PathBuf::into_os_string).collect()
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

    /// Python does not keep its modules open, and `bin/python` is a link to a program elsewhere:
    /// often only this tells which env a process runs in.
    fn arguments(&self) -> Vec<OsString> {
        let text = fs::read(self.proc.join("cmdline")).unwrap_or_default();
        text.split(|byte| *byte == 0)
            .take(2)
            .filter(|argument| argument.starts_with(b"/"))
            .map(|argument| OsString::from_vec(argument.to_vec()))
            .collect()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Process(Process { pid, command, used_as }) => {
                write!(f, "process {pid} ({}) still uses it ({used_as})", command.escape_debug())
            }
            Holder::Mount(Mounted { mounts, .. }) => {
                let (first, more) = (mounts[0].display().to_string(), mounts.len() - 1);
                write!(f, "something is mounted at {}", first.escape_debug())?;
                if more > 0 { write!(f, " (and {more} more)") } else { Ok(()) }
            }
        }
    }
}

impl fmt::Display for UsedAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UsedAs::WorkingDirectory => "working directory",
            UsedAs::Root => "root directory",
            UsedAs::Program => "program",
            UsedAs::OpenFile => "open file",
            UsedAs::MappedFile => "mapped file",
            UsedAs::Argument => "command line",
        })
    }
}
