//! The site's two locks. Both are `flock`s: the kernel frees them when their holder dies, however
//! it dies.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result};

use super::Site;
use crate::disk;

/// Held by the worker while it carries a deployment out. Freed when it is dropped.
#[derive(Debug)]
pub struct DeployLock {
    _file: File,
}

/// Held by the process that serves the site. Freed when it is dropped.
#[derive(Debug)]
pub struct ServeLock {
    file: File,
}

/// Held briefly while a deployment is numbered or a setting is edited. Freed when it is dropped.
#[derive(Debug)]
pub struct Guard {
    _folder: File,
}

impl ServeLock {
    /// Whether others still find it where it was taken.
    pub fn is_in_place(&self, site: &Site) -> bool {
        let id = |found: fs::Metadata| disk::file_id(&found);
        let own = self.file.metadata().map(id);
        own.is_ok_and(|own| fs::metadata(site.serve_lock()).map(id).is_ok_and(|it| it == own))
    }
}

impl Site {
    /// Takes the lock that lets one deployment run at a time; `None` when somebody else has it.
    pub fn try_deploy_lock(&self) -> Result<Option<DeployLock>> {
        let file = self.open_lock()?;
        Ok(taken(file.try_lock())?.then_some(DeployLock { _file: file }))
    }

    /// Keeps a deployment from beginning while somebody only looks; `None` while one is running.
    /// Several may look at once.
    pub fn try_look_lock(&self) -> Result<Option<DeployLock>> {
        let file = self.open_lock()?;
        Ok(taken(file.try_lock_shared())?.then_some(DeployLock { _file: file }))
    }

    /// Waits for the lock that lets one deployment run at a time.
    pub fn deploy_lock(&self) -> Result<DeployLock> {
        let file = self.open_lock()?;
        file.lock().context("cannot lock the site")?;
        Ok(DeployLock { _file: file })
    }

    /// Takes the lock that lets one process serve the site; `None` when somebody else has it.
    pub fn try_serve_lock(&self) -> Result<Option<ServeLock>> {
        // A web server of another user connects to a socket in there; the logs are the owner's.
        disk::create_dir_all(&self.run())?;
        disk::create_private_dir_all(&self.process_logs())?;
        let file = disk::open_lock_file(&self.serve_lock())?;
        Ok(taken(file.try_lock())?.then_some(ServeLock { file }))
    }

    /// Serializes short changes of settings and numbers. It locks the site's folder itself, so it
    /// needs no file.
    pub fn guard(&self) -> Result<Guard> {
        let folder = File::open(self.root())
            .with_context(|| format!("cannot open {}", self.root().display()))?;
        folder.lock().with_context(|| format!("cannot lock {}", self.root().display()))?;
        Ok(Guard { _folder: folder })
    }

    /// The lock file is never unlinked: a name that is gone lets two holders in.
    fn open_lock(&self) -> Result<File> {
        disk::open_lock_file(&self.root().join("lock"))
    }
}

/// Whether a lock was taken; `false` when somebody else has it.
fn taken(tried: std::result::Result<(), TryLockError>) -> Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).context("cannot lock the site"),
    }
}

/// Whether somebody still writes to this log: its writer holds a lock on it from before the
/// deployment has a number until it ends, so there is no moment at which a living one looks dead.
pub fn has_writer(log: &Path) -> Result<bool> {
    let file = File::open(log).with_context(|| format!("cannot open {}", log.display()))?;
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", log.display()))
        }
    }
}
