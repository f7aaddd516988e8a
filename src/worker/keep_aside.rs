//! What a running application wrote into its release, outside of what is shared, is saved before
//! the release goes.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::iter;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use git2::{ObjectType, Oid};

use crate::console;
use crate::disk;
use crate::git::{CommitTree, Kind, Repository};
use crate::site::{DeploymentId, Record, Settings, Site};

/// How many files a log names.
const NAMED: usize = 10;

/// Files that were moved out of a release that is about to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAside {
    pub release: DeploymentId,
    /// Where they are now, relative to the release.
    pub files: Vec<PathBuf>,
    /// What `shared` in nyala.toml would have to be.
    pub shared: Vec<String>,
}

/// Moves what the application wrote into a release to `SITE/kept/N`; `None` when it wrote nothing,
/// or has never run.
///
/// Fails when something cannot be moved: the release must not be removed then.
pub fn keep_aside(
    site: &Site,
    settings: &Settings,
    release: DeploymentId,
    look: Look,
) -> Result<Option<KeptAside>> {
    let rescue = Rescue::new(site, settings, release, site.release(release), None)?;
    rescue.look(Path::new(""), look)?;
    Ok(rescue.kept())
}

/// How closely a release is looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// At every file.
    AtFiles,
    /// At the files of those folders in which a name is new. What was written in place without
    /// making one is not seen.
    AtNames,
}

/// The files that a commit has in a folder, by their names.
type Files = HashMap<String, Oid>;

/// Saves what an application wrote into a release that is about to go, wherever its folder is now.
pub(super) struct Rescue<'a> {
    site: &'a Site,
    settings: &'a Settings,
    release: DeploymentId,
    root: PathBuf,
    /// From when on nyala itself has written there again.
    until: Option<SystemTime>,
    /// Nothing is known of a release that has never been live, and nobody wrote into it.
    record: Option<Record>,
    /// Of the folders that were asked for: a folder may be large, and all that is in it have been
    /// touched.
    committed: Mutex<HashMap<PathBuf, Arc<Files>>>,
    /// What was moved, relative to the release.
    files: Mutex<Vec<PathBuf>>,
}

