//! What git and a proc-receive hook say to each other: pkt-lines, version 1, as githooks(5) has it.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail};
use gix_packetline::PacketLineRef;
use gix_packetline::blocking_io::StreamingPeekableIter;
use gix_packetline::blocking_io::encode::{data_to_write, flush_to_write};

use super::{error, refs};
use crate::git::RefUpdate;
use crate::text::{clause, clean, excerpt};

/// A reason is shown on the pusher's line of the ref, so it has to be short. In characters.
const LONGEST_REASON: usize = 200;

/// What git asks.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// All the refs are to be moved, or none (`git push --atomic`).
    pub atomic: bool,
    pub updates: Vec<RefUpdate>,
    /// The names of the refs as git sent them: they need not be UTF-8, and the answer has to have
    /// the same bytes.
    pub names: Vec<Vec<u8>>,
    /// What was given with `git push -o`; proc-receive does not get it in the environment.
    pub options: Vec<String>,
}

/// What becomes of one ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has been moved.
    Moved,
    /// git is to do what it would have done without the hook.
    LeftToGit,
    /// It stays where it was; the reason in a few words.
    Refused(String),
}

/// Agrees on the version and reads what is asked.
pub fn read(input: impl Read, mut output: impl Write) -> Result<Request> {
    let mut lines = StreamingPeekableIter::new(input, &[PacketLineRef::Flush], false);
    let greeting = section(&mut lines)?;
    let greeting = greeting.first().map(Vec::as_slice).unwrap_or_default();
    let (version, features) = match greeting.iter().position(|byte| *byte == 0) {
        Some(end) => (&greeting[..end], String::from_utf8_lossy(&greeting[end + 1..]).into_owned()),
        None => (greeting, String::new()),
    };
    if version != b"version=1" {
        bail!(error::unknown_version(&excerpt(&String::from_utf8_lossy(version))));
    }
    let has = |feature: &str| features.split_whitespace().any(|word| word == feature);
    let answer: &[u8] = if has("push-options") { b"version=1\0push-options" } else { b"version=1" };
    data_to_write(answer, &mut output)
        .and_then(|_| flush_to_write(&mut output))
        .context("cannot write to git")?;
    output.flush().context("cannot write to git")?;

    let commands = section(&mut lines)?;
    let options = if has("push-options") { section(&mut lines)? } else { Vec::new() };
    let updates = commands.iter().map(|line| refs::parse_line(line)).collect::<Result<Vec<_>>>()?;
    let ids = |update: &RefUpdate| update.old_oid.len() + 1 + update.new_oid.len() + 1;
    let names =
        commands.iter().zip(&updates).map(|(line, update)| line[ids(update)..].to_vec()).collect();
    let options =
        options.iter().map(|option| String::from_utf8_lossy(option).into_owned()).collect();
    Ok(Request { atomic: has("atomic"), updates, names, options })
}

/// Says what became of each ref, in the order in which they came.
pub fn answer(mut output: impl Write, names: &[Vec<u8>], answers: &[Answer]) -> Result<()> {
    let mut write = || -> std::io::Result<()> {
        for (name, answer) in names.iter().zip(answers) {
            let line =
                |start: &[u8], end: &str| [start, b" ", name.as_slice(), end.as_bytes()].concat();
            match answer {
                Answer::Moved => data_to_write(&line(b"ok", ""), &mut output)?,
                Answer::LeftToGit => {
                    data_to_write(&line(b"ok", ""), &mut output)?;
                    data_to_write(b"option fall-through", &mut output)?
                }
                Answer::Refused(why) => {
                    data_to_write(&line(b"ng", &format!(" {}", reason(why))), &mut output)?
                }
            };
        }
        flush_to_write(&mut output)?;
        output.flush()
    };
    write().context("cannot report the result of the push to git")
}

