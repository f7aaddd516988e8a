//! Why a commit's requirements cannot be installed: each is a fact, what was found, and what to do.

use std::fmt;

use super::super::text::shown;

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
#[derive(Debug, thiserror::Error)]
pub enum ClosureError {
    #[error("{} is not in the commit{}\n{}", shown(path), named_by(at.as_deref()), steps(&[
        &format!("if it exists but is not tracked, add it: git add -f {}", shown(path)),
        "otherwise remove the line that names it",
        "commit and push again",
    ]))]
    Missing { path: String, at: Option<Box<Mention>> },
    #[error("{} is {what}, not a requirements file{}\n{}", shown(path), named_by(at.as_deref()),
    steps(&[
        "name a file that is tracked in this repository",
        "commit and push again",
    ]))]
    NotAFile { path: String, what: &'static str, at: Option<Box<Mention>> },
    /// pip would read it, and quotes lines that it cannot read in what it says.
    #[error("{} is outside the deployed folder, and nothing is read from there{}\n{}",
        shown(path), named_by(at.as_deref()), steps(&[
        "commit a copy of the file inside the deployed folder and name that",
        "otherwise remove the line that names it",
        "commit and push again",
    ]))]
    Outside { path: String, at: Option<Box<Mention>> },
    #[error("{} is reached through a link that leaves the commit{}\nfound: {} -> {}\n{}",
        shown(path), named_by(at.as_deref()), shown(link), shown(target), steps(&[
        "track the file itself or link to a file that is tracked in this repository",
        "commit and push again",
    ]))]
    LeavesTree { path: String, link: String, target: String, at: Option<Box<Mention>> },
    #[error("{} cannot be reached: its symbolic links form a loop{}\n\
             {}", shown(path), named_by(at.as_deref()), steps(&[
        "track the file itself instead of a link, commit, and push again",
    ]))]
    LinkLoop { path: String, at: Option<Box<Mention>> },
    /// `total` counts all requirements files up to this one.
    #[error("{} is too large: the requirements files have {total} bytes up to here, and at most \
             {most} are read\n{}", shown(path), steps(&[
        "check that it is the right file, commit, and push again",
    ]))]
    TooLarge { path: String, total: u64, most: u64 },
    #[error("the requirements have more than {most} {what}\nfound: the last one read is {}\n\
             {}", shown(path), steps(&[
        "remove what is not needed, commit, and push again",
    ]))]
    TooMany { path: String, most: usize, what: &'static str },
    #[error("{} {problem}\n{}", shown(path), steps(&[
        "save it as UTF-8, commit, and push again",
        "or declare its encoding in its first line: # -*- coding: latin-1 -*-",
    ]))]
    Undecodable { path: String, problem: String },
    #[error("requirements files include each other in a loop\nfound: {}\n{}",
        chain.iter().map(|path| shown(path)).collect::<Vec<_>>().join(" -> "), steps(&[
        "remove one of these -r or -c lines, commit, and push again",
    ]))]
    Cycle { chain: Vec<String> },
    #[error("{location} cannot be read: {problem}\nfound: {}\n{}", shown(text), steps(&[
        "correct the line, commit, and push again",
    ]))]
    Line {
        location: Location,
        /// Without its secrets.
        text: String,
        problem: String,
    },
    #[error(transparent)]
    Tree(#[from] anyhow::Error),
}

fn named_by(at: Option<&Mention>) -> String {
    at.map_or_else(String::new, |Mention { location, text }| {
        format!("\nfound: {location}: {}", shown(text))
    })
}

fn steps(steps: &[&str]) -> String {
    let numbered: Vec<String> = match steps {
        [only] => vec![(*only).to_owned()],
        _ => {
            steps.iter().enumerate().map(|(index, step)| format!("{}. {step}", index + 1)).collect()
        }
    };
    numbered.join("\n")
}
