//! Where the application of an image listens. On the site, only nyala's front has to reach it; in a
//! container, nobody else is on `127.0.0.1`.

/// The machine itself, as commands write it.
const LOOPBACK: [&str; 4] = ["127.0.0.1", "localhost", "[::1]", "::1"];

/// Every network of a machine.
const ANY: &str = "0.0.0.0";

/// After these comes the address that is listened on.
const LISTENING: [&str; 19] = [
    "--addr",
    "--address",
    "--bind",
    "--host",
    "--hostname",
    "--http",
    "--http-socket",
    "--interface",
    "--listen",
    "--server.address",
    "-H",
    "-b",
    "-h",
    "ADDRESS",
    "BIND",
    "FLASK_RUN_HOST",
    "HOST",
    "UVICORN_HOST",
    "runserver",
];

/// A program that listens on `127.0.0.1` when it is not told where.
struct Server {
    name: &'static str,
    /// What tells it, if it is in the command.
    told_by: &'static [&'static str],
    option: &'static str,
}

const SERVERS: [Server; 8] = [
    Server {
        name: "uvicorn",
        told_by: &["--host", "--uds", "--fd", "UVICORN_HOST"],
        option: "--host",
    },
    Server {
        name: "daphne",
        told_by: &["-b", "--bind", "-u", "--unix-socket", "--fd", "-e", "--endpoint"],
        option: "-b",
    },
    Server { name: "granian", told_by: &["--host", "--uds", "GRANIAN_HOST"], option: "--host" },
    Server { name: "flask run", told_by: &["--host", "-h", "FLASK_RUN_HOST"], option: "--host" },
    Server { name: "quart run", told_by: &["--host", "-h"], option: "--host" },
    Server { name: "fastapi dev", told_by: &["--host"], option: "--host" },
    Server { name: "sanic", told_by: &["--host", "-H", "--unix", "-u"], option: "--host" },
    Server {
        name: "litestar run",
        told_by: &["--host", "-H", "--uds", "-U", "--fd", "-F", "LITESTAR_HOST"],
        option: "--host",
    },
];

/// The command with the address of every network in place of the container's own; `None` when that
/// is the same.
pub(super) fn reachable(command: &str) -> Option<String> {
    let mut changed = String::new();
    let mut before = "";
    for piece in command.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        changed += &listening(word, before).unwrap_or_else(|| word.to_owned());
        changed += &piece[word.len()..];
        before = if word.is_empty() { before } else { word };
    }
    for server in &SERVERS {
        changed = server.told(&changed).unwrap_or(changed);
    }
    (changed != command).then_some(changed)
}

/// Whether a command still has the machine itself in it.
pub(super) fn names_loopback(command: &str) -> bool {
    let goes_on = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    LOOPBACK.iter().any(|loopback| {
        command.match_indices(loopback).any(|(at, _)| {
            !command[..at].ends_with(goes_on)
                && !command[at + loopback.len()..].starts_with(goes_on)
        })
    })
}

/// A word that says where to listen, changed; `None` for any other. `before` is the word before it.
fn listening(word: &str, before: &str) -> Option<String> {
    let (option, value) = match word.split_once('=') {
        Some((option, value)) => (option, value),
        // As in `-b127.0.0.1`.
        None if word.starts_with('-') && !word.starts_with("--") => word.split_at_checked(2)?,
        None => (before, word),
    };
    let listens = LISTENING.contains(&option);
    let start = &word[..word.len() - value.len()];
    let bare = value.trim_start_matches(['"', '\'']);
    let quote = &value[..value.len() - bare.len()];
    if option == "runserver" && is_port(bare) {
        return Some(format!("{start}{quote}{ANY}:{bare}"));
    }
    let loopback = LOOPBACK.iter().find(|it| bare.starts_with(**it))?;
    let after = &bare[loopback.len()..];
    let port = after.trim_start_matches(['"', '\'']).strip_prefix(':');
    let is_whole = after.trim_end_matches(['"', '\'']).is_empty();
    let has_own_port = port.is_some_and(|port| is_port(port.trim_start_matches(['"', '\''])));
    let is_ours = port.is_some_and(|port| port.contains("$PORT") || port.contains("${PORT"));
    (is_ours || listens && (is_whole || has_own_port))
        .then(|| format!("{start}{quote}{ANY}{after}"))
}

fn is_port(text: &str) -> bool {
    text.starts_with("$PORT")
        || text.starts_with("${PORT")
        || text.starts_with(|first: char| first.is_ascii_digit())
            && text.trim_end_matches(['"', '\'']).bytes().all(|it| it.is_ascii_digit())
}

