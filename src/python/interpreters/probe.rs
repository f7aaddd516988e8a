//! Asks one file whether it is a Python interpreter, by running it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::process::{self, ChildError, Environment, Invocation};
use crate::python::version::Version;

const SCRIPT: &str = include_str!("probe.py");
const MARK: &str = "nyala-probe ";
const TIME_LIMIT: Duration = Duration::from_secs(10);
const OUTPUT_LIMIT: usize = 256 * 1024;

/// What an interpreter says of itself.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Report {
    pub version: Version,
    pub implementation: String,
    /// A debug build or one without the global lock: wheels of the ordinary one do not fit it.
    pub special: bool,
    pub executable: PathBuf,
    pub base_executable: PathBuf,
    pub prefix: PathBuf,
    pub base_prefix: PathBuf,
    pub venv: bool,
    pub virtualenv: bool,
    pub bundled: Vec<PathBuf>,
    /// The folders whose contents decide about `venv`, `virtualenv` and `bundled`.
    pub folders: Vec<PathBuf>,
}

/// Why a file is no interpreter, fit to end the sentence "it …".
#[derive(Debug, Error)]
pub(super) enum Refusal {
    #[error("cannot be run: {0}")]
    NotRun(#[from] std::io::Error),
    #[error("did not respond within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("{0}")]
    Failed(String),
    #[error("does not respond like a Python interpreter")]
    Garbage,
}

/// Runs the probe with `file`, with the environment cleaned and in `/`, so that neither who pushes
/// nor where decides.
pub(super) fn ask(file: &Path) -> Result<Report, Refusal> {
    ask_within(file, TIME_LIMIT)
}

pub(super) fn ask_within(file: &Path, limit: Duration) -> Result<Report, Refusal> {
    let invocation = Invocation::new(file)
        // -B writes no bytecode beside the interpreter's own modules; -E and -s stand for -I, which
        // 2.7 lacks.
        .args(["-B", "-E", "-s", "-c", SCRIPT])
        // For an interpreter it means nothing after -E; a script that stands in for one may pass it
        // on.
        .environment(Environment::clean().unset("PYTHONUNBUFFERED"))
        .cwd("/")
        .probing(limit, OUTPUT_LIMIT);
    let output = process::capture(&invocation)?.text();
    // A sitecustomize module may print before the probe does.
    output
        .lines()
        .find_map(|line| line.strip_prefix(MARK))
        .and_then(|json| serde_json::from_str(json).ok())
        .ok_or(Refusal::Garbage)
}

impl From<ChildError> for Refusal {
    fn from(error: ChildError) -> Self {
        match error {
            ChildError::NotStarted { source, .. } | ChildError::Io { source, .. } => {
                Self::NotRun(source)
            }
            ChildError::StepLimit { after, .. } | ChildError::IdleLimit { after, .. } => {
                Self::TimedOut(after)
            }
            ChildError::Exited { code, .. } => Self::Failed(format!("exited with status {code}")),
            ChildError::Killed { signal, .. } => {
                Self::Failed(format!("was ended by signal {signal}"))
            }
            ChildError::Stopped { .. } | ChildError::NoSpace { .. } => {
                Self::Failed("was stopped with the deployment".to_owned())
            }
            ChildError::TooMuch { .. } => Self::Garbage,
        }
    }
}
