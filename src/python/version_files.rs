//! Reads the wanted Python from the files and settings in which a person may have written it.
//!
//! All of it is pure: it takes bytes, and returns what is wanted or an error for a person.

mod error;
mod manifests;
mod shown;
mod text;

#[cfg(test)]
mod tests;

use std::str::FromStr;

use pep440_rs::VersionSpecifiers;
use serde::Deserialize;
use toml::Spanned;

pub use self::error::{Problem, VersionFileError};
pub use self::manifests::{
    lock_file, mise, pipfile, pipfile_lock, poetry_python, setup_cfg, tool_versions,
};
use self::shown::visible;
use self::text::{PYPROJECT_LIMIT, VERSION_FILE_LIMIT, decode, line_at};
use super::version::{Origin, Version, Wanted, minor_or_exact};

const LINES_SHOWN: usize = 5;

/// What people write before a version.
const PREFIXES: [&str; 4] = ["v", "py", "python", "cpython"];

/// What `.python-version` says: its first version counts, and the others are there for tools such
/// as tox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    pub wanted: Wanted,
    /// The other words of the file, fit to be shown, at most five.
    pub unused: Vec<String>,
}

/// Reads runtime.txt: after comments and blank lines exactly one line, `python-X.Y` or
/// `python-X.Y.Z` (design.md, "runtime.txt").
pub fn runtime_txt(bytes: &[u8]) -> Result<Wanted, VersionFileError> {
    let fail = |problem| VersionFileError { origin: Origin::RuntimeTxt, problem };
    let text = decode(bytes, VERSION_FILE_LIMIT).map_err(fail)?;
    let lines = content_lines(text);
    match lines.as_slice() {
        [] => Err(fail(Problem::Empty { comments: !text.is_empty() })),
        [(line, text)] => runtime_line(text).ok_or_else(|| {
            fail(Problem::NotAVersion { line: Some(*line), word: (*text).to_owned() })
        }),
        _ => Err(fail(Problem::SeveralLines {
            count: lines.len(),
            found: lines
                .iter()
                .take(LINES_SHOWN)
                .map(|(line, text)| (*line, (*text).to_owned()))
                .collect(),
        })),
    }
}

/// Reads `.python-version` as pyenv and uv write it: words between white space, `#` starts a
/// comment, the first version counts. It may be `3.11`, `3.11.7`, `3.11.x`, specifiers, or the full
/// name of an interpreter (`cpython-3.12.1-linux-x86_64-gnu`); names of pyenv's virtual
/// environments beside it are ignored.
pub fn python_version(bytes: &[u8]) -> Result<Pin, VersionFileError> {
    let fail = |problem| VersionFileError { origin: Origin::PythonVersionFile, problem };
    let text = decode(bytes, VERSION_FILE_LIMIT).map_err(fail)?;
    let words: Vec<(usize, &str)> = text
        .lines()
        .zip(1..)
        .flat_map(|(line, number)| {
            let content = line.split('#').next().unwrap_or_default();
            requests(content).into_iter().map(move |word| (number, word))
        })
        .collect();
    let (line, first) =
        *words.first().ok_or_else(|| fail(Problem::Empty { comments: !text.is_empty() }))?;
    let used = words.iter().position(|(_, word)| !is_name_of_an_env(word)).unwrap_or(0);
    let wanted = request(words[used].1).ok_or_else(|| {
        let (line, first) = if used == 0 { (line, first) } else { words[used] };
        fail(Problem::NotAVersion { line: Some(line), word: first.to_owned() })
    })?;
    let others = words.iter().enumerate().filter(|(at, _)| *at != used);
    Ok(Pin { wanted, unused: others.take(LINES_SHOWN).map(|(_, (_, it))| visible(it)).collect() })
}

/// The requests of a line of `.python-version`: its words, or all of it when it is specifiers, in
/// which there may be blanks.
fn requests(line: &str) -> Vec<&str> {
    let line = line.trim_matches([' ', '\t', '\r']);
    if line.starts_with(['<', '>', '=', '!', '~']) {
        return vec![line];
    }
    line.split([' ', '\t', '\r']).filter(|word| !word.is_empty()).collect()
}

/// What a request of `.python-version` asks for; `None` when it is none.
fn request(word: &str) -> Option<Wanted> {
    if word.starts_with(['<', '>', '=', '!', '~']) {
        let specifiers = VersionSpecifiers::from_str(word).ok()?;
        return (!specifiers.is_empty()).then_some(Wanted::Specifiers(specifiers));
    }
    // pyenv-virtualenv names an env by the version that it was made with: `3.12.1/envs/site`.
    let word = word.split_once("/envs/").map_or(word, |(version, _)| version);
    version_word(word).or_else(|| {
        // uv's full name goes on with the operating system.
        let (version, platform) = word.strip_prefix("cpython-")?.split_once('-')?;
        let systems = ["linux", "macos", "darwin", "windows", "any"];
        systems.iter().any(|system| platform.starts_with(system)).then(|| version_word(version))?
    })
}

/// Whether a word can only be the name that somebody gave a virtual environment.
fn is_name_of_an_env(word: &str) -> bool {
    let is_name = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    // What looks like a version and is none is a mistake, not a name.
    let rest = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let letters = word[..word.len() - rest.len()].to_ascii_lowercase();
    let is_mistake = PREFIXES.contains(&letters.as_str())
        && rest.trim_start_matches(['-', '.', '_']).starts_with(|c: char| c.is_ascii_digit());
    is_name && !is_mistake && request(word).is_none() && !error::is_known(word)
}

/// Reads the app setting `PYTHON_VERSION`: `3.11`, `3.11.7`, and as Azure has it `python|3.11`,
/// `python-3.11`.
pub fn setting(value: &str) -> Result<Wanted, VersionFileError> {
    value_of(Origin::AppSetting, value)
}

