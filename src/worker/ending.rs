//! How a worker tells whoever started it that its deployment has ended.
//!
//! The worker's standard input is one end of a pipe, into which nothing is ever written. The worker
//! closes it when the deployment has ended, and the kernel closes it when the worker dies. The
//! other end is notified at once: a push does not wait for the next look at the record.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::pipe::{PipeFlags, pipe_with};

use crate::site::DeploymentId;

/// A deployment whose worker was started by this process.
#[derive(Debug)]
pub struct Started {
    pub id: DeploymentId,
    pub(super) end: OwnedFd,
}

impl Started {
    /// Is hung up when the deployment has ended or its worker has died; never readable.
    pub fn end(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

/// The end that whoever starts a worker keeps, and the worker's own.
pub(super) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

static OWN: Mutex<Option<OwnedFd>> = Mutex::new(None);

/// Takes the worker's own end from its standard input, so that no child gets it.
pub(super) fn take() -> io::Result<()> {
    let own = rustix::stdio::stdin().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    *OWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(own);
    Ok(())
}

/// Tells that the deployment has ended, which its record says already.
pub(super) fn tell() {
    *OWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
}
