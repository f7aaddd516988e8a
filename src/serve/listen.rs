//! The address at which a site takes its visitors.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

use super::error;
use super::proxy::converse;
use super::served::Served;
use super::sites::own_prefix;
use super::taken;
use crate::disk;
use crate::site::settings::Listen;

/// The pause after a connection could not be taken, for example for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// How many connections may wait to be taken.
const BACKLOG: i32 = 2048;

/// A site that takes its visitors at an address.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) listen: Listen,
    /// What the socket is called where it is kept while nyala serve is started anew.
    pub(super) name: String,
    task: JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens, and answers visitors until the value is dropped. The socket of an earlier nyala serve
/// is used on, with the visitors who wait there.
pub(super) fn start(site: &Rc<Served>, listen: &Listen) -> Result<Listening> {
    let manager = &site.manager;
    let (name, task) = match listen {
        Listen::Tcp(address) => {
            let name = format!("{}tcp_{address}", own_prefix()).replace(':', "_");
            let socket = if let Some(kept) = manager.take(&name) {
                std::net::TcpListener::from(kept)
            } else {
                let socket = std::net::TcpListener::bind(address)
                    .map_err(|cause| taken::cannot_listen(listen, &cause))?;
                rustix::net::listen(&socket, BACKLOG).context("cannot listen")?;
                manager.keep(&name, socket.as_fd());
                socket
            };
            (name, accept_tcp(Rc::clone(site), socket)?)
        }
        Listen::Unix(path) => {
            let path = site.site.root().join(path);
            let kept = name_of(&path).and_then(|name| Some((manager.take(&name)?, name)));
            let (socket, name) = if let Some((kept, name)) = kept {
                (std::os::unix::net::UnixListener::from(kept), name)
            } else {
                let socket = bind(&path, listen)?;
                let name = name_of(&path).context("cannot listen")?;
                manager.keep(&name, socket.as_fd());
                (socket, name)
            };
            (name, accept_unix(Rc::clone(site), socket)?)
        }
    };
    Ok(Listening { listen: listen.clone(), name, task })
}

/// Whether somebody may listen at an address now; of a socket's file, only an attempt tells.
pub(super) fn is_free(listen: &Listen) -> bool {
    match listen {
        Listen::Tcp(address) => std::net::TcpListener::bind(address).is_ok(),
        Listen::Unix(_) => true,
    }
}

/// The name of a socket is that of its file, which cannot be another one's while it is open.
fn name_of(path: &Path) -> Option<String> {
    let file = fs::symlink_metadata(path).ok()?;
    Some(format!("{}unix_{}_{}", own_prefix(), file.dev(), file.ino()))
}

fn accept_tcp(site: Rc<Served>, socket: std::net::TcpListener) -> Result<JoinHandle<()>> {
    socket.set_nonblocking(true).context("cannot listen")?;
    let listener = TcpListener::from_std(socket).context("cannot listen")?;
    Ok(spawn_local(async move {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    spawn_local(converse(stream, Some(peer.ip()), site.connection()));
                }
                Err(cause) => not_taken(&cause).await,
            }
        }
    }))
}

fn accept_unix(
    site: Rc<Served>,
    socket: std::os::unix::net::UnixListener,
) -> Result<JoinHandle<()>> {
    socket.set_nonblocking(true).context("cannot listen")?;
    let listener = UnixListener::from_std(socket).context("cannot listen")?;
    Ok(spawn_local(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    spawn_local(converse(stream, None, site.connection()));
                }
                Err(cause) => not_taken(&cause).await,
            }
        }
    }))
}

async fn not_taken(cause: &std::io::Error) {
    tracing::debug!("a connection could not be taken: {cause}");
    sleep(PAUSE).await;
}

/// A socket that a web server of another user may connect to.
fn bind(path: &Path, listen: &Listen) -> Result<std::os::unix::net::UnixListener> {
    if let Some(folder) = path.parent() {
        disk::create_dir_all(folder)?;
    }
    // What an earlier nyala serve left; the site's lock says that it is over.
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => disk::remove_file(path)?,
        Ok(_) => bail!(error::not_a_socket(path)),
        Err(cause) if cause.kind() == ErrorKind::NotFound => {}
        Err(cause) => return Err(cause).context("cannot listen"),
    }
    let socket = std::os::unix::net::UnixListener::bind(path)
        .map_err(|cause| taken::cannot_listen(listen, &cause))?;
    disk::set_socket_mode(path, 0o666)?;
    Ok(socket)
}
