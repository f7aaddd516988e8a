//! How servers are told on which port to listen.

/// What follows the name of a server in a command.
const OPTIONS: [(&str, &str); 11] = [
    ("gunicorn", "--bind 127.0.0.1:$PORT"),
    ("uvicorn", "--host 127.0.0.1 --port $PORT"),
    ("hypercorn", "--bind 127.0.0.1:$PORT"),
    ("daphne", "-b 127.0.0.1 -p $PORT"),
    ("waitress-serve", "--listen=127.0.0.1:$PORT"),
    ("uwsgi", "--http-socket 127.0.0.1:$PORT"),
    ("granian", "--host 127.0.0.1 --port $PORT"),
    ("runserver", "127.0.0.1:$PORT"),
    ("flask", "--port $PORT"),
    ("fastapi", "--port $PORT"),
    ("streamlit", "--server.port $PORT"),
];

/// How a program in Python knows it.
const IN_PYTHON: &str = "int(os.environ[\"PORT\"])";

/// Who reads the port in `$PORT`, and how: the server that a command runs with its options, or the
/// program. `None` where that cannot be read from the command.
pub fn how_to_listen(command: &str) -> Option<(String, &'static str)> {
    let words = shlex::split(command)?;
    let names: Vec<_> = words.iter().filter_map(|word| word.rsplit('/').next()).collect();
    let server = names.iter().find_map(|name| {
        let (server, options) = OPTIONS.iter().find(|(server, _)| server == name)?;
        Some(((*server).to_owned(), *options))
    });
    let is_script = |name: &&&str| name.strip_suffix(".py").is_some_and(|stem| !stem.is_empty());
    server.or_else(|| Some(((*names.iter().find(is_script)?).to_owned(), IN_PYTHON)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_has_its_own_way() {
        let how = |command| how_to_listen(command).map(|(who, how)| format!("{who}: {how}"));
        for (command, expected) in [
            ("gunicorn -b :8000 app:app", "gunicorn: --bind 127.0.0.1:$PORT"),
            ("env/bin/uvicorn app:app", "uvicorn: --host 127.0.0.1 --port $PORT"),
            ("python -m hypercorn app:app", "hypercorn: --bind 127.0.0.1:$PORT"),
            ("cd src && flask --app x run", "flask: --port $PORT"),
            ("python manage.py runserver", "runserver: 127.0.0.1:$PORT"),
            ("streamlit run app.py", "streamlit: --server.port $PORT"),
            ("python3 -u src/app.py", "app.py: int(os.environ[\"PORT\"])"),
        ] {
            assert_eq!(how(command).as_deref(), Some(expected), "{command}");
        }
        assert_eq!(how("./start"), None);
    }
}
