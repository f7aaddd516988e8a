//! What `--help` shows beside what each command declares: the groups of commands, and examples.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, FromArgMatches, Parser};

use super::Cli;
use crate::site::Site;

/// The groups of `nyala --help`. A command that users call is in one of them.
pub(super) const GROUPS: &[(&str, &[&str])] = &[
    ("Start here", &["init", "install", "try"]),
    (
        "Deploy",
        &[
            "plan",
            "redeploy",
            "rollback",
            "wait",
            "cancel",
            "freeze",
            "unfreeze",
            "config",
            "script",
            "image",
            "kubernetes",
        ],
    ),
    (
        "Run the application",
        &[
            "serve",
            "service",
            "proxy",
            "restart",
            "stop",
            "start",
            "scale",
            "run",
            "maintenance",
            "pause",
        ],
    ),
    (
        "Look",
        &[
            "status",
            "list",
            "show",
            "build-log",
            "diff",
            "ps",
            "logs",
            "sites",
            "report",
            "metrics",
        ],
    ),
    ("Repair", &["doctor", "share", "env", "delete", "gc"]),
    ("Plumbing", &["step", "shell", "python", "uv", "completions", "man"]),
];

/// Each is shown at the end of the help of the commands that it names.
pub(super) const EXAMPLES: &[&str] = &[
    "nyala init /srv/shop",
    "nyala init /srv/shop --branch main --python 3.12 --strict",
    "nyala install /srv/git/shop.git --site /srv/shop",
    "nyala try",
    "nyala plan",
    "nyala plan 7 --rebuild-env",
    "nyala redeploy",
    "nyala redeploy 7",
    "nyala rollback",
    "nyala rollback 7 --dry-run",
    "nyala wait",
    "nyala wait 0432437",
    "nyala cancel",
    "nyala freeze 'the database is being moved until 10'",
    "nyala unfreeze",
    "nyala config list",
    "nyala config show",
    "nyala config get DATABASE_URL",
    "nyala config set DEBUG=0 'GREETING=Good morning'",
    "nyala config set --stdin API_TOKEN < token",
    "nyala config unset DEBUG",
    "nyala script",
    "nyala image --push",
    "nyala image 7 --push registry.example.org/shop:7",
    "nyala image --output image --base scratch",
    "nyala kubernetes manifests",
    "nyala kubernetes manifests 7 --show-secrets",
    "nyala kubernetes diff",
    "nyala serve /srv/shop",
    "nyala serve /srv",
    "nyala service install /srv",
    "nyala service status",
    "nyala service remove",
    "nyala proxy nginx --domain shop.example.org > /etc/nginx/sites-available/shop",
    "nyala restart",
    "nyala restart worker",
    "nyala stop",
    "nyala start",
    "nyala scale web=2 worker=3",
    "nyala run python manage.py createsuperuser",
    "nyala maintenance on --page back-soon.html",
    "nyala maintenance off",
    "nyala pause --at-most 30s",
    "nyala pause --end",
    "nyala status",
    "nyala list",
    "nyala list --json",
    "nyala show",
    "nyala show 7",
    "nyala build-log 7",
    "nyala build-log --follow",
    "nyala diff 6 7",
    "nyala ps",
    "nyala logs web --follow",
    "nyala sites /srv",
    "nyala report --open",
    "nyala report --all /srv --output /var/www/deployments",
    "nyala metrics /srv",
    "nyala doctor",
    "nyala doctor --fix",
    "nyala share media db.sqlite3",
    "nyala env delete",
    "nyala delete 3 4",
    "nyala gc",
    "nyala step env",
    "nyala step install",
    "nyala step pre-build",
    "nyala step collectstatic",
    "nyala step post-build",
    "nyala shell --root /srv shop blog",
    "nyala shell --root /srv --allow push,logs,restart shop",
    "nyala python install 3.12",
    "nyala uv install",
    "nyala completions bash > /etc/bash_completion.d/nyala",
    "nyala man | man -l -",
    "nyala man /usr/local/share/man/man1",
];

/// The command line with all its help.
pub(super) fn command() -> Command {
    let command = Cli::command();
    let template = template(&command);
    command.mut_subcommands(|it| with_examples(it, "nyala")).help_template(template)
}

