//! `nyala completions`: generated from the commands as they are declared.

use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;

use crate::console;

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell to print it for
    shell: Name,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub(super) fn run(&self, mut command: Command) {
        let shell = match self.shell {
            Name::Bash => Shell::Bash,
            Name::Zsh => Shell::Zsh,
            Name::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command, "nyala", &mut script);
        console::say(script);
    }
}