impl<'a> Rescue<'a> {
    pub(super) fn new(
        site: &'a Site,
        settings: &'a Settings,
        release: DeploymentId,
        root: PathBuf,
        until: Option<SystemTime>,
    ) -> Result<Rescue<'a>> {
        let record = site.record(release)?;
        let (committed, files) = (Mutex::default(), Mutex::default());
        Ok(Rescue { site, settings, release, root, until, record, committed, files })
    }

    /// Moves away what the application wrote below a path in the release, which may be a file, or
    /// be gone.
    pub(super) fn look(&self, at: &Path, look: Look) -> Result<()> {
        let Some(record) = &self.record else { return Ok(()) };
        let Some(since) = record.activated_at else { return Ok(()) };
        let mut files =
            Written { since: since.into(), until: self.until }.below(&self.root, at, look)?;
        files.retain(|file| !self.is_as_committed(file));
        // One thread at a time: two must not find the same name unused.
        let mut moved = self.files();
        for file in files {
            let to = unused(&self.site.kept(self.release).join(&file));
            disk::create_dir_all(to.parent().context("a file has no folder")?)?;
            disk::rename(&self.root.join(&file), &to)?;
            moved.push(file);
        }
        Ok(())
    }

    /// What was moved away; `None` when nothing was.
    pub(super) fn kept(&self) -> Option<KeptAside> {
        let mut files = std::mem::take(&mut *self.files());
        if files.is_empty() {
            return None;
        }
        files.sort();
        let repository = self.repository();
        let tree = repository
            .as_ref()
            .zip(self.record.as_ref())
            .and_then(|(repository, it)| tree_of(repository, it));
        let mut shared: BTreeSet<String> =
            self.settings.shared.iter().map(ToString::to_string).collect();
        let mut places = HashMap::new();
        shared.extend(files.iter().map(|file| {
            to_be_shared(file, |folder| {
                *places
                    .entry(folder.to_owned())
                    .or_insert_with(|| is_a_place(tree.as_ref(), folder))
            })
        }));
        Some(KeptAside { release: self.release, files, shared: shared.into_iter().collect() })
    }

    /// Whether a file is what the commit has there: somebody only touched it.
    fn is_as_committed(&self, file: &Path) -> bool {
        let committed = self.committed(file.parent().unwrap_or(Path::new("")));
        let oid = file.file_name().and_then(|name| committed.get(name.to_str()?));
        oid.is_some_and(|wanted| {
            let found =
                Oid::hash_file_ext(ObjectType::Blob, self.root.join(file), wanted.object_format());
            found.is_ok_and(|found| found == *wanted)
        })
    }

    fn committed(&self, folder: &Path) -> Arc<Files> {
        let mut known = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        // Without its commit nothing is known of the tree, and everything that is new counts.
        let files = known
            .entry(folder.to_owned())
            .or_insert_with(|| Arc::new(self.read(folder).unwrap_or_default()));
        Arc::clone(files)
    }

    fn read(&self, folder: &Path) -> Option<Files> {
        let repository = self.repository()?;
        let entries = tree_of(&repository, self.record.as_ref()?)?.list(folder.to_str()?).ok()?;
        let files = entries.into_iter().filter(|(_, entry)| entry.kind == Kind::File);
        Some(files.map(|(name, entry)| (name, entry.oid)).collect())
    }

    fn repository(&self) -> Option<Repository> {
        Repository::open(&self.site.repository(self.settings)).ok()
    }

    fn files(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A path where nothing is: this one, or one with a number behind it.
fn unused(path: &Path) -> PathBuf {
    let numbered = (1_u64..).map(|number| {
        let mut path = path.as_os_str().to_owned();
        path.push(format!(".{number}"));
        PathBuf::from(path)
    });
    let mut paths = iter::once(path.to_owned()).chain(numbered);
    paths.find(|path| fs::symlink_metadata(path).is_err()).unwrap_or_else(|| path.to_owned())
}

impl KeptAside {
    /// Says in the log what was kept, where, and how to have it kept by itself.
    pub fn log(&self) {
        let mut lines = self.to_string();
        let hint = lines.split_off(lines.find("To have").unwrap_or(lines.len()));
        console::warning(lines.trim_end());
        console::hint(hint);
    }
}

impl fmt::Display for KeptAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KeptAside { release, files, shared } = self;
        let (count, s) = (files.len(), if files.len() == 1 { "" } else { "s" });
        writeln!(
            f,
            "the application wrote {count} file{s} into release {release}, which is removed; kept in kept/{release}:"
        )?;
        for file in files.iter().take(NAMED) {
            writeln!(f, "  {}", file.display().to_string().escape_debug())?;
        }
        if count > NAMED {
            writeln!(f, "  and {} more", count - NAMED)?;
        }
        let mut named: Vec<_> = shared
            .iter()
            .take(NAMED)
            .map(|path| toml::Value::from(path.as_str()).to_string())
            .collect();
        named.extend((shared.len() > NAMED).then(|| format!("and {} more", shared.len() - NAMED)));
        write!(
            f,
            "To have such files in every release: shared = [{}] in nyala.toml",
            named.join(", ")
        )
    }
}

/// When the application wrote, and nobody else did.
struct Written {
    since: SystemTime,
    until: Option<SystemTime>,
}

