//! Runs children: clean environment, own process group, output line by line, time limits.
//!
//! Every child has /dev/null as its standard input, unless it is given some, and inherits no other
//! file. When it ends, its process group is ended as well, and on Linux it is killed when nyala is
//! killed.

pub mod bound;
mod clock;
mod command;
mod environment;
mod error;
mod group;
pub mod left_behind;
mod lines;
mod listener;
mod marked;
mod not_started;
mod priority;
mod run;
mod spawn;
mod stop;
pub mod trail;
mod unix_sockets;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, PipeWriter};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::console::mask;

pub use environment::{Environment, OF_SYSTEMD, hide_git_variables};
pub use error::{ChildError, CommandLabel};
pub use group::{in_session, terminate_session};
pub use listener::{Listener, addresses, listener, meet, of_another_user};
pub use marked::{Mark, kill_marked, marked, number, terminate_marked};
pub use not_started::NotStarted;
pub use priority::lower_priority;
pub use spawn::{ended_fd, keep_close};
pub use stop::{is_stopped, stop_all};
pub use unix_sockets::{UnixSocket, unix_sockets};

use lines::Lines;
use run::{Progress, Running};
use spawn::{Output, STDERR};

/// How much of a child's output [`capture`] keeps by default, in bytes.
const CAPTURED: usize = 64 << 20;
/// How much of the end of its standard error is kept for the error, in bytes.
const COMPLAINT: usize = 64 << 10;

/// How long a child may take. `None` means no limit.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From start to end (`step_timeout`).
    pub step: Option<Duration>,
    /// Without output or use of the processor (`idle_timeout`).
    pub idle: Option<Duration>,
    /// Without a line; then the log says that it is still running.
    pub heartbeat: Duration,
}

impl Default for Limits {
    /// 30 minutes, 10 minutes, 10 seconds.
    fn default() -> Self {
        Self {
            step: Some(Duration::from_mins(30)),
            idle: Some(Duration::from_mins(10)),
            heartbeat: Duration::from_secs(10),
        }
    }
}

/// A command to run. Its environment is [`Environment::clean`] unless another is given.
#[derive(Debug, Clone)]
pub struct Invocation {
    program: PathBuf,
    args: Vec<OsString>,
    cwd: Option<PathBuf>,
    environment: Environment,
    limits: Limits,
    name: Option<String>,
    /// The command for people, where it is not this one.
    shown: Option<String>,
    /// The time between SIGTERM and SIGKILL.
    patience: Duration,
    /// Whether everything else in the session is ended as well when a limit is reached.
    ends_session: bool,
    /// How much of its output [`capture`] keeps, in bytes.
    most_captured: usize,
    /// What it reads from its standard input.
    input: Option<Vec<u8>>,
    /// Whether [`stop_all`] ends it.
    heeds_stop: bool,
}

impl Invocation {
    /// A program by its path, or by a name that is looked up in the `PATH` of this process, and not
    /// in that of the child: an app setting must not change what nyala itself runs.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            cwd: None,
            environment: Environment::clean(),
            limits: Limits::default(),
            name: None,
            shown: None,
            patience: Duration::from_secs(5),
            ends_session: true,
            most_captured: CAPTURED,
            input: None,
            heeds_stop: true,
        }
    }

    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The folder to run in. By default, it is that of this process.
    #[must_use]
    pub fn cwd(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cwd = Some(folder.into());
        self
    }

    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What people call it (`pip install`), for heartbeats and the first line of an error. By
    /// default, it is the command itself.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Shows people this command, which does the same and is one that they can type.
    #[must_use]
    pub fn shown_as(mut self, command: String) -> Self {
        self.shown = Some(command);
        self
    }

    /// What it reads from its standard input.
    #[must_use]
    pub fn input(mut self, bytes: Vec<u8>) -> Self {
        self.input = Some(bytes);
        self
    }

    /// It runs also after [`stop_all`]: for what takes back what a cancelled deployment has done.
    #[must_use]
    pub fn despite_stop(mut self) -> Self {
        self.heeds_stop = false;
        self
    }

    /// For a program that may be anything, such as a supposed interpreter: at the limit, it is
    /// killed at once, together with its process group only. It may print `most` bytes.
    #[must_use]
    pub fn probing(mut self, limit: Duration, most: usize) -> Self {
        self.limits = Limits { step: Some(limit), idle: None, heartbeat: 2 * limit };
        self.patience = Duration::ZERO;
        self.ends_session = false;
        self.most_captured = most;
        self
    }

    /// The command for people: quoted for a shell, short, on one line, without secrets.
    pub fn shown(&self) -> String {
        self.shown.clone().unwrap_or_else(|| command::shown(&self.program, &self.args))
    }

    fn label(&self) -> CommandLabel {
        CommandLabel { name: self.name.clone(), command: self.shown() }
    }

    fn io_error(&self, source: io::Error) -> ChildError {
        ChildError::Io { command: self.label(), source }
    }
}

/// Ends the children of this process before they use up the space at these paths, or where they
/// have their temporary files and caches (see [`Floor`](crate::disk::space::Floor)).
pub fn keep_space_free(at: Vec<PathBuf>) {
    let _ = SPACE.set(at);
}

static SPACE: OnceLock<Vec<PathBuf>> = OnceLock::new();

/// Asks the kernel to kill this process when its parent ends. `nyala step`, which a deployment's
/// script runs, so ends with the script, and its children with it. Linux only; elsewhere it does
/// nothing.
pub fn end_with_parent() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

