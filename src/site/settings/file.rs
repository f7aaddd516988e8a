//! Reading and changing the nyala.toml of a site.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::super::{REPOSITORY, Site, text_file};
use super::Settings;
use crate::console::text::split_mark;
use crate::disk;

impl Site {
    /// Reads `nyala.toml`.
    pub fn settings(&self) -> Result<Settings> {
        let path = self.settings_file();
        let text =
            text_file::read(&path)?.with_context(|| format!("there is no {}", path.display()))?;
        Settings::parse(&text).with_context(|| format!("{} is wrong", path.display()))
    }

    /// Sets a key that is not set yet, keeping everything else a person wrote. The caller holds the
    /// guard.
    pub fn add_setting(&self, key: &str, value: &str) -> Result<()> {
        let path = self.settings_file();
        let text =
            text_file::read(&path)?.with_context(|| format!("there is no {}", path.display()))?;
        disk::write_atomic(&path, with_key(&text, key, value).as_bytes(), 0o644)
    }

    /// The bare repository of this site.
    pub fn repository(&self, settings: &Settings) -> PathBuf {
        match &settings.repository {
            Some(path) => self.root().join(path),
            None => self.root().join(REPOSITORY),
        }
    }
}

/// The text of a `nyala.toml` with a key that it does not have yet, and everything else as it was.
pub fn with_key(text: &str, key: &str, value: &str) -> String {
    // A key at the very top belongs to no table, whatever tables follow. Only a byte order mark has
    // to come before it.
    let (mark, text) = split_mark(text);
    format!("{mark}{key} = {}\n{text}", toml::Value::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_put_in_and_the_rest_stays() {
        for text in
            ["", "keep = 2", "\u{feff}keep = 2\r\n", "# ours\n[[webhook]]\nurl = 'http://h'\n"]
        {
            let before = Settings::parse(text).unwrap();
            let after = Settings::parse(&with_key(text, "branch", "a\"b")).unwrap();
            let set = after.set.clone();
            assert_eq!(
                after,
                Settings { branch: Some("a\"b".to_owned()), set, ..before },
                "{text:?}"
            );
        }
    }
}
