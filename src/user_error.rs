//! What went wrong, for a person: a fact, what was found, and what to do about it.
//!
//! An error is built of its parts and rendered in one place, so that the log, the terminal, a
//! record and `--json` all say the same:
//!
//! ```text
//! runtime.txt does not name a Python version
//! found: python3.11 (line 1)
//! allowed: one line, python-X.Y or python-X.Y.Z, in UTF-8
//! 1. Write this line instead: python-3.11
//! 2. Commit, and push again
//! ```
//!
//! No part ends with a full stop: a fact is continued by other words, and what follows a colon is
//! copied into a terminal. A fix is an imperative, with the command to run after a colon.
//!
//! Errors that nobody expects, such as those of the system, are `anyhow`'s, with a fact as their
//! context. [`UserError::of`] makes one error of both kinds.

use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::{capitalized, clause, cut};

/// The words that a line of what was found may begin with; every other line begins with `found: `.
const LABELS: [&str; 9] = [
    "allowed",
    "answered",
    "asked",
    "command",
    "looked in",
    "note",
    "on this machine",
    "output",
    "wanted",
];

const FOUND: &str = "found";

/// What to do after a repair on the server. Most often, the branch has moved with the push that
/// failed, so that the same push does nothing: [`UserError::with_next_step`] puts in what does.
pub const DEPLOY_AGAIN: &str = "deploy again";

/// An error for a person, in parts. Its `Display` is the whole of it, on as many lines as it has.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct UserError {
    /// What failed, on one line.
    pub fact: String,
    /// What was seen: a file and its value, what a child said.
    #[serde(default)]
    pub found: Vec<String>,
    /// What to do. Several are steps in their order; an alternative begins with "Or".
    #[serde(default)]
    pub fixes: Vec<String>,
    /// Whether it is a usage error, rather than a failure.
    #[serde(skip)]
    pub is_usage: bool,
}

impl UserError {
    /// An error with this fact. It is one line, whatever a library's message is made of.
    pub fn new(fact: impl AsRef<str>) -> UserError {
        let words: Vec<_> = fact.as_ref().lines().map(str::trim).collect();
        UserError { fact: clause(&words.join(" ")).to_owned(), ..UserError::default() }
    }

    /// An error with all its causes, as one: the outermost fact first, what it was caused by after
    /// a colon, then everything that was found, and everything that fixes it.
    pub fn of(error: &anyhow::Error) -> UserError {
        let mut causes = error.chain().map(UserError::of_one);
        let outermost = causes.next().unwrap_or_default();
        causes.fold(outermost, UserError::caused_by)
    }

    fn of_one(cause: &(dyn StdError + 'static)) -> UserError {
        if let Some(told) = cause.downcast_ref::<UserError>() {
            told.clone()
        } else if let Some(Explained { explanation, .. }) = cause.downcast_ref() {
            explanation.clone()
        } else {
            UserError::new(cause.to_string())
        }
    }

    /// Whether an error is one that nyala expects and explains, and no surprise to look into.
    pub fn explains(error: &anyhow::Error) -> bool {
        error.chain().any(|cause| cause.is::<UserError>() || cause.is::<Explained>())
    }

    /// An error about how a command was called.
    pub fn usage(fact: impl AsRef<str>) -> UserError {
        UserError { is_usage: true, ..UserError::new(fact) }
    }

    /// Adds what was found. Several lines stay together.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> UserError {
        self.found.push(found.into());
        self
    }

    /// Adds what was found under a word of its own, which is one of a few.
    #[must_use]
    pub fn labelled(self, label: &'static str, text: impl fmt::Display) -> UserError {
        debug_assert!(LABELS.contains(&label), "{label} is no label");
        self.found(format!("{label}: {text}"))
    }

    /// Adds the lines of a program's output that explain it, if there are any.
    #[must_use]
    pub fn with_output(self, lines: &[String]) -> UserError {
        if lines.is_empty() { self } else { self.labelled("output", lines.join("\n")) }
    }

