//! How a worker tells whoever started it that its deployment has ended.
//!
//! The worker's standard input is one end of a pipe, into which nothing is ever written. The worker
//! closes it when the deployment has ended, and the kernel closes it when the worker dies. The
//! other end is notified at once: a push does not wait for the next look at the record.
//!
//! Then the worker waits until the push itself has ended. What it does next is for nobody who
//! waits, and would take processor time and the disk from git, which has to end the push: 3 ms of
//! it on two cores.

use std::env;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, getpid, getppid};

use crate::process::ended_fd;
use crate::site::{DeploymentId, Site};

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

/// How long the end of a push is waited for. Its worker holds the lock of the site meanwhile.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long the pusher's own git, which may be on this machine, has to end after the server's.
const CLIENT: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_millis(5);

/// The process that ends when nobody waits for a deployment any more which this process starts: the
/// `git receive-pack` that runs this hook, or else this command.
pub(super) fn caller() -> Pid {
    let is_hook = env::var_os("GIT_DIR").is_some();
    getppid().filter(|_| is_hook).unwrap_or_else(getpid)
}

struct Own {
    end: OwnedFd,
    caller: Option<Pid>,
}

static OWN: Mutex<Option<Own>> = Mutex::new(None);

/// Takes the worker's own end from its standard input, so that no child gets it. `caller` is the
/// number of the [`caller`].
pub(super) fn take(caller: Option<i32>) -> io::Result<()> {
    let end = rustix::stdio::stdin().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let own = Own { end, caller: caller.and_then(Pid::from_raw) };
    *OWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(own);
    Ok(())
}

/// Tells that the deployment has ended, which its record says already, and waits until nobody waits
/// for it any more, or a newer one waits for its turn. Does nothing the second time.
pub(super) fn tell(site: &Site, id: DeploymentId) {
    let own = OWN.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Own { end, caller }) = own else { return };
    drop(end);
    let Some(caller) = caller else { return };
    let wait = |patience: Duration, is_over: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while begun.elapsed() < patience && !site.has_newer(id) && !is_over() {}
    };
    wait(PATIENCE, &|| has_ended(caller, LOOK));
    wait(CLIENT, &|| {
        thread::sleep(LOOK);
        false
    });
}

/// Waits for the end of a process, for as long as this at most. Says whether it has ended.
fn has_ended(pid: Pid, patience: Duration) -> bool {
    // It is gone, or the system cannot tell, as Linux before 5.3.
    let Some(process) = ended_fd(pid) else { return true };
    let patience = Timespec::try_from(patience).ok();
    let mut ends = [PollFd::new(&process, PollFlags::IN)];
    retry_on_intr(|| poll(&mut ends, patience.as_ref())).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_end_of_a_process_is_waited_for() {
        // It ends with this test, whatever becomes of it.
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert!(!has_ended(pid, Duration::from_millis(1)));
        drop(child.stdin.take());
        assert!(has_ended(pid, Duration::from_mins(10)));
        child.wait().unwrap();
        assert!(has_ended(pid, Duration::from_mins(10)), "it is gone");
    }
}
