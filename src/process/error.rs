//! What can go wrong with a child, in words for people.

use std::fmt;
use std::io;
use std::time::Duration;

use rustix::process::Signal;

use super::not_started::{INSTALL_IT, NotStarted};
use crate::console::mask;
use crate::disk::space::{FileSystem, free_space};
use crate::text;
use crate::user_error::UserError;

/// How many of the last lines of a child's standard error an error says.
const COMPLAINT_LINES: usize = 12;

const OUT_OF_MEMORY: &str =
    "If it was not killed on purpose, see whether the machine is out of memory: journalctl -k";

/// A command as errors and heartbeats call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLabel {
    /// What people call it, when it was given a name.
    pub name: Option<String>,
    /// The command itself: short, quoted for a shell, without secrets.
    pub command: String,
}

impl fmt::Display for CommandLabel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name.as_ref().unwrap_or(&self.command))
    }
}

/// A child that did not do what it was run for.
#[derive(Debug)]
pub enum ChildError {
    NotStarted {
        command: CommandLabel,
        why: NotStarted,
        source: io::Error,
    },
    /// `complaint` is its standard error where that was captured, else empty. An error shows the
    /// end of it.
    Exited {
        command: CommandLabel,
        code: i32,
        complaint: String,
    },
    Killed {
        command: CommandLabel,
        signal: i32,
        complaint: String,
    },
    StepLimit {
        command: CommandLabel,
        after: Duration,
    },
    IdleLimit {
        command: CommandLabel,
        after: Duration,
    },
    Stopped {
        command: CommandLabel,
    },
    /// It has left too little free on the disk.
    NoSpace {
        command: CommandLabel,
        system: Box<FileSystem>,
    },
    TooMuch {
        command: CommandLabel,
        limit: usize,
    },
    Io {
        command: CommandLabel,
        source: io::Error,
    },
}

impl ChildError {
    /// The error for a person.
    pub fn user_error(&self) -> UserError {
        match self {
            Self::NotStarted { command, why, .. } => why.explain(in_full(
                command,
                UserError::new(format!("cannot start {command}: {why}")),
            )),
            Self::Io { command, source } => {
                in_full(command, UserError::new(format!("cannot watch {command}: {source}")))
                    .fix("Deploy again")
            }
            Self::Exited { command, code, complaint } => {
                let error = about(command, &format!("exited with status {code}{}", note_on(*code)));
                with_output(error, complaint).fixes(fix_for(*code))
            }
            Self::Killed { command, signal, complaint } => {
                let what = format!("was ended by signal {}", signal_name(*signal));
                let error = with_output(about(command, &what), complaint);
                if *signal == Signal::KILL.as_raw() { error.fix(OUT_OF_MEMORY) } else { error }
            }
            Self::StepLimit { command, after } => {
                let after = text::duration(*after);
                about(command, &format!("was stopped: it was still running after {after}"))
                    .fix("If it needs longer, raise step_timeout in nyala.toml")
            }
            Self::IdleLimit { command, after } => {
                let what = "was stopped: no output and no CPU time for";
                about(command, &format!("{what} {}", text::duration(*after)))
                    .fix("If it waits for input or for the network, make it run without")
                    .fix("Or if it needs longer, raise idle_timeout in nyala.toml")
            }
            Self::Stopped { command } => {
                about(command, "was stopped: the deployment was cancelled")
            }
            Self::NoSpace { command, system } => {
                about(command, "was stopped: the disk was almost full")
                    .found(format!(
                        "{system} has {} free; the live application may need that",
                        system.free
                    ))
                    .fix(free_space(system))
            }
            Self::TooMuch { command, limit } => about(
                command,
                &format!("was stopped: it printed more than {}", text::bytes(*limit as u64)),
            )
            .fix("See what it prints: run it on the server as the site's user"),
        }
    }

    /// The status that it exited with, when it did.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Exited { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Adds what the child printed on standard error.
    pub(super) fn with_complaint(mut self, stderr: &[u8]) -> Self {
        if let Self::Exited { complaint, .. } | Self::Killed { complaint, .. } = &mut self {
            let known = mask::fresh();
            let lines: Vec<_> = stderr
                .split(|byte| *byte == b'\n')
                .map(|line| known.apply(&text::clean_bytes(line)).trim_end().to_owned())
                .filter(|line| !line.is_empty())
                .collect();
            *complaint = lines.join("\n");
        }
        self
    }
}

impl fmt::Display for ChildError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.user_error().fmt(formatter)
    }
}

impl From<ChildError> for anyhow::Error {
    fn from(error: ChildError) -> Self {
        let told = error.user_error();
        match error {
            ChildError::NotStarted { source, .. } | ChildError::Io { source, .. } => {
                told.explaining(source)
            }
            _ => told.into(),
        }
    }
}

fn about(command: &CommandLabel, what: &str) -> UserError {
    in_full(command, UserError::new(format!("{command} {what}")))
}

/// The command itself, where its name alone would not say it.
fn in_full(label: &CommandLabel, error: UserError) -> UserError {
    if label.name.is_some() { error.labelled("command", &label.command) } else { error }
}

fn with_output(error: UserError, complaint: &str) -> UserError {
    let lines: Vec<_> = complaint.lines().collect();
    let end = lines[lines.len().saturating_sub(COMPLAINT_LINES)..].join("\n");
    if end.is_empty() { error } else { error.labelled("output", end) }
}

