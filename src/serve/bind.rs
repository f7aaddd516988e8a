//! New listening sockets.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_reuseaddr, set_socket_reuseport, socket_peercred};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, getsockname, listen,
    socket_with,
};

use super::address::error;
use super::taken;
use crate::disk;
use crate::site::Site;
use crate::site::settings::Listen;

/// How many connections may wait to be taken.
const BACKLOG: i32 = 2048;

/// A socket at an address. `before` is one of the site's own, which is to be closed: it may be in
/// the way, as that of `127.0.0.1:8000` is in the way of `0.0.0.0:8000`.
pub(super) fn tcp(
    address: SocketAddr,
    before: Option<BorrowedFd<'_>>,
) -> Result<TcpListener, Errno> {
    let mut bound = bind_tcp(address, false);
    let before = before.filter(|before| meets(*before, address));
    if let (Err(Errno::ADDRINUSE), Some(before)) = (&bound, before) {
        // Two sockets share a port only while both want it: socket(7).
        let _ = set_socket_reuseport(before, true);
        bound = bind_tcp(address, true);
        let _ = set_socket_reuseport(before, false);
    }
    bound
}

/// Whether a socket has the port of an address.
fn meets(socket: BorrowedFd<'_>, address: SocketAddr) -> bool {
    let own = getsockname(socket).ok().and_then(|own| SocketAddr::try_from(own).ok());
    own.is_some_and(|own| own.port() == address.port())
}

fn bind_tcp(address: SocketAddr, shares: bool) -> Result<TcpListener, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseaddr(&socket, true)?;
    set_socket_reuseport(&socket, shares)?;
    bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    set_socket_reuseport(&socket, false)?;
    Ok(TcpListener::from(socket))
}

/// A socket that a web server of another user may connect to.
pub(super) fn unix(site: &Site, path: &Path, wanted: &Listen) -> Result<UnixListener> {
    if let Some(folder) = path.parent() {
        disk::create_dir_all(folder)?;
    }
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            if let Some(other) = who_is_at(path) {
                let holder = taken::other_at(site, wanted);
                bail!(error::socket_is_taken(wanted, other, holder.as_deref()));
            }
            // What an earlier nyala serve left.
            disk::remove_file(path)?;
        }
        Ok(_) => bail!(error::not_a_socket(path)),
        Err(cause) if cause.kind() == ErrorKind::NotFound => {}
        Err(cause) => return Err(cause).context("cannot listen"),
    }
    let cannot = |cause| error::cannot_listen(site, wanted, &cause);
    let socket = UnixListener::bind(path).map_err(cannot)?;
    disk::set_socket_mode(path, 0o666)?;
    Ok(socket)
}

/// The process that listens on a socket's file; `None` when nobody does any more.
fn who_is_at(path: &Path) -> Option<i32> {
    // Without waiting: it may let nobody in.
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    match connect(&socket, &SocketAddrUnix::new(path).ok()?) {
        Ok(()) => socket_peercred(socket.as_fd()).ok().map(|it| it.pid.as_raw_nonzero().get()),
        Err(Errno::AGAIN) => Some(0),
        Err(_) => None,
    }
}
