//! `docs/commands.md`, generated from the commands as they are declared.

use clap::{Arg, Command};

use super::help::{self, GROUPS};
use crate::settings::reference::assert_documented;

const INTRODUCTION: &str = "\
# Commands

<!-- Generated from src/cli. To regenerate: UPDATE_DOCS=1 cargo test --lib reference -->

Inside a site, commands find the site by themselves.
Elsewhere, name it with `--site SITE`, or set `NYALA_SITE`.

A command exits with 0 on success, 1 on failure, and 2 on a usage error,
even if nobody reads its output to the end (`nyala redeploy | head -1`).
`NYALA_LOG=debug` prints what a command does to standard error.
`nyala` alone, inside a site, is `nyala status`.
`nyala man FOLDER` writes manual pages of all commands.
`nyala --version --verbose` prints the version, the commit and what it was built with.
The results of commands with `--json` keep their names; fields may be added.
";

/// All commands that users call, in the groups of `nyala --help`.
fn reference() -> String {
    let mut root = help::command();
    root.build();
    let mut page = INTRODUCTION.to_owned();
    let mut sections = String::new();
    for (title, names) in GROUPS {
        page.push_str(&format!("\n| {title} | |\n|---|---|\n"));
        for command in names.iter().filter_map(|name| root.find_subcommand(name)) {
            let (name, about) = (command.get_name(), text(command.get_about()));
            page.push_str(&format!("| [`{name}`](#nyala-{name}) | {about} |\n"));
            sections.push_str(&section(command, "nyala", 2));
        }
    }
    page + &sections
}

/// One command, followed by the commands below it.
fn section(command: &Command, parent: &str, level: usize) -> String {
    let name = format!("{parent} {}", command.get_name());
    let about = command.get_long_about().or(command.get_about());
    let mut section = format!("\n{} {name}\n\n{}\n", "#".repeat(level), sentences(&text(about)));
    let below: Vec<_> = visible(command).collect();
    if below.is_empty() {
        section.push_str(&format!("\n```text\n{name}{}\n```\n", synopsis(command)));
        let arguments: Vec<_> = command.get_arguments().filter(|it| is_own(it)).collect();
        if !arguments.is_empty() {
            section.push_str("\n| | |\n|---|---|\n");
        }
        for argument in arguments {
            let help = sentences(&text(argument.get_help())).replace('\n', " ");
            let short = argument.get_short().map_or(String::new(), |it| format!("-{it}, "));
            let spelling = spelling(argument).replace('|', "\\|");
            let default = default(argument);
            section.push_str(&format!("| `{short}{spelling}` | {help}{default} |\n"));
        }
        let examples: Vec<_> = help::examples(&name).collect();
        section.push_str(&format!("\n```sh parsed\n{}\n```\n", examples.join("\n")));
    }
    section + &below.into_iter().map(|it| self::section(it, &name, level + 1)).collect::<String>()
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help")
}

/// Not the options that every command has, and none that only nyala itself uses.
fn is_own(argument: &Arg) -> bool {
    use clap::ArgAction::{Help, HelpLong, HelpShort, Version};
    let is_builtin = matches!(argument.get_action(), Help | HelpLong | HelpShort | Version);
    !argument.is_global_set() && !argument.is_hide_set() && !is_builtin
}

/// What follows the name on a command line, such as ` [--json] ID`.
fn synopsis(command: &Command) -> String {
    let arguments = command.get_arguments().filter(|it| is_own(it));
    arguments
        .map(|it| {
            let spelling = spelling(it);
            if it.is_required_set() { format!(" {spelling}") } else { format!(" [{spelling}]") }
        })
        .collect()
}

/// An argument as it is typed: `--branch BRANCH`, `ID`.
fn spelling(argument: &Arg) -> String {
    let choices: Vec<_> =
        argument.get_possible_values().iter().map(|it| it.get_name().to_owned()).collect();
    let names = argument.get_value_names().unwrap_or_default();
    let value = if choices.is_empty() || !argument.get_action().takes_values() {
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    } else {
        choices.join("|")
    };
    let value = value.trim_matches(['<', '>']).to_owned();
    let repeated =
        argument.get_num_args().is_some_and(|range| range.max_values() > 1) || is_list(argument);
    let value = if repeated { format!("{value}...") } else { value };
    match argument.get_long() {
        Some(long) if argument.get_action().takes_values() => format!("--{long} {value}"),
        Some(long) => format!("--{long}"),
        None => value,
    }
}

/// The default value of an argument, as its help shows it.
fn default(argument: &Arg) -> String {
    match argument.get_default_values() {
        [value] if argument.get_action().takes_values() => {
            format!(" [default: {}]", value.to_string_lossy())
        }
        _ => String::new(),
    }
}

fn is_list(argument: &Arg) -> bool {
    matches!(argument.get_action(), clap::ArgAction::Append)
}

fn text(styled: Option<&clap::builder::StyledStr>) -> String {
    styled.map(ToString::to_string).unwrap_or_default()
}

/// Help texts have no full stop at the end of their first paragraph; sentences in a document do.
fn sentences(text: &str) -> String {
    let closed = |text: &str| {
        let is_closed = text.is_empty() || text.ends_with(['.', ']']);
        if is_closed { text.to_owned() } else { format!("{text}.") }
    };
    text.split("\n\n").map(closed).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn the_documentation_lists_every_command() {
    assert_documented("docs/commands.md", &reference());
}
