//! Reading and changing the nyala.toml of a site.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::super::{REPOSITORY, Site, text_file};
use super::error;
use super::{Kubernetes, Run, Settings};
use crate::disk;
use crate::site::SharedPath;
use crate::site::shared_path::check_apart;
use crate::text::split_mark;

impl Site {
    /// Reads `nyala.toml`.
    pub fn settings(&self) -> Result<Settings> {
        let text = self.settings_text()?;
        Settings::parse(&text)
            .with_context(|| format!("{} is wrong", self.settings_file().display()))
    }

    fn settings_text(&self) -> Result<String> {
        let path = self.settings_file();
        text_file::read(&path)?.with_context(|| format!("there is no {}", path.display()))
    }

    fn replace_settings(&self, text: &str) -> Result<()> {
        disk::write_atomic(&self.settings_file(), text.as_bytes(), 0o644)
    }

    /// Sets a key that is not set yet, keeping everything else a person wrote. The caller holds the
    /// guard.
    pub fn add_setting(&self, key: &str, value: &str) -> Result<()> {
        self.replace_settings(&with_key(&self.settings_text()?, key, value))
    }

    /// Replaces `shared`, keeping everything else a person wrote. The caller holds the guard.
    pub fn set_shared(&self, paths: &[SharedPath]) -> Result<()> {
        self.replace_settings(&with_shared(&self.settings_text()?, paths)?)
    }

    /// Fails when [`Site::set_shared`] would.
    pub fn check_shared(&self, paths: &[SharedPath]) -> Result<()> {
        with_shared(&self.settings_text()?, paths).map(drop)
    }

    /// Keeps how many processes of each name run, and everything else that a person wrote. The
    /// caller holds the guard.
    pub fn set_scale(&self, scale: &BTreeMap<String, u32>) -> Result<()> {
        self.replace_settings(&with_scale(&self.settings_text()?, scale)?)
    }

    /// Fails when [`Site::set_scale`] would.
    pub fn check_scale(&self, scale: &BTreeMap<String, u32>) -> Result<()> {
        with_scale(&self.settings_text()?, scale).map(drop)
    }

    /// Keeps how many pods each process has in a cluster. The caller holds the guard.
    pub fn set_replicas(&self, replicas: &BTreeMap<String, u32>) -> Result<()> {
        self.replace_settings(&with_replicas(&self.settings_text()?, replicas)?)
    }

    /// Fails when [`Site::set_replicas`] would.
    pub fn check_replicas(&self, replicas: &BTreeMap<String, u32>) -> Result<()> {
        with_replicas(&self.settings_text()?, replicas).map(drop)
    }

    /// The bare repository of this site.
    pub fn repository(&self, settings: &Settings) -> PathBuf {
        match &settings.repository {
            Some(path) => self.root().join(path),
            None => self.root().join(REPOSITORY),
        }
    }
}

/// The text of a `nyala.toml` with another value for `shared`, and everything else as it was. Fails
/// when a person has to change it: the value stands in another form than nyala can edit.
pub fn with_shared(text: &str, paths: &[SharedPath]) -> Result<String> {
    check_apart(paths)?;
    let wanted: toml::Value = paths.iter().map(ToString::to_string).collect::<Vec<_>>().into();
    let before = Settings::parse(text)?;
    let (mark, rest) = split_mark(text);
    let changed = match assignment(rest, "", "shared") {
        Some((from, to)) => format!("{mark}{}shared = {wanted}{}", &rest[..from], &rest[to..]),
        None => format!("{mark}shared = {wanted}\n{rest}"),
    };
    let after = Settings::parse(&changed).ok().filter(|after| {
        let Settings { shared, set: _, .. } = after;
        let (shared_as_before, set) = (before.shared.clone(), before.set.clone());
        let same = Settings { shared: shared_as_before, set, ..after.clone() } == before;
        same && shared.iter().map(ToString::to_string).eq(paths.iter().map(ToString::to_string))
    });
    if after.is_none() {
        return Err(error::cannot_change_shared(&wanted).into());
    }
    Ok(changed)
}

/// The text of a `nyala.toml` with another `scale` under `[run]`, and everything else as it was.
/// Fails when a person has to change it.
fn with_scale(text: &str, scale: &BTreeMap<String, u32>) -> Result<String> {
    let (wanted, changed) = with_counts(text, RUN, "scale", scale);
    let before = Settings::parse(text)?;
    let after = Settings::parse(&changed).ok().filter(|after| {
        let run = Run { scale: before.run.scale.clone(), ..after.run.clone() };
        let same = Settings { run, set: before.set.clone(), ..after.clone() } == before;
        same && after.run.scale == *scale
    });
    if after.is_none() {
        return Err(error::cannot_change_scale(&wanted).into());
    }
    Ok(changed)
}

/// The same of `replicas` under `[kubernetes]`.
fn with_replicas(text: &str, replicas: &BTreeMap<String, u32>) -> Result<String> {
    let (wanted, changed) = with_counts(text, KUBERNETES, "replicas", replicas);
    let before = Settings::parse(text)?;
    let after = Settings::parse(&changed).ok().filter(|after| {
        let Some(kubernetes) = after.kubernetes.clone() else { return false };
        let is_wanted = kubernetes.replicas == *replicas;
        let old = before.kubernetes.clone().unwrap_or_default().replicas;
        let kubernetes = Some(Kubernetes { replicas: old, ..kubernetes });
        let same = Settings { kubernetes, set: before.set.clone(), ..after.clone() } == before;
        same && is_wanted
    });
    if after.is_none() {
        return Err(error::cannot_change_replicas(&wanted).into());
    }
    Ok(changed)
}

