//! The control socket of a site: where it is, and who may be on the other side.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::fs::{Mode, OFlags};
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use super::error;
use crate::site::Site;

const SOCKET: &str = "control.sock";

/// Connects to whoever serves a site, and says which process that is; `None` when nobody does.
/// Fails when it is not let in within `patience`.
///
/// Root looks at sites of owners whom it does not trust: whoever is on the other side has to be
/// the owner.
pub(super) fn connect(site: &Site, patience: Duration) -> Result<Option<(UnixStream, i32)>> {
    let Ok(folder) = run_folder(site) else { return Ok(None) };
    let stream = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .context(error::CANNOT_ASK)?;
    // It is the limit of connect(2), too: socket(7).
    set_socket_timeout(&stream, Timeout::Send, Some(patience)).context(error::CANNOT_ASK)?;
    let address = SocketAddrUnix::new(path_in(&folder)).context(error::CANNOT_ASK)?;
    if let Err(cause) = rustix::net::connect(&stream, &address) {
        return match cause.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => Ok(None),
            ErrorKind::WouldBlock => bail!(error::lets_nobody_in(site.root(), patience)),
            _ => Err(cause).context(error::CANNOT_ASK),
        };
    }
    let other = socket_peercred(&stream).context(error::CANNOT_ASK)?;
    let owner = fs::metadata(site.root()).context(error::CANNOT_ASK)?.uid();
    if other.uid.as_raw() != owner {
        bail!(error::of_another_user(site.root(), other.uid.as_raw(), owner));
    }
    Ok(Some((UnixStream::from(stream), other.pid.as_raw_nonzero().get())))
}

/// The folder of the socket, to name what is in it. Nothing is waited for, whatever is there.
pub fn run_folder(site: &Site) -> rustix::io::Result<File> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(site.run(), flags, Mode::empty()).map(File::from)
}

/// The path of the socket, through the open folder: a path may be longer than the 107 bytes that an
/// address has room for (unix(7)).
pub fn path_in(folder: &File) -> PathBuf {
    Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(SOCKET)
}

/// The socket by its own path, to remove it.
pub fn socket(site: &Site) -> PathBuf {
    site.run().join(SOCKET)
}
