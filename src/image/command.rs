//! The command of an image, from that of the web process.

use anyhow::{Result, bail};

use super::error;
use super::listen::reachable;
use crate::processes;

/// The port that the application listens on in an image.
pub const PORT: u16 = 8000;

/// What a container runs for a command of the application. What answers requests listens where
/// others reach it.
pub fn in_container(command: &str, is_web: bool, has_shell: bool) -> Result<Vec<String>> {
    let changed = reachable(command).filter(|_| is_web);
    words(changed.as_deref().unwrap_or(command), has_shell)
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
