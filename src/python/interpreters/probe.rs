//! Asks one file whether it is a Python interpreter, by running it.

use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use thiserror::Error;

use crate::python::version::Version;

const SCRIPT: &str = include_str!("probe.py");
const MARK: &str = "nyala-probe ";
const TIME_LIMIT: Duration = Duration::from_secs(10);
const OUTPUT_LIMIT: u64 = 256 * 1024;

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
    #[error("did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("ended with {0}")]
    Failed(std::process::ExitStatus),
    #[error("does not answer as a Python interpreter does")]
    Garbage,
}

/// Runs the probe with `file`, with the environment cleaned and in `/`, so that neither who pushes
/// nor where decides.
pub(super) fn ask(file: &Path) -> Result<Report, Refusal> {
    ask_within(file, TIME_LIMIT)
}

pub(super) fn ask_within(file: &Path, limit: Duration) -> Result<Report, Refusal> {
    let mut command = Command::new(file);
    // -B writes no bytecode beside the interpreter's own modules; -E and -s stand for -I, which 2.7
    // lacks.
    command.args(["-B", "-E", "-s", "-c", SCRIPT]);
    for (name, _) in std::env::vars_os() {
        if is_misleading(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    let mut child = command
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;

    let answer = listen(&mut child, Instant::now() + limit);
    if !matches!(answer, Ok(Some(_))) {
        // Not waited for yet, so the number is still the child's own group.
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    let status = child.wait()?;
    let output = answer?.ok_or(Refusal::TimedOut(limit))?;
    if !status.success() {
        return Err(Refusal::Failed(status));
    }
    // A sitecustomize module may print before the probe does.
    output
        .lines()
        .find_map(|line| line.strip_prefix(MARK))
        .and_then(|json| serde_json::from_str(json).ok())
        .ok_or(Refusal::Garbage)
}

/// `PYENV_VERSION` makes a shim answer differently, `VIRTUAL_ENV` and `PYTHONHOME` an interpreter;
/// `GIT_*` is the hook's.
fn is_misleading(name: &str) -> bool {
    name.starts_with("GIT_")
        || name.starts_with("PYTHON")
        || matches!(name, "VIRTUAL_ENV" | "__PYVENV_LAUNCHER__" | "PYENV_VERSION" | "PYENV_DIR")
}

/// All that the child prints until it has ended; `None` when that is not before the deadline.
fn listen(child: &mut Child, deadline: Instant) -> std::io::Result<Option<String>> {
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let mut stdout = stdout.take(OUTPUT_LIMIT);
        let mut buffer = [0; 8192];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let timeout = Timespec::try_from(left).map_err(std::io::Error::other)?;
            let mut fds = [PollFd::new(stdout.get_ref(), PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            match stdout.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => output.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(Some(String::from_utf8_lossy(&output).into_owned()))
}
