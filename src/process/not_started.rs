//! Why a program could not be started, and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::user_error::UserError;

pub(super) const INSTALL_IT: &str =
    "Correct its name, or install it where the site's user finds it: nyala config set PATH=…";

/// Why a program could not be started. The system says "No such file" for three different reasons.
#[derive(Debug)]
pub enum NotStarted {
    NoFolder(PathBuf),
    /// The program is there, but not what runs it.
    NoInterpreter(PathBuf),
    NotOnPath(PathBuf),
    /// Nothing is at its path.
    NotThere(PathBuf),
    Other(String),
}

impl NotStarted {
    pub fn new(program: &Path, cwd: Option<&PathBuf>, source: &io::Error) -> NotStarted {
        if let Some(folder) = cwd.filter(|folder| !folder.is_dir()) {
            Self::NoFolder(folder.clone())
        } else if source.kind() != io::ErrorKind::NotFound {
            Self::Other(source.to_string())
        } else if !program.to_string_lossy().contains('/') {
            Self::NotOnPath(program.to_owned())
        } else if program.exists() {
            Self::NoInterpreter(program.to_owned())
        } else {
            Self::NotThere(program.to_owned())
        }
    }

    /// Whether there is no such program.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotOnPath(_) | Self::NotThere(_))
    }

    pub(super) fn explain(&self, error: UserError) -> UserError {
        match self {
            Self::NoFolder(_) | Self::NotThere(_) | Self::Other(_) => error,
            Self::NoInterpreter(program) => {
                error.fix(format!("See what it names: head -1 {0}, or ldd {0}", program.display()))
            }
            Self::NotOnPath(_) => error.fix(INSTALL_IT),
        }
    }
}

impl fmt::Display for NotStarted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFolder(folder) => {
                write!(formatter, "its folder {} does not exist", folder.display())
            }
            Self::NoInterpreter(program) => {
                write!(formatter, "the interpreter that {} names does not exist", program.display())
            }
            Self::NotOnPath(program) => {
                write!(formatter, "there is no program {} on the PATH", program.display())
            }
            Self::NotThere(program) => write!(formatter, "{} does not exist", program.display()),
            Self::Other(why) => formatter.write_str(why),
        }
    }
}
