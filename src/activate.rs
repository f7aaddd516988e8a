//! Makes a release live.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::panic;
use std::thread;

use anyhow::Result;

use crate::console;
use crate::disk;
use crate::site::{DeploymentId, Site};

/// Points `wwwroot` to a release by one rename. What the release, its env and its record hold is on
/// the disk before that; the rename itself is once [`flush_switch`] has returned.
///
/// `meanwhile` is done while the disk writes. `last` is called at the last moment, when all that
/// can take long is done. When one of them fails, nothing is switched.
///
/// Returns what `last` gave.
pub fn activate<T>(
    site: &Site,
    release: DeploymentId,
    meanwhile: impl FnOnce() -> Result<()>,
    last: impl FnOnce() -> Result<T>,
) -> Result<T> {
    // Whatever else is in place of the link is not replaced.
    site.live()?;
    flush_while(site, release, meanwhile)?;
    let given = last()?;
    disk::replace_symlink_unflushed(&Site::wwwroot_target(release), &site.wwwroot())?;
    log_switch(release);
    Ok(given)
}

/// Has what [`activate`] switched outlive a loss of power.
pub fn flush_switch(site: &Site) -> Result<()> {
    disk::sync(site.root())
}

/// [`flush`], while this thread does something else.
fn flush_while(
    site: &Site,
    release: DeploymentId,
    meanwhile: impl FnOnce() -> Result<()>,
) -> Result<()> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("flush".to_owned());
        let flushing = builder.spawn_scoped(scope, || flush(site, release));
        let done = meanwhile();
        let flushed = match flushing {
            Ok(thread) => thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic)),
            // The system allows no more threads.
            Err(_) => flush(site, release),
        };
        done.and(flushed)
    })
}

/// One flush of a file system is cheaper than those of a few files and of the folders that they are
/// in, and takes the pushed objects along. Parts of a site may be on file systems of their own.
fn flush(site: &Site, release: DeploymentId) -> Result<()> {
    let env = site.env_of_release(release).map(|env| site.env(env));
    let folders = [Some(site.release(release)), env, Some(site.shared()), Some(site.deployments())];
    let mut flushed = Vec::new();
    for folder in folders.into_iter().flatten() {
        let device = fs::metadata(&folder).map(|metadata| metadata.dev()).ok();
        if device.is_none() || !flushed.contains(&device) {
            disk::sync_filesystem(&folder)?;
            flushed.push(device);
        }
    }
    Ok(())
}

/// Points `wwwroot` to a release that is on the disk already, because it has been live before.
pub fn point_to(site: &Site, release: DeploymentId) -> Result<()> {
    link(site, release)?;
    log_switch(release);
    Ok(())
}

fn log_switch(release: DeploymentId) {
    console::detail(format_args!("wwwroot -> {}", Site::wwwroot_target(release).display()));
}

/// [`point_to`] without a line for the log of a deployment.
pub fn link(site: &Site, release: DeploymentId) -> Result<()> {
    disk::replace_symlink(&Site::wwwroot_target(release), &site.wwwroot())
}
