//! The Python that the files of package managers and version managers ask for.

use std::str::FromStr;

use pep440_rs::VersionSpecifiers;
use toml::{Table, Value};

use super::error::{Problem, VersionFileError};
use super::request;
use super::shown::visible;
use super::text::{PYPROJECT_LIMIT, VERSION_FILE_LIMIT, decode, line_at};
use crate::python::poetry_constraint::pythons;
use crate::python::version::{Origin, Wanted, minor_or_exact};

type Read = Result<Option<Wanted>, VersionFileError>;

/// Reads `_meta.requires` of a Pipfile.lock: `python_full_version`, else `python_version`.
pub fn pipfile_lock(bytes: &[u8]) -> Read {
    let origin = Origin::PipfileLock;
    // A lock is longer than what is decoded here, and only its parser can tell whether it is whole.
    let Ok(lock) = serde_json::from_slice::<serde_json::Value>(bytes) else { return Ok(None) };
    let requires = lock.pointer("/_meta/requires");
    of_pipenv(origin, |name| requires.and_then(|requires| requires.get(name)?.as_str()))
}

/// Reads `[requires]` of a Pipfile.
pub fn pipfile(bytes: &[u8]) -> Read {
    let table = parse(Origin::Pipfile, bytes)?;
    of_pipenv(Origin::Pipfile, |name| table.get("requires")?.get(name)?.as_str())
}

/// Reads `python` of `[tool.poetry.dependencies]`, in poetry's own notation (`^3.11`).
pub fn poetry_python(pyproject_toml: &[u8]) -> Read {
    let table = parse(Origin::PoetryPython, pyproject_toml)?;
    let python =
        table.get("tool").and_then(|tool| tool.get("poetry")?.get("dependencies")?.get("python"));
    let written = match python {
        Some(Value::Table(python)) => python.get("version").and_then(Value::as_str),
        Some(python) => python.as_str(),
        None => None,
    };
    let Some(written) = written else { return Ok(None) };
    match poetry_constraint(written) {
        Some(Wanted::Any) => Ok(None),
        Some(wanted) => Ok(Some(wanted)),
        None => Err(not_specifiers(Origin::PoetryPython, pyproject_toml, written)),
    }
}

/// Reads `requires-python` of uv.lock or pylock.toml, or what poetry.lock and pdm.lock call it. A
/// lock that cannot be read asks for nothing here.
pub fn lock_file(bytes: &[u8]) -> Read {
    let keys = ["requires-python", "requires_python", "python-versions"];
    let text = String::from_utf8_lossy(bytes);
    // It stands in the first lines of uv's lock, and in the last of the others; the packages in
    // between need not be parsed.
    let mut in_package = false;
    for line in text.lines() {
        if line.starts_with('[') {
            in_package = line.starts_with("[package") || line.starts_with("[[package");
        }
        let Some((key, value)) = line.split_once('=').filter(|_| !in_package) else { continue };
        if keys.contains(&key.trim()) {
            let written = value.trim().trim_matches(['"', '\'']);
            return Ok(poetry_constraint(written).filter(|wanted| *wanted != Wanted::Any));
        }
    }
    Ok(None)
}

/// Reads `python_requires` of setup.cfg's `[options]`. A value goes on in the indented lines below.
pub fn setup_cfg(bytes: &[u8]) -> Read {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().skip_while(|line| line.trim_end() != "[options]").skip(1);
    let found = lines.by_ref().take_while(|line| !line.starts_with('[')).find_map(|line| {
        let (key, value) = line.split_once(['=', ':'])?;
        (key.trim_end() == "python_requires").then_some(value)
    });
    let Some(first) = found else { return Ok(None) };
    let more = lines.take_while(|line| line.starts_with([' ', '\t']) || line.trim().is_empty());
    let parts = std::iter::once(first).chain(more).map(str::trim);
    let is_value = |part: &&str| !part.is_empty() && !part.starts_with(['#', ';']);
    let parts: Vec<&str> = parts.filter(is_value).collect();
    // A list may have its commas at the ends of the lines, or none.
    let written = parts.iter().map(|part| part.trim_matches(',')).collect::<Vec<_>>().join(",");
    match VersionSpecifiers::from_str(&written) {
        Ok(specifiers) if specifiers.is_empty() => Ok(None),
        Ok(specifiers) => Ok(Some(Wanted::Specifiers(specifiers))),
        Err(_) => Err(not_specifiers(Origin::SetupCfg, bytes, parts.first().unwrap_or(&first))),
    }
}

