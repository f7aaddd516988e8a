//! A log that cannot fill the disk: only its beginning and its end are kept.
//!
//! `log.txt` takes the first [`Limits::head`] bytes. What comes after goes into a file beside it,
//! `log.txt.part`; when that is full it becomes `log.txt.part.old`, in the place of the one before.
//! [`settle`] puts both at the end of `log.txt`, with a line that says how much was left out. The
//! worker does so when the deployment ends, and recovery when the worker was killed. So whoever
//! reads `log.txt`, or follows it, needs to know nothing of all this.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::INDENT;
use crate::disk;
use crate::text;

/// How much of a log is kept, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    head: u64,
    /// The most bytes of each of the two parts after the head.
    part: u64,
}

impl Default for Limits {
    /// 64 MiB in all.
    fn default() -> Self {
        Self { head: 32 << 20, part: 16 << 20 }
    }
}

/// How often readers of a log that has become too long are told that it goes on.
const NEWS: Duration = Duration::from_mins(1);

/// The file of a deployment's log. Each write should be of whole lines.
pub(super) struct BoundedLog {
    path: PathBuf,
    head: File,
    limits: Limits,
    /// Bytes in the head.
    written: u64,
    part: Option<Part>,
}

struct Part {
    file: File,
    written: u64,
    /// How many lines have been written since the head was full, in this part and before it.
    lines: u64,
    said: Instant,
}

impl BoundedLog {
    /// `head` is the file at `path`, open for appending.
    pub(super) fn new(path: PathBuf, head: File, limits: Limits) -> Self {
        let written = head.metadata().map_or(0, |metadata| metadata.len());
        Self { path, head, limits, written, part: None }
    }

    /// Puts everything into the one file. What is written from now on goes there as well, for as
    /// long as it is little.
    pub(super) fn settle(&mut self) -> Result<()> {
        if self.part.take().is_none() {
            return Ok(());
        }
        self.written = self.limits.head.saturating_sub(self.limits.part / 4);
        settle(&self.path)
    }

    /// The part that these bytes go into.
    fn part(&mut self, bytes: u64) -> io::Result<&mut Part> {
        let limit = self.limits.part;
        let fits = |part: &Part| part.written == 0 || part.written + bytes <= limit;
        if !self.part.as_ref().is_some_and(fits) {
            let lines = self.part.as_ref().map_or(0, |part| part.lines);
            let file = start_part(&self.path, lines).map_err(into_io)?;
            if self.part.is_none() {
                let note = format!(
                    "{INDENT}(This log is too long. When the deployment ends, its last {} \
                     follow.)\n",
                    text::bytes(2 * limit)
                );
                self.head.write_all(note.as_bytes())?;
            }
            self.part = Some(Part { file, written: 0, lines, said: Instant::now() });
        }
        self.part.as_mut().ok_or_else(|| ErrorKind::Other.into())
    }
}

impl Write for BoundedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len() as u64;
        if self.part.is_none() && self.written + length <= self.limits.head {
            let count = self.head.write(bytes)?;
            self.written += count as u64;
            return Ok(count);
        }
        let part = self.part(length)?;
        let count = part.file.write(bytes)?;
        part.written += count as u64;
        part.lines += memchr::memchr_iter(b'\n', &bytes[..count]).count() as u64;
        if part.said.elapsed() >= NEWS {
            part.said = Instant::now();
            let news = format!("{INDENT}(The log goes on: {} more lines so far.)\n", part.lines);
            self.head.write_all(news.as_bytes())?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn part_path(log: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(log);
    name.push(end);
    name.into()
}

fn newer(log: &Path) -> PathBuf {
    part_path(log, ".part")
}

fn older(log: &Path) -> PathBuf {
    part_path(log, ".part.old")
}

/// The first line of a part says how many lines there were since the head.
fn start_part(log: &Path, lines: u64) -> Result<File> {
    let newer = newer(log);
    if lines > 0 {
        disk::rename(&newer, &older(log))?;
    } else {
        disk::remove_file(&newer)?;
    }
    let mut file = disk::create_file(&newer, 0o600)?;
    writeln!(file, "{lines}").with_context(|| format!("cannot write {}", newer.display()))?;
    Ok(file)
}

/// Puts the parts of a log, if it has any, at its end. `log` is its path.
///
/// What cannot be written, on a full disk, stays a part: this can be tried again.
pub fn settle(log: &Path) -> Result<()> {
    let mut is_first = true;
    for path in [older(log), newer(log)] {
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => opened.with_context(|| format!("cannot open {}", path.display()))?,
        };
        let mut part = BufReader::new(file);
        let mut before = String::new();
        part.read_line(&mut before).with_context(|| format!("cannot read {}", path.display()))?;
        let left_out: u64 = before.trim().parse().unwrap_or(0);
        if is_first && left_out > 0 {
            disk::append_line(log, &format!("{INDENT}... {left_out} lines left out ..."))?;
        }
        is_first = false;
        disk::append(log, &mut part)?;
        disk::remove_file(&path)?;
    }
    Ok(())
}

