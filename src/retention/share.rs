//! `nyala share`: moves what the application wrote to `SITE/shared`, while it runs.
//!
//! All of it or nothing: whatever fails, what was done is undone. A path is exchanged with the link
//! that takes its place, so there is no moment at which it is not there.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::error;
use super::salvage::{Salvage, Scan};
use super::unshared::BESIDE;
use crate::disk::{self, mounts};
use crate::shared::make_folders_above;
use crate::site::lock::DeployLock;
use crate::site::{DeploymentId, Settings, SharedPath, Site};
use crate::user_error::Explain;

/// How long a transaction of SQLite may take that is in the middle of something.
const PATIENCE: Duration = Duration::from_secs(5);

/// A path that is shared now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub path: SharedPath,
    /// The release it came from; `None` when it was there already.
    pub from: Option<DeploymentId>,
}

/// Moves these paths from the live release, or the one that has them, to `SITE/shared`, links them
/// in the live release, and adds them to `shared` in nyala.toml. SQLite's files beside a database
/// go with it.
///
/// `from` is the release whose files are meant where several have some.
pub fn share(
    site: &Site,
    paths: &[SharedPath],
    from: Option<DeploymentId>,
    _lock: &DeployLock,
) -> Result<Vec<Moved>> {
    share_held(site, paths, from)
}

/// [`share`] for the worker, which holds the lock.
pub fn share_held(
    site: &Site,
    paths: &[SharedPath],
    from: Option<DeploymentId>,
) -> Result<Vec<Moved>> {
    let settings = site.settings()?;
    let live = site.live()?.ok_or_else(|| {
        let missing = paths.iter().filter(|path| !settings.shared.contains(path));
        error::nothing_to_share(settings.shared.iter().chain(missing))
    })?;
    for path in paths.iter().filter(|path| !settings.shared.contains(path)) {
        let mut there = settings.shared.iter();
        if let Some(outer) = there.find(|it| path.path().starts_with(it.path())) {
            bail!(error::part_of_shared(path, outer));
        }
    }
    let mut all = settings.shared.clone();
    all.extend(paths.iter().filter(|path| !settings.shared.contains(path)).cloned());
    site.check_shared(&all)?;
    let mut done = Undo(Vec::new());
    let mut moved = Vec::new();
    for path in paths {
        let from = source(site, &settings, live, path, from)?;
        if let Some(release) = from {
            done.share(site, release, path)
                .and_then(|()| if release == live { Ok(()) } else { done.link(site, live, path) })
                .explain(|| error::cannot_be_shared(path))?;
        }
        moved.push(Moved { path: path.clone(), from });
    }
    {
        let _guard = site.guard()?;
        site.set_shared(&all)?;
    }
    done.keep();
    Ok(moved)
}

/// The release that has a path; `None` when it is linked already.
fn source(
    site: &Site,
    settings: &Settings,
    live: DeploymentId,
    path: &SharedPath,
    from: Option<DeploymentId>,
) -> Result<Option<DeploymentId>> {
    let kind = |release: DeploymentId| {
        fs::symlink_metadata(site.release(release).join(path.path())).map(|it| it.file_type())
    };
    let is_linked = |release: DeploymentId| {
        let link = fs::read_link(site.release(release).join(path.path()));
        link.is_ok_and(|link| site.is_shared_link(path, &link))
    };
    if is_linked(live) && fs::symlink_metadata(site.shared().join(path.path())).is_ok() {
        return Ok(None);
    }
    let mut releases = site.release_ids()?;
    releases.sort_by_key(|id| (*id != live, std::cmp::Reverse(*id)));
    releases.retain(|id| kind(*id).is_ok_and(|kind| kind.is_dir() || kind.is_file()));
    if let Some(from) = from {
        return if releases.contains(&from) {
            Ok(Some(from))
        } else {
            Err(error::not_in_release(from, path).into())
        };
    }
    let mut written = Vec::new();
    for release in &releases {
        let salvage = Salvage::new(site, settings, *release, site.release(*release))?;
        if !salvage.written(path.path(), Scan::EveryFile)?.is_empty() {
            written.push(*release);
        }
    }
    match &written[..] {
        [] => {
            let newest = releases.first().copied().map(Some);
            newest.ok_or_else(|| error::in_no_release(path).into())
        }
        [one] => Ok(Some(*one)),
        several => Err(error::in_several(path, several, live).into()),
    }
}

fn is_same_file(one: &fs::Metadata, other: &Path) -> bool {
    fs::symlink_metadata(other).is_ok_and(|it| disk::file_id(&it) == disk::file_id(one))
}

/// Fails when a folder above a path in a release is a link: what it leads to is not the release's.
fn check_folders_above(site: &Site, release: DeploymentId, path: &SharedPath) -> Result<()> {
    for folder in path.folders_above() {
        let above = site.release(release).join(folder);
        if fs::symlink_metadata(&above).is_ok_and(|it| it.is_symlink()) {
            return Err(error::is_behind_a_link(release, path, &above).into());
        }
    }
    Ok(())
}

/// What takes back each step that was done, the last one first, unless all of them were.
struct Undo(Vec<Step>);