/// A line with counts, and the text with it in place of the one that it has.
fn with_counts(
    text: &str,
    table: &str,
    key: &str,
    counts: &BTreeMap<String, u32>,
) -> (String, String) {
    let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{name} = {count}")).collect();
    let wanted = format!("{key} = {{ {} }}", counts.join(", "));
    let changed = match (assignment(text, table, key), table_begin(text, table)) {
        (Some((from, to)), _) => format!("{}{wanted}{}", &text[..from], &text[to..]),
        (None, Some(at)) => format!("{}{wanted}\n{}", &text[..at], &text[at..]),
        (None, None) => format!("{}\n\n[{table}]\n{wanted}\n", text.trim_end()),
    };
    (wanted, changed)
}

const RUN: &str = "run";
const KUBERNETES: &str = "kubernetes";

/// Where the first line of a table begins, behind its header.
fn table_begin(text: &str, table: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        if header(line) == Some(table) {
            return line.ends_with('\n').then_some(at);
        }
    }
    None
}

/// The name of the table that begins with a line.
fn header(line: &str) -> Option<&str> {
    let name = line.trim_start().strip_prefix('[')?.trim_start_matches('[');
    name.split_once(']').map(|(name, _)| name.trim())
}

/// From where to where a key of a table, or of the top level, and its number, array or inline table
/// stand in a text.
fn assignment(text: &str, table: &str, key: &str) -> Option<(usize, usize)> {
    let (mut at, mut current) = (0, "");
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        current = header(line).unwrap_or(current);
        let value = trimmed.strip_prefix(key).map(str::trim_start).filter(|_| current == table);
        if let Some(value) = value.and_then(|value| value.strip_prefix('=')) {
            let begin = at + line.len() - trimmed.len();
            let from = at + line.len() - value.len();
            let digits = value.trim_start().bytes().take_while(u8::is_ascii_digit).count();
            let blanks = value.len() - value.trim_start().len();
            let length = if digits > 0 { blanks + digits } else { array_end(&text[from..])? };
            return Some((begin, from + length));
        }
        at += line.len();
    }
    None
}

/// Where the array or the inline table ends that a text begins with.
fn array_end(text: &str) -> Option<usize> {
    let (mut quote, mut in_comment, mut escaped, mut depth) = (None, false, false, 0_usize);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '\n') => in_comment = false,
            _ if in_comment => {}
            (Some('"'), _) if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, '#') => in_comment = true,
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
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
    fn shared_is_replaced_and_the_rest_stays() {
        let paths = ["media", "a]\"b"].map(|it| SharedPath::try_from(it.to_owned()).unwrap());
        for text in [
            "",
            "# shared = ['x']\nkeep = 2\n",
            "keep = 2\nshared = ['x'] # why\nstrict = true\n",
            "\u{feff}shared=[\r\n  'x]', # ] not the end\r\n  \"y\\\"]\",\r\n]\r\nkeep = 2\r\n",
            "keep = 2\n[[webhook]]\nurl = 'http://h'\n",
        ] {
            let before = Settings::parse(text).unwrap();
            let changed = with_shared(text, &paths).unwrap();
            let after = Settings::parse(&changed).unwrap();
            assert_eq!(after.shared, paths, "{changed:?}");
            assert_eq!(after.keep, before.keep);
            assert_eq!(changed.contains("# why"), text.contains("# why"));
        }
        assert!(with_shared("'shared' = ['x']\n", &paths).is_err());
    }

    #[test]
    fn scale_is_replaced_and_the_rest_stays() {
        let scale = BTreeMap::from([("web".to_owned(), 2), ("worker".to_owned(), 0)]);
        for text in [
            "",
            "keep = 2",
            "keep = 2\n[run]\n# ours\nlisten = '8000' # why\n[[webhook]]\nurl = 'http://h'\n",
            "[run]\nscale = { web = 1 } # why\ngrace = '5s'\n",
            "[run]\nscale={\n  web = 3,\n  # }\n}\r\ngrace = '5s'\n",
            "# scale = { web = 7 }\n[dependencies]\nfile = 'a'\n[run.processes]\nweb = 'x'\n",
        ] {
            let before = Settings::parse(text).unwrap();
            let changed = with_scale(text, &scale).unwrap();
            let after = Settings::parse(&changed).unwrap();
            assert_eq!(after.run.scale, scale, "{changed:?}");
            assert_eq!((after.keep, after.run.grace), (before.keep, before.run.grace));
            assert_eq!(changed.contains("# why"), text.contains("# why"));
        }
        for text in ["[run.scale]\nweb = 1\n", "run = { scale = { web = 1 } }\n"] {
            assert!(with_scale(text, &scale).is_err(), "{text}");
        }
    }

    #[test]
    fn replicas_are_replaced_and_the_rest_stays() {
        let replicas = BTreeMap::from([("web".to_owned(), 2), ("worker".to_owned(), 0)]);
        let image = "image.repository = 'r.example.org/shop'\n";
        for text in [
            "[kubernetes]\n# ours\nname = 'shop' # why\n",
            "[kubernetes]\nreplicas = 12 # why\nname = 'shop'\n[run]\nscale = { web = 5 }\n",
            "[kubernetes]\nreplicas = { web = 4 } # why\nname = 'shop'",
        ] {
            let text = format!("{image}{text}");
            let changed = with_replicas(&text, &replicas).unwrap();
            let after = Settings::parse(&changed).unwrap();
            assert_eq!(after.kubernetes.unwrap().replicas, replicas, "{changed:?}");
            assert!(changed.contains("# why") && changed.contains("name = 'shop'"), "{changed:?}");
        }
        assert!(
            with_replicas(&format!("{image}[kubernetes.replicas]\nweb = 1\n"), &replicas).is_err()
        );
    }

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