fn into_io(error: anyhow::Error) -> io::Error {
    match error.downcast::<io::Error>() {
        Ok(error) => error,
        Err(error) => io::Error::other(format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn log_of(folder: &Path, limits: Limits) -> BoundedLog {
        let path = folder.join("log.txt");
        let head = File::options().create(true).append(true).open(&path).unwrap();
        BoundedLog::new(path, head, limits)
    }

    const SMALL: Limits = Limits { head: 1000, part: 500 };

    fn size_of(folder: &Path) -> u64 {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }

    #[test]
    fn a_short_log_is_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log_of(folder.path(), SMALL);
        log.write_all(b"one\n").unwrap();
        log.settle().unwrap();
        log.write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("log.txt")).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_long_log_keeps_its_beginning_and_end_and_stays_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log_of(folder.path(), SMALL);
        for number in 0..10_000 {
            writeln!(LineByLine(&mut log), "line {number}").unwrap();
            assert!(size_of(folder.path()) < 2200, "{}", size_of(folder.path()));
        }
        log.settle().unwrap();
        log.write_all(b"success: live\n").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        check(&fs::read_to_string(folder.path().join("log.txt")).unwrap(), 10_000);
    }

    /// All lines are there in order, except those that a line says are left out.
    fn check(text: &str, all: u64) {
        let mut next = 0;
        let mut left_out = 0;
        for line in text.lines() {
            if let Some(number) = line.strip_prefix("line ") {
                assert_eq!(number.parse::<u64>().unwrap(), next);
                next += 1;
            } else if let Some(count) = line.trim().strip_suffix(" lines left out ...") {
                left_out = count.trim_start_matches("... ").parse().unwrap();
                next += left_out;
            }
        }
        assert!(left_out > 0, "{text}");
        assert_eq!(next, all);
        assert_eq!(text.lines().last(), Some("success: live"));
    }

    #[test]
    fn the_log_of_a_killed_worker_is_settled_later() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log_of(folder.path(), SMALL);
        for number in 0..777 {
            writeln!(LineByLine(&mut log), "line {number}").unwrap();
        }
        drop(log);
        let path = folder.path().join("log.txt");
        settle(&path).unwrap();
        settle(&path).unwrap();
        disk::append_line(&path, "success: live").unwrap();
        check(&fs::read_to_string(&path).unwrap(), 777);
    }

    #[test]
    fn a_log_that_goes_on_after_it_was_settled_stays_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log_of(folder.path(), SMALL);
        for _ in 0..3 {
            for number in 0..1000 {
                writeln!(LineByLine(&mut log), "line {number}").unwrap();
            }
            log.settle().unwrap();
        }
        assert!(size_of(folder.path()) < 6000, "{}", size_of(folder.path()));
    }

    #[test]
    fn a_line_that_is_longer_than_a_part_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log_of(folder.path(), SMALL);
        let line = format!("{}\n", "x".repeat(5000));
        for _ in 0..3 {
            log.write_all(line.as_bytes()).unwrap();
        }
        log.settle().unwrap();
        assert!(fs::read_to_string(folder.path().join("log.txt")).unwrap().ends_with(&line));
    }

    /// `writeln!` writes in pieces.
    struct LineByLine<'a>(&'a mut BoundedLog);

    impl Write for LineByLine<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes)
        }

        fn write_fmt(&mut self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
            self.0.write_all(text.to_string().as_bytes())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
