//! What holds a folder: a process that still uses it, or a mount below it. Such a folder is neither
//! removed nor moved, and nothing in it is.

mod proc_entry;
mod sockets;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use proc_entry::{Folder, ProcEntry};
use sockets::Sockets;

use crate::console;
use crate::disk::Mounted;
use crate::disk::mounts::{self, Mounts, Place};
use crate::site::{Site, entry_name, is_release_folder};
use crate::text::{shell_word, toml_string};

/// Why a folder stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    Process(Process),
    Mount(Mounted),
    /// A part of it is mounted here, outside of it.
    Shown(PathBuf),
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
    Socket,
    MappedFile,
    Argument,
    /// This variable of its environment.
    Variable(&'static str),
    /// In its mount namespace something is mounted in the folder, or a part of it elsewhere.
    Mount,
}

/// Something that is not needed, and is not removed for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it is: `release 3`, `env 2`.
    pub what: String,
    pub holder: Holder,
}

impl Held {
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
            Holder::Process(_) | Holder::Shown(_) => None,
        }
    }

    /// What to do so that it need not stay.
    pub fn fix(&self) -> String {
        match &self.holder {
            Holder::Process(_) => "it goes with the first push after the process has ended".into(),
            Holder::Shown(at) => format!("umount {}", shell_word(at)),
            Holder::Mount(mounted) => match &self.shared()[..] {
                [] => format!("umount {}", shell_word(&mounted.mounts[0])),
                shared => {
                    let named = shared.iter().map(|path| toml_string(path));
                    format!(
                        "unmount it, set shared = [{}] in nyala.toml, and mount it at shared/{}",
                        named.collect::<Vec<_>>().join(", "),
                        shared[0].escape_debug()
                    )
                }
            },
        }
    }

    /// Logs what stays: a line for all that is only in use, a warning for each mount.
    pub fn log(all: &[Held]) {
        if let Some(used) = Held::used(all) {
            console::info(used);
        }
        for held in all.iter().filter(|held| !held.is_used()) {
            console::warning(held);
            console::hint(held.fix());
        }
    }

    /// The line for all of these that is only in use; `None` when that is nothing.
    pub fn used(all: &[Held]) -> Option<String> {
        let used = all.iter().filter(|held| held.is_used());
        let used: Vec<_> = used.map(|held| held.what.as_str()).collect();
        let s = if used.len() == 1 { "s" } else { "" };
        let used = (!used.is_empty()).then(|| used.join(", "))?;
        Some(format!(
            "Still used by a process, so it stay{s} for now: {used} (nyala gc says by which)."
        ))
    }

    fn is_used(&self) -> bool {
        matches!(self.holder, Holder::Process(_))
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not removed: {}", self.what, self.holder)
    }
}

/// The releases, envs, staging tree and leftovers of a site in which something is mounted, or of
/// which a part is mounted elsewhere.
pub fn mounted(site: &Site) -> Vec<Held> {
    let releases = site.release_ids().unwrap_or_default().into_iter().map(|id| site.release(id));
    let envs = site.env_ids().unwrap_or_default().into_iter().map(|id| site.env(id));
    let temporaries = site.temporary_ids().unwrap_or_default();
    let temporaries = temporaries.into_iter().map(|id| site.temporary(id));
    let staging = [site.staging_tree()];
    let kept = releases.chain(envs).chain(temporaries).chain(staging).map(|path| {
        let was = path.strip_prefix(site.root()).unwrap_or(&path).to_owned();
        (path, was)
    });
    let trash = site.trash().into_iter().map(|trash| (trash.path, trash.was));
    let all: Vec<_> = kept.chain(trash).collect();
    let paths: Vec<_> = all.iter().map(|(path, _)| path.clone()).collect();
    let mut found = holders_but_processes(&paths);
    let held = |(path, was): (PathBuf, PathBuf)| {
        Some(Held { what: entry_name(&was), holder: found.remove(&path)? })
    };
    all.into_iter().filter_map(held).collect()
}

