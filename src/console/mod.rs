//! The deployment log. Its lines are `tracing` events, which a layer writes.
//!
//! Rooms call [`step`], [`info`] and the others, and never hold a log. The worker installs a layer
//! that writes to the deployment's `log.txt`; `nyala step`, one that writes to standard output.

mod bounded;
mod brief;
mod follow;
mod log;
pub mod mask;
pub mod paint;
mod suggest;
pub mod terminal;
mod watch;

use std::fmt::Display;
use std::time::Instant;

pub use bounded::settle;
pub use brief::seconds as seconds_of_step;
pub use follow::{
    End, Followed, Follower, Place, follow, leaves_within, print, say, show, write_error,
};
pub use log::{Log, STEP, diagnostics, init_command, init_step, init_worker, settle_log};
pub use mask::Mask;
pub use suggest::did_you_mean;

/// The tracing target of the deployment log.
pub const TARGET: &str = "deployment";

/// What a child prints, and every detail, stands below its step by as much.
pub const INDENT: &str = "       ";

/// How the last line of a step begins; the seconds follow.
const DONE_IN: &str = "Done in ";

/// Starts a step: `-----> title`. [`Step::done`] ends it.
pub fn step(title: impl Display) -> Step {
    tracing::info!(target: TARGET, kind = "step", "{title}");
    Step { started: Instant::now() }
}

/// A step whose title is a [`detail`].
pub fn quiet_step(title: impl Display) -> Step {
    tracing::info!(target: TARGET, kind = "quiet step", "{title}");
    Step { started: Instant::now() }
}

/// A step that has started.
#[must_use = "a step says how long it took when it is done"]
#[derive(Debug)]
pub struct Step {
    started: Instant,
}

impl Step {
    /// Logs how long the step took, and returns it in seconds.
    pub fn done(self) -> f64 {
        let seconds = self.seconds();
        info(format_args!("{DONE_IN}{seconds:.2} s."));
        seconds
    }

    /// [`Step::done`] as a [`detail`].
    pub fn quietly_done(self) -> f64 {
        let seconds = self.seconds();
        detail(format_args!("{DONE_IN}{seconds:.2} s."));
        seconds
    }

    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

/// A detail or a line of a child's output. The text may have several lines.
pub fn info(text: impl Display) {
    tracing::info!(target: TARGET, kind = "info", "{text}");
}

/// What nobody needs to read when all is well: it is in the log, and those who follow a deployment
/// do not get it (see [`brief`]).
pub fn detail(text: impl Display) {
    tracing::info!(target: TARGET, kind = "detail", "{text}");
}

/// `warning: …`, coloured by the git client.
pub fn warning(text: impl Display) {
    tracing::info!(target: TARGET, kind = "warning", "{text}");
}

/// `hint: …`, coloured by the git client.
pub fn hint(text: impl Display) {
    tracing::info!(target: TARGET, kind = "hint", "{text}");
}

/// `error: …`: the last line of a deployment that failed.
pub fn error(text: impl Display) {
    tracing::info!(target: TARGET, kind = "error", "{text}");
}

/// `success: …`: the last line of a deployment that went live.
pub fn success(text: impl Display) {
    tracing::info!(target: TARGET, kind = "success", "{text}");
}