/// Reads asdf's `.tool-versions`: the first version of the line `python`. What is no version, such
/// as `system`, asks for nothing.
pub fn tool_versions(bytes: &[u8]) -> Read {
    let fail = |problem| VersionFileError { origin: Origin::ToolVersions, problem };
    let text = decode(bytes, VERSION_FILE_LIMIT).map_err(fail)?;
    let words = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let python = words
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
        .find(|words| words.first() == Some(&"python"));
    Ok(python.and_then(|words| words[1..].iter().find_map(|word| minor_or_exact(word))))
}

/// Reads `python` of the `[tools]` of mise.toml; it takes `"3.12"`, a list, or a table with a
/// `version`. What is no version, such as `latest`, asks for nothing.
pub fn mise(bytes: &[u8]) -> Read {
    let table = parse(Origin::Mise, bytes)?;
    let python = table.get("tools").and_then(|tools| tools.get("python"));
    let python = match python {
        Some(Value::Array(all)) => all.first(),
        python => python,
    };
    let written = match python {
        Some(Value::Table(python)) => python.get("version").and_then(Value::as_str),
        Some(python) => python.as_str(),
        None => None,
    };
    Ok(written.and_then(|written| minor_or_exact(written.trim_start_matches("prefix:"))))
}

/// What a constraint of poetry's asks for; any Python, when it asks for none. `None` when it is no
/// constraint.
fn poetry_constraint(written: &str) -> Option<Wanted> {
    let written = written.trim();
    if let Some(wanted) = minor_or_exact(written) {
        return Some(wanted);
    }
    let specifiers = pythons(written)?;
    Some(if specifiers.is_empty() { Wanted::Any } else { Wanted::Specifiers(specifiers) })
}

/// What pipenv's `requires` asks for, whose values are versions or specifiers, or `*` for any.
fn of_pipenv<'t>(origin: Origin, text: impl Fn(&str) -> Option<&'t str>) -> Read {
    let full = text("python_full_version").filter(|written| !written.is_empty());
    let written = full.or_else(|| text("python_version")).unwrap_or_default().trim();
    if matches!(written, "" | "*") {
        return Ok(None);
    }
    request(written).map(Some).ok_or_else(|| VersionFileError {
        origin,
        problem: Problem::NotAVersion { line: None, word: written.to_owned() },
    })
}

fn parse(origin: Origin, bytes: &[u8]) -> Result<Table, VersionFileError> {
    let fail = |problem| VersionFileError { origin, problem };
    let text = decode(bytes, PYPROJECT_LIMIT).map_err(fail)?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = line_at(text.as_bytes(), error.span().map_or(0, |span| span.start));
        let found = visible(text.lines().nth(line - 1).unwrap_or_default());
        fail(Problem::Toml { line, message: error.message().to_owned(), found })
    })
}

