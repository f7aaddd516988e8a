//! What is wrong with a Procfile, in words for people.

use crate::text::excerpt;
use crate::user_error::UserError;

const EXAMPLE: &str = "Write a line for each process, such as: web: gunicorn app:app";

fn wrong(fact: &str, line: usize, found: &str) -> UserError {
    UserError::new(fact).found(format!("{} (line {line} of the Procfile)", excerpt(found)))
}

pub(super) fn not_utf8() -> UserError {
    UserError::new("the Procfile is not text in UTF-8").fix("Save it in UTF-8")
}

pub(super) fn no_process(line: usize, found: &str) -> UserError {
    wrong("a line of the Procfile names no process", line, found).fix(EXAMPLE)
}

pub(super) fn bad_name(line: usize, name: &str) -> UserError {
    wrong("a process in the Procfile has no valid name", line, name)
        .fix("Use letters, digits, - and _, such as web or worker")
}

pub(super) fn no_command(line: usize, name: &str) -> UserError {
    wrong("a process in the Procfile has no command", line, &format!("{name}:")).fix(EXAMPLE)
}

/// `place` is what has the line.
pub(super) fn control_character(line: usize, found: &str, place: &str) -> UserError {
    UserError::new("a command has a control character")
        .found(format!("{} (line {line} of {place})", excerpt(found)))
        .fix("Remove it, or write it anew as plain text in UTF-8")
}

pub(super) fn named_twice(line: usize, name: &str) -> UserError {
    wrong("the Procfile names a process twice", line, name)
        .fix("Remove one of the two lines, or give one another name")
}

pub(super) fn empty() -> UserError {
    UserError::new("the Procfile names no process").fix(EXAMPLE).fix("Or remove the Procfile")
}
