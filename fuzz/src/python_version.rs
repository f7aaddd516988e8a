//! `.python-version`, and the same word as an app setting.

use nyala::python::version_files::{self, Pin};

use super::text::{LONGEST, assert_fit_to_be_shown, number, with_bom, with_crlf};

pub fn check(data: &[u8]) {
    let read = version_files::python_version(data);
    let wanted = |pin: &Pin| pin.wanted.to_string();
    if let Some(allowed) = by_the_grammar(data) {
        assert!(allowed.contains(&read.as_ref().ok().map(wanted)), "{read:?}, not {allowed:?}");
    }
    for same in
        [with_crlf(data), with_bom(data)].into_iter().flatten().filter(|same| same.len() <= LARGEST)
    {
        assert_eq!(version_files::python_version(&same).ok(), read.as_ref().ok().cloned());
    }
    match read {
        Ok(Pin { wanted, unused }) => {
            let written = version_files::python_version(format!("{wanted}\n").as_bytes());
            assert_eq!(written, Ok(Pin { wanted, unused: Vec::new() }));
            assert!(unused.len() <= 5);
            for word in &unused {
                assert_fit_to_be_shown(word, LONGEST);
            }
        }
        Err(error) => assert_fit_to_be_shown(&error.to_string(), LONGEST),
    }
    if let Ok(value) = std::str::from_utf8(data) {
        setting(value);
    }
}

fn setting(value: &str) {
    let blank = [' ', '\t', '\r', '\n'];
    for read in [
        version_files::setting(value),
        version_files::azure_setting(value),
        version_files::site_default(value),
    ] {
        assert_eq!(read.as_ref().ok().map(ToString::to_string), version(value.trim_matches(blank)));
        if let Err(error) = read {
            assert_fit_to_be_shown(&error.to_string(), LONGEST);
        }
    }
}

/// The largest `.python-version` that is read.
const LARGEST: usize = 64 * 1024;

/// What may be read of a file: the first request in it that is no comment. Words before it that
/// could be names of virtual environments are skipped, unless they are those of other Pythons, such
/// as pypy: both are allowed. `None` where specifiers count, which this model does not read.
fn by_the_grammar(data: &[u8]) -> Option<Vec<Option<String>>> {
    let text = std::str::from_utf8(data).ok().filter(|_| data.len() <= LARGEST);
    let Some(text) = text else { return Some(vec![None]) };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let words: Vec<&str> = text.split('\n').flat_map(words).collect();
    let names = words.iter().take_while(|word| is_like_a_name(word)).count();
    match words.get(names) {
        Some(word) if is_specifiers(word) => None,
        Some(word) if names == 0 => Some(vec![request(word)]),
        Some(word) => Some(vec![None, request(word)]),
        None => Some(vec![None]),
    }
}

fn words(line: &str) -> Vec<&str> {
    let line = line.find('#').map_or(line, |at| &line[..at]).trim_matches([' ', '\t', '\r']);
    if is_specifiers(line) {
        return vec![line];
    }
    line.split([' ', '\t', '\r']).filter(|word| !word.is_empty()).collect()
}

fn is_specifiers(word: &str) -> bool {
    word.starts_with(['<', '>', '=', '!', '~'])
}

fn is_like_a_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphabetic())
        && word.chars().all(|it| it.is_ascii_alphanumeric() || "-_.".contains(it))
        && request(word).is_none()
}

/// The version that a word asks for: by itself, in the path of a virtual environment of pyenv, or
/// in uv's name of an interpreter.
fn request(word: &str) -> Option<String> {
    let word = word.split("/envs/").next().unwrap_or_default();
    let of_uv = |word: &str| {
        let (version_, platform) = word.strip_prefix("cpython-")?.split_once('-')?;
        let systems = ["linux", "macos", "darwin", "windows", "any"];
        let is_platform = systems.iter().any(|system| platform.starts_with(system));
        is_platform.then(|| version(version_))?
    };
    version(word).or_else(|| of_uv(word))
}

/// What of a word is a version, after one of the prefixes; `.x` and `.*` stand for any patch, and a
/// major version alone for any of its minor ones.
fn version(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    let prefixes = ["cpython-", "cpython@", "cpython", "python-", "python|", "python", ""];
    let prefix = prefixes.into_iter().find(|prefix| lower.starts_with(prefix))?;
    let version = &word[prefix.len()..];
    let numbers = |text: &str| text.split('.').map(number).collect::<Option<Vec<_>>>();
    let any = version.strip_suffix(".x").or_else(|| version.strip_suffix(".*"));
    if let major @ ("2" | "3") = any.unwrap_or(version) {
        return Some(format!("=={major}.*"));
    }
    if let Some(minor) = any {
        return (numbers(minor)?.len() == 2).then(|| minor.to_owned());
    }
    let stage = ["a", "b", "rc"].into_iter().find_map(|stage| {
        let (release, count) = version.split_once(stage)?;
        number(count).map(|_| release)
    });
    let count = numbers(stage.unwrap_or(version))?.len();
    let is_version = count == 3 || (count == 2 && stage.is_none());
    is_version.then(|| version.to_owned())
}