fn not_specifiers(origin: Origin, bytes: &[u8], written: &str) -> VersionFileError {
    let text = String::from_utf8_lossy(bytes);
    let line = text.find(written).map_or(1, |at| line_at(text.as_bytes(), at));
    let found = visible(text.lines().nth(line - 1).unwrap_or_default());
    let message = format!("{} is no version specifier", visible(written));
    VersionFileError { origin, problem: Problem::NotSpecifiers { line, message, found } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(read: Read) -> Option<String> {
        read.unwrap().map(|wanted| wanted.to_string())
    }

    #[test]
    fn poetrys_notation_is_read() {
        for (written, expected) in [
            ("^3.11", Some(">=3.11, <4")),
            ("^3.11.2", Some(">=3.11.2, <4")),
            ("~3.10.0", Some(">=3.10.0, <3.11")),
            ("~3.10", Some(">=3.10, <3.11")),
            ("~3", Some(">=3, <4")),
            (">=3.9,<3.13", Some(">=3.9, <3.13")),
            ("~=3.10", Some("~=3.10")),
            ("3.11.*", Some("==3.11.*")),
            ("3.11", Some("3.11")),
            ("^3.9 || ^3.11", Some(">=3.9, <4")),
            ("~3.12 || ~3.14", Some(">=3.12, !=3.13.*, <3.15")),
            (">=3.9 <3.13", Some(">=3.9, <3.13")),
            ("*", None),
        ] {
            for python in [format!("'{written}'"), format!("{{ version = '{written}' }}")] {
                let text = format!("[tool.poetry.dependencies]\npython = {python}\n");
                assert_eq!(
                    wanted(poetry_python(text.as_bytes())).as_deref(),
                    expected,
                    "{written}"
                );
            }
        }
        let error = poetry_python(b"[tool.poetry.dependencies]\npython = '^three'\n").unwrap_err();
        assert!(error.to_string().contains("python = '^three' (line 2)"), "{error}");
    }

    #[test]
    fn pipenv_names_a_version() {
        let lock = br#"{"_meta": {"requires": {"python_version": "3.11"}}, "default": {}}"#;
        assert_eq!(wanted(pipfile_lock(lock)).as_deref(), Some("3.11"));
        let full = br#"{"_meta": {"requires":
            {"python_full_version": "3.11.4", "python_version": "3.11"}}}"#;
        assert_eq!(wanted(pipfile_lock(full)).as_deref(), Some("3.11.4"));
        assert_eq!(wanted(pipfile_lock(b"{}")), None);
        let text = b"[requires]\npython_version = '3.12'\n";
        assert_eq!(wanted(pipfile(text)).as_deref(), Some("3.12"));
        assert_eq!(wanted(pipfile(b"[packages]\n")), None);
        let text = b"[requires]\npython_version = '3'\n";
        assert_eq!(wanted(pipfile(text)).as_deref(), Some("==3.*"));
        let text = b"[requires]\npython_full_version = ''\npython_version = '>=3.9, <4'\n";
        assert_eq!(wanted(pipfile(text)).as_deref(), Some(">=3.9, <4"));
        assert_eq!(wanted(pipfile(b"[requires]\npython_version = '*'\n")), None);
        assert!(pipfile(b"[requires]\npython_version = 'newest'\n").is_err());
    }

    #[test]
    fn lock_files_say_what_they_were_made_for() {
        for text in [
            "version = 1\nrequires-python = \">=3.12\"\n\n[[package]]\nname = \"a\"\n",
            "[metadata]\nrequires_python = \">=3.12\"\n[[package]]\nrequires_python = \">=3.8\"\n",
            "[[package]]\nname = \"a\"\npython-versions = \">=3.8\"\n[metadata]\n\
             python-versions = \">=3.12\"\n",
            "lock-version = \"1.0\"\nrequires-python = \">=3.12\"\n[[packages]]\n\
             name = \"a\"\nrequires-python = \">=3.8\"\n",
        ] {
            assert_eq!(wanted(lock_file(text.as_bytes())).as_deref(), Some(">=3.12"), "{text}");
        }
        assert_eq!(wanted(lock_file(b"\xff not a lock")), None);
    }

    #[test]
    fn what_no_manager_takes_for_a_version_asks_for_nothing() {
        let of = |text: &str| wanted(tool_versions(text.as_bytes()));
        assert_eq!(of("nodejs 20.1.0\npython 3.12.1 3.11.0 # both\n").as_deref(), Some("3.12.1"));
        assert_eq!(of("python system 3.11\n").as_deref(), Some("3.11"));
        assert_eq!(of("python system\n"), None);
        assert_eq!(of("# python 3.12.1\n"), None);
        let of = |text: &str| wanted(mise(format!("[tools]\npython = {text}\n").as_bytes()));
        assert_eq!(of("'3.12'").as_deref(), Some("3.12"));
        assert_eq!(of("['3.11', '3.12']").as_deref(), Some("3.11"));
        assert_eq!(of("{ version = '3.12.1' }").as_deref(), Some("3.12.1"));
        assert_eq!(of("'latest'"), None);
    }

    #[test]
    fn setup_cfg_names_specifiers() {
        let of = |text: &str| wanted(setup_cfg(text.as_bytes()));
        assert_eq!(of("[options]\npython_requires = >=3.9\n").as_deref(), Some(">=3.9"));
        assert_eq!(of("[metadata]\npython_requires = >=3.9\n"), None);
        let several = "[options]\npython_requires =\n    >=3.9,\n    # none newer\n    <3.12\n\n\
                       zip_safe = no\n";
        assert_eq!(of(several).as_deref(), Some(">=3.9, <3.12"));
        assert!(setup_cfg(b"[options]\npython_requires = three\n").is_err());
    }
}
