//! Runs one child: reads its output, enforces its limits, and makes sure that it ends.

use std::cell::Cell;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};

use super::clock::{Clock, Due};
use super::error::ChildError;
use super::spawn::{Output, PIPE, ended_fd, input, spawn};
use super::{Environment, Invocation, group, stop};
use crate::console;
use crate::disk::space::{FileSystem, Floor};

/// After the child has ended, another process may keep its pipe open: how long it may stay quiet,
/// and how long it is read in all.
const QUIET: Duration = Duration::from_millis(200);
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How often the free space is checked.
const MEASURE: Duration = Duration::from_millis(200);

/// How often to check whether the child has ended, on systems that do not report it.
const ASK: Duration = Duration::from_millis(10);

/// What the output that was read contains.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Something,
    /// A whole line, for the log.
    Line,
    /// Too much: stop the child.
    TooMuch,
}

type Take<'t> = &'t mut dyn FnMut(usize, &[u8]) -> Progress;

pub(super) struct Running<'a> {
    invocation: &'a Invocation,
    child: Child,
    group: Pid,
    /// Becomes readable when the child has ended.
    ended: Option<OwnedFd>,
    status: Option<ExitStatus>,
    pipes: Vec<Option<PipeReader>>,
    buffer: Vec<u8>,
    too_much: bool,
    floors: Vec<Floor>,
    /// When the free space was last checked.
    measured: Instant,
    /// Whether [`stop_all`](super::stop_all) still has to end it.
    heeds_stop: bool,
}

impl<'a> Running<'a> {
    pub(super) fn start(invocation: &'a Invocation, output: Output) -> Result<Self, ChildError> {
        let input = input(invocation).map_err(|source| invocation.io_error(source))?;
        Self::start_reading(invocation, output, input)
    }

    /// Starts the child with a pipe as its standard input, and returns the end to write to.
    pub(super) fn start_waiting(
        invocation: &'a Invocation,
        output: Output,
    ) -> Result<(Self, PipeWriter), ChildError> {
        let (input, writer) = io::pipe().map_err(|source| invocation.io_error(source))?;
        Ok((Self::start_reading(invocation, output, input.into())?, writer))
    }

    fn start_reading(
        invocation: &'a Invocation,
        output: Output,
        input: Stdio,
    ) -> Result<Self, ChildError> {
        if invocation.heeds_stop && stop::is_stopped() {
            return Err(ChildError::Stopped { command: invocation.label() });
        }
        let (child, pipes) = spawn(invocation, output, input)?;
        let group = Pid::from_child(&child);
        Ok(Self {
            invocation,
            child,
            group,
            ended: ended_fd(group),
            status: None,
            pipes,
            buffer: vec![0; 64 << 10],
            too_much: false,
            floors: floors(&invocation.environment),
            measured: Instant::now(),
            heeds_stop: invocation.heeds_stop,
        })
    }

    /// Passes the child's output to `take`, with the number of the pipe, until it has ended.
    pub(super) fn finish(mut self, take: Take) -> Result<(), ChildError> {
        let watched = self.watch(take);
        let status = self.end(watched.is_err(), take);
        watched?;
        let status = status.map_err(|source| self.io_error(source))?;
        self.judge(status)
    }

    /// Reads until the child has ended. Fails when it reaches a limit or is stopped.
    fn watch(&mut self, take: Take) -> Result<(), ChildError> {
        let mut clock = Clock::start(&self.invocation.limits, Instant::now());
        while !self.has_ended().map_err(|source| self.io_error(source))? {
            // Read before checking limits: output that came while this thread was held up counts.
            let progress =
                self.listen(self.pause(&clock), take).map_err(|source| self.io_error(source))?;
            if let Some(progress) = progress {
                clock.progress(Instant::now(), progress == Progress::Line);
            }

            if let Some(system) = self.full_disk() {
                let command = self.invocation.label();
                return Err(ChildError::NoSpace { command, system: Box::new(system) });
            }
            let command = || self.invocation.label();
            if self.heeds_stop && stop::is_stopped() {
                return Err(ChildError::Stopped { command: command() });
            }
            if self.too_much {
                return Err(ChildError::TooMuch {
                    command: command(),
                    limit: self.invocation.most_captured,
                });
            }
            let now = Instant::now();
            match clock.due(now) {
                Due::Nothing => {}
                Due::MeasureUsage => clock.used(now, group::processor_time(self.group)),
                Due::Heartbeat(since) => {
                    console::info(format_args!(
                        "... still running: {} ({})",
                        command(),
                        crate::text::duration(since)
                    ));
                }
                Due::StepLimit(after) => {
                    let command = command();
                    return Err(ChildError::StepLimit { command, after });
                }
                Due::IdleLimit(after) => {
                    let command = command();
                    return Err(ChildError::IdleLimit { command, after });
                }
            }
        }
        Ok(())
    }

    /// How long to wait for output before something else is due.
    fn pause(&self, clock: &Clock) -> Duration {
        let pause = clock.pause(Instant::now());
        if self.floors.is_empty() { pause } else { pause.min(MEASURE) }
    }

