//! Copies a log to a reader, without ever being blocked by a slow one.
//!
//! When the client of a push is killed or stopped, the hook gets neither a signal nor an error:
//! once the 64 KiB of the pipe are full, its writes block for ever.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::brief::Brief;
use super::paint;
use super::terminal;
use super::watch::Watch;

/// The most bytes of one write. A pipe that `poll` calls writable has at least one free page, so
/// that such a write does not block.
const PIECE: usize = 4096;

/// A reader who reads nothing for this long is considered gone.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a log is looked at while it grows, and when it has been quiet for [`QUIET`].
const SOON: Duration = Duration::from_millis(5);
const LATER: Duration = Duration::from_millis(15);
const QUIET: Duration = Duration::from_secs(2);

/// A longer line is passed on before it ends.
const LONGEST_LINE: usize = 1 << 20;

/// How following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// All of the log has been copied.
    Whole,
    /// The reader is gone, or has stopped reading. The log itself is complete.
    ReaderGone,
}

/// Who follows a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follower {
    /// Somebody at the other end of a pipe, who is considered gone after a second in which nothing
    /// is read.
    Client,
    /// Somebody who called for the log, and may read as slowly as a pager does. If `coloured` (see
    /// [`paint::wanted`]), the words that the git client colours are coloured.
    Person { coloured: bool },
}

/// The end of a deployment.
pub struct End<'a> {
    /// Whether it has come.
    pub has_come: &'a mut dyn FnMut() -> Result<bool>,
    /// What is hung up then, if there is such a thing: nobody waits for the next look.
    pub hangs_up: Option<BorrowedFd<'a>>,
}

/// Says where a deployment is, such as `pip: 42 s; last time 55 s`, by the title of its step and
/// the seconds that the steps before it took; `None` when that is not known.
pub type Place<'a> = &'a dyn Fn(&str, f64) -> Option<String>;

/// Shows the log to `out`, as [`super::brief`] has it, until the end has come and all of it has
/// been shown. `whole` is the command that prints all of it.
///
/// Waits for a log that does not exist yet. Only whole lines are shown. Showing stops when `out`
/// fails. Fails when the log cannot be read, or `end` fails.
pub fn follow(
    log: &Path,
    out: impl AsFd,
    follower: Follower,
    whole: String,
    place: Place<'_>,
    end: End<'_>,
) -> Result<Followed> {
    let (patience, coloured) = match follower {
        Follower::Client => (Some(PATIENCE), false),
        Follower::Person { coloured } => (None, coloured),
    };
    let out = out.as_fd();
    let watch = Watch::new(place, follower, terminal::columns(out));
    let relay = Relay::new(out, patience, coloured);
    Relay { brief: Some(Brief::new(whole)), watch: Some(watch), ..relay }.follow(log, end)
}

/// Prints all of a log. Waits for a slow reader, such as a pager, as long as it takes.
pub fn show(log: &Path, out: impl AsFd, coloured: bool) -> Result<Followed> {
    let end = End { has_come: &mut || Ok(true), hangs_up: None };
    Relay::new(out.as_fd(), None, coloured).follow(log, end)
}

/// Prints text of a command to standard output. Waits for a slow reader, as [`show`] does.
///
/// If the reader is gone (`nyala list | head -1`), the rest is dropped: what a command does must
/// not depend on its reader. `println!` would panic.
pub fn say(text: impl AsRef<[u8]>) {
    let _ = Relay::new(rustix::stdio::stdout(), None, false).write(text.as_ref());
}

/// Why the output of [`show`] and [`say`] is incomplete although its reader is not gone, for
/// example a full disk.
pub fn write_error() -> Option<io::Error> {
    UNSAID.get().map(|why| io::Error::from(*why))
}

static UNSAID: OnceLock<Errno> = OnceLock::new();

/// Prints text of a hook to `out`. Gives up after a second in which nothing is read, as [`follow`]
/// does. `println!` would panic.
pub fn print(out: impl AsFd, text: &str) -> Followed {
    match Relay::new(out.as_fd(), Some(PATIENCE), false).write(text.as_bytes()) {
        Ok(()) => Followed::Whole,
        Err(Gone) => Followed::ReaderGone,
    }
}

/// The reader is gone, or has stopped reading.
struct Gone;

struct Relay<'out> {
    out: BorrowedFd<'out>,
    patience: Option<Duration>,
    coloured: bool,
    /// The beginning of a line, which has been read but not passed on.
    rest: Vec<u8>,
    /// `None` when all lines are passed on.
    brief: Option<Brief>,
    watch: Option<Watch<'out>>,
}

impl<'out> Relay<'out> {
    fn new(out: BorrowedFd<'out>, patience: Option<Duration>, coloured: bool) -> Self {
        Self { out, patience, coloured, rest: Vec::new(), brief: None, watch: None }
    }

