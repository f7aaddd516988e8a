//! The program that a command runs, as far as that can be read without a shell.

/// Words after which the program comes.
const BEFORE: [&str; 4] = ["exec", "nohup", "nice", "command"];

/// What a shell knows by itself; see POSIX, Shell Command Language.
const OF_THE_SHELL: [&str; 44] = [
    "!", "(", ".", ":", "[", "alias", "bg", "break", "case", "cd", "continue", "echo", "eval",
    "exit", "export", "false", "fg", "for", "getopts", "hash", "if", "jobs", "kill", "local",
    "printf", "pwd", "read", "readonly", "return", "set", "shift", "test", "times", "trap", "true",
    "type", "ulimit", "umask", "unalias", "unset", "until", "wait", "while", "{",
];

/// The name or path of the program that a command begins with; `None` where only a shell can tell.
pub fn program(command: &str) -> Option<String> {
    let words = shlex::split(command)?;
    let is_assignment = |word: &str| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
        })
    };
    let mut rest =
        words.into_iter().skip_while(|word| is_assignment(word) || BEFORE.contains(&word.as_str()));
    let word = rest.next()?;
    let is_name = |it: char| it.is_ascii_alphanumeric() || "/._-+".contains(it);
    let is_known = OF_THE_SHELL.contains(&word.as_str());
    (word.chars().all(is_name) && !word.starts_with('-') && !is_known).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_command_is_its_first_word() {
        for (command, expected) in [
            ("gunicorn app:app", Some("gunicorn")),
            ("exec python -m http.server $PORT", Some("python")),
            ("A=1 B='x y' ./start.sh --port=$PORT", Some("./start.sh")),
            ("'bin/run it'", None),
            ("cd web && gunicorn app:app", None),
            ("$PYTHON app.py", None),
            ("(a; b)", None),
            ("nice -n 5 python app.py", None),
            ("web;", None),
            ("\"open", None),
            ("", None),
        ] {
            assert_eq!(program(command).as_deref(), expected, "{command}");
        }
    }
}
