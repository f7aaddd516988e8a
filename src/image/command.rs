//! The command of an image, from that of the web process.

use anyhow::{Result, bail};

use super::error;
use crate::processes;

/// The port that the application listens on in an image.
pub const PORT: u16 = 8000;

/// Where an application listens that only its own machine may reach. In a container, nobody else is
/// on that machine.
const LOOPBACK: [&str; 2] = ["127.0.0.1", "localhost"];

/// What a container runs for a command of the application. What answers requests listens where
/// others reach it.
pub fn in_container(command: &str, is_web: bool, has_shell: bool) -> Result<Vec<String>> {
    let changed = reachable(command).filter(|_| is_web);
    words(changed.as_deref().unwrap_or(command), has_shell)
}

/// The command with the address of every network in place of the container's own; `None` when it
/// names none.
pub(super) fn reachable(command: &str) -> Option<String> {
    // The address may be the last word.
    let mut changed = format!("{command} ");
    for loopback in LOOPBACK {
        for (before, after) in [
            ("", ":$PORT"),
            ("", ":${PORT}"),
            ("", ":\"$PORT\""),
            ("--host ", " "),
            ("--host=", " "),
            ("--address ", " "),
            ("-b ", " "),
        ] {
            let old = format!("{before}{loopback}{after}");
            let new = format!("{before}0.0.0.0{after}");
            changed = changed.replace(&old, &new);
        }
    }
    changed.pop();
    (changed != command).then_some(changed)
}

/// What a container runs: the command in a shell, which it replaces, so that SIGTERM reaches the
/// application; without a shell, its words.
fn words(command: &str, has_shell: bool) -> Result<Vec<String>> {
    if has_shell {
        let begins = processes::program(command)
            .is_some_and(|program| command.trim_start().starts_with(&program));
        let is_one = !command.contains(['\n', ';', '|', '&', '(', ')', '`']);
        let exec = if begins && is_one { "exec " } else { "" };
        return Ok(vec!["/bin/sh".to_owned(), "-c".to_owned(), format!("{exec}{command}")]);
    }
    let port = PORT.to_string();
    let filled = command.replace("${PORT}", &port).replace("$PORT", &port);
    let needs_shell =
        filled.contains(['$', '\n', ';', '|', '&', '(', ')', '`', '<', '>', '*', '~']);
    let words = shlex::split(&filled).filter(|words| !needs_shell && !words.is_empty());
    let words = words.map(|words| match words.split_first() {
        Some((first, rest)) if first == "exec" => rest.to_vec(),
        _ => words,
    });
    match words {
        Some(words) if words.first().is_some_and(|word| !word.contains('=')) => Ok(words),
        _ => bail!(error::no_shell(command)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_listens_where_it_is_reached() {
        for (command, expected) in [
            ("gunicorn --bind 127.0.0.1:$PORT a:b", Some("gunicorn --bind 0.0.0.0:$PORT a:b")),
            (
                "uvicorn --host 127.0.0.1 --port $PORT a:b",
                Some("uvicorn --host 0.0.0.0 --port $PORT a:b"),
            ),
            ("uvicorn a:b --host 127.0.0.1", Some("uvicorn a:b --host 0.0.0.0")),
            ("daphne -b localhost -p $PORT a:b", Some("daphne -b 0.0.0.0 -p $PORT a:b")),
            ("gunicorn --forwarded-allow-ips 127.0.0.1 a:b", None),
            ("gunicorn a:b", None),
        ] {
            assert_eq!(reachable(command).as_deref(), expected, "{command}");
        }
    }

    #[test]
    fn the_shell_makes_way_for_the_application() {
        let shell = |command: &str| words(command, true).unwrap().remove(2);
        assert_eq!(shell("gunicorn a:b"), "exec gunicorn a:b");
        assert_eq!(shell("cd web && gunicorn a:b"), "cd web && gunicorn a:b");
        assert_eq!(shell("A=1 gunicorn a:b"), "A=1 gunicorn a:b");
    }

    #[test]
    fn without_a_shell_a_command_is_its_words() {
        let plain = |command: &str| words(command, false).ok();
        assert_eq!(plain("gunicorn -b :$PORT 'a b'").unwrap(), ["gunicorn", "-b", ":8000", "a b"]);
        assert_eq!(plain("exec gunicorn").unwrap(), ["gunicorn"]);
        for needs_shell in ["a && b", "A=1 b", "a $HOME", "a > b", ""] {
            assert_eq!(plain(needs_shell), None, "{needs_shell}");
        }
    }
}
