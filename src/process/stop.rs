//! Ends every running child of this process and starts no more, for a deployment that is cancelled.

use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

static STOPPED: AtomicBool = AtomicBool::new(false);

/// Whoever waits for a child also waits for this pipe to be closed. `None` if no pipe could be
/// created: then a stop is noticed at the child's next line or clock tick.
static WAKE: LazyLock<Option<(PipeReader, Mutex<Option<PipeWriter>>)>> = LazyLock::new(|| {
    std::io::pipe().ok().map(|(reader, writer)| (reader, Mutex::new(Some(writer))))
});

/// Ends every running child of this process as a time limit does, with SIGTERM first. No more
/// children can be started. This cannot be undone.
pub fn stop_all() {
    STOPPED.store(true, Ordering::SeqCst);
    if let Some((_, writer)) = &*WAKE {
        writer.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Whether [`stop_all`] was called.
pub fn is_stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}

/// A descriptor that hangs up when [`stop_all`] is called.
pub(super) fn wake() -> Option<BorrowedFd<'static>> {
    WAKE.as_ref().map(|(reader, _)| reader.as_fd())
}
