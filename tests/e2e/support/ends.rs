//! What goes on beside a test ends with it.

use std::sync::atomic::{AtomicBool, Ordering};

/// Sets this when it is dropped, also by a test that fails: a thread that goes on until then would
/// keep the test from ending.
pub(crate) struct Ends<'a>(pub(crate) &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