impl Written {
    /// The files below a path in a release that were written then, relative to the release and
    /// sorted. What Python caches is left out, and so is the env, which is not the release's; links
    /// are no data. Fails when something cannot be looked at.
    fn below(&self, root: &Path, at: &Path, look: Look) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut folders = Vec::new();
        let path = root.join(at);
        match unless_gone(fs::symlink_metadata(&path), &path)? {
            _ if is_no_data(at) => {}
            Some(there) if there.is_dir() => folders.push(at.to_owned()),
            Some(there) if there.is_file() => {
                let folder =
                    at.parent().and_then(|folder| fs::symlink_metadata(root.join(folder)).ok());
                if self.has(&there, folder.is_some_and(|folder| self.has_new_names(&folder))) {
                    found.push(at.to_owned());
                }
            }
            _ => {}
        }
        while let Some(folder) = folders.pop() {
            let path = root.join(&folder);
            let Some(metadata) = unless_gone(fs::symlink_metadata(&path), &path)? else { continue };
            let has_new_names = self.has_new_names(&metadata);
            let looks_at_files = has_new_names || look == Look::AtFiles;
            // Its names are two, the own one and `.`, when no folder in it adds a `..`. Where a
            // file system does not count so, it is 1.
            if !looks_at_files && metadata.nlink() == 2 {
                continue;
            }
            for entry in unless_gone(fs::read_dir(&path), &path)?.into_iter().flatten() {
                let entry = entry.with_context(|| cannot_look(&path))?;
                let inside = folder.join(entry.file_name());
                let Some(kind) = unless_gone(entry.file_type(), &path)? else { continue };
                if is_no_data(&inside) {
                    continue;
                }
                if kind.is_dir() {
                    folders.push(inside);
                } else if looks_at_files
                    && kind.is_file()
                    && unless_gone(entry.metadata(), &path)?
                        .is_some_and(|metadata| self.has(&metadata, has_new_names))
                {
                    found.push(inside);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn has_new_names(&self, folder: &Metadata) -> bool {
        is_after(folder.modified(), self.since)
    }

    /// Whether a file was made or written then. One that was moved here with its old times is told
    /// by its folder, which has new names, and by its change time. That alone says nothing: `chown
    /// -R` and a new hard link change it as well.
    fn has(&self, file: &Metadata, folder_has_new_names: bool) -> bool {
        let changed = u64::try_from(file.ctime()).unwrap_or_default();
        let nanoseconds = u32::try_from(file.ctime_nsec()).unwrap_or_default();
        let changed = SystemTime::UNIX_EPOCH + Duration::new(changed, nanoseconds);
        let is_new = is_after(file.modified(), self.since)
            || is_after(file.created(), self.since)
            || (folder_has_new_names && file.nlink() == 1 && changed > self.since);
        // What nyala writes is a new file under an old name. The change time alone says nothing
        // here either.
        let is_before = |time: io::Result<SystemTime>, until| time.is_ok_and(|time| time < until);
        let is_older = |until| {
            changed < until || is_before(file.modified(), until) || is_before(file.created(), until)
        };
        is_new && self.until.is_none_or(is_older)
    }
}

/// What was seen at a path; `None` when it is gone meanwhile.
fn unless_gone<T>(seen: io::Result<T>, path: &Path) -> Result<Option<T>> {
    match seen {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        seen => seen.map(Some).with_context(|| cannot_look(path)),
    }
}

fn cannot_look(path: &Path) -> String {
    format!("cannot look at {}", path.display())
}

/// Whether this path in a release is the env or in it, or is what Python caches.
fn is_no_data(path: &Path) -> bool {
    path.starts_with("env")
        || path.components().any(|name| name.as_os_str() == "__pycache__")
        || path.extension().is_some_and(|it| it == "pyc")
}

/// A time that a file system does not keep is none.
fn is_after(time: io::Result<SystemTime>, since: SystemTime) -> bool {
    time.is_ok_and(|time| time > since)
}

fn tree_of<'a>(repository: &'a Repository, record: &Record) -> Option<CommitTree<'a>> {
    match &record.tree {
        Some(tree) => repository.tree_with_id(repository.oid(tree).ok()?).ok(),
        None => repository.tree(&repository.commit(&record.commit).ok()?).ok(),
    }
}

/// The path that would have kept a file: the outermost folder that is a place for such files, else
/// the file itself.
fn to_be_shared(file: &Path, mut is_a_place: impl FnMut(&Path) -> bool) -> String {
    let mut folders: Vec<_> =
        file.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
    folders.reverse();
    let place = folders.into_iter().find(|folder| is_a_place(folder));
    place.unwrap_or(file).to_string_lossy().into_owned()
}

/// Whether a folder is the application's own, or is in the tree only for such files, with nothing
/// in it but names like `.gitkeep`.
fn is_a_place(tree: Option<&CommitTree<'_>>, folder: &Path) -> bool {
    let names = tree.zip(folder.to_str()).and_then(|(tree, path)| tree.list(path).ok());
    names.is_none_or(|names| names.iter().all(|(name, _)| name.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_many_files_stays_short() {
        let files: Vec<_> =
            (0..2_000).map(|number| PathBuf::from(format!("{number}.json"))).collect();
        let shared = files.iter().map(|file| file.display().to_string()).collect();
        let said = KeptAside { release: DeploymentId::of(7), files, shared }.to_string();
        assert!(said.contains("  9.json\n  and 1990 more\n"), "{said}");
        assert!(said.ends_with("\"9.json\", and 1990 more] in nyala.toml"), "{said}");
    }

    #[test]
    fn a_folder_that_cannot_be_looked_at_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let [release, other] = ["release", "other"].map(|name| folder.path().join(name));
        let deep = iter::repeat_n("d".repeat(200), 12).collect::<PathBuf>();
        fs::create_dir_all(release.join(&deep)).unwrap();
        let written = Written { since: SystemTime::UNIX_EPOCH, until: None };
        fs::write(release.join(&deep).join("file"), "").unwrap();
        assert_eq!(
            written.below(&release, Path::new(""), Look::AtFiles).unwrap(),
            [deep.join("file")]
        );
        assert!(written.below(&release, Path::new("gone/file"), Look::AtFiles).unwrap().is_empty());
        assert!(
            written.below(&release, &deep.join("file/below"), Look::AtFiles).unwrap().is_empty()
        );

        // No path is so long.
        fs::create_dir_all(other.join(&deep)).unwrap();
        fs::rename(other, release.join(&deep).join("other")).unwrap();
        assert!(written.below(&release, Path::new(""), Look::AtFiles).is_err());
    }
}
