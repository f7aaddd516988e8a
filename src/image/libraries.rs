//! What an image without a base needs of this machine: the libraries of all that is in it, with the
//! loader, a shell, and the few files that programs expect everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::check::Lacks;
use super::contents::Contents;
use super::layer::{Link, Owner, Part, Rules};
use super::loader::{self, Files};
use crate::disk;
use crate::elf::{self, Object};
use crate::python::env::normal;

/// Programs that scripts and commands are run by.
const PROGRAMS: [(&str, &str); 2] = [("/bin/sh", "bin/sh"), ("/usr/bin/env", "usr/bin/env")];

/// Further files that Python's own library reads.
const FILES: [&str; 3] = ["/etc/mime.types", "/etc/protocols", "/etc/services"];

/// Folders of the same kind: the time zones, and the locale that processes have on the site, which
/// newer versions of glibc have in themselves.
const FOLDERS: [Folder; 3] = [
    // Of this machine, and the same zones in other forms, which only some old programs ask for.
    Folder { path: "/usr/share/zoneinfo", leaves_out: &["localtime", "posix", "right"] },
    Folder { path: "/usr/lib/locale/C.UTF-8", leaves_out: &[] },
    Folder { path: "/usr/lib/locale/C.utf8", leaves_out: &[] },
];

/// What glibc opens by itself: when a thread ends, and, before 2.34, to find another machine.
const OPENED_LATER: [&str; 3] = ["libgcc_s.so.1", "libnss_dns.so.2", "libnss_files.so.2"];

/// Where machines keep the certificates of authorities.
const CERTIFICATES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Where they are in the image.
pub(super) const CERTIFICATES_TO: &str = "etc/ssl/certs/ca-certificates.crt";

/// Whether this machine has what is missing in an image, for an object whose own folders are looked
/// in as well, and those that `LD_LIBRARY_PATH` names on the site.
pub(super) fn is_here(lacks: &Lacks, object: &Object, more: &[PathBuf]) -> bool {
    let own = run_paths(object, None);
    let folders: Vec<_> = own.chain(more.iter().cloned()).chain(loader_folders()).collect();
    let find = |name: &str| {
        let path = Path::new(name);
        let paths = folders.iter().map(|folder| folder.join(path));
        paths.filter_map(|path| read(&path).ok()?).find(|it| it.machine == object.machine)
    };
    match lacks {
        Lacks::Library(name) => find(name).is_some(),
        Lacks::Loader(path) => Path::new(path).exists(),
        Lacks::Version { library, version, .. } => find(library)
            .is_some_and(|found| found.defines.is_empty() || found.defines.contains(version)),
    }
}

/// The libraries of this machine that were found.
struct Closure {
    /// Where the loader of this machine looks.
    folders: Vec<PathBuf>,
    /// By their names.
    found: BTreeMap<String, PathBuf>,
    loaders: BTreeSet<String>,
}

/// The parts of the layer below all others; `above` is what is in those. `first` are the folders
/// that are looked in before those of the loader.
pub(super) fn parts(
    above: &Contents,
    owner: Owner,
    first: &[PathBuf],
) -> Result<Vec<Part<'static>>> {
    let folders = first.iter().cloned().chain(loader_folders()).collect();
    let mut closure = Closure { folders, found: BTreeMap::new(), loaders: BTreeSet::new() };
    let mut machine = None;
    for (path, object) in above.objects() {
        machine = machine.or(Some(object.machine));
        for name in &object.needed {
            if above.library(name, path, object, &[]).is_none() && !above.has_file_named(name) {
                closure.add(name, object, None)?;
            }
        }
        closure.loaders.extend(object.interpreter.clone());
    }
    let mut parts = Vec::new();
    for (from, to) in PROGRAMS {
        let Ok(from) = Path::new(from).canonicalize() else { continue };
        if let Some(object) = read(&from)? {
            machine = machine.or(Some(object.machine));
            for name in &object.needed {
                closure.add(name, &object, from.parent())?;
            }
            closure.loaders.extend(object.interpreter);
        }
        parts.push(Part::Copy { from, to: to.to_owned() });
    }
    if let Some(machine) = machine {
        let glibc = Object { machine, ..Object::default() };
        OPENED_LATER.iter().try_for_each(|name| closure.add(name, &glibc, None))?;
    }
    parts.extend(closure.parts());
    if let Some(from) = certificates() {
        parts.push(Part::Copy { from, to: CERTIFICATES_TO.to_owned() });
    }
    let files = FILES.iter().filter(|path| Path::new(path).is_file());
    parts.extend(files.map(|path| Part::Copy { from: path.into(), to: path[1..].to_owned() }));
    let folders = FOLDERS.iter().filter(|folder| Path::new(folder.path).is_dir());
    parts.extend(folders.map(|folder| Part::Tree {
        from: folder.path.into(),
        to: folder.path[1..].to_owned(),
        rules: folder,
    }));
    parts.extend(common(owner));
    parts.sort_by(|one, other| to_of(one).cmp(to_of(other)));
    Ok(parts)
}

/// The file of this machine with the certificates of authorities, if it has one.
pub(super) fn certificates() -> Option<PathBuf> {
    CERTIFICATES.iter().map(PathBuf::from).find(|path| path.is_file())
}

/// A folder that is the same in the image.
struct Folder {
    path: &'static str,
    /// Names at its top.
    leaves_out: &'static [&'static str],
}

impl Rules for Folder {
    fn skips(&self, path: &Path, _: &Metadata) -> bool {
        path.to_str().is_some_and(|path| self.leaves_out.contains(&path))
    }

