//! What can go wrong with a child, in words for people.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use crate::console::{mask, text};
use crate::disk::space::FileSystem;
use crate::user_error::UserError;

/// How many of the last lines of a child's standard error an error says.
const COMPLAINT_LINES: usize = 12;

/// A command as errors and heartbeats call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// What people call it, when it was given a name.
    pub name: Option<String>,
    /// The command itself: short, quoted for a shell, without secrets.
    pub command: String,
}

impl fmt::Display for Called {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name.as_ref().unwrap_or(&self.command))
    }
}

/// A child that did not do what it was run for.
#[derive(Debug)]
pub enum ChildError {
    NotStarted {
        command: Called,
        reason: String,
        source: io::Error,
    },
    /// `complaint` is the end of its standard error where that was captured, else empty.
    Exited {
        command: Called,
        code: i32,
        complaint: String,
    },
    Killed {
        command: Called,
        signal: i32,
        complaint: String,
    },
    StepLimit {
        command: Called,
        after: Duration,
    },
    IdleLimit {
        command: Called,
        after: Duration,
    },
    Stopped {
        command: Called,
    },
    /// It has left too little free on the disk.
    NoSpace {
        command: Called,
        system: Box<FileSystem>,
    },
    TooMuch {
        command: Called,
        limit: usize,
    },
    Io {
        command: Called,
        source: io::Error,
    },
}

impl ChildError {
    /// The error for a person.
    pub fn user_error(&self) -> UserError {
        let (command, what) = match self {
            Self::NotStarted { command, reason, .. } => {
                return in_full(
                    command,
                    UserError::new(format!("cannot start {command}: {reason}")),
                );
            }
            Self::Io { command, source } => {
                return in_full(
                    command,
                    UserError::new(format!("cannot watch {command}: {source}")),
                );
            }
            Self::Exited { command, code, .. } => {
                (command, format!("exited with status {code}{}", note_on(*code)))
            }
            Self::Killed { command, signal, .. } => {
                (command, format!("was ended by signal {}", signal_name(*signal)))
            }
            Self::StepLimit { command, after } => {
                let after = text::duration(*after);
                (command, format!("was stopped: it was still running after {after}"))
            }
            Self::IdleLimit { command, after } => {
                let after = text::duration(*after);
                let what = "was stopped: it printed nothing and used no processor for";
                (command, format!("{what} {after}"))
            }
            Self::Stopped { command } => {
                (command, "was stopped: the deployment was cancelled".to_owned())
            }
            Self::NoSpace { command, .. } => {
                (command, "was stopped: it was using up the space on the disk".to_owned())
            }
            Self::TooMuch { command, limit } => {
                (command, format!("was stopped: it printed more than {} MiB", limit >> 20))
            }
        };
        let error = in_full(command, UserError::new(format!("{command} {what}")));
        match self {
            Self::StepLimit { .. } => {
                error.fix("If it needs longer, raise step_timeout in nyala.toml")
            }
            Self::IdleLimit { .. } => error.fix(
                "It may be waiting for the network, or for input. \
                 If it needs longer, raise idle_timeout in nyala.toml",
            ),
            Self::Killed { complaint, signal: 9, .. } => with_output(error, complaint).fix(
                "If it was not killed on purpose, the machine may be out of memory: \
                 see the output of journalctl -k or dmesg",
            ),
            Self::NoSpace { system, .. } => error
                .found(format!(
                    "{system} has {} free; the live application may need \
                     that",
                    system.free
                ))
                .fix(
                    "Free some space there and push again; `keep` in nyala.toml sets how many \
                     releases are kept",
                ),
            Self::Exited { complaint, .. } | Self::Killed { complaint, .. } => {
                with_output(error, complaint)
            }
            Self::NotStarted { .. }
            | Self::Stopped { .. }
            | Self::TooMuch { .. }
            | Self::Io { .. } => error,
        }
    }

    /// The status that it exited with, when it did.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Exited { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Adds the end of what the child printed on standard error.
    pub(super) fn with_complaint(mut self, stderr: &[u8]) -> Self {
        if let Self::Exited { complaint, .. } | Self::Killed { complaint, .. } = &mut self {
            let known = mask::known();
            let lines: Vec<_> = stderr
                .split(|byte| *byte == b'\n')
                .map(|line| known.apply(&text::clean_bytes(line)).trim_end().to_owned())
                .filter(|line| !line.is_empty())
                .collect();
            *complaint = lines[lines.len().saturating_sub(COMPLAINT_LINES)..].join("\n");
        }
        self
    }
}

