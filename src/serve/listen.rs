//! The address at which a site takes its visitors.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::net::sockopt::set_socket_keepalive;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

use super::address::error;
use super::bind;
use super::conversation::converse;
use super::served::Served;
use super::sites::own_prefix;
use super::taken::Taken;
use crate::site::Site;
use crate::site::settings::Listen;

/// The pause after a connection could not be taken, for example for want of file descriptors.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// A site that takes its visitors at an address.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) listen: Listen,
    /// What the socket is called where it is kept while nyala serve is started anew.
    pub(super) name: String,
    socket: OwnedFd,
    task: JoinHandle<()>,
    _taken: Taken,
}

impl Listening {
    /// Whether the file of its socket is not there any more, so that nobody finds it.
    pub(super) fn is_gone(&self, site: &Path) -> bool {
        match &self.listen {
            Listen::Unix(path) => {
                file_of(&site.join(path)).is_none_or(|at| !is_at(&self.name, &at))
            }
            Listen::Tcp(_) => false,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens, and answers visitors until the value is dropped. The socket of an earlier nyala serve
/// is used on, with the visitors who wait there. `before` is where the site listens now, if it is
/// to listen elsewhere: until that is dropped, it listens at both.
pub(super) fn start(
    site: &Rc<Served>,
    listen: &Listen,
    before: Option<&Listening>,
) -> Result<Listening> {
    let manager = &site.manager;
    match listen {
        Listen::Tcp(address) => {
            let at = format!("{}tcp_{address}", own_prefix()).replace(':', "_");
            let name = format!("{at}{}", site_suffix(&site.site));
            let socket = if let Some((kept_as, kept)) = manager.take(|it| is_at(it, &at)) {
                if kept_as != name {
                    // Another site had the address before.
                    manager.forget(&kept_as);
                    manager.keep(&name, kept.as_fd());
                }
                std::net::TcpListener::from(kept)
            } else {
                let socket = bind::tcp(*address, before.map(|it| it.socket.as_fd()));
                let cannot = |cause| error::cannot_listen(&site.site, listen, &cause);
                let socket = socket.map_err(|errno| cannot(errno.into()))?;
                manager.keep(&name, socket.as_fd());
                socket
            };
            listening_on_tcp(site, listen, name, socket)
        }
        Listen::Unix(path) => {
            let path = site.site.root().join(path);
            let kept = file_of(&path).and_then(|at| manager.take(|it| is_at(it, &at)));
            let (name, socket) = if let Some((name, kept)) = kept {
                (name, std::os::unix::net::UnixListener::from(kept))
            } else {
                let socket = bind::unix(&site.site, &path, listen)?;
                let at = file_of(&path).context("cannot listen")?;
                let name = format!("{at}{}", site_suffix(&site.site));
                manager.keep(&name, socket.as_fd());
                (name, socket)
            };
            listening_on_unix(site, listen, name, socket)
        }
    }
}

/// Listens where an earlier nyala serve did for this site; `None` where that is not known.
pub(super) fn start_as_before(site: &Rc<Served>) -> Option<Listening> {
    let suffix = site_suffix(&site.site);
    let (name, socket) = site.manager.take(|name| name.ends_with(&suffix))?;
    let socket = std::net::TcpListener::from(socket);
    if let Ok(address) = socket.local_addr() {
        return listening_on_tcp(site, &Listen::Tcp(address), name, socket).ok();
    }
    let socket = std::os::unix::net::UnixListener::from(OwnedFd::from(socket));
    let address = socket.local_addr().ok()?;
    let path = address.as_pathname()?;
    let path = path.strip_prefix(site.site.root()).unwrap_or(path).to_owned();
    listening_on_unix(site, &Listen::Unix(path), name, socket).ok()
}

/// Whether somebody may listen at an address now; of a socket's file, only an attempt tells.
pub(super) fn is_free(listen: &Listen) -> bool {
    match listen {
        Listen::Tcp(address) => std::net::TcpListener::bind(address).is_ok(),
        Listen::Unix(_) => true,
    }
}

/// What the names of a site's sockets end with, whatever its settings are.
pub(super) fn site_suffix(site: &Site) -> String {
    let numbers = fs::metadata(site.root()).map(|folder| (folder.dev(), folder.ino()));
    let (device, inode) = numbers.unwrap_or_default();
    format!("{OF}{device}_{inode}")
}

/// Stands in the name of a socket between its address and its site.
const OF: &str = "_of_";

fn is_at(name: &str, address: &str) -> bool {
    name.strip_prefix(address).is_some_and(|rest| rest.starts_with(OF))
}

/// What the name of a unix socket begins with: the number of its file, which no other file gets
/// while it is open.
fn file_of(path: &Path) -> Option<String> {
    let file = fs::symlink_metadata(path).ok()?;
    Some(format!("{}unix_{}_{}", own_prefix(), file.dev(), file.ino()))
}

fn listening_on_tcp(
    site: &Rc<Served>,
    listen: &Listen,
    name: String,
    socket: std::net::TcpListener,
) -> Result<Listening> {
    let kept = OwnedFd::from(socket.try_clone().context("cannot listen")?);
    socket.set_nonblocking(true).context("cannot listen")?;
    let listener = TcpListener::from_std(socket).context("cannot listen")?;
    let taken = Taken::by(&site.site, listen);
    let site = Rc::clone(site);
    let task = spawn_local(async move {
        loop {
            site.room().await;
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    // One who has vanished says nothing, and may have a websocket.
                    let _ = set_socket_keepalive(&stream, true);
                    spawn_local(converse(stream, Some(peer.ip()), site.connection()));
                }
                Err(cause) => not_taken(&cause).await,
            }
        }
    });
    Ok(Listening { listen: listen.clone(), name, socket: kept, task, _taken: taken })
}

fn listening_on_unix(
    site: &Rc<Served>,
    listen: &Listen,
    name: String,
    socket: std::os::unix::net::UnixListener,
) -> Result<Listening> {
    let kept = OwnedFd::from(socket.try_clone().context("cannot listen")?);
    socket.set_nonblocking(true).context("cannot listen")?;
    let listener = UnixListener::from_std(socket).context("cannot listen")?;
    let taken = Taken::by(&site.site, listen);
    let site = Rc::clone(site);
    let task = spawn_local(async move {
        loop {
            site.room().await;
            match listener.accept().await {
                Ok((stream, _)) => {
                    spawn_local(converse(stream, None, site.connection()));
                }
                Err(cause) => not_taken(&cause).await,
            }
        }
    });
    Ok(Listening { listen: listen.clone(), name, socket: kept, task, _taken: taken })
}

async fn not_taken(cause: &std::io::Error) {
    tracing::debug!("a connection could not be taken: {cause}");
    sleep(PAUSE).await;
}
