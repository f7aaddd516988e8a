//! Why the requirements of a commit cannot be installed.

use std::fmt;

use super::super::error::in_conflict;
use super::super::text::shown;
use crate::user_error::UserError;

/// A line of a file, for a person: `requirements.txt line 3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub file: String,
    /// Counted from 1, as pip counts; 0 for a setting, which has no lines.
    pub line: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", shown(&self.file)),
            line => write!(f, "{} line {line}", shown(&self.file)),
        }
    }
}

/// The line that names a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    pub location: Location,
    /// Without its secrets.
    pub text: String,
}

/// What keeps pip from reading the requirements of a commit, found before anything is built.
///
/// `at` is the line that names the file; `None` for the file that nyala reads of its own accord.
#[derive(Debug)]
pub enum ClosureError {
    Missing {
        path: String,
        at: Option<Box<Mention>>,
    },
    NotAFile {
        path: String,
        what: &'static str,
        at: Option<Box<Mention>>,
    },
    /// pip would read it, and quotes lines that it cannot read in what it says.
    Outside {
        path: String,
        at: Option<Box<Mention>>,
    },
    LeavesTree {
        path: String,
        link: String,
        target: String,
        at: Option<Box<Mention>>,
    },
    LinkLoop {
        path: String,
        at: Option<Box<Mention>>,
    },
    /// `total` counts all requirements files up to this one.
    TooLarge {
        path: String,
        total: u64,
        most: u64,
    },
    TooMany {
        path: String,
        most: usize,
        what: &'static str,
    },
    Conflict {
        path: String,
        line: usize,
    },
    Undecodable {
        path: String,
        problem: String,
    },
    Cycle {
        chain: Vec<String>,
    },
    Line {
        location: Location,
        /// Without its secrets.
        text: String,
        problem: String,
    },
    Tree(anyhow::Error),
}

impl ClosureError {
    /// The error for a person.
    pub fn user_error(&self) -> UserError {
        const AGAIN: &str = "Commit, and push again";
        const CORRECT_SETTING: &str = "Or correct what names it: file under [dependencies] in \
                                       nyala.toml, or the app setting \
                                       CUSTOM_REQUIREMENTSTXT_PATH";
        const REMOVE: &str = "Or remove the line that names it";
        let about = |path: &str, what: &str, at: &Option<Box<Mention>>| {
            let error = UserError::new(format!("{} {what}", shown(path)));
            match at {
                Some(at) => error.found(format!("{}: {}", at.location, shown(&at.text))),
                None => error,
            }
        };
        match self {
            Self::Missing { path, at } => about(path, "is not in the commit", at)
                .fix(format!("If it exists but is not tracked, add it: git add -f {}", shown(path)))
                .fix(if at.is_some() { REMOVE } else { CORRECT_SETTING })
                .fix(AGAIN),
            Self::NotAFile { path, what, at } => {
                about(path, &format!("is {what}, not a requirements file"), at)
                    .fix("Name a file that is tracked in this repository")
                    .fix(AGAIN)
            }
            Self::Outside { path, at } => {
                about(path, "is outside the deployed folder, and nothing is read from there", at)
                    .fix("Commit a copy of the file inside the deployed folder, and name that")
                    .fix(REMOVE)
                    .fix(AGAIN)
            }
            Self::LeavesTree { path, link, target, at } => about(
                path,
                "is reached through a link that leaves the commit",
                at,
            )
            .found(format!("{} -> {}", shown(link), shown(target)))
            .fix("Track the file itself, or link to a file that is tracked in this repository")
            .fix(AGAIN),
            Self::LinkLoop { path, at } => {
                about(path, "cannot be reached: its symbolic links form a loop", at)
                    .fix("Track the file itself instead of a link, commit, and push again")
            }
            Self::TooLarge { path, total, most } => {
                UserError::new(format!("{} is too large", shown(path)))
                    .found(format!("the requirements files have {total} bytes up to here"))
                    .labelled("allowed", format!("{most} bytes"))
                    .fix("Check that it is the right file, commit, and push again")
            }
            Self::TooMany { path, most, what } => {
                UserError::new(format!("the requirements have more than {most} {what}"))
                    .found(format!("the last one read is {}", shown(path)))
                    .fix("Remove what is not needed, commit, and push again")
            }
            Self::Conflict { path, line } => in_conflict(path, *line),
            Self::Undecodable { path, problem } => {
                UserError::new(format!("{} {problem}", shown(path)))
                    .fix("Save it as UTF-8, commit, and push again")
                    .fix("Or declare its encoding in its first line: # -*- coding: latin-1 -*-")
            }
            Self::Cycle { chain } => {
                let chain: Vec<_> = chain.iter().map(|path| shown(path)).collect();
                UserError::new("requirements files include each other in a loop")
                    .found(chain.join(" -> "))
                    .fix("Remove one of these -r or -c lines, commit, and push again")
            }
            Self::Line { location, text, problem } => {
                UserError::new(format!("{location} cannot be read: {problem}"))
                    .found(shown(text))
                    .fix("Correct the line, commit, and push again")
            }
            Self::Tree(error) => UserError::of(error),
        }
    }
}

impl fmt::Display for ClosureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.user_error().fmt(f)
    }
}

impl From<anyhow::Error> for ClosureError {
    fn from(error: anyhow::Error) -> Self {
        Self::Tree(error)
    }
}

impl From<ClosureError> for anyhow::Error {
    fn from(error: ClosureError) -> Self {
        match error {
            ClosureError::Tree(error) => error,
            told => told.user_error().into(),
        }
    }
}
