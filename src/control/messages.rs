//! What is asked over the control socket, and what is answered.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::site::DeploymentId;
use crate::site::record::ProcessesRecord;
use crate::user_error::UserError;

/// The limits by which the times of answers are counted for a histogram: Prometheus' own.
pub const TIMES: [Duration; 11] = [
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// What `nyala serve` is asked to do.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Request {
    /// Start the application of a release and check it, beside what is live. It answers
    /// [`Answer::Ready`], and waits for [`Request::Switch`]. Whoever closes the connection before
    /// that gives the release up, unless `wwwroot` points to it by then.
    Prepare { release: DeploymentId },
    /// `wwwroot` points to the release: let visitors have it. Where it is to be watched, the answer
    /// comes after that time, and is [`Answer::Back`] when it did not stay well.
    Switch { watch: bool },
    /// While it is watched: go back to the release before.
    GoBack,
    /// Tell what runs.
    Processes,
    /// Tell what was asked of them.
    Statistics,
    /// Tell whether these commands can be started in a release: whether their programs are there,
    /// and the site can have its address.
    Programs { release: DeploymentId, found: ProcessesRecord },
    /// Run so many processes of these names.
    Scale { scale: BTreeMap<String, u32> },
    /// Read anew whether visitors get a page in place of the application.
    Maintenance,
    /// Let requests wait, at most for so many seconds; without a time, let them pass again.
    Pause { at_most: Option<u64> },
    /// Tell what is wrong with what is live. With `ask`, the application has more time to answer
    /// whether it is healthy.
    Troubles { ask: bool },
    /// Start all processes anew, or those of one name.
    Restart { process: Option<String> },
    /// End the application, and do not start it until [`Request::Start`].
    Stop { by: String },
    /// Start what is live.
    Start,
}

/// What `nyala serve` answers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is still being worked on.
    Working,
    /// A line for the log.
    Say(String),
    /// The release is healthy.
    Ready,
    /// It is done.
    Done,
    /// Nothing was started, since somebody has stopped the application.
    Stopped,
    /// The release did not stay well. Visitors and `wwwroot` are back at the one before.
    Back(UserError),
    Processes(Running),
    Statistics(Statistics),
    Troubles(Vec<Trouble>),
    Failed(UserError),
}

/// Something that is wrong with an application that is to run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Trouble {
    pub kind: TroubleKind,
    pub error: UserError,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// Nobody can connect to its address.
    NotListening,
    /// What is live has no processes, although it should.
    NotRunning,
    /// A process ends again and again.
    Restarts,
    /// It does not answer as it should.
    Unhealthy,
}

/// What runs of an application.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Running {
    /// Of what visitors have.
    pub live: Vec<ProcessState>,
    /// What finishes what it has begun, and ends: of the releases before, or no longer wanted.
    pub leaving: Vec<ProcessState>,
    /// The address at which visitors are taken, which settings need not name any more.
    #[serde(default)]
    pub listening: Option<String>,
    /// Why nobody can connect to the address that the site should have.
    #[serde(default)]
    pub not_listening: Option<UserError>,
}

impl Running {
    /// All processes, what is live first.
    pub fn all(self) -> Vec<ProcessState> {
        [self.live, self.leaving].concat()
    }

    /// Whether visitors are answered as they should; `None` where nothing answers requests. One
    /// process of several is enough, but of what nobody can connect to, all are in vain.
    pub fn is_healthy(&self) -> Option<bool> {
        let known = self.live.iter().filter_map(|process| process.healthy);
        let is_any = known.reduce(|one, other| one || other)?;
        Some(is_any && self.not_listening.is_none())
    }
}

/// A process of an application, as `nyala ps` shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProcessState {
    pub process: String,
    pub release: DeploymentId,
    /// `None` while it is not running.
    pub pid: Option<u32>,
    /// When it was started.
    pub since: Option<jiff::Timestamp>,
    /// How often it was started again because it had ended.
    pub restarts: u32,
    /// What it and its children have in memory, in bytes.
    pub memory: Option<u64>,
    /// Whether it answers as it should; `None` for a process that has no visitors, or gets no more.
    pub healthy: Option<bool>,
}

/// What is known of the requests of a site.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Statistics {
    pub last_minutes: LastMinutes,
    pub processes: Vec<ProcessAnswers>,
}

/// What a web process has answered since it was started with its release.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ProcessAnswers {
    pub process: String,
    pub release: DeploymentId,
    /// The answers by the first digit of their status, from 1 to 5.
    pub answers: [u64; 5],
    /// How many of them began within each of [`TIMES`], and not within the one before.
    pub within: [u64; TIMES.len()],
    /// The sum of all times until an answer began, in seconds.
    pub seconds: f64,
    /// How many requests it is answering.
    pub in_flight: usize,
}

/// What a site has answered in the last minutes. Times are in seconds, until an answer begins.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct LastMinutes {
    /// How long they are.
    pub seconds: f64,
    pub answers: u64,
    /// Those with a status of 5xx.
    pub errors: u64,
    pub median: Option<f64>,
    pub percentile_99: Option<f64>,
}

impl LastMinutes {
    #[expect(clippy::cast_precision_loss, reason = "nobody needs a rate so precisely")]
    pub fn per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.answers as f64 / self.seconds } else { 0.0 }
    }

    pub fn share_of_errors(&self) -> f64 {
        share_of(self.errors, self.answers)
    }
}

/// What share a part is of all, from 0 to 1; 0 where there is nothing.
#[expect(clippy::cast_precision_loss, reason = "nobody needs a share so precisely")]
pub fn share_of(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}
