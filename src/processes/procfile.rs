//! The Procfile: a line for each process, its name, a colon and its command.
//! <https://devcenter.heroku.com/articles/procfile#procfile-format>

use std::collections::BTreeMap;

use super::error;
use crate::site::settings::{is_command_line, is_process_name};
use crate::user_error::UserError;

/// The commands by the names of their processes. Blank lines and those that begin with `#` do not
/// count. Fails on everything else, since what is not run would be missed only later.
pub(super) fn parse(bytes: &[u8]) -> Result<BTreeMap<String, String>, UserError> {
    let text = std::str::from_utf8(bytes).map_err(|_| error::not_utf8())?;
    let mut found = BTreeMap::new();
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !is_command_line(line) {
            return Err(error::control_character(at + 1, line, "the Procfile"));
        }
        let (name, command) =
            line.split_once(':').ok_or_else(|| error::no_process(at + 1, line))?;
        let (name, command) = (name.trim_end(), command.trim());
        if !is_process_name(name) {
            return Err(error::bad_name(at + 1, name));
        }
        if command.is_empty() {
            return Err(error::no_command(at + 1, name));
        }
        if found.insert(name.to_owned(), command.to_owned()).is_some() {
            return Err(error::named_twice(at + 1, name));
        }
    }
    if found.is_empty() { Err(error::empty()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_process() {
        let text = b"\xef\xbb\xbfweb: gunicorn app:app --bind 0.0.0.0:$PORT\r\n\n# later\n\
            worker:python worker.py\nrelease : ./migrate\nurgent-worker_2: x: y\n";
        let found = parse(text).unwrap();
        let expected = [
            ("release", "./migrate"),
            ("urgent-worker_2", "x: y"),
            ("web", "gunicorn app:app --bind 0.0.0.0:$PORT"),
            ("worker", "python worker.py"),
        ];
        let found: Vec<_> = found.iter().map(|(name, it)| (name.as_str(), it.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_error_says_what_to_do() {
        let error = |text: &[u8]| parse(text).unwrap_err().to_string();
        insta::assert_snapshot!(error(b"web gunicorn app"), @"
        a line of the Procfile names no process
        found: web gunicorn app (line 1 of the Procfile)
        Write a line for each process, such as: web: gunicorn app:app
        ");
        insta::assert_snapshot!(error(b"\n../web: x"), @"
        a process in the Procfile has no valid name
        found: ../web (line 2 of the Procfile)
        Use letters, digits, - and _, such as web or worker
        ");
        insta::assert_snapshot!(error(b"web:"), @"
        a process in the Procfile has no command
        found: web: (line 1 of the Procfile)
        Write a line for each process, such as: web: gunicorn app:app
        ");
        insta::assert_snapshot!(error(b"web: a\nweb: b"), @"
        the Procfile names a process twice
        found: web (line 2 of the Procfile)
        Remove one of the two lines, or give one another name
        ");
        insta::assert_snapshot!(error(b"# nothing\n"), @"
        the Procfile names no process
        1. Write a line for each process, such as: web: gunicorn app:app
        2. Or remove the Procfile
        ");
        insta::assert_snapshot!(error(b"web: a\nworker: b\0c"), @r"
        a command has a control character
        found: worker: b\0c (line 2 of the Procfile)
        Remove it, or write it anew as plain text in UTF-8
        ");
        // The ends of lines of old Macs.
        insta::assert_snapshot!(error(b"web: a\rworker: b\r"), @r"
        a command has a control character
        found: web: a\rworker: b (line 1 of the Procfile)
        Remove it, or write it anew as plain text in UTF-8
        ");
        assert!(parse(b"web:\ta\tb # \xc3\xa9\n# \0\n").is_ok());
        insta::assert_snapshot!(error(b"web: \xff"), @"
        the Procfile is not text in UTF-8
        Save it in UTF-8
        ");
    }
}
