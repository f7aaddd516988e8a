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
    let mut rest =
        words.into_iter().skip_while(|word| is_assignment(word) || BEFORE.contains(&word.as_str()));
    let word = rest.next()?;
    let is_name = |it: char| it.is_ascii_alphanumeric() || "/._-+".contains(it);
    let is_known = OF_THE_SHELL.contains(&word.as_str());
    (word.chars().all(is_name) && !word.starts_with('-') && !is_known).then_some(word)
}

/// A command with `exec` before its program, so that the program takes the place of the shell;
/// `None` where the shell has to stay: for several commands, pipes, its own commands, and whatever
/// is not plainly one program.
pub fn in_place_of_shell(command: &str) -> Option<String> {
    if !is_one_command(command) {
        return None;
    }
    let mut at = command.len() - command.trim_start().len();
    // The variables before a program are not its name: `exec A=1 program` would look for `A=1`.
    loop {
        let rest = command.get(at..)?;
        let word = rest.split_whitespace().next()?;
        if !is_assignment(word) {
            let is_program = program(rest).is_some_and(|program| program == word);
            return is_program.then(|| format!("{}exec {rest}", &command[..at]));
        }
        // A value with quotes may go on after a space.
        if word.contains(['\'', '"', '\\', '$']) {
            return None;
        }
        let after = &rest[word.len()..];
        at += word.len() + (after.len() - after.trim_start().len());
    }
}

/// Whether a shell finds one command in this, and no redirection.
fn is_one_command(command: &str) -> bool {
    let mut quote = None;
    let mut characters = command.trim().chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None | Some('"'), '\\') => drop(characters.next()),
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, it) if ";&|<>()`\n#".contains(it) => return false,
            _ => {}
        }
    }
    quote.is_none()
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_takes_the_place_of_the_shell_where_it_is_the_whole_command() {
        for (command, expected) in [
            ("gunicorn app:app", Some("exec gunicorn app:app")),
            (" ./start --port=$PORT ", Some(" exec ./start --port=$PORT ")),
            ("A=1 B=x:y python app.py", Some("A=1 B=x:y exec python app.py")),
            ("gunicorn 'app:create_app()'", Some("exec gunicorn 'app:create_app()'")),
            ("python -c \"a; b\"", Some("exec python -c \"a; b\"")),
            ("gunicorn \\\n app:app", Some("exec gunicorn \\\n app:app")),
            ("python a\\;b", Some("exec python a\\;b")),
            ("exec python app.py", None),
            ("nice -n 5 python app.py", None),
            ("cd web && gunicorn app:app", None),
            ("a | b", None),
            ("a; b", None),
            ("a & b", None),
            ("a\nb", None),
            ("python app.py > log 2>&1", None),
            ("A='x y' python app.py", None),
            ("$PYTHON app.py", None),
            ("\"my program\"", None),
            ("python 'open", None),
            ("# python", None),
            ("echo started", None),
            ("if x", None),
            ("A=1", None),
            ("", None),
        ] {
            assert_eq!(in_place_of_shell(command).as_deref(), expected, "{command}");
        }
    }

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
