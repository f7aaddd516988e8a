//! Requests that wait while somebody works on what they need, and a page in place of all answers.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use hyper::body::Bytes;
use tokio::time::{Instant, timeout_at};

use super::served::Served;

/// What part of a pause is waited for requests that are being answered, and how long at most.
const PART: u32 = 2;
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Served {
    /// Lets requests wait from now on, at most for so long. Returns how many are still being
    /// answered, after they had time to end.
    pub(super) async fn pause(&self, at_most: Duration) -> usize {
        let now = Instant::now();
        self.paused.set(Some(now + at_most));
        self.say(format_args!("requests wait, at most {}", crate::text::duration(at_most)));
        let Some(live) = self.live() else { return 0 };
        live.until_idle(now + LONGEST_WAIT.min(at_most / PART)).await;
        live.in_flight()
    }

    /// Lets requests pass again.
    pub(super) fn resume(&self) {
        if self.paused.take().is_some() {
            self.say("requests pass again");
        }
        self.changed.notify_waiters();
    }

    /// Returns when requests may pass.
    pub(super) async fn pause_is_over(&self) {
        while let Some(until) = self.paused.get() {
            let _ = timeout_at(until, self.changed.notified()).await;
            if Instant::now() >= until && self.paused.get() == Some(until) {
                self.resume();
            }
        }
    }

    /// The page that visitors get in place of all answers, if it is set.
    pub(super) fn maintenance(&self) -> Option<Bytes> {
        self.maintenance.borrow().clone()
    }

    /// Reads anew whether there is such a page.
    pub(super) fn read_maintenance(self: &Rc<Self>) -> Result<()> {
        let page = self.site.maintenance()?.map(Bytes::from);
        let was = self.maintenance.replace(page);
        match (was.is_some(), self.maintenance().is_some()) {
            (false, true) => self.say("visitors get the maintenance page"),
            (true, false) => self.say("maintenance is over"),
            _ => {}
        }
        Ok(())
    }
}