/// Parses a command line. The error is also the help, for whoever asked for it.
///
/// Only then is the help put together: a hook has no use for it.
pub(super) fn parse(
    words: impl IntoIterator<Item = impl Into<OsString> + Clone> + Clone,
) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(words.clone()).or_else(|_| {
        let mut command = command();
        let matches = command.try_get_matches_from_mut(words).map_err(with_site_option)?;
        Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    })
}

/// Some commands take the folder of a site as an argument, and most as an option: says so to
/// whoever gave it as an argument to one of those.
fn with_site_option(mut error: clap::Error) -> clap::Error {
    let given = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    let is_site = given.as_deref().is_some_and(|path| Site::is_at(Path::new(path)));
    if error.kind() == ErrorKind::UnknownArgument && is_site {
        let tip = format!("to name the site, use '--site {}'", given.unwrap_or_default());
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// The examples of a command: those that begin with its names.
pub(super) fn examples(name: &str) -> impl Iterator<Item = &'static str> {
    let is_of = move |it: &str| {
        it.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    EXAMPLES.iter().copied().filter(move |it| is_of(it))
}

fn with_examples(command: Command, parent: &str) -> Command {
    let name = format!("{parent} {}", command.get_name());
    let lines: Vec<_> = examples(&name).map(|it| format!("\n  {it}")).collect();
    let title = if lines.len() == 1 { "Example" } else { "Examples" };
    let header = *command.get_styles().get_header();
    let shown = format!("{header}{title}:{header:#}{}", lines.concat());
    let command = if lines.is_empty() { command } else { command.after_help(shown) };
    command.mut_subcommands(|it| with_examples(it, &name))
}

/// The page of `nyala` itself, with its commands in groups.
fn template(command: &Command) -> String {
    let styles = command.get_styles();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let mut page = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (title, names) in GROUPS {
        let _ = write!(page, "\n{header}{title}:{header:#}\n");
        for name in *names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(page, "  {literal}{name:<11}{literal:#}  {about}");
        }
    }
    let _ = write!(page, "\n{header}Options:{header:#}\n{{options}}");
    page + "\n\nFor the options of a command, and examples: nyala help COMMAND"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names of a command and of those below it, such as `nyala config set`.
    fn names_of(command: &Command, name: &str) -> Vec<String> {
        let below =
            command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help");
        let below = below.flat_map(|it| names_of(it, &format!("{name} {}", it.get_name())));
        [name.to_owned()].into_iter().chain(below).collect()
    }

    #[test]
    fn each_command_is_in_one_group() {
        let grouped: Vec<_> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let unique: BTreeSet<_> = grouped.iter().copied().collect();
        assert_eq!(unique.len(), grouped.len(), "a command is in two groups: {grouped:?}");
        let command = Cli::command();
        let visible = command.get_subcommands().filter(|it| !it.is_hide_set());
        assert_eq!(unique, visible.map(Command::get_name).collect(), "src/cli/help.rs: GROUPS");
    }

    #[test]
    fn each_command_fits_into_a_line_of_a_terminal() {
        let help = command().render_help().to_string();
        let commands = help.split("\nOptions:").next().unwrap();
        let wide: Vec<_> = commands.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(wide.is_empty(), "{wide:#?}");
    }

    #[test]
    fn each_command_has_an_example() {
        for name in names_of(&Cli::command(), "nyala").into_iter().skip(1) {
            assert_ne!(examples(&name).count(), 0, "{name}: see EXAMPLES in src/cli/help.rs");
        }
    }

    #[test]
    fn each_example_is_a_command() {
        let names = names_of(&Cli::command(), "nyala");
        for example in EXAMPLES {
            let words = shlex::split(example).unwrap();
            let words = words.split(|word| ["<", ">", "|"].contains(&word.as_str()));
            let words = words.into_iter().next().unwrap();
            let parsed = command().try_get_matches_from(words);
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            let name = names.iter().rev().find(|name| examples(name).any(|it| it == *example));
            assert!(name.is_some_and(|name| name != "nyala"), "{example}");
        }
    }

    #[test]
    fn the_help_of_a_command_ends_with_its_examples() {
        let mut command = command();
        command.build();
        let config = command.find_subcommand_mut("config").unwrap();
        let unset = config.find_subcommand_mut("unset").unwrap().render_long_help().to_string();
        assert!(unset.ends_with("\n\nExample:\n  nyala config unset DEBUG\n"), "{unset}");
        let config = config.render_help().to_string();
        let (_, examples) = config.split_once("\n\nExamples:\n").unwrap();
        assert_eq!(examples.lines().count(), 6, "{examples}");
    }
}