/// What shells mean by the statuses that they make up themselves.
fn note_on(code: i32) -> &'static str {
    match code {
        126 => " (found, but cannot be executed)",
        127 => " (command not found)",
        _ => "",
    }
}

/// What to do about the statuses that shells make up themselves.
fn fix_for(code: i32) -> Option<&'static str> {
    match code {
        126 => Some("Make it executable: chmod +x FILE, and git update-index --chmod=+x FILE"),
        127 => Some(INSTALL_IT),
        _ => None,
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
    use std::path::{Path, PathBuf};

    use super::*;

    fn command() -> CommandLabel {
        CommandLabel {
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
        pip install was stopped: no output and no CPU time for 10 min
        command: envs/5/bin/python -m pip install -r requirements.txt
        1. If it waits for input or for the network, make it run without
        2. Or if it needs longer, raise idle_timeout in nyala.toml
        ");
    }

    #[test]
    fn a_signal_has_its_name() {
        let error = ChildError::Killed { command: command(), signal: 9, complaint: String::new() };
        insta::assert_snapshot!(error, @r"
        pip install was ended by signal 9 (SIGKILL)
        command: envs/5/bin/python -m pip install -r requirements.txt
        If it was not killed on purpose, see whether the machine is out of memory: journalctl -k
        ");
    }

    #[test]
    fn what_could_not_be_run_says_why() {
        let why = |program: &str, cwd: Option<&str>, kind: io::ErrorKind| {
            let (program, cwd) = (Path::new(program), cwd.map(PathBuf::from));
            let source = io::Error::from(kind);
            let why = NotStarted::new(program, cwd.as_ref(), &source);
            ChildError::NotStarted { command: command(), why, source }
        };
        let missing = io::ErrorKind::NotFound;
        insta::assert_snapshot!(why("pip", Some("/no/such"), missing), @"
        cannot start pip install: its folder /no/such does not exist
        command: envs/5/bin/python -m pip install -r requirements.txt
        ");
        insta::assert_snapshot!(why("/bin/sh", None, missing), @"
        cannot start pip install: the interpreter that /bin/sh names does not exist
        command: envs/5/bin/python -m pip install -r requirements.txt
        See what it names: head -1 /bin/sh, or ldd /bin/sh
        ");
        insta::assert_snapshot!(why("no-such-program", None, missing), @"
        cannot start pip install: there is no program no-such-program on the PATH
        command: envs/5/bin/python -m pip install -r requirements.txt
        Correct its name, or install it where the site's user finds it: nyala config set PATH=…
        ");
        insta::assert_snapshot!(why("/bin/sh", None, io::ErrorKind::PermissionDenied), @"
        cannot start pip install: permission denied
        command: envs/5/bin/python -m pip install -r requirements.txt
        ");
        let source = io::Error::other("broken pipe");
        insta::assert_snapshot!(ChildError::Io { command: command(), source }, @"
        cannot watch pip install: broken pipe
        command: envs/5/bin/python -m pip install -r requirements.txt
        Deploy again
        ");
        insta::assert_snapshot!(ChildError::Stopped { command: command() }, @"
        pip install was stopped: the deployment was cancelled
        command: envs/5/bin/python -m pip install -r requirements.txt
        ");
        insta::assert_snapshot!(ChildError::TooMuch { command: command(), limit: 64 << 20 }, @"
        pip install was stopped: it printed more than 67 MB
        command: envs/5/bin/python -m pip install -r requirements.txt
        See what it prints: run it on the server as the site's user
        ");
        let exited = |code| ChildError::Exited { command: command(), code, complaint: "no".into() };
        insta::assert_snapshot!(exited(1), @"
        pip install exited with status 1
        command: envs/5/bin/python -m pip install -r requirements.txt
        output: no
        ");
        insta::assert_snapshot!(exited(126), @"
        pip install exited with status 126 (found, but cannot be executed)
        command: envs/5/bin/python -m pip install -r requirements.txt
        output: no
        Make it executable: chmod +x FILE, and git update-index --chmod=+x FILE
        ");
        insta::assert_snapshot!(exited(127), @"
        pip install exited with status 127 (command not found)
        command: envs/5/bin/python -m pip install -r requirements.txt
        output: no
        Correct its name, or install it where the site's user finds it: nyala config set PATH=…
        ");
    }

    #[test]
    fn a_complaint_is_short_and_without_secrets() {
        let error = ChildError::Exited {
            command: CommandLabel { name: None, command: "git fetch".to_owned() },
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

    #[test]
    fn of_a_long_complaint_the_end_is_shown() {
        let (command, complaint) = (command(), String::new());
        let error = ChildError::Exited { command, code: 1, complaint };
        let lines: Vec<_> = (1..=20).map(|number| format!("line {number}\n")).collect();
        let error = error.with_complaint(lines.concat().as_bytes());
        let shown = error.to_string();
        assert!(shown.contains("line 9\n") && !shown.contains("line 8\n"), "{shown}");
        let ChildError::Exited { complaint, .. } = error else { panic!("{error}") };
        assert!(complaint.starts_with("line 1\n"), "whoever knows the program needs all of it");
    }
}
