//! Flushes what was written to the disk, so that a loss of power does not take it back.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};

use super::point_at;

/// Flushes a file, or the entries of a folder, so that a loss of power does not take them back. A
/// link has nothing of its own to flush: it is an entry of its folder.
pub fn sync(path: &Path) -> Result<()> {
    point_at("sync", path);
    if path.is_symlink() {
        return Ok(());
    }
    File::open(path)
        .and_then(|file| file.sync_all())
        .with_context(|| format!("cannot flush {}", path.display()))
}

/// Does something for each of these that waits for the disk, several at a time: a file system with
/// a journal, for one, writes it once for all who wait for a flush. Where the system allows no more
/// threads, this one does it all. Fails when one of them does.
pub fn each_at_once<T: Sync>(items: &[T], act: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    each_in_threads(16, items, act)
}

/// Does something for each of these in this many threads, or in fewer where the system allows no
/// more. Fails when one of them does.
pub fn each_in_threads<T: Sync>(
    threads: usize,
    items: &[T],
    act: impl Fn(&T) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            act(item)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let spawned = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..items.len().min(threads)).filter_map(spawned).collect();
        let own = work();
        let joined = |other: thread::ScopedJoinHandle<'_, Result<()>>| {
            other.join().unwrap_or_else(|_| bail!("a thread that waits for the disk has panicked"))
        };
        others.into_iter().map(joined).fold(own, Result::and)
    })
}

/// Begins to flush everything that was written to the file system that `path` is on, and returns
/// at once: a later [`sync_filesystem`] has less to wait for.
pub fn begin_to_sync_filesystem(path: &Path) {
    let path = path.to_owned();
    let flush = move || {
        if let Ok(folder) = File::open(path) {
            let _ = sync_filesystem_of(&folder);
        }
    };
    // Where the system allows no more threads, the later flush does it all.
    let _ = thread::Builder::new().spawn(flush);
}

/// Flushes everything that was written to the file system that `path` is on.
///
/// One call for a whole tree: the file system flushes in the order that suits it, which is many
/// times faster than file by file.
pub fn sync_filesystem(path: &Path) -> Result<()> {
    point_at("sync_filesystem", path);
    File::open(path)
        .and_then(|folder| sync_filesystem_of(&folder))
        .with_context(|| format!("cannot flush the file system of {}", path.display()))
}

#[cfg(target_os = "linux")]
fn sync_filesystem_of(folder: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(folder)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_filesystem_of(_folder: &File) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}