impl fmt::Display for ChildError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.user_error().fmt(formatter)
    }
}

impl Error for ChildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotStarted { source, .. } | Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Says why a program could not be started; the system says "No such file" for three different
/// reasons.
pub(super) fn not_started(
    command: Called,
    program: &Path,
    cwd: Option<&PathBuf>,
    source: io::Error,
) -> ChildError {
    let missing = source.kind() == io::ErrorKind::NotFound;
    let reason = if let Some(folder) = cwd.filter(|folder| !folder.is_dir()) {
        format!("its folder {} is not there", folder.display())
    } else if missing && program.exists() {
        format!(
            "the interpreter that {} names (in its first line, or as its loader) is not there",
            program.display()
        )
    } else if missing && !program.to_string_lossy().contains('/') {
        format!("there is no program {} on the PATH", program.display())
    } else {
        source.to_string()
    };
    ChildError::NotStarted { command, reason, source }
}

/// The command itself, where its name alone would not say it.
fn in_full(called: &Called, error: UserError) -> UserError {
    if called.name.is_some() { error.labelled("command", &called.command) } else { error }
}

fn with_output(error: UserError, complaint: &str) -> UserError {
    if complaint.is_empty() { error } else { error.labelled("output", complaint) }
}

/// What shells mean by the statuses that they make up themselves.
fn note_on(code: i32) -> &'static str {
    match code {
        126 => " (found, but cannot be executed)",
        127 => " (command not found)",
        _ => "",
    }
}

fn signal_name(number: i32) -> String {
    let name = match Signal::from_named_raw(number) {
        Some(Signal::HUP) => "SIGHUP",
        Some(Signal::INT) => "SIGINT",
        Some(Signal::ILL) => "SIGILL",
        Some(Signal::ABORT) => "SIGABRT",
        Some(Signal::BUS) => "SIGBUS",
        Some(Signal::FPE) => "SIGFPE",
        Some(Signal::KILL) => "SIGKILL",
        Some(Signal::SEGV) => "SIGSEGV",
        Some(Signal::PIPE) => "SIGPIPE",
        Some(Signal::TERM) => "SIGTERM",
        Some(Signal::XCPU) => "SIGXCPU",
        Some(Signal::XFSZ) => "SIGXFSZ",
        _ => return number.to_string(),
    };
    format!("{number} ({name})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Called {
        Called {
            name: Some("pip install".to_owned()),
            command: "envs/5/bin/python -m pip install -r requirements.txt".to_owned(),
        }
    }

    #[test]
    fn a_limit_says_which_command_how_long_and_how_to_raise_it() {
        let error = ChildError::StepLimit { command: command(), after: Duration::from_mins(30) };
        insta::assert_snapshot!(error, @r"
        pip install was stopped: it was still running after 30 min
        command: envs/5/bin/python -m pip install -r requirements.txt
        If it needs longer, raise step_timeout in nyala.toml
        ");
        let error = ChildError::IdleLimit { command: command(), after: Duration::from_mins(10) };
        insta::assert_snapshot!(error, @r"
        pip install was stopped: it printed nothing and used no processor for 10 min
        command: envs/5/bin/python -m pip install -r requirements.txt
        It may be waiting for the network, or for input. If it needs longer, raise idle_timeout in nyala.toml
        ");
    }

    #[test]
    fn a_signal_has_its_name() {
        let error = ChildError::Killed { command: command(), signal: 9, complaint: String::new() };
        insta::assert_snapshot!(error, @r"
        pip install was ended by signal 9 (SIGKILL)
        command: envs/5/bin/python -m pip install -r requirements.txt
        If it was not killed on purpose, the machine may be out of memory: see the output of journalctl -k or dmesg
        ");
    }

    #[test]
    fn a_complaint_is_short_and_without_secrets() {
        let error = ChildError::Exited {
            command: Called { name: None, command: "git fetch".to_owned() },
            code: 128,
            complaint: String::new(),
        };
        let error = error.with_complaint(b"fatal: no\n\nfatal: https://me:pw@host/\x1b[31m\n");
        insta::assert_snapshot!(error, @r"
        git fetch exited with status 128
        output: fatal: no
                fatal: https://****@host/
        ");
    }
}
