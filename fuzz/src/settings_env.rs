//! settings.env, whose values are secrets.

use nyala::site::AppSettings;

use super::text::{LONGEST, assert_fit_to_be_shown};

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match AppSettings::parse(text) {
        Ok(settings) => {
            let written = settings.to_text().expect("what was read can be written");
            assert_eq!(
                AppSettings::parse(&written).expect("what was written can be read"),
                settings
            );
            for (name, value) in settings.iter() {
                assert!(is_name(name), "{name:?}");
                assert!(!value.contains('\0'));
                assert_eq!(settings.get(name), Some(value));
            }
        }
        Err(error) => {
            let error = format!("{error:#}");
            assert_fit_to_be_shown(&error, LONGEST);
            // Which of the words is a secret cannot be known in a text that cannot be read.
            let secrets =
                text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() >= 4);
            for word in secrets.filter(|word| word.bytes().any(|byte| byte.is_ascii_digit())) {
                assert!(!error.contains(word), "{word:?} in {error:?}");
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
