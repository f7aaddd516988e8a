//! A command as people see it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::console::mask;
use crate::text;

/// The most characters of a command that are shown, and of one argument, such as a script for `-c`.
const LONGEST: usize = 300;
const LONGEST_ARGUMENT: usize = 120;

/// The command on one line, quoted for a shell, with secrets masked and long arguments cut.
pub(super) fn shown(program: &Path, args: &[OsString]) -> String {
    let known = mask::known();
    let words = std::iter::once(program.as_os_str()).chain(args.iter().map(OsString::as_os_str));
    let command = words
        .map(|word| quoted(&text::cut(&known.apply(&one_line(word)), LONGEST_ARGUMENT)))
        .collect::<Vec<_>>()
        .join(" ");
    text::cut(&command, LONGEST)
}

fn one_line(word: &OsStr) -> String {
    let lines: Vec<_> =
        word.to_string_lossy().lines().map(|line| text::escaped(line).into_owned()).collect();
    lines.join("; ")
}

fn quoted(word: &str) -> String {
    // Masks and ellipses need no quotes: a masked command cannot be run anyway.
    if word.contains('*') && !word.contains(char::is_whitespace) {
        return word.to_owned();
    }
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_of(words: &[&str]) -> String {
        let args: Vec<OsString> = words[1..].iter().map(Into::into).collect();
        shown(Path::new(words[0]), &args)
    }

    #[test]
    fn a_command_can_be_copied_into_a_shell() {
        assert_eq!(
            shown_of(&["envs/5/bin/python", "-m", "pip", "install", "-r", "my reqs.txt"]),
            "envs/5/bin/python -m pip install -r 'my reqs.txt'"
        );
    }

    #[test]
    fn credentials_are_not_shown() {
        assert_eq!(
            shown_of(&["git", "clone", "https://me:secret@host/x.git"]),
            "git clone https://****@host/x.git"
        );
    }

    #[test]
    fn a_script_is_shown_on_one_line_and_cut() {
        let script = format!("import sys\nprint('{}\u{1b}[0m')", "x".repeat(500));
        let shown = shown_of(&["python3", "-c", &script]);
        assert!(shown.starts_with("python3 -c \"import sys; print('xxx"), "{shown}");
        assert!(shown.ends_with("…\""), "{shown}");
        assert!(shown.chars().count() < 160, "{shown}");
    }
}
