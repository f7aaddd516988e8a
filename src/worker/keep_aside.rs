//! What a running application wrote into its release, outside of what is shared, is saved before the release goes.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use git2::{ObjectType, Oid};

use crate::console;
use crate::disk;
use crate::git::{CommitTree, Kind, Repository};
use crate::site::{Record, Settings, Site};

/// How many files a log names.
const NAMED: usize = 10;

/// Files that were moved out of a release that is about to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAside {
    pub release: u64,
    /// Where they are now, relative to the release.
    pub files: Vec<PathBuf>,
    /// What `shared` in nyala.toml would have to be.
    pub shared: Vec<String>,
}

/// Moves what the application wrote into a release to `SITE/kept/N`; `None` when it wrote nothing, or has never run.
///
/// Fails when something cannot be moved: the release must not be removed then.
pub fn keep_aside(site: &Site, settings: &Settings, release: u64) -> Result<Option<KeptAside>> {
    let Some(record) = site.record(release)? else { return Ok(None) };
    let Some(since) = record.activated_at else { return Ok(None) };
    let root = site.release(release);
    let mut files = written_since(&root, since.into());
    if files.is_empty() {
        return Ok(None);
    }
    // Without its commit nothing is known of the tree, and everything that is new counts.
    let repository = Repository::open(&site.repository(settings)).ok();
    let tree = repository.as_ref().and_then(|repository| tree_of(repository, &record));
    if let Some(tree) = &tree {
        files.retain(|file| !is_as_in(tree, &root, file));
    }
    if files.is_empty() {
        return Ok(None);
    }
    let kept = site.kept(release);
    for file in &files {
        let to = kept.join(file);
        disk::create_dir_all(to.parent().context("a file has no folder")?)?;
        disk::rename(&root.join(file), &to)?;
    }
    let mut shared: BTreeSet<String> = settings.shared.iter().map(ToString::to_string).collect();
    shared.extend(files.iter().map(|file| to_be_shared(tree.as_ref(), file)));
    Ok(Some(KeptAside { release, files, shared: shared.into_iter().collect() }))
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
        let shared: Vec<_> = shared.iter().map(|path| toml::Value::from(path.as_str()).to_string()).collect();
        write!(f, "To have such files in every release: shared = [{}] in nyala.toml", shared.join(", "))
    }
}

/// The files below a release that are newer than it is, relative to it and sorted. What Python caches is left out, and
/// so is the env, which is not the release's; links are no data.
fn written_since(root: &Path, since: SystemTime) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        let has_new_names = fs::symlink_metadata(&path).is_ok_and(|folder| is_after(folder.modified(), since));
        for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Ok(metadata) = entry.metadata() else { continue };
            let is_env = folder.as_os_str().is_empty() && name == "env";
            if is_env || name == "__pycache__" || Path::new(&name).extension().is_some_and(|it| it == "pyc") {
                continue;
            }
            if metadata.is_dir() {
                folders.push(folder.join(name));
            } else if metadata.is_file() && is_new(&metadata, since, has_new_names) {
                found.push(folder.join(name));
            }
        }
    }
    found.sort();
    found
}

/// Whether a file was made or written since then. One that was moved here with its old times is told by its folder, which
/// has new names, and by its change time. That alone says nothing: `chown -R` and a new hard link change it as well.
fn is_new(metadata: &Metadata, since: SystemTime, folder_has_new_names: bool) -> bool {
    use std::os::unix::fs::MetadataExt;
    let changed = u64::try_from(metadata.ctime()).unwrap_or_default();
    let nanoseconds = u32::try_from(metadata.ctime_nsec()).unwrap_or_default();
    let changed = SystemTime::UNIX_EPOCH + std::time::Duration::new(changed, nanoseconds);
    is_after(metadata.modified(), since)
        || is_after(metadata.created(), since)
        || (folder_has_new_names && metadata.nlink() == 1 && changed > since)
}

/// A time that a file system does not keep is none.
fn is_after(time: std::io::Result<SystemTime>, since: SystemTime) -> bool {
    time.is_ok_and(|time| time > since)
}

fn tree_of<'a>(repository: &'a Repository, record: &Record) -> Option<CommitTree<'a>> {
    match &record.tree {
        Some(tree) => repository.tree_with_id(repository.oid(tree).ok()?).ok(),
        None => repository.tree(&repository.commit(&record.commit).ok()?).ok(),
    }
}

/// Whether a file is what the commit has there: somebody only touched it.
fn is_as_in(tree: &CommitTree<'_>, root: &Path, file: &Path) -> bool {
    let entry = file.to_str().and_then(|path| tree.entry(path).ok().flatten());
    let Some(entry) = entry.filter(|entry| entry.kind == Kind::File) else {
        return false;
    };
    Oid::hash_file_ext(ObjectType::Blob, root.join(file), entry.oid.object_format()).is_ok_and(|oid| oid == entry.oid)
}

/// The path that would have kept a file: the outermost folder that is the application's own, or that the tree has only as
/// a place for such files (with nothing in it but names like `.gitkeep`); else the file itself.
fn to_be_shared(tree: Option<&CommitTree<'_>>, file: &Path) -> String {
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    let mut folders: Vec<_> = file.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
    folders.reverse();
    let is_place = |folder: &&&Path| {
        let names = tree.zip(folder.to_str()).and_then(|(tree, path)| tree.list(path).ok());
        names.is_none_or(|names| names.iter().all(|(name, _)| name.starts_with('.')))
    };
    folders.iter().find(is_place).map_or_else(|| shown(file), |folder| shown(folder))
}