    fn follow(&mut self, log: &Path, mut end: End<'_>) -> Result<Followed> {
        let mut file = None;
        let mut buffer = vec![0; 64 * 1024];
        let mut grew = Instant::now();
        loop {
            // Asked before reading, so that everything written before the end is read.
            let finished = (end.has_come)()?;
            if file.is_none() {
                file = open(log)?;
            }
            if let Some(file) = &mut file {
                loop {
                    let count = read(file, &mut buffer)
                        .with_context(|| format!("cannot read {}", log.display()))?;
                    if count == 0 {
                        break;
                    }
                    grew = Instant::now();
                    if self.forward(&buffer[..count]).is_err() {
                        return Ok(Followed::ReaderGone);
                    }
                }
            }
            if finished {
                if let Some(clear) = self.watch.as_mut().and_then(Watch::lines_come) {
                    let _ = self.write(clear.as_bytes());
                }
                return Ok(match self.forward_rest() {
                    Ok(()) => Followed::Whole,
                    Err(Gone) => Followed::ReaderGone,
                });
            }
            if self.say_where_it_is().is_err() {
                return Ok(Followed::ReaderGone);
            }
            let pause = if grew.elapsed() < QUIET { SOON } else { LATER };
            if self.reader_leaves_within(pause, &mut end.hangs_up) {
                return Ok(Followed::ReaderGone);
            }
        }
    }

    /// Passes on whole lines, and keeps the beginning of the line after them.
    fn forward(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.rest.extend_from_slice(bytes);
        let whole = match memchr::memrchr(b'\n', &self.rest) {
            Some(end) => end + 1,
            None if self.rest.len() > LONGEST_LINE => self.rest.len(),
            None => return Ok(()),
        };
        let rest = self.rest.split_off(whole);
        let lines = std::mem::replace(&mut self.rest, rest);
        self.write_lines(&lines)
    }

    /// Ends a last line that has no end, so that the git client shows it.
    fn forward_rest(&mut self) -> Result<(), Gone> {
        if self.rest.is_empty() {
            return Ok(());
        }
        self.rest.push(b'\n');
        let rest = std::mem::take(&mut self.rest);
        self.write_lines(&rest)
    }

    fn write_lines(&mut self, lines: &[u8]) -> Result<(), Gone> {
        let brief = self.brief.as_mut().map(|brief| brief.lines(lines));
        let lines = brief.as_deref().unwrap_or(lines);
        if lines.is_empty() {
            return Ok(());
        }
        if let Some(clear) = self.watch.as_mut().and_then(Watch::lines_come) {
            self.write(clear.as_bytes())?;
        }
        if self.coloured { self.write(&paint::lines(lines)) } else { self.write(lines) }
    }

    /// While nothing is shown, says where the deployment is.
    fn say_where_it_is(&mut self) -> Result<(), Gone> {
        let (Some(watch), Some(brief)) = (&mut self.watch, &self.brief) else { return Ok(()) };
        match watch.text(brief.step(), Instant::now()) {
            Some(text) => self.write(text.as_bytes()),
            None => Ok(()),
        }
    }

    fn write(&self, mut bytes: &[u8]) -> Result<(), Gone> {
        while !bytes.is_empty() {
            self.wait_until_writable()?;
            match rustix::io::write(self.out, &bytes[..bytes.len().min(PIECE)]) {
                Ok(count) => bytes = &bytes[count..],
                // Another process may have set O_NONBLOCK on the shared pipe, or have filled it.
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(why) => {
                    let is_for_a_person = self.patience.is_none();
                    if is_for_a_person && !matches!(why, Errno::PIPE | Errno::CONNRESET) {
                        UNSAID.get_or_init(|| why);
                    }
                    return Err(Gone);
                }
            }
        }
        Ok(())
    }

    fn wait_until_writable(&self) -> Result<(), Gone> {
        let deadline = self.patience.map(|patience| Instant::now() + patience);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let mut fds = [PollFd::from_borrowed_fd(self.out, PollFlags::OUT)];
            match poll(&mut fds, left.map(timespec).as_ref()) {
                Ok(1..) if !is_gone(fds[0].revents()) => return Ok(()),
                Err(Errno::INTR) => {}
                _ => return Err(Gone),
            }
        }
    }

    /// Waits, but not after `end` is hung up; afterwards there is no `end`. Returns whether the
    /// reader has left meanwhile (`nyala build-log --follow | head -1`).
    fn reader_leaves_within(&self, pause: Duration, end: &mut Option<BorrowedFd<'_>>) -> bool {
        let Some(hangs_up) = *end else { return leaves_within(self.out, pause) };
        let mut fds =
            [self.out, hangs_up].map(|it| PollFd::from_borrowed_fd(it, PollFlags::empty()));
        if !poll(&mut fds, Some(&timespec(pause))).is_ok_and(|events| events > 0) {
            return false;
        }
        if is_gone(fds[1].revents()) {
            *end = None;
        }
        is_gone(fds[0].revents())
    }
}

/// Waits. Returns whether the reader of this has left meanwhile.
pub fn leaves_within(out: BorrowedFd<'_>, pause: Duration) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(out, PollFlags::empty())];
    match poll(&mut fds, Some(&timespec(pause))) {
        Ok(1..) => is_gone(fds[0].revents()),
        _ => false,
    }
}

fn is_gone(events: PollFlags) -> bool {
    events.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
}

fn timespec(duration: Duration) -> Timespec {
    duration.try_into().unwrap_or(Timespec { tv_sec: i32::MAX.into(), tv_nsec: 0 })
}

fn open(log: &Path) -> Result<Option<File>> {
    match File::open(log) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot open {}", log.display())),
    }
}

fn read(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests;
