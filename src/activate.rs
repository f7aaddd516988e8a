//! Makes a release live.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::console;
use crate::disk;
use crate::site::{DeploymentId, Site};

/// Points `wwwroot` to a release by one rename. What the release and its env hold is on the disk
/// before that.
///
/// `touched` are the files and folders of the release that this deployment wrote, relative to it,
/// when they are few and nothing else was written; `None` flushes the whole file system, which for
/// many files is faster.
///
/// `last` is called at the last moment, when all that can take long is done; when it fails, nothing
/// is switched.
///
/// Returns what `last` gave.
pub fn activate<T>(
    site: &Site,
    release: DeploymentId,
    touched: Option<&[PathBuf]>,
    last: impl FnOnce() -> Result<T>,
) -> Result<T> {
    // Whatever else is in the place of the link is not replaced.
    site.live()?;
    let folder = site.release(release);
    match touched {
        None => disk::sync_filesystem(&folder)?,
        Some(touched) => {
            // The folder was renamed to where it is, and got its link to the env.
            let own = [folder.clone(), site.releases()];
            let paths: Vec<_> = touched.iter().map(|path| folder.join(path)).chain(own).collect();
            disk::each_at_once(&paths, |path| disk::sync(path))?;
        }
    }
    let given = last()?;
    point_to(site, release)?;
    Ok(given)
}

/// Points `wwwroot` to a release that is on the disk already, because it has been live before.
pub fn point_to(site: &Site, release: DeploymentId) -> Result<()> {
    disk::replace_symlink(&Path::new("releases").join(release.to_string()), &site.wwwroot())?;
    console::info(format_args!("wwwroot -> releases/{release}"));
    Ok(())
}