impl Server {
    /// The command with the option that tells it where to listen; `None` for another command, and
    /// for one that tells it already.
    fn told(&self, command: &str) -> Option<String> {
        let is_told = command.split(char::is_whitespace).any(|word| {
            let name = word.split('=').next().unwrap_or_default();
            self.told_by.contains(&name)
        });
        let at = command.match_indices(self.name).map(|(at, _)| at).find(|at| {
            let end = at + self.name.len();
            let is_word = command[end..].chars().next().is_none_or(char::is_whitespace);
            let above = command[..*at].rsplit(char::is_whitespace).next().unwrap_or_default();
            let start = at - above.len();
            is_word && (above.is_empty() || above.ends_with('/')) && begins(&command[..start])
        });
        let end = at.filter(|_| !is_told)? + self.name.len();
        Some(format!("{} {} {ANY}{}", &command[..end], self.option, &command[end..]))
    }
}

/// Whether a program comes next in a command.
fn begins(before: &str) -> bool {
    let word = before.split_whitespace().next_back();
    word.is_none_or(|word| {
        ["exec", "nohup", "-m", "run"].contains(&word)
            || word.ends_with(['&', ';', '|', '('])
            || word.contains('=') && !word.starts_with('-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_listens_where_it_is_reached() {
        for (command, expected) in [
            ("gunicorn --bind 127.0.0.1:$PORT a:b", "gunicorn --bind 0.0.0.0:$PORT a:b"),
            (
                "gunicorn --bind 127.0.0.1:${PORT:-8000} a",
                "gunicorn --bind 0.0.0.0:${PORT:-8000} a",
            ),
            ("gunicorn --bind=localhost:8000 a:b", "gunicorn --bind=0.0.0.0:8000 a:b"),
            ("gunicorn -b127.0.0.1:8000 a:b", "gunicorn -b0.0.0.0:8000 a:b"),
            ("gunicorn -b \"127.0.0.1:$PORT\" a:b", "gunicorn -b \"0.0.0.0:$PORT\" a:b"),
            ("gunicorn -b 127.0.0.1:\"$PORT\" a:b", "gunicorn -b 0.0.0.0:\"$PORT\" a:b"),
            ("uvicorn --host \"127.0.0.1\" a:b", "uvicorn --host \"0.0.0.0\" a:b"),
            ("uvicorn a:b --host ::1", "uvicorn a:b --host 0.0.0.0"),
            ("uvicorn a:b  --host\t127.0.0.1\n", "uvicorn a:b  --host\t0.0.0.0\n"),
            (
                "waitress-serve --listen='[::1]:'$PORT a",
                "waitress-serve --listen='0.0.0.0:'$PORT a",
            ),
            ("python -m http.server --bind 127.0.0.1 8", "python -m http.server --bind 0.0.0.0 8"),
            ("flask run -p $PORT -h 127.0.0.1", "flask run -p $PORT -h 0.0.0.0"),
            ("daphne -b localhost -p $PORT a:b", "daphne -b 0.0.0.0 -p $PORT a:b"),
            ("HOST=127.0.0.1 python a.py", "HOST=0.0.0.0 python a.py"),
            ("python manage.py runserver localhost:8", "python manage.py runserver 0.0.0.0:8"),
            ("python manage.py runserver $PORT", "python manage.py runserver 0.0.0.0:$PORT"),
            ("uwsgi --http-socket 127.0.0.1:$PORT", "uwsgi --http-socket 0.0.0.0:$PORT"),
        ] {
            assert_eq!(reachable(command).as_deref(), Some(expected), "{command}");
        }
    }

    #[test]
    fn a_server_that_is_not_told_where_is_told() {
        for (command, expected) in [
            ("uvicorn a:b --port $PORT", "uvicorn --host 0.0.0.0 a:b --port $PORT"),
            ("exec env/bin/uvicorn a:b", "exec env/bin/uvicorn --host 0.0.0.0 a:b"),
            ("cd web && A=1 uvicorn a:b", "cd web && A=1 uvicorn --host 0.0.0.0 a:b"),
            ("python -m uvicorn a:b", "python -m uvicorn --host 0.0.0.0 a:b"),
            ("daphne -p $PORT a:b", "daphne -b 0.0.0.0 -p $PORT a:b"),
            ("flask run -p $PORT", "flask run --host 0.0.0.0 -p $PORT"),
            ("sanic web:app -p $PORT", "sanic --host 0.0.0.0 web:app -p $PORT"),
        ] {
            assert_eq!(reachable(command).as_deref(), Some(expected), "{command}");
        }
    }

    #[test]
    fn other_addresses_stay() {
        for command in [
            "gunicorn --forwarded-allow-ips 127.0.0.1 a:b",
            "gunicorn a:b",
            "gunicorn -k uvicorn.workers.UvicornWorker a:b",
            "uvicorn a:b --host 0.0.0.0",
            "uvicorn a:b --uds /tmp/s",
            "python a.py --redis redis://localhost:6379 --db localhost:5432",
            "DB_HOST=localhost python a.py",
            "gunicorn --bind 127.0.0.10:$PORT a:b",
            "gunicorn --bind localhost.example.org:80 a:b",
            "",
        ] {
            assert_eq!(reachable(command), None, "{command}");
        }
        assert!(names_loopback("a --redis redis://localhost:6379") && names_loopback("a ::1"));
        assert!(!names_loopback("a --host 127.0.0.10 localhost.example.org"));
    }
}