/// The lines up to the next flush, without their ends.
fn section(lines: &mut StreamingPeekableIter<impl Read>) -> Result<Vec<Vec<u8>>> {
    let mut section = Vec::new();
    while let Some(line) = lines.read_line() {
        let line = line.context("the request from git ended early")?;
        let line =
            line.map_err(|error| anyhow::anyhow!("git sent an invalid pkt-line: {error}"))?;
        let bytes = line.as_slice().unwrap_or_default();
        section.push(bytes.strip_suffix(b"\n").unwrap_or(bytes).to_vec());
    }
    lines.reset();
    Ok(section)
}

/// One line, without anything a terminal acts on.
fn reason(why: &str) -> String {
    let line = clean(why.lines().next().unwrap_or_default());
    let line = clause(line.trim());
    match line.char_indices().nth(LONGEST_REASON) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.is_empty() => "refused".to_owned(),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: &str = "0000000000000000000000000000000000000000";
    const ONE: &str = "1111111111111111111111111111111111111111";

    /// Sections of lines as git writes them.
    fn sent(sections: &[&[&[u8]]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for lines in sections {
            for line in *lines {
                data_to_write(line, &mut bytes).unwrap();
            }
            flush_to_write(&mut bytes).unwrap();
        }
        bytes
    }

    #[test]
    fn everything_git_says_is_read() {
        let command = format!("{ZERO} {ONE} refs/heads/main");
        let latin = [format!("{ONE} {ZERO} refs/heads/").as_bytes(), b"\xfc"].concat();
        let input = sent(&[
            &[b"version=1\0push-options atomic\n"],
            &[command.as_bytes(), &latin],
            &[b"dry-run", b"a b"],
        ]);
        let mut output = Vec::new();
        let request = read(input.as_slice(), &mut output).unwrap();
        assert!(request.atomic);
        assert_eq!(request.options, ["dry-run", "a b"]);
        assert_eq!(request.names, [b"refs/heads/main".to_vec(), b"refs/heads/\xfc".to_vec()]);
        assert_eq!(request.updates[0].branch(), Some("main"));
        assert!(request.updates[1].is_deletion());
        assert_eq!(output, sent(&[&[b"version=1\0push-options"]]));
    }

    #[test]
    fn a_git_that_offers_nothing_is_asked_for_nothing() {
        let input = sent(&[&[b"version=1\n"], &[format!("{ZERO} {ONE} refs/tags/x").as_bytes()]]);
        let mut output = Vec::new();
        let request = read(input.as_slice(), &mut output).unwrap();
        assert!(!request.atomic && request.options.is_empty());
        assert_eq!(output, sent(&[&[b"version=1"]]));
    }

    #[test]
    fn ids_of_two_lengths_are_told_from_the_name() {
        let command = format!("{} {ONE} refs/heads/main", "1".repeat(64));
        let input = sent(&[&[b"version=1"], &[command.as_bytes()]]);
        assert_eq!(
            read(input.as_slice(), Vec::new()).unwrap().names,
            [b"refs/heads/main".to_vec()]
        );
    }

    #[test]
    fn another_version_or_half_a_line_is_an_error() {
        assert!(read(sent(&[&[b"version=2"]]).as_slice(), Vec::new()).is_err());
        assert!(read(b"0030version=1".as_slice(), Vec::new()).is_err());
        assert!(read(b"zzzz".as_slice(), Vec::new()).is_err());
    }

    #[test]
    fn the_answer_names_each_ref_in_its_order() {
        let names =
            [b"refs/heads/main".to_vec(), b"refs/heads/\xfc".to_vec(), b"refs/tags/v1".to_vec()];
        let answers = [
            Answer::Refused("deploy failed: \u{1b}[31mpip\nmore".into()),
            Answer::LeftToGit,
            Answer::Moved,
        ];
        let mut output = Vec::new();
        answer(&mut output, &names, &answers).unwrap();
        let expected = sent(&[&[
            b"ng refs/heads/main deploy failed: pip",
            b"ok refs/heads/\xfc",
            b"option fall-through",
            b"ok refs/tags/v1",
        ]]);
        assert_eq!(output, expected);
    }

    #[test]
    fn a_reason_is_never_empty_and_never_long() {
        assert_eq!(reason("\n"), "refused");
        assert_eq!(reason(&"ä".repeat(900)).chars().count(), LONGEST_REASON + 1);
    }
}
