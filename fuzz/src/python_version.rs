//! `.python-version`, and the same word as an app setting.

use nyala::python::version_files::{self, Pin};

use super::text::{LONGEST, assert_fit_to_be_shown, number, with_bom, with_crlf};

pub fn check(data: &[u8]) {
    let read = version_files::python_version(data);
    let wanted = |pin: &Pin| pin.wanted.to_string();
    assert_eq!(read.as_ref().ok().map(wanted).as_deref(), by_the_grammar(data));
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
        assert_eq!(
            read.as_ref().ok().map(ToString::to_string).as_deref(),
            version(value.trim_matches(blank))
        );
        if let Err(error) = read {
            assert_fit_to_be_shown(&error.to_string(), LONGEST);
        }
    }
}

/// The largest `.python-version` that is read.
const LARGEST: usize = 64 * 1024;

/// The version in the first word that is no comment.
fn by_the_grammar(data: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(data).ok().filter(|_| data.len() <= LARGEST)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut words = text.split('\n').flat_map(|line| {
        let before_comment = line.find('#').map_or(line, |at| &line[..at]);
        before_comment.split([' ', '\t', '\r'])
    });
    version(words.find(|word| !word.is_empty())?)
}

/// What of a word is a version, after one of the prefixes.
fn version(word: &str) -> Option<&str> {
    let lower = word.to_ascii_lowercase();
    let prefixes = ["cpython-", "cpython@", "cpython", "python-", "python|", "python", ""];
    let prefix = prefixes.into_iter().find(|prefix| lower.starts_with(prefix))?;
    let version = &word[prefix.len()..];
    let stage = ["a", "b", "rc"].into_iter().find_map(|stage| {
        let (release, count) = version.split_once(stage)?;
        number(count).map(|_| release)
    });
    let numbers =
        stage.unwrap_or(version).split('.').map(number).collect::<Option<Vec<_>>>()?.len();
    let is_version = numbers == 3 || (numbers == 2 && stage.is_none());
    is_version.then_some(version)
}