    /// The file system that has too little free space left, if there is one.
    fn full_disk(&mut self) -> Option<FileSystem> {
        if self.floors.is_empty() || self.measured.elapsed() < MEASURE {
            return None;
        }
        self.measured = Instant::now();
        self.floors.iter().find_map(Floor::reached)
    }

    /// Waits for the child to end, ends the rest of its group, and returns the child's status.
    fn end(&mut self, at_once: bool, take: Take) -> io::Result<ExitStatus> {
        self.heeds_stop = false;
        if !at_once {
            self.read_remaining_output(take)?;
        }
        if !self.has_ended()? || group::has_members(self.group) {
            self.ask_to_end(at_once && self.invocation.ends_session, take)?;
        }
        match self.status {
            Some(status) => Ok(status),
            None => self.child.wait(),
        }
    }

    /// Reads everything that the child printed before it ended. Another process, such as a daemon,
    /// may keep the pipe open: its output is not waited for.
    fn read_remaining_output(&mut self, take: Take) -> io::Result<()> {
        let bytes = Cell::new(0);
        let mut counted = |number: usize, piece: &[u8]| {
            bytes.set(bytes.get() + piece.len());
            take(number, piece)
        };
        let deadline = Instant::now() + LAST_WORDS;
        let mut quiet_until = Instant::now() + QUIET;
        while self.is_open() {
            let progress = self.listen(QUIET, &mut counted)?;
            let now = Instant::now();
            if progress.is_some() {
                quiet_until = now + QUIET;
            } else if now >= quiet_until {
                break;
            }
            if bytes.get() >= self.pipes.len() * PIPE && now >= deadline {
                break;
            }
        }
        Ok(())
    }

    /// Sends the group SIGTERM and, after a while, SIGKILL. With `all`, groups that its members
    /// started get them too: `nyala step` runs pip in one.
    fn ask_to_end(&mut self, all: bool, take: Take) -> io::Result<()> {
        let group = self.group;
        let signal = |signal| {
            group::signal(group, signal);
            if all {
                group::signal_session(signal);
            }
        };
        signal(Signal::TERM);
        let deadline = Instant::now() + self.invocation.patience;
        while !self.has_ended()?
            || group::has_members(self.group)
            || (all && group::session_has_members())
        {
            let now = Instant::now();
            if now >= deadline {
                signal(Signal::KILL);
                break;
            }
            self.listen(2 * ASK, take)?;
        }
        // The rest of its output may say why it hung.
        self.read_remaining_output(take)
    }

    /// Waits up to `pause` for output or for the end, and reads at most one buffer from each pipe.
    /// Returns what came, if anything did.
    fn listen(&mut self, pause: Duration, take: Take) -> io::Result<Option<Progress>> {
        let told = self.ended.as_ref().filter(|_| self.status.is_none());
        let pause = match told {
            None if self.status.is_none() => pause.min(ASK),
            _ => pause,
        };
        let mut fds: Vec<PollFd> = self
            .pipes
            .iter()
            .flatten()
            .map(AsFd::as_fd)
            .chain(told.map(AsFd::as_fd))
            .chain(stop::wake().filter(|_| self.heeds_stop))
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        match poll(&mut fds, Some(&timespec(pause))) {
            Ok(0) | Err(Errno::INTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }

        let mut progress = None;
        for (number, pipe) in self.pipes.iter_mut().enumerate() {
            let Some(reader) = pipe else { continue };
            match reader.read(&mut self.buffer) {
                Ok(0) => *pipe = None,
                Ok(count) => {
                    let this = take(number, &self.buffer[..count]);
                    self.too_much |= this == Progress::TooMuch;
                    if progress != Some(Progress::Line) {
                        progress = Some(this);
                    }
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(progress)
    }

    fn is_open(&self) -> bool {
        self.pipes.iter().any(Option::is_some)
    }

    fn has_ended(&mut self) -> io::Result<bool> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status.is_some())
    }

    fn judge(&self, status: ExitStatus) -> Result<(), ChildError> {
        let command = self.invocation.label();
        let complaint = String::new();
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (_, Some(signal)) => Err(ChildError::Killed { command, signal, complaint }),
            (code, None) => {
                Err(ChildError::Exited { command, code: code.unwrap_or(-1), complaint })
            }
        }
    }

    fn io_error(&self, source: io::Error) -> ChildError {
        self.invocation.io_error(source)
    }
}

/// What a child with this environment has to leave free, where this process keeps space free.
fn floors(environment: &Environment) -> Vec<Floor> {
    let Some(paths) = super::SPACE.get() else { return Vec::new() };
    let temporary = environment.get("TMPDIR").map_or(Path::new("/tmp"), Path::new);
    let home = environment.get("HOME").map(|home| Path::new(home).join(".cache"));
    let cache = environment.get("XDG_CACHE_HOME").map(PathBuf::from).or(home);
    Floor::under(paths.iter().map(PathBuf::as_path).chain([temporary]).chain(cache.as_deref()))
}

/// No child is left running, even after a panic.
impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.status.is_none() {
            group::signal(self.group, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    duration.try_into().unwrap_or(Timespec { tv_sec: i32::MAX.into(), tv_nsec: 0 })
}
