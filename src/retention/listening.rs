//! Servers that listen on a Unix socket in the live release: nobody finds it there when the next
//! one is live.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::console;
use crate::process::unix_sockets;
use crate::site::{DeploymentId, Site};
use crate::text::excerpt;

/// Warns of the sockets of servers that the next release does not have. A socket in a shared folder
/// is in every release.
pub fn warn_of_sockets(site: &Site, live: DeploymentId) {
    let Ok(release) = site.release(live).canonicalize() else { return };
    // Bound by way of the link or not, one of these is in the path.
    let folders = [&site.releases(), &site.wwwroot()].map(|it| it.file_name().map(OsStr::to_owned));
    let may_be_meant = |path: &PathBuf| {
        let mut names = path.components().map(|it| Some(it.as_os_str().to_owned()));
        names.any(|name| folders.contains(&name))
    };
    let sockets = unix_sockets(Path::new("/proc/self")).into_iter();
    let sockets = sockets.filter(|it| it.listens && it.has_file()).map(|it| it.path);
    let sockets = sockets.filter(may_be_meant);
    let found: BTreeSet<_> = sockets.filter_map(|path| within(&release, &path)).collect();
    if found.is_empty() {
        return;
    }
    let names: Vec<_> = found.iter().map(|path| excerpt(&path.to_string_lossy())).collect();
    console::warning(format_args!(
        "release {live} has the socket of a server, and the next release will not have it: {}; \
         nobody reaches it through wwwroot until the server is restarted",
        names.join(", ")
    ));
    console::hint("let it listen outside of the releases, for example in /run");
}

/// The path of a socket in a release, wherever the links on its way lead.
fn within(release: &Path, socket: &Path) -> Option<PathBuf> {
    let path = socket.parent()?.canonicalize().ok()?.join(socket.file_name()?);
    let is_there = fs::symlink_metadata(&path).is_ok_and(|it| it.file_type().is_socket());
    path.strip_prefix(release).ok().filter(|_| is_there).map(Path::to_owned)
}