    /// Adds a step that fixes it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> UserError {
        self.fixes.push(fix.into());
        self
    }

    /// Says how to [`DEPLOY_AGAIN`]: by the same push where the branch has not moved.
    #[must_use]
    pub fn with_next_step(mut self, has_moved: bool) -> UserError {
        const BY_COMMAND: &str = "eploy again: nyala redeploy";
        let how = if has_moved { "deploy again: nyala redeploy" } else { "push again" };
        for fix in &mut self.fixes {
            // Some are also for where nothing is pushed, and name the command.
            *fix = fix
                .replace(BY_COMMAND, "eploy again")
                .replace(DEPLOY_AGAIN, how)
                .replace(&capitalized(DEPLOY_AGAIN), &capitalized(how));
        }
        self
    }

    /// Adds the steps that fix it.
    #[must_use]
    pub fn fixes(mut self, fixes: impl IntoIterator<Item = impl Into<String>>) -> UserError {
        self.fixes.extend(fixes.into_iter().map(Into::into));
        self
    }

    /// Adds what caused it, with its own causes.
    #[must_use]
    pub fn because(self, error: &anyhow::Error) -> UserError {
        self.caused_by(UserError::of(error))
    }

    /// A cause that the fact repeats is said once.
    fn caused_by(mut self, cause: UserError) -> UserError {
        if self.fact.is_empty() || !self.fact.ends_with(&cause.fact) {
            self.fact = format!("{}: {}", self.fact, cause.fact);
        }
        self.and(cause)
    }

    /// Wraps a cause, which may be asked for later.
    pub fn explaining(self, cause: impl Into<anyhow::Error>) -> anyhow::Error {
        anyhow::Error::new(Explained { explanation: self, cause: cause.into() })
    }

    /// Adds what was found and what to do, of which somebody else knows.
    #[must_use]
    pub fn and(mut self, other: UserError) -> UserError {
        let UserError { fact: _, found, fixes, is_usage: _ } = other;
        for (all, more) in [(&mut self.found, found), (&mut self.fixes, fixes)] {
            for text in more {
                if !all.contains(&text) {
                    all.push(text);
                }
            }
        }
        self.is_usage |= other.is_usage;
        self
    }

    /// Cuts what is too long to be read: a child may print one line of 30 MB. Secrets must have
    /// been masked before.
    #[must_use]
    pub fn bounded(mut self) -> UserError {
        /// In characters: a fact, and what was found or is to be done.
        const LONGEST: [usize; 2] = [1_000, 4_000];
        const MOST: usize = 20;
        self.fact = cut(&self.fact, LONGEST[0]);
        for texts in [&mut self.found, &mut self.fixes] {
            let more = texts.len().saturating_sub(MOST);
            texts.truncate(MOST);
            for text in texts.iter_mut() {
                *text = cut(text, LONGEST[1]);
            }
            if more > 0 {
                texts.push(format!("… and {more} more"));
            }
        }
        self
    }

    /// Every text in it, to be masked.
    pub fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let UserError { fact, found, fixes, is_usage: _ } = self;
        std::iter::once(fact).chain(found).chain(fixes)
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UserError { fact, found, fixes, is_usage: _ } = self;
        f.write_str(fact)?;
        for found in found {
            let (label, text) = match found.split_once(": ") {
                Some((label, text)) if LABELS.contains(&label) => (label, text),
                _ => (FOUND, found.as_str()),
            };
            write_lines(f, label, text)?;
        }
        match &fixes[..] {
            [only] => write!(f, "\n{only}"),
            several => {
                several.iter().zip(1..).try_for_each(|(fix, number)| write!(f, "\n{number}. {fix}"))
            }
        }
    }
}

impl StdError for UserError {}

/// Puts an explanation around an error without losing what caused it.
pub trait Explain<T> {
    /// Wraps the error of a result as `anyhow`'s context does, keeping the parts of what is said.
    fn explain(self, explanation: impl FnOnce() -> UserError) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Explain<T> for Result<T, E> {
    fn explain(self, explanation: impl FnOnce() -> UserError) -> anyhow::Result<T> {
        self.map_err(|cause| explanation().explaining(cause))
    }
}

/// An error that is explained by another one.
#[derive(Debug)]
pub struct Explained {
    pub explanation: UserError,
    cause: anyhow::Error,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.explanation.fmt(f)
    }
}

impl StdError for Explained {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.cause.as_ref())
    }
}

