//! Each command of nyala that a page mentions is one that it understands.

use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;

use super::help;

/// The README, and the pages in `docs`.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = entries.filter(|path| path.extension().is_some_and(|it| it == "md"));
    pages.chain([root.join("README.md")]).collect()
}

/// The commands of nyala in a page: in code within a line, and in blocks of commands.
fn commands(page: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let mut is_block = false;
    for line in page.lines() {
        if let Some(info) = line.strip_prefix("```") {
            is_block = info.starts_with("sh") || info.starts_with("console");
        } else if is_block {
            commands.extend(commands_of(line.strip_prefix("$ ").unwrap_or(line)));
        } else {
            commands.extend(line.split('`').skip(1).step_by(2).flat_map(commands_of));
        }
    }
    commands
}

/// The commands of nyala in a line of a shell.
fn commands_of(line: &str) -> Vec<Vec<String>> {
    let line = without_options(line).replace("\\|", "|").replace(';', " ; ");
    let words = shlex::split(&line).unwrap_or_default();
    let is_operator =
        |word: &String| ["|", "&&", "||", ";", ">", ">>", "<", "&"].contains(&&**word);
    let each = words.split(is_operator).filter_map(|words| {
        let at = words.iter().position(|word| word == "nyala")?;
        let before = words[..at].last().map_or("", String::as_str);
        let is_command = before.is_empty() || before.contains("@server");
        let given = words[at..].iter().filter(|word| !word.starts_with('…'));
        is_command.then(|| given.map(|word| spelled_out(word)).collect())
    });
    each.collect()
}

/// A line without what it has in brackets, such as `[--page FILE]`: that may be left out.
fn without_options(line: &str) -> String {
    let mut depth = 0;
    let mut kept = String::new();
    for character in line.chars() {
        match character {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ if depth <= 0 => kept.push(character),
            _ => {}
        }
    }
    kept
}

/// A word as somebody would type it: a number for `ID`, and the first of `on|off`.
fn spelled_out(word: &str) -> String {
    let first = word.split('|').next().unwrap_or_default();
    match first.trim_end_matches('…') {
        "ID" | "N" => "7".to_owned(),
        word => word.to_owned(),
    }
}

#[test]
fn every_command_of_the_documentation_is_understood() {
    let mut found = 0;
    let mut wrong = Vec::new();
    for path in pages() {
        for words in commands(&fs::read_to_string(&path).unwrap()) {
            found += 1;
            let Err(error) = help::parse(&words) else { continue };
            let is_part = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::DisplayHelp
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            );
            if !is_part {
                let why = error.to_string();
                let why = why.lines().next().unwrap_or_default().to_owned();
                wrong.push(format!("{}: {}: {why}", path.display(), words.join(" ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(found > 300, "only {found} commands were found");
}

#[test]
fn commands_are_found_wherever_they_are_typed() {
    let found =
        |line: &str| commands_of(line).into_iter().map(|words| words.join(" ")).collect::<Vec<_>>();
    assert_eq!(found("git push nyala HEAD:main"), Vec::<String>::new());
    assert_eq!(found("nyala delete ID… && nyala gc  # more"), ["nyala delete 7", "nyala gc"]);
    assert_eq!(found("nyala wait [ID\\|COMMIT]"), ["nyala wait"]);
    assert_eq!(
        found("nyala maintenance on\\|off [--page FILE]; nyala ps"),
        ["nyala maintenance on", "nyala ps"]
    );
    assert_eq!(found("ssh you@server nyala config set A='b c'"), ["nyala config set A=b c"]);
}
