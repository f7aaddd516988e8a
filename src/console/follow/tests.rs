//! Followers that are fast, slow and gone.

use super::*;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Follows a log for a client.
fn copy(log: &Path, out: impl AsFd, ended: &mut dyn FnMut() -> Result<bool>) -> Result<Followed> {
    copy_until(log, out, End { has_come: ended, hangs_up: None })
}

fn copy_until(log: &Path, out: impl AsFd, end: End<'_>) -> Result<Followed> {
    follow(log, out, Follower::Client, String::new(), &|_, _| None, end)
}

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
    let (followed, copy) = relayed(|out| copy(log.path(), out, &mut || Ok(true)).unwrap());
    assert_eq!(followed, Followed::Whole);
    assert!(copy == text);
}

#[test]
fn a_last_line_without_an_end_is_given_one() {
    let log = written("one\ntwo");
    let (_, copy) = relayed(|out| copy(log.path(), out, &mut || Ok(true)).unwrap());
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
        relayed(|out| copy(&log, out, &mut || Ok(done.load(Ordering::SeqCst))).unwrap())
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
    copy(log.path(), &writer, &mut ended).unwrap();
}

#[test]
fn a_reader_that_stops_reading_blocks_nothing() {
    let log = written(&format!("{}\n", "x".repeat(99)).repeat(10_000));
    let (reader, writer) = io::pipe().unwrap();
    let followed = copy(log.path(), &writer, &mut || Ok(false)).unwrap();
    assert_eq!(followed, Followed::ReaderGone);
    drop(reader);
}

#[test]
fn following_a_quiet_log_ends_when_the_reader_leaves() {
    let log = written("");
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let followed = copy(log.path(), &writer, &mut || Ok(false)).unwrap();
    assert_eq!(followed, Followed::ReaderGone);
    assert_eq!(print(&writer, "text\n"), Followed::ReaderGone);
}

#[test]
fn a_log_is_followed_on_after_a_hang_up() {
    let log = written("one\n");
    let (end, workers) = io::pipe().unwrap();
    let mut workers = Some(workers);
    let mut looks = 0;
    let mut has_come = || {
        looks += 1;
        workers = None;
        if looks == 3 {
            let mut file = OpenOptions::new().append(true).open(log.path()).unwrap();
            writeln!(file, "two").unwrap();
        }
        Ok(looks == 3)
    };
    let end = End { has_come: &mut has_come, hangs_up: Some(end.as_fd()) };
    let (followed, copy) = relayed(|out| copy_until(log.path(), out, end).unwrap());
    assert_eq!((followed, &*copy), (Followed::Whole, "one\ntwo\n"));
}

#[test]
fn a_nonblocking_pipe_loses_nothing() {
    let text = "0123456789\n".repeat(40_000);
    let log = written(&text);
    let (_, copy) = relayed(|out| {
        rustix::io::ioctl_fionbio(out, true).unwrap();
        show(log.path(), out, false).unwrap()
    });
    assert!(copy == text);
}

#[test]
fn a_terminal_gets_the_colours_that_git_would_give() {
    let log = written("-----> Step\nerror: no\n");
    let (_, copy) = relayed(|out| show(log.path(), out, true).unwrap());
    assert_eq!(copy, "-----> Step\n\u{1b}[1m\u{1b}[31merror\u{1b}[0m: no\n");
}