enum Step {
    Exchanged(PathBuf, PathBuf),
    Renamed {
        from: PathBuf,
        to: PathBuf,
    },
    Made(PathBuf),
    /// A file that has a second name by now; the first one goes in the end.
    Linked {
        old: PathBuf,
        new: PathBuf,
    },
}

impl Undo {
    /// Moves a path of a release to `SITE/shared`, and leaves a link.
    fn share(&mut self, site: &Site, release: DeploymentId, path: &SharedPath) -> Result<()> {
        let own = site.release(release).join(path.path());
        let shared = site.shared().join(path.path());
        let mounts = mounts::below(&own)?;
        if let Some(mount) = mounts.first() {
            let real = own.canonicalize().unwrap_or_else(|_| own.clone());
            let within = mount.strip_prefix(real).unwrap_or(Path::new(""));
            // Joining nothing would end the path in a slash.
            let place: PathBuf = shared.components().chain(within.components()).collect();
            return Err(error::is_mounted(mount, &place).into());
        }
        if fs::symlink_metadata(&shared).is_ok() {
            return Err(error::exists_already(&shared).into());
        }
        check_folders_above(site, release, path)?;
        make_folders_above(&site.shared(), path)?;
        self.move_files(&own, &shared, &site.shared_link_target(path)).map_err(|error| {
            // Only a rename loses nothing of what a running application writes meanwhile.
            if disk::is_across_file_systems(&error) {
                return error::is_on_another_disk(&own, &shared, path).into();
            }
            error
        })
    }

    /// Moves what is at a path, and the files that SQLite keeps beside a database.
    fn move_files(&mut self, own: &Path, shared: &Path, target: &Path) -> Result<()> {
        let named = |path: &Path, suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        wait_for_transaction(&named(own, BESIDE[2]))?;
        for suffix in BESIDE {
            let (old, new) = (named(own, suffix), named(shared, suffix));
            if fs::symlink_metadata(&old).is_ok_and(|it| it.is_file()) && own.is_file() {
                match fs::symlink_metadata(&new) {
                    Err(_) => disk::hard_link(&old, &new)?,
                    // A command that was killed here has left it.
                    Ok(there) if is_same_file(&there, &old) => {}
                    Ok(_) => return Err(error::exists_already(&new).into()),
                }
                self.0.push(Step::Linked { old, new });
            }
        }
        self.replace(own, shared, target)
    }

    /// Puts a link to `target` in place of what a release has at a path, if anything, and that to
    /// `aside`.
    fn replace(&mut self, own: &Path, aside: &Path, target: &Path) -> Result<()> {
        disk::symlink(target, aside)?;
        self.0.push(Step::Made(aside.to_owned()));
        if let Err(error) = disk::exchange(own, aside) {
            tracing::debug!("{error:#}");
            // Not every file system can. The path is gone for a moment.
            disk::remove_file(aside)?;
            self.0.pop();
            disk::rename(own, aside)?;
            self.0.push(Step::Renamed { from: own.to_owned(), to: aside.to_owned() });
            disk::symlink(target, own)?;
            self.0.push(Step::Made(own.to_owned()));
        } else {
            self.0.pop();
            self.0.push(Step::Exchanged(own.to_owned(), aside.to_owned()));
        }
        Ok(())
    }

    /// Links a path that is shared into the live release. What that had there is kept.
    fn link(&mut self, site: &Site, live: DeploymentId, path: &SharedPath) -> Result<()> {
        let own = site.release(live).join(path.path());
        let target = site.shared_link_target(path);
        make_folders_above(&site.release(live), path)?;
        if fs::symlink_metadata(&own).is_err() {
            disk::symlink(&target, &own)?;
            self.0.push(Step::Made(own));
            return Ok(());
        }
        let aside = site.kept_of(live).join(path.path());
        disk::create_dir_all(aside.parent().context("a path has no folder")?)?;
        self.replace(&own, &aside, &target)
    }

    fn keep(mut self) {
        for step in std::mem::take(&mut self.0) {
            if let Step::Linked { old, .. } = step
                && let Err(error) = disk::remove_file(&old)
            {
                tracing::debug!("{error:#}");
            }
        }
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        while let Some(step) = self.0.pop() {
            let undone = match step {
                Step::Exchanged(own, aside) => {
                    disk::exchange(&own, &aside).and_then(|()| disk::remove_file(&aside))
                }
                Step::Renamed { from, to } => disk::rename(&to, &from),
                Step::Made(link) => disk::remove_file(&link),
                Step::Linked { new, .. } => disk::remove_file(&new),
            };
            if let Err(error) = undone {
                tracing::warn!("{error:#}");
            }
        }
    }
}

/// Waits until SQLite has no transaction open that it would roll back by the journal beside a
/// database. A journal that begins with zeros is over.
fn wait_for_transaction(journal: &Path) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut begin = [0; 8];
        let is_open = fs::File::open(journal)
            .and_then(|mut file| file.read(&mut begin))
            .is_ok_and(|_| begin != [0; 8]);
        if !is_open {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(error::in_transaction(journal).into());
        }
        sleep(Duration::from_millis(20));
    }
}