/// Finds what holds each of these folders, as far as this process can see; those that nothing holds
/// are not in the result. Looks through /proc once for all of them, and not at all for none.
pub fn holders(folders: &[PathBuf]) -> HashMap<PathBuf, Holder> {
    let folders: Vec<_> = folders.iter().filter_map(Folder::new).collect();
    if folders.is_empty() {
        return HashMap::new();
    }
    let own_mounts = Mounts::own();
    let places = places(&folders, &own_mounts);
    let mut found = mounted_or_shown(&folders, &own_mounts, &places);
    let own_namespace = fs::read_link("/proc/self/ns/mnt").ok();
    let mut namespaces: HashSet<_> = Mounts::first_id(std::process::id()).into_iter().collect();
    let mut sockets = Sockets::default();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids.filter(|pid| *pid != std::process::id()) {
        let entry = ProcEntry::new(pid, own_namespace.as_deref(), &folders);
        let is_new = Mounts::first_id(pid).is_some_and(|id| namespaces.insert(id));
        let mounts = if is_new { mounts_in_namespace(pid, &places) } else { Vec::new() };
        for (path, used_as) in entry.uses(&mut sockets).into_iter().chain(mounts) {
            let command = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let process = Process { pid, command: command.trim_end().to_owned(), used_as };
            found.entry(path).or_insert(Holder::Process(process));
        }
    }
    found
}

/// What [`holders`] finds without a look at any other process.
pub(super) fn holders_but_processes(folders: &[PathBuf]) -> HashMap<PathBuf, Holder> {
    let folders: Vec<_> = folders.iter().filter_map(Folder::new).collect();
    if folders.is_empty() {
        return HashMap::new();
    }
    let own_mounts = Mounts::own();
    mounted_or_shown(&folders, &own_mounts, &places(&folders, &own_mounts))
}

fn places<'f>(folders: &'f [Folder<'f>], mounts: &Mounts) -> Vec<(&'f Folder<'f>, Place)> {
    folders.iter().filter_map(|it| Some((it, mounts.place(&it.canonical)?))).collect()
}

fn mounted_or_shown(
    folders: &[Folder<'_>],
    own_mounts: &Mounts,
    places: &[(&Folder<'_>, Place)],
) -> HashMap<PathBuf, Holder> {
    let mut found = HashMap::new();
    for folder in folders {
        let mounts = mounts::below(&folder.canonical).unwrap_or_default();
        if !mounts.is_empty() {
            let path = folder.path.to_owned();
            found.insert(path.clone(), Holder::Mount(Mounted { path, mounts }));
        }
    }
    for touch in own_mounts.touches() {
        for (folder, place) in places {
            if touch.from.is_in(place) && !touch.point.starts_with(&folder.canonical) {
                let shown = Holder::Shown(touch.point.to_owned());
                found.entry(folder.path.to_owned()).or_insert(shown);
            }
        }
    }
    found
}

/// The folders that a mount in the namespace of a process shows, or hides a part of. Removing them
/// would take that mount away.
fn mounts_in_namespace(pid: u32, places: &[(&Folder<'_>, Place)]) -> Vec<(PathBuf, UsedAs)> {
    let Some(mounts) = Mounts::of_process(pid) else { return Vec::new() };
    let mut found = Vec::new();
    for touch in mounts.touches() {
        let is_in = |place: &Place| {
            touch.from.is_in(place) || touch.onto.as_ref().is_some_and(|onto| onto.is_in(place))
        };
        let held = places.iter().filter(|(_, place)| is_in(place));
        found.extend(held.map(|(folder, _)| (folder.path.to_owned(), UsedAs::Mount)));
    }
    found
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Process(Process { pid, command, used_as }) => {
                write!(f, "process {pid} ({}) still uses it ({used_as})", command.escape_debug())
            }
            Holder::Shown(at) => write!(
                f,
                "it, or a part of it, is also mounted at {}",
                at.to_string_lossy().escape_debug()
            ),
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
            UsedAs::Socket => "Unix socket",
            UsedAs::MappedFile => "mapped file",
            UsedAs::Argument => "command line",
            UsedAs::Variable(name) => name,
            UsedAs::Mount => "mount",
        })
    }
}