/// Reads the app setting `WEBSITE_PYTHON_VERSION`, in the same forms.
pub fn azure_setting(value: &str) -> Result<Wanted, VersionFileError> {
    value_of(Origin::AzureSetting, value)
}

/// Reads `python = "3.11"` of nyala.toml, in the same forms as [`setting`].
pub fn site_default(value: &str) -> Result<Wanted, VersionFileError> {
    value_of(Origin::SiteDefault, value)
}

/// Reads `requires-python` of a pyproject.toml's `[project]` (PEP 621). Returns `Ok(None)` if it
/// has none, or an empty one.
pub fn requires_python(pyproject_toml: &[u8]) -> Result<Option<Wanted>, VersionFileError> {
    let fail = |problem| VersionFileError { origin: Origin::RequiresPython, problem };
    let text = decode(pyproject_toml, PYPROJECT_LIMIT).map_err(fail)?;
    let shown_line = |offset: usize| {
        let line = line_at(text.as_bytes(), offset);
        (line, visible(text.lines().nth(line - 1).unwrap_or_default()))
    };

    let pyproject: PyProject = toml::from_str(text).map_err(|error| {
        let (line, found) = shown_line(error.span().map_or(0, |span| span.start));
        fail(Problem::Toml { line, message: error.message().to_owned(), found })
    })?;
    let Some(written) = pyproject.project.and_then(|project| project.requires_python) else {
        return Ok(None);
    };
    let specifiers = VersionSpecifiers::from_str(written.get_ref().trim()).map_err(|error| {
        let (line, found) = shown_line(written.span().start);
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default().trim_end_matches(':').to_owned();
        fail(Problem::NotSpecifiers { line, message, found })
    })?;
    Ok((!specifiers.is_empty()).then_some(Wanted::Specifiers(specifiers)))
}

#[derive(Deserialize)]
struct PyProject {
    project: Option<PyprojectTable>,
}

#[derive(Deserialize)]
struct PyprojectTable {
    #[serde(rename = "requires-python")]
    requires_python: Option<Spanned<String>>,
}

/// The lines that count, with their numbers from 1. Only ASCII blanks are trimmed: a no-break space
/// is not one that a person sees or means.
fn content_lines(text: &str) -> Vec<(usize, &str)> {
    text.split('\n')
        .zip(1..)
        .map(|(line, number)| {
            (number, line.strip_suffix('\r').unwrap_or(line).trim_matches([' ', '\t']))
        })
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

fn runtime_line(line: &str) -> Option<Wanted> {
    match minor_or_exact(strip_prefix_of_any_case(line, "python-")?)? {
        Wanted::Exact(version) if !version.is_final() => None,
        wanted => Some(wanted),
    }
}

fn version_word(word: &str) -> Option<Wanted> {
    let prefixes = ["cpython-", "cpython@", "cpython", "python-", "python|", "python"];
    let version =
        prefixes.iter().find_map(|prefix| strip_prefix_of_any_case(word, prefix)).unwrap_or(word);
    // `3.12.x` and `3.12.*` are how people write any patch.
    let any_patch = version.strip_suffix(".x").or_else(|| version.strip_suffix(".*"));
    match any_patch.map(minor_or_exact) {
        Some(Some(minor @ Wanted::Minor { .. })) => Some(minor),
        Some(_) => None,
        None => minor_or_exact(version),
    }
    .or_else(|| any_minor(version))
}

/// `3`, as `uv python pin 3` writes it.
fn any_minor(version: &str) -> Option<Wanted> {
    let major = version.strip_suffix(".x").or_else(|| version.strip_suffix(".*"));
    let major = major.unwrap_or(version);
    if !matches!(major, "2" | "3") {
        return None;
    }
    VersionSpecifiers::from_str(&format!("=={major}.*")).ok().map(Wanted::Specifiers)
}

fn value_of(origin: Origin, value: &str) -> Result<Wanted, VersionFileError> {
    let word = value.trim_matches([' ', '\t', '\r', '\n']);
    if word.is_empty() {
        return Err(VersionFileError { origin, problem: Problem::Empty { comments: false } });
    }
    version_word(word).ok_or_else(|| VersionFileError {
        origin,
        problem: Problem::NotAVersion { line: None, word: word.to_owned() },
    })
}

fn strip_prefix_of_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The version that a person most likely meant: what is left without prefix, blanks, invisible
/// characters, signs and leading zeros. It is only ever shown, never used.
fn suggestion(word: &str) -> Option<Wanted> {
    let letters: String = word
        .chars()
        .take_while(|c| !c.is_ascii_digit())
        .filter(char::is_ascii_alphabetic)
        .collect();
    let letters = letters.to_ascii_lowercase();
    // `pyton`, but not `jython`, which is another one.
    let is_mistyped =
        || letters.starts_with('p') && strsim::damerau_levenshtein(&letters, "python") == 1;
    if !letters.is_empty() && !PREFIXES.contains(&letters.as_str()) && !is_mistyped() {
        return None;
    }
    let from_first_digit = word.trim_start_matches(|c: char| !c.is_ascii_digit());
    let plain: String = from_first_digit
        .chars()
        .take_while(|c| !c.is_ascii_alphabetic() && !",;|<>=!~".contains(*c))
        .filter(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    let numbers: Option<Vec<u16>> =
        plain.trim_matches('.').split('.').map(|number| number.parse().ok()).collect();
    match numbers?.as_slice() {
        [major, minor] => Some(Wanted::Minor { major: *major, minor: *minor }),
        [major, minor, patch, ..] => Some(Wanted::Exact(Version::new(*major, *minor, *patch))),
        _ => None,
    }
}
