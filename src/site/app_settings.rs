//! `settings.env`: the application's settings, which are environment variables. Their values are
//! secrets.
//!
//! One `KEY=value` a line, quoted as a POSIX shell quotes, so that `set -a; . settings.env` and
//! systemd's `EnvironmentFile=` read the same values. A file that a Windows editor has saved is
//! read as it is meant there: the CR of its line ends is no part of a value, and neither is a byte
//! order mark.

mod secrecy;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};

pub use self::secrecy::secrets_in;

use super::{Site, error, text_file};
use crate::console::mask;
use crate::disk;
use crate::text::split_mark;
use crate::user_error::UserError;

/// The application's settings, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppSettings {
    values: BTreeMap<String, String>,
}

impl AppSettings {
    /// Reads the text of a `settings.env`.
    pub fn parse(text: &str) -> Result<AppSettings> {
        let (_, text) = split_mark(text);
        let words = shlex::split(&with_plain_line_ends(text)).ok_or_else(error::open_quote)?;
        let mut settings = AppSettings::default();
        for (word, number) in words.iter().zip(1..) {
            let (name, value) =
                word.split_once('=').ok_or_else(|| error::not_an_assignment(number))?;
            let name = name.strip_prefix("export ").unwrap_or(name);
            if !is_name(name) {
                return Err(error::wrong_name_of(number).into());
            }
            if value.contains('\0') {
                return Err(error::nul_in_value(&format!("setting {number}")).into());
            }
            settings.set(name, value)?;
        }
        Ok(settings)
    }

    /// The text of a `settings.env` with these values.
    pub fn to_text(&self) -> Result<String> {
        let mut text = String::new();
        for (name, value) in &self.values {
            let quoted = shlex::try_quote(value)
                .with_context(|| format!("the value of {name} cannot be written"))?;
            text.push_str(&format!("{name}={quoted}\n"));
        }
        Ok(text)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Sets a value. Fails when no environment variable can have that name or value, which is a
    /// usage error: what a file has was looked at before.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        if !is_name(name) {
            return Err(error::wrong_name_for_a_setting(name).into());
        }
        if value.contains('\0') {
            return Err(UserError { is_usage: true, ..error::nul_in_value(name) }.into());
        }
        self.values.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Forgets a value; says whether there was one.
    pub fn unset(&mut self, name: &str) -> bool {
        self.values.remove(name).is_some()
    }

