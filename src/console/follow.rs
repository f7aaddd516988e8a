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

use super::paint;

/// The most bytes of one write. A pipe that `poll` calls writable has at least one free page, so
/// that such a write does not block.
const PIECE: usize = 4096;

/// A reader who reads nothing for this long is considered gone.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a log is looked at in the first [`SHORT`], in which most deployments end; afterwards
/// while it grows; and when it has been quiet for [`QUIET`].
const AT_FIRST: Duration = Duration::from_millis(1);
const SOON: Duration = Duration::from_millis(5);
const LATER: Duration = Duration::from_millis(15);
const SHORT: Duration = Duration::from_millis(500);
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

/// Copies the log to `out` until `ended` says so and all of it has been copied; never blocks on
/// `out`.
///
/// Waits for a log that does not exist yet. Only whole lines are copied. Copying stops when `out`
/// fails, or takes nothing for a second. Fails when the log cannot be read, or `ended` fails.
pub fn follow(
    log: &Path,
    out: impl AsFd,
    ended: &mut dyn FnMut() -> Result<bool>,
) -> Result<Followed> {
    Relay::new(out.as_fd(), Some(PATIENCE), false).follow(log, ended)
}

/// [`follow`] for a command: waits for a slow reader, such as a pager, as long as it takes. If
/// `coloured` (see [`paint::wanted`]), it colours the words that the git client colours.
pub fn show(
    log: &Path,
    out: impl AsFd,
    coloured: bool,
    ended: &mut dyn FnMut() -> Result<bool>,
) -> Result<Followed> {
    Relay::new(out.as_fd(), None, coloured).follow(log, ended)
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
}

impl<'out> Relay<'out> {
    fn new(out: BorrowedFd<'out>, patience: Option<Duration>, coloured: bool) -> Self {
        Self { out, patience, coloured, rest: Vec::new() }
    }

    fn follow(&mut self, log: &Path, ended: &mut dyn FnMut() -> Result<bool>) -> Result<Followed> {
        let mut file = None;
        let mut buffer = vec![0; 64 * 1024];
        let began = Instant::now();
        let mut grew = began;
        loop {
            // Asked before reading, so that everything written before the end is read.
            let finished = ended()?;
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
                return Ok(match self.forward_rest() {
                    Ok(()) => Followed::Whole,
                    Err(Gone) => Followed::ReaderGone,
                });
            }
            let pause = match (began.elapsed() < SHORT, grew.elapsed() < QUIET) {
                (true, _) => AT_FIRST,
                (false, true) => SOON,
                (false, false) => LATER,
            };
            if self.reader_leaves_within(pause) {
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

    fn write_lines(&self, lines: &[u8]) -> Result<(), Gone> {
        if self.coloured { self.write(&paint::lines(lines)) } else { self.write(lines) }
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

    /// Waits. Returns whether the reader has left meanwhile (`nyala build-log --follow | head -1`).
    fn reader_leaves_within(&self, pause: Duration) -> bool {
        leaves_within(self.out, pause)
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
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    fn written(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn relayed(relay: impl FnOnce(BorrowedFd<'_>) -> Followed) -> (Followed, String) {
        let (mut reader, writer) = io::pipe().unwrap();
        let copy = thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        let followed = relay(writer.as_fd());
        drop(writer);
        (followed, copy.join().unwrap())
    }

    #[test]
    fn a_log_that_has_ended_is_copied_whole() {
        let text = "a line of the log\n".repeat(50_000);
        let log = written(&text);
        let (followed, copy) = relayed(|out| follow(log.path(), out, &mut || Ok(true)).unwrap());
        assert_eq!(followed, Followed::Whole);
        assert!(copy == text);
    }

    #[test]
    fn a_last_line_without_an_end_is_given_one() {
        let log = written("one\ntwo");
        let (_, copy) = relayed(|out| follow(log.path(), out, &mut || Ok(true)).unwrap());
        assert_eq!(copy, "one\ntwo\n");
    }

    #[test]
    fn a_log_that_appears_later_is_followed_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.txt");
        let done = AtomicBool::new(false);
        let (followed, copy) = thread::scope(|scope| {
            scope.spawn(|| {
                let mut file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
                for number in 0..200 {
                    write!(file, "line ").unwrap();
                    thread::sleep(Duration::from_micros(200));
                    writeln!(file, "{number}").unwrap();
                }
                done.store(true, Ordering::SeqCst);
            });
            relayed(|out| follow(&log, out, &mut || Ok(done.load(Ordering::SeqCst))).unwrap())
        });
        assert_eq!(followed, Followed::Whole);
        let expected: Vec<_> = (0..200).map(|number| format!("line {number}")).collect();
        assert_eq!(copy.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_unfinished_line_is_not_passed_on() {
        let log = written("one\ntw");
        let mut asked = 0;
        let (reader, writer) = io::pipe().unwrap();
        let mut ended = || {
            asked += 1;
            if asked == 5 {
                let mut seen = [0; 16];
                let count = (&reader).read(&mut seen).unwrap();
                assert_eq!(&seen[..count], b"one\n");
            }
            Ok(asked > 5)
        };
        follow(log.path(), &writer, &mut ended).unwrap();
    }

    #[test]
    fn a_reader_that_stops_reading_blocks_nothing() {
        let log = written(&format!("{}\n", "x".repeat(99)).repeat(10_000));
        let (reader, writer) = io::pipe().unwrap();
        let followed = follow(log.path(), &writer, &mut || Ok(false)).unwrap();
        assert_eq!(followed, Followed::ReaderGone);
        drop(reader);
    }

    #[test]
    fn following_a_quiet_log_ends_when_the_reader_leaves() {
        let log = written("");
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        assert_eq!(
            show(log.path(), &writer, false, &mut || Ok(false)).unwrap(),
            Followed::ReaderGone
        );
        assert_eq!(print(&writer, "text\n"), Followed::ReaderGone);
    }

    #[test]
    fn a_nonblocking_pipe_loses_nothing() {
        let text = "0123456789\n".repeat(40_000);
        let log = written(&text);
        let (_, copy) = relayed(|out| {
            rustix::io::ioctl_fionbio(out, true).unwrap();
            show(log.path(), out, false, &mut || Ok(true)).unwrap()
        });
        assert!(copy == text);
    }

    #[test]
    fn a_terminal_gets_the_colours_that_git_would_give() {
        let log = written("-----> Step\nerror: no\n");
        let (_, copy) = relayed(|out| show(log.path(), out, true, &mut || Ok(true)).unwrap());
        assert_eq!(copy, "-----> Step\n\u{1b}[1m\u{1b}[31merror\u{1b}[0m: no\n");
    }
}