/// `label: text`, with the further lines of the text below its first.
fn write_lines(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    for (number, line) in text.lines().enumerate() {
        match number {
            0 => write!(f, "\n{label}: {line}")?,
            _ => write!(f, "\n{:width$}{line}", "", width = label.len() + 2)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, Result};

    use super::*;

    #[test]
    fn every_part_has_its_place() {
        let error = UserError::new("runtime.txt does not name a Python version.")
            .found("python3.11 (line 1)")
            .found("one\n  two")
            .labelled("allowed", "python-X.Y")
            .fix("Write this line instead: python-3.11");
        insta::assert_snapshot!(error, @r"
        runtime.txt does not name a Python version
        found: python3.11 (line 1)
        found: one
                 two
        allowed: python-X.Y
        Write this line instead: python-3.11
        ");
        insta::assert_snapshot!(error.fix("Commit, and push again"), @r"
        runtime.txt does not name a Python version
        found: python3.11 (line 1)
        found: one
                 two
        allowed: python-X.Y
        1. Write this line instead: python-3.11
        2. Commit, and push again
        ");
    }

    #[test]
    fn the_parts_are_what_programs_read() {
        let error = UserError::new("no").found("x").labelled("allowed", "y").fix("z");
        let json = serde_json::to_value(&error).unwrap();
        let expected =
            serde_json::json!({"fact": "no", "found": ["x", "allowed: y"], "fixes": ["z"]});
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<UserError>(json).unwrap(), error);
    }

    #[test]
    fn a_fact_is_one_line() {
        assert_eq!(
            UserError::new("not installed:\n  no such package.\n").fact,
            "not installed: no such package"
        );
    }

    #[test]
    fn causes_follow_on_the_first_line_and_the_other_parts_below() {
        let inner = UserError::new("pip exited with status 1.").found("no such package").fix("b");
        let error: Result<()> = Err(inner)
            .context("requirements.txt")
            .explain(|| UserError::new("not installed").found("env 3").fix("a"));
        let error = error.unwrap_err();
        insta::assert_snapshot!(UserError::of(&error), @r"
        not installed: requirements.txt: pip exited with status 1
        found: env 3
        found: no such package
        1. a
        2. b
        ");
        assert_eq!(UserError::new("env 3").because(&error).fixes, ["a", "b"]);
    }

    #[test]
    fn what_two_say_is_said_once() {
        let one = UserError::new("no").found("x").fix("y");
        assert_eq!(one.clone().and(one.clone()), one);
    }

    #[test]
    fn a_repair_on_the_server_is_deployed_by_what_deploys() {
        let error = UserError::new("full")
            .fix(format!("Free some space, and {DEPLOY_AGAIN}"))
            .fix("Deploy again")
            .fix("Then deploy again: nyala redeploy")
            .fix("Commit, and push again");
        let fixes = |moved: bool| error.clone().with_next_step(moved).fixes;
        assert_eq!(
            fixes(true),
            [
                "Free some space, and deploy again: nyala redeploy",
                "Deploy again: nyala redeploy",
                "Then deploy again: nyala redeploy",
                "Commit, and push again"
            ]
        );
        assert_eq!(
            fixes(false),
            [
                "Free some space, and push again",
                "Push again",
                "Then push again",
                "Commit, and push again"
            ]
        );
    }

    #[test]
    fn a_cause_that_the_fact_repeats_is_said_once() {
        let io = std::io::Error::other("no");
        let error = UserError::new(format!("cannot start pip: {io}"));
        let error = Err::<(), _>(io).explain(|| error).unwrap_err();
        assert_eq!(UserError::of(&error).to_string(), "cannot start pip: no");
        assert!(UserError::explains(&error) && !UserError::explains(&anyhow::anyhow!("x")));
    }

    #[test]
    fn whatever_a_child_prints_an_error_stays_short() {
        let long = "é".repeat(1 << 20);
        let many = (0..100_000).map(|number| number.to_string());
        let error = UserError::new(&long).labelled("output", &long).fixes(many).bounded();
        assert!(error.to_string().len() < 12_000, "{}", error.to_string().len());
        assert!(error.fact.ends_with("é…") && error.found[0].starts_with("output: é"));
        assert_eq!(error.fixes[20], "… and 99980 more");
        assert_eq!(error.clone().bounded().fact, error.fact);
        let short = UserError::new("no").found("x").fix("y");
        assert_eq!(short.clone().bounded(), short);
    }
}
