//! What an ssh key may be allowed to do, beside reading what is deployed.

use clap::ValueEnum;

use super::super::Command;

/// A word of `--allow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Right {
    /// Push
    Push,
    /// Read what the application prints, and which processes run: `logs`, `ps`
    Logs,
    /// `restart`, `stop` and `start`
    Restart,
    /// Make an earlier release live again: `rollback`
    Rollback,
    /// Run any command as the owner of the site: `run`
    Run,
    /// Read and change app settings, which are secrets: `config`
    Config,
}

/// What a command of nyala takes over ssh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Every key may run it: it changes nothing.
    Nothing,
    Right(Right),
    /// No key may run it.
    Account,
}

/// The commands that there are over ssh, and what each takes.
const COMMANDS: [(&str, Takes); 15] = [
    ("list", Takes::Nothing),
    ("show", Takes::Nothing),
    ("diff", Takes::Nothing),
    ("status", Takes::Nothing),
    ("build-log", Takes::Nothing),
    ("plan", Takes::Nothing),
    ("wait", Takes::Nothing),
    ("logs", Takes::Right(Right::Logs)),
    ("ps", Takes::Right(Right::Logs)),
    ("restart", Takes::Right(Right::Restart)),
    ("stop", Takes::Right(Right::Restart)),
    ("start", Takes::Right(Right::Restart)),
    ("rollback", Takes::Right(Right::Rollback)),
    ("run", Takes::Right(Right::Run)),
    ("config", Takes::Right(Right::Config)),
];

impl Right {
    /// The word for it.
    pub(super) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

impl Takes {
    /// What a command takes. `nyala` alone shows the status.
    pub(super) fn of(command: Option<&Command>) -> Takes {
        let right = match command {
            None
            | Some(
                Command::List(_)
                | Command::Show(_)
                | Command::Diff(_)
                | Command::Status(_)
                | Command::BuildLog(_)
                | Command::Plan(_)
                | Command::Wait(_),
            ) => return Takes::Nothing,
            Some(Command::Logs(_) | Command::Ps(_)) => Right::Logs,
            Some(Command::Restart(_) | Command::Stop | Command::Start) => Right::Restart,
            Some(Command::Rollback(_)) => Right::Rollback,
            Some(Command::Run(_)) => Right::Run,
            Some(Command::Config(_)) => Right::Config,
            Some(_) => return Takes::Account,
        };
        Takes::Right(right)
    }

    pub(super) fn is_within(self, rights: &[Right]) -> bool {
        match self {
            Takes::Nothing => true,
            Takes::Right(right) => rights.contains(&right),
            Takes::Account => false,
        }
    }
}

/// Whether this is the name of a command that there is over ssh; `log` is an old one.
pub(super) fn is_command(name: &str) -> bool {
    name == "log" || COMMANDS.iter().any(|(command, _)| *command == name)
}

/// The names of the commands that these rights are enough for.
pub(super) fn commands(rights: &[Right]) -> Vec<&'static str> {
    let within = COMMANDS.iter().filter(|(_, takes)| takes.is_within(rights));
    within.map(|(command, _)| *command).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn what_a_command_takes_is_the_same_by_its_name() {
        for (name, takes) in COMMANDS {
            let more = match name {
                "diff" => &["1"][..],
                "run" => &["true"],
                "config" => &["list"],
                _ => &[],
            };
            let cli = Cli::try_parse_from(["nyala", name].iter().chain(more)).unwrap();
            assert_eq!(Takes::of(cli.command.as_ref()), takes, "{name}");
        }
    }
}
