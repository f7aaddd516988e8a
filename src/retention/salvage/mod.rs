//! What a running application wrote into its release, outside of what is shared, is saved before
//! the release goes.

mod salvaged;
mod written;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use anyhow::{Context, Result};
use git2::{ObjectType, Oid};
use jiff::Timestamp;

pub use salvaged::Salvaged;
pub use written::Scan;

use crate::disk;
use crate::git::{CommitTree, Kind, Repository};
use crate::site::{DeploymentId, Record, Settings, Site};
use written::Written;

/// Moves what the application wrote into a release to `SITE/kept/N`; `None` when it wrote nothing,
/// or has never run.
///
/// Fails when something cannot be moved: the release must not be removed then.
pub fn salvage(
    site: &Site,
    settings: &Settings,
    release: DeploymentId,
    scan: Scan,
) -> Result<Option<Salvaged>> {
    let salvage = Salvage::new(site, settings, release, site.release(release))?;
    salvage.scan(Path::new(""), scan)?;
    Ok(salvage.salvaged())
}

/// The files of a release that were written since a time, relative to it; see
/// [`Salvage::written`].
pub(super) fn written_since(release: &Path, since: SystemTime, scan: Scan) -> Result<Vec<PathBuf>> {
    // A folder that was moved here belongs to what was moved.
    Written { since }.below(release, Path::new(""), scan, &|_| true)
}

/// The files that a commit has in a folder, by their names.
type Files = HashMap<String, Oid>;

/// Saves what an application wrote into a release that is about to go, wherever its folder is now.
pub struct Salvage<'a> {
    site: &'a Site,
    settings: &'a Settings,
    release: DeploymentId,
    root: PathBuf,
    /// `None` when somebody has deleted it: then nothing tells what the application wrote, and all
    /// that is in the release may be its own.
    record: Option<Record>,
    /// Of the folders that were asked for: a folder may be large, and all that is in it have been
    /// touched.
    committed: Mutex<HashMap<PathBuf, Arc<Files>>>,
    /// What was moved, relative to the release.
    files: Mutex<Vec<PathBuf>>,
}

impl<'a> Salvage<'a> {
    pub fn new(
        site: &'a Site,
        settings: &'a Settings,
        release: DeploymentId,
        root: PathBuf,
    ) -> Result<Salvage<'a>> {
        let record = site.record(release)?;
        let (committed, files) = (Mutex::default(), Mutex::default());
        Ok(Salvage { site, settings, release, root, record, committed, files })
    }

    /// Moves away what the application wrote below a path in the release, which may be a file, or
    /// be gone.
    pub fn scan(&self, at: &Path, scan: Scan) -> Result<()> {
        let nothing_tells = self.record.is_none() || self.clock_was_set_back();
        let since = if nothing_tells { Some(SystemTime::UNIX_EPOCH) } else { self.since() };
        let files = self.written_since(since, at, scan)?;
        // One thread at a time: two must not find the same name unused.
        let mut moved = self.files();
        let kept = self.site.kept_of(self.release);
        for file in files {
            let to = unused(&kept.join(&file));
            disk::create_dir_all(to.parent().context("a file has no folder")?)?;
            disk::move_file(&self.root.join(&file), &to, &kept)?;
            moved.push(file);
        }
        Ok(())
    }

    /// The files that the application wrote below a path in the release, relative to it.
    pub fn written(&self, at: &Path, scan: Scan) -> Result<Vec<PathBuf>> {
        self.written_since(self.since(), at, scan)
    }

    fn written_since(
        &self,
        since: Option<SystemTime>,
        at: &Path,
        scan: Scan,
    ) -> Result<Vec<PathBuf>> {
        // Nobody wrote into what has never been live.
        let Some(since) = since else { return Ok(Vec::new()) };
        let is_known = |folder: &Path| self.has_folder(folder);
        let mut files = Written { since }.below(&self.root, at, scan, &is_known)?;
        files.retain(|file| !self.is_as_committed(file));
        Ok(files)
    }

    /// What is newer than this was written by the application; `None` when nothing was.
    fn since(&self) -> Option<SystemTime> {
        self.record.as_ref()?.activated_at.map(SystemTime::from)
    }

    /// Whether the machine's clock was set back while this release was live, as far as one sees:
    /// then the times of files do not tell what the application wrote, and all that is not in the
    /// commit may be its own.
    fn clock_was_set_back(&self) -> bool {
        let activated_at = self.record.as_ref().and_then(|record| record.activated_at);
        let Some(activated_at) = activated_at else { return false };
        // A deployment starts when the one before it is over.
        let newer = self.site.records_from(self.release.next()).unwrap_or_default();
        activated_at > Timestamp::now()
            || newer.iter().any(|newer| newer.started_at.is_some_and(|it| it < activated_at))
    }

    /// The paths that would have to be shared so that these files are in every release, each with
    /// how many of them are below it.
    pub fn places(&self, files: &[PathBuf]) -> BTreeMap<String, usize> {
        if files.is_empty() {
            return BTreeMap::new();
        }
        let repository = self.repository();
        let tree = repository
            .as_ref()
            .zip(self.record.as_ref())
            .and_then(|(repository, it)| tree_of(repository, it));
        let mut known = HashMap::new();
        let mut places = BTreeMap::new();
        for file in files {
            let place = to_be_shared(file, |folder| {
                *known.entry(folder.to_owned()).or_insert_with(|| {
                    // A link cannot be in what a link leads to.
                    let holds_shared =
                        self.settings.shared.iter().any(|it| it.path().starts_with(folder));
                    !holds_shared && is_a_place(tree.as_ref(), folder)
                })
            });
            *places.entry(place).or_default() += 1;
        }
        places
    }

    /// Whether the commit has a file of this name.
    pub fn is_committed(&self, file: &Path) -> bool {
        let folder = self.committed(file.parent().unwrap_or(Path::new("")));
        file.file_name().and_then(|name| name.to_str()).is_some_and(|it| folder.contains_key(it))
    }

    fn has_folder(&self, folder: &Path) -> bool {
        let listed = || {
            let repository = self.repository()?;
            let tree = tree_of(&repository, self.record.as_ref()?)?;
            Some(!tree.list(folder.to_str()?).ok()?.is_empty())
        };
        listed().unwrap_or(false)
    }

    /// What was moved away; `None` when nothing was.
    pub fn salvaged(&self) -> Option<Salvaged> {
        let mut files = std::mem::take(&mut *self.files());
        if files.is_empty() {
            return None;
        }
        files.sort();
        let mut shared: BTreeSet<String> =
            self.settings.shared.iter().map(ToString::to_string).collect();
        shared.extend(self.places(&files).into_keys());
        let has_record = self.record.is_some();
        let shared = shared.into_iter().collect();
        Some(Salvaged { release: self.release, has_record, files, shared })
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
/// in it but names like `.gitkeep`, and folders of the same kind.
fn is_a_place(tree: Option<&CommitTree<'_>>, folder: &Path) -> bool {
    let entries = tree.zip(folder.to_str()).and_then(|(tree, path)| tree.list(path).ok());
    entries.is_none_or(|entries| {
        entries.iter().all(|(name, entry)| {
            name.starts_with('.')
                || entry.kind == Kind::Folder && is_a_place(tree, &folder.join(name))
        })
    })
}