/// Makes a child the leader of a new session, so that neither Ctrl-C in the terminal nor the end of
/// an ssh connection reaches it.
pub fn start_session(command: &mut Command) {
    // SAFETY: between fork and exec only `setsid` is called, which is async-signal-safe and touches
    // no memory.
    #[expect(unsafe_code, reason = "the standard library has no stable way to start a session")]
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            Ok(())
        });
    }
}

/// Whether this user may execute a file: a hook, an action, an interpreter. Links are followed.
pub fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

/// The path of the running binary. If an upgrade has replaced it meanwhile, that is the new binary.
pub fn own_binary() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    // Linux appends this to the name of a removed file: proc_pid_exe(5).
    let replaced =
        path.to_str().and_then(|text| text.strip_suffix(" (deleted)")).map(PathBuf::from);
    Ok(replaced.filter(|path| path.is_file()).unwrap_or(path))
}

/// What a child printed.
#[derive(Debug, Clone, Default)]
pub struct Captured {
    pub stdout: Vec<u8>,
    /// The last 64 KiB of it.
    pub stderr: Vec<u8>,
}

impl Captured {
    /// Standard output as text, without surrounding white space. Invalid UTF-8 becomes U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }
}

/// Runs a child and passes on each line of its standard output and error, in order, as soon as the
/// line is complete.
///
/// A line is passed on as a terminal would show it, without control characters (see
/// [`crate::text`]). A line of more than 64 KiB is passed on in pieces, none of which cuts
/// a secret in two. A daemon that the child leaves behind in a session of its own keeps running;
/// other processes of its group are ended.
///
/// Fails when the child cannot be started, does not exit with 0, or reaches a limit, and when
/// [`stop_all`] is called. The child's group is then sent SIGTERM and, five seconds later, SIGKILL.
/// If this process leads a session, so is everything else in that session.
pub fn stream(invocation: &Invocation, on_line: &mut dyn FnMut(&str)) -> Result<(), ChildError> {
    stream_running(Running::start(invocation, Output::Merged)?, on_line)
}

fn stream_running(running: Running<'_>, on_line: &mut dyn FnMut(&str)) -> Result<(), ChildError> {
    let mut lines = Lines::new(mask::known());
    let result = running.finish(&mut |_, bytes| {
        lines.mask_by(mask::fresh());
        if lines.push(bytes, on_line) { Progress::Line } else { Progress::Something }
    });
    lines.finish(on_line);
    result
}

/// A child that was started, and waits for the end of its standard input. Dropping it kills it.
pub struct Waiting<'a> {
    running: Running<'a>,
    input: PipeWriter,
}

/// Starts a child that prepares itself until its standard input ends. Its limits count from there.
pub fn start(invocation: &Invocation) -> Result<Waiting<'_>, ChildError> {
    let (running, input) = Running::start_waiting(invocation, Output::Merged)?;
    Ok(Waiting { running, input })
}

impl Waiting<'_> {
    /// Ends its standard input; the rest is as with [`stream`].
    pub fn stream(self, on_line: &mut dyn FnMut(&str)) -> Result<(), ChildError> {
        drop(self.input);
        stream_running(self.running, on_line)
    }
}

/// [`stream`] for a log whose every line begins with a time: what a line is overwritten with leaves
/// that as it is. Standard error is no part of the log; its end is in the error if the child does
/// not exit with 0.
pub fn stream_stamped(
    invocation: &Invocation,
    on_line: &mut dyn FnMut(&str),
) -> Result<(), ChildError> {
    let mut lines = Lines::stamped(mask::known());
    let mut stderr = Vec::new();
    let result = Running::start(invocation, Output::Apart)?.finish(&mut |from, bytes| {
        lines.mask_by(mask::fresh());
        match from {
            STDERR => {
                keep_end(&mut stderr, bytes);
                Progress::Something
            }
            _ if lines.push(bytes, on_line) => Progress::Line,
            _ => Progress::Something,
        }
    });
    lines.finish(on_line);
    result.map_err(|error| error.with_complaint(&stderr))
}

/// Runs a child and collects what it prints: for probes, and for git.
///
/// Fails as [`stream`] does, and when the child prints more than 64 MiB. If the child does not exit
/// with 0, the error contains the last lines of its standard error.
pub fn capture(invocation: &Invocation) -> Result<Captured, ChildError> {
    let mut captured = Captured::default();
    let result = Running::start(invocation, Output::Apart)?.finish(&mut |from, bytes| {
        if from == STDERR {
            keep_end(&mut captured.stderr, bytes);
            return Progress::Something;
        }
        if captured.stdout.len() + bytes.len() > invocation.most_captured {
            return Progress::TooMuch;
        }
        captured.stdout.extend_from_slice(bytes);
        Progress::Something
    });
    match result {
        Ok(()) => {
            let surplus = captured.stderr.len().saturating_sub(COMPLAINT);
            captured.stderr.drain(..surplus);
            Ok(captured)
        }
        Err(error) => Err(error.with_complaint(&captured.stderr)),
    }
}

/// Adds to what a child complains of, of which the end is kept.
fn keep_end(complaint: &mut Vec<u8>, bytes: &[u8]) {
    complaint.extend_from_slice(bytes);
    if complaint.len() > 2 * COMPLAINT {
        complaint.drain(..complaint.len() - COMPLAINT);
    }
}