    /// Takes back what was changed from `before` to `after`, except for what was changed again
    /// since.
    pub fn undo(&mut self, before: &AppSettings, after: &AppSettings) {
        let names: BTreeSet<_> = before.values.keys().chain(after.values.keys()).collect();
        for name in names {
            if self.get(name) != after.get(name) {
                continue;
            }
            match before.get(name) {
                Some(value) => drop(self.values.insert(name.clone(), value.to_owned())),
                None => drop(self.values.remove(name)),
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What may be a secret in the values, and what is one in them by the name of the setting.
    /// Which file, version or index a setting names is no secret, and a log that masks it cannot
    /// say what changed or failed.
    pub fn secrets(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.iter().flat_map(|(name, value)| secrets_in(name, value))
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// The text with LF where a line ends with CR LF. Within quotes nothing changes: there a line's end
/// is part of a value, and what is written is read again as it was.
fn with_plain_line_ends(text: &str) -> Cow<'_, str> {
    #[derive(Clone, Copy)]
    enum Place {
        Gap,
        Word,
        Comment,
        Quotes(char),
    }
    use Place::{Comment, Gap, Quotes, Word};
    if !text.contains("\r\n") {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut place = Gap;
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        if letter == '\r' && rest.peek() == Some(&'\n') && !matches!(place, Quotes(_)) {
            continue;
        }
        plain.push(letter);
        if letter == '\\' && !matches!(place, Comment | Quotes('\'')) {
            // What is escaped opens and closes nothing.
            plain.extend(rest.next_if(|next| *next != '\r'));
        }
        place = match (place, letter) {
            (Quotes(quote), _) if letter != quote => place,
            (Comment, '\n') | (Gap | Word, ' ' | '\t' | '\n') => Gap,
            (Comment, _) | (Gap, '#') => Comment,
            (Gap | Word, '\'' | '"') => Quotes(letter),
            _ => Word,
        };
    }
    Cow::Owned(plain)
}

impl Site {
    /// Reads `settings.env`; a site that has none has no settings.
    pub fn app_settings(&self) -> Result<AppSettings> {
        let path = self.app_settings_file();
        match text_file::read(&path)? {
            Some(text) => {
                AppSettings::parse(&text).with_context(|| format!("{} is wrong", path.display()))
            }
            None => Ok(AppSettings::default()),
        }
    }

    /// Masks what somebody sets while this process runs children as soon as it is there: they may
    /// read `settings.env` themselves.
    pub fn mask_new_secrets(&self) {
        let (site, mut seen) = (self.clone(), None);
        mask::keep_fresh(move || {
            let found = fs::metadata(site.app_settings_file()).ok().as_ref().map(disk::change_id);
            if found != seen
                && let Ok(settings) = site.app_settings()
            {
                seen = found;
                mask::know(settings.secrets());
            }
        });
    }

    /// Changes `settings.env`, with nobody else changing it at the same time.
    pub fn change_app_settings(
        &self,
        change: impl FnOnce(&mut AppSettings) -> Result<()>,
    ) -> Result<()> {
        let _guard = self.guard()?;
        let mut settings = self.app_settings()?;
        change(&mut settings)?;
        disk::write_atomic(&self.app_settings_file(), settings.to_text()?.as_bytes(), 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut settings = AppSettings::default();
        for (name, value) in
            [("A", ""), ("B", "two words"), ("C", "it's \"$HOME\"\n# no comment"), ("_d9", "x=y")]
        {
            settings.set(name, value).unwrap();
        }
        assert_eq!(AppSettings::parse(&settings.to_text().unwrap()).unwrap(), settings);
    }

    #[test]
    fn a_change_is_taken_back_unless_it_was_changed_again() {
        let of = |text| AppSettings::parse(text).unwrap();
        let (before, after) = (of("A=1 B=1 C=1 E=1"), of("A=2 C=2 D=2 E=1"));
        let mut now = of("A=2 C=3 D=2 E=4 F=5");
        now.undo(&before, &after);
        assert_eq!(now, of("A=1 B=1 C=3 E=4 F=5"));
    }

    #[test]
    fn comments_and_blank_lines_are_skipped() {
        let settings = AppSettings::parse("# by hand\n\nA=1\nB='x y' # why\n").unwrap();
        assert_eq!(settings.iter().collect::<Vec<_>>(), [("A", "1"), ("B", "x y")]);
    }

    #[test]
    fn line_ends_and_the_mark_of_windows_are_no_part_of_a_value() {
        let text = "\u{feff}# it's ours\r\n\r\nA=1\r\nB='x y'\r\nC=\"it's\\\"\"\r\n\
                    D= # why's that\r\nE=it\\'s\\\r\nso\nF=2\r\n";
        let settings = AppSettings::parse(text).unwrap();
        let expected =
            [("A", "1"), ("B", "x y"), ("C", "it's\""), ("D", ""), ("E", "it'sso"), ("F", "2")];
        assert_eq!(settings.iter().collect::<Vec<_>>(), expected);
        // Within quotes every character counts, so that what was set comes back.
        let kept = AppSettings::parse("A='one\r\ntwo\r'\r\nB=\"\r\n\"\n").unwrap();
        assert_eq!(kept.iter().collect::<Vec<_>>(), [("A", "one\r\ntwo\r"), ("B", "\r\n")]);
    }

    #[test]
    fn any_values_are_read_again_whatever_the_line_ends_are() {
        let value = "[a'\"\\\\# \r\n$]{0,12}";
        proptest::proptest!(|(values in proptest::collection::vec(value, 1..6))| {
            let mut settings = AppSettings::default();
            let mut lines = Vec::new();
            for (value, name) in values.iter().zip('A'..) {
                let name = name.to_string();
                settings.set(&name, value).unwrap();
                lines.push(format!("{name}={} # it's\r\n", shlex::try_quote(value).unwrap()));
            }
            assert_eq!(AppSettings::parse(&settings.to_text().unwrap()).unwrap(), settings);
            assert_eq!(AppSettings::parse(&lines.concat()).unwrap(), settings);
        });
    }

    #[test]
    fn an_error_shows_no_value() {
        for wrong in [
            "TOKEN=hunter2 oops",
            "TOKEN='hunter2",
            "1A=hunter2",
            "A-B=hunter2",
            "TOKEN=\nx/hunter2==",
            "hunter2=\0",
        ] {
            let error = AppSettings::parse(wrong).unwrap_err();
            assert!(!format!("{error:#}").contains("hunter2"), "{error:#}");
        }
    }
}
