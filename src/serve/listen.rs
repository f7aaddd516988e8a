//! The address at which a site takes its visitors.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
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
use crate::disk;
use crate::site::settings::Listen;

/// The pause after a connection could not be taken, for example for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// How many connections may wait to be taken.
const BACKLOG: i32 = 2048;

/// Listens, and answers visitors until the task is aborted.
pub(super) fn start(site: &Rc<Served>, listen: &Listen) -> Result<JoinHandle<()>> {
    let site = Rc::clone(site);
    match listen {
        Listen::Tcp(address) => {
            let socket = std::net::TcpListener::bind(address)
                .map_err(|cause| error::cannot_listen(listen, &cause))?;
            rustix::net::listen(&socket, BACKLOG).context("cannot listen")?;
            socket.set_nonblocking(true).context("cannot listen")?;
            let listener = TcpListener::from_std(socket).context("cannot listen")?;
            Ok(spawn_local(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, peer)) => {
                            let _ = stream.set_nodelay(true);
                            spawn_local(converse(stream, Some(peer.ip()), Rc::clone(&site)));
                        }
                        Err(cause) => not_taken(&cause).await,
                    }
                }
            }))
        }
        Listen::Unix(path) => {
            let path = site.site.root().join(path);
            let listener = bind(&path, listen)?;
            Ok(spawn_local(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => {
                            spawn_local(converse(stream, None, Rc::clone(&site)));
                        }
                        Err(cause) => not_taken(&cause).await,
                    }
                }
            }))
        }
    }
}

async fn not_taken(cause: &std::io::Error) {
    tracing::debug!("a connection could not be taken: {cause}");
    sleep(PAUSE).await;
}

/// A socket that a web server of another user may connect to.
fn bind(path: &Path, listen: &Listen) -> Result<UnixListener> {
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
        .map_err(|cause| error::cannot_listen(listen, &cause))?;
    disk::set_socket_mode(path, 0o666)?;
    socket.set_nonblocking(true).context("cannot listen")?;
    UnixListener::from_std(socket).context("cannot listen")
}