    fn link(&self, path: &Path, target: &Path) -> Result<Link> {
        let from = Path::new(self.path).join(path);
        let leads_to = normal(&from.parent().unwrap_or(&from).join(target));
        Ok(match leads_to.strip_prefix(self.path) {
            Ok(_) => Link::To(target.to_owned()),
            Err(_) if from.is_file() => Link::File(from),
            Err(_) => Link::Nothing,
        })
    }

    fn content(&self, _: &Path, _: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

fn common(owner: Owner) -> Vec<Part<'static>> {
    let Owner { user, group, .. } = owner;
    let text = |to: &str, text: String| {
        let (to, bytes) = (to.to_owned(), text.into_bytes());
        Part::Bytes { to, bytes, mode: 0o644 }
    };
    let (mut users, mut groups) =
        ("root:x:0:0:root:/root:/bin/sh\n".to_owned(), "root:x:0:\n".to_owned());
    if user != 0 {
        // The only folder that everybody may write into.
        users += &format!("app:x:{user}:{group}::/tmp:/bin/sh\n");
    }
    if group != 0 {
        groups += &format!("app:x:{group}:\n");
    }
    let tmp = Owner { is_open: true, ..Owner::default() };
    vec![
        text("etc/passwd", users),
        text("etc/group", groups),
        text("etc/nsswitch.conf", "hosts: files dns\n".to_owned()),
        Part::Folder { to: "tmp".to_owned(), owner: tmp },
    ]
}

fn to_of<'p>(part: &'p Part<'_>) -> &'p str {
    match part {
        Part::Folder { to, .. }
        | Part::Bytes { to, .. }
        | Part::Copy { to, .. }
        | Part::Link { to, .. }
        | Part::Tree { to, .. } => to,
    }
}

impl Closure {
    /// Adds a library that an object of this machine needs, with all that it needs itself. One that
    /// this machine does not have is not missed here, either. `origin` is the folder of the object,
    /// where it is one of this machine.
    fn add(&mut self, name: &str, of: &Object, origin: Option<&Path>) -> Result<()> {
        if self.found.contains_key(name) || name.contains('/') {
            return Ok(());
        }
        let folders: Vec<_> = run_paths(of, origin).chain(self.folders.clone()).collect();
        for folder in folders {
            let path = folder.join(name);
            if !path.is_file() {
                continue;
            }
            let path = path.canonicalize().with_context(|| format!("cannot read {name}"))?;
            let Some(object) = read(&path)?.filter(|object| object.machine == of.machine) else {
                continue;
            };
            self.found.insert(name.to_owned(), path);
            for needed in &object.needed {
                self.add(needed, &object, Some(&folder))?;
            }
            return Ok(());
        }
        Ok(())
    }

    /// All in one folder in which the loader looks by itself: that of its own libc.
    fn parts(self) -> Vec<Part<'static>> {
        let libc = self.found.iter().find(|(name, _)| name.starts_with("libc."));
        let folder = libc.and_then(|(_, path)| path.parent()).unwrap_or(Path::new("/usr/lib"));
        let folder = folder.to_string_lossy().trim_start_matches('/').to_owned();
        let mut parts = Vec::new();
        for loader in &self.loaders {
            if let Ok(from) = Path::new(loader).canonicalize() {
                parts.push(Part::Copy { from, to: loader.trim_start_matches('/').to_owned() });
            }
        }
        for (name, from) in self.found {
            parts.push(Part::Copy { from, to: format!("{folder}/{name}") });
        }
        parts
    }
}

fn read(path: &Path) -> Result<Option<Object>> {
    let reading = || format!("cannot read {}", path.display());
    elf::read(&File::open(path).with_context(reading)?).with_context(reading)
}

/// The folders of this machine that an object names, as far as they are known without its own,
/// `origin`.
fn run_paths<'f>(object: &'f Object, origin: Option<&'f Path>) -> impl Iterator<Item = PathBuf> {
    let folder = move |named: &String| match origin {
        Some(origin) => {
            let named = named.replace("${ORIGIN}", "$ORIGIN");
            PathBuf::from(named.replace("$ORIGIN", &origin.to_string_lossy()))
        }
        None => PathBuf::from(named),
    };
    object.run_paths.iter().map(folder).filter(|folder| folder.is_absolute())
}

/// Where the loader of this machine looks; see ld.so(8).
fn loader_folders() -> Vec<PathBuf> {
    let own = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"].map(PathBuf::from);
    loader::for_ldconfig(&ThisMachine).into_iter().map(PathBuf::from).chain(own).collect()
}

struct ThisMachine;

impl Files for ThisMachine {
    fn text(&self, path: &str) -> Option<String> {
        disk::read_to_string(path).ok()
    }

    fn names(&self, folder: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_that_an_object_names_are_looked_in_first() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        fs::create_dir(&own).unwrap();
        // Any library of this machine, which only that folder has by these names.
        let libc = loader_folders().into_iter().map(|it| it.join("libm.so.6"));
        let libc = libc.chain(["/lib/x86_64-linux-gnu/libm.so.6".into()]);
        let Some(library) = libc.into_iter().find(|it| it.is_file()) else { return };
        fs::copy(&library, own.join("libnear.so.1")).unwrap();
        let machine = read(&library).unwrap().unwrap().machine;
        let mut closure =
            Closure { folders: loader_folders(), found: BTreeMap::new(), loaders: BTreeSet::new() };
        let of =
            |run_path: String| Object { machine, run_paths: vec![run_path], ..Object::default() };
        closure.add("libnear.so.1", &of("/nowhere".to_owned()), None).unwrap();
        assert!(closure.found.is_empty());
        let origin = folder.path();
        closure.add("libnear.so.1", &of("$ORIGIN/own".to_owned()), Some(origin)).unwrap();
        assert!(closure.found.contains_key("libnear.so.1"));
        assert!(closure.found.keys().any(|name| name.starts_with("libc.")), "what it needs, too");
    }
}
