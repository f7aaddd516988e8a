//! A repository's own configuration, read and written at once: git has no way to set several keys,
//! and each `git config` is a process.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::command::{git, run};
use crate::disk;

/// What `git config --local` says of a repository, and what is to be added to that.
///
/// Keys and values to add are plain words, which need no quotes in the file.
#[derive(Debug)]
pub struct LocalConfig {
    repository: PathBuf,
    /// Keys as [`canonical`] has them.
    values: Vec<(String, String)>,
    added: Vec<(String, String)>,
}

impl LocalConfig {
    pub fn read(repository: &Path) -> Result<Self> {
        let list = run(git(repository).args(["config", "--local", "--null", "--list"]))?;
        let entries = list.split_terminator('\0');
        // A key without a value means `true`.
        let values = entries.map(|entry| entry.split_once('\n').unwrap_or((entry, "true")));
        let values = values.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Ok(Self { repository: repository.to_owned(), values, added: Vec::new() })
    }

    /// Adds a key unless somebody has set it already.
    pub fn set_new(&mut self, key: &str, value: &str) {
        let canonical = canonical(key);
        if !self.values.iter().any(|(known, _)| *known == canonical) {
            self.add(key, value);
        }
    }

    /// Adds a value to a key that may have several. Returns whether it was not there.
    pub fn add_new(&mut self, key: &str, value: &str) -> bool {
        let entry = (canonical(key), value.to_owned());
        let is_new = !self.values.contains(&entry);
        if is_new {
            self.add(key, value);
        }
        is_new
    }

    /// Writes what was added, under the lock of git itself.
    pub fn write(self) -> Result<()> {
        if self.added.is_empty() {
            return Ok(());
        }
        let config = self.repository.join("config");
        // It may be a link, as for git.
        let config =
            config.canonicalize().with_context(|| format!("cannot find {}", config.display()))?;
        let mut lock = config.clone().into_os_string();
        lock.push(".lock");
        let lock = PathBuf::from(lock);
        drop(disk::create_file(&lock, 0o600)?);
        let written = self.write_to(&lock, &config);
        if written.is_err() {
            disk::remove_file(&lock)?;
        }
        written
    }

    fn write_to(&self, lock: &Path, config: &Path) -> Result<()> {
        let reading = || format!("cannot read {}", config.display());
        let mode = fs::metadata(config).with_context(reading)?.permissions().mode() & 0o777;
        let mut bytes = disk::read(config).with_context(reading)?;
        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        bytes.extend(self.text().as_bytes());
        disk::write(lock, &bytes, mode)?;
        disk::rename(lock, config)
    }

    fn add(&mut self, key: &str, value: &str) {
        self.values.push((canonical(key), value.to_owned()));
        self.added.push((key.to_owned(), value.to_owned()));
    }

    /// What was added, as the file has it.
    fn text(&self) -> String {
        let (mut text, mut last) = (String::new(), String::new());
        for (key, value) in &self.added {
            let (section, subsection, name) = parts(key);
            let heading = match subsection {
                Some(subsection) => format!("[{section} \"{subsection}\"]\n"),
                None => format!("[{section}]\n"),
            };
            if heading != last {
                text.push_str(&heading);
                last = heading;
            }
            text.push_str(&format!("\t{name} = {value}\n"));
        }
        text
    }
}

/// A key as git lists it: the case of a section and a name does not count, that of what is between
/// them does.
fn canonical(key: &str) -> String {
    let (section, subsection, name) = parts(key);
    let (section, name) = (section.to_lowercase(), name.to_lowercase());
    match subsection {
        Some(subsection) => format!("{section}.{subsection}.{name}"),
        None => format!("{section}.{name}"),
    }
}

/// The section, perhaps a subsection, and the name.
fn parts(key: &str) -> (&str, Option<&str>, &str) {
    let (section, rest) = key.split_once('.').unwrap_or((key, ""));
    match rest.rsplit_once('.') {
        Some((subsection, name)) => (section, Some(subsection), name),
        None => (section, None, rest),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::super::bare_git;
    use super::*;

    /// A bare repository with this at the end of its configuration.
    fn repository(more: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        run(bare_git().args(["init", "--quiet", "--bare"]).arg(folder.path())).unwrap();
        let config = folder.path().join("config");
        let text = fs::read_to_string(&config).unwrap() + more;
        fs::write(&config, text).unwrap();
        folder
    }

    fn said(repository: &Path, key: &str) -> Vec<String> {
        let said = run(git(repository).args(["config", "--local", "--get-all", key]));
        said.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    #[test]
    fn git_reads_what_was_added_and_what_was_there_stays() {
        let folder = repository("[Receive]\n\tHideRefs = refs/theirs\n\tfsckobjects");
        let path = folder.path();
        fs::set_permissions(path.join("config"), Permissions::from_mode(0o640)).unwrap();
        let mut config = LocalConfig::read(path).unwrap();
        config.set_new("receive.fsckObjects", "false");
        config.set_new("receive.fsck.badDate", "ignore");
        config.set_new("receive.fsck.badName", "ignore");
        assert!(config.add_new("receive.hideRefs", "refs/ours"));
        assert!(!config.add_new("receive.hideRefs", "refs/ours"));
        assert!(!config.add_new("receive.hiderefs", "refs/theirs"));
        config.write().unwrap();
        // A key without a value is set, too.
        let strict = run(git(path).args(["config", "--type=bool", "receive.fsckObjects"]));
        assert_eq!(strict.unwrap(), "true");
        for (key, values) in [
            ("receive.fsck.badDate", &["ignore"][..]),
            ("receive.fsck.badName", &["ignore"]),
            ("receive.hideRefs", &["refs/theirs", "refs/ours"]),
            ("core.bare", &["true"]),
        ] {
            assert_eq!(said(path, key), values, "{key}");
        }
        let mode = fs::metadata(path.join("config")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert!(!path.join("config.lock").exists());
    }

    #[test]
    fn nothing_is_written_where_all_is_there() {
        let folder = repository("[receive]\n\tautogc = false\n");
        let config = folder.path().join("config");
        let before = fs::metadata(&config).unwrap().modified().unwrap();
        // Whoever writes it needs this file.
        fs::write(folder.path().join("config.lock"), "").unwrap();
        let mut same = LocalConfig::read(folder.path()).unwrap();
        same.set_new("receive.autogc", "true");
        same.write().unwrap();
        assert_eq!(fs::metadata(&config).unwrap().modified().unwrap(), before);
    }

    #[test]
    fn somebody_elses_lock_is_respected() {
        let folder = repository("");
        let lock = folder.path().join("config.lock");
        fs::write(&lock, "theirs").unwrap();
        let mut config = LocalConfig::read(folder.path()).unwrap();
        config.set_new("receive.autogc", "true");
        let error = format!("{:#}", config.write().unwrap_err());
        assert!(error.contains("config.lock"), "{error}");
        assert_eq!(fs::read_to_string(&lock).unwrap(), "theirs");
        assert_eq!(said(folder.path(), "receive.autogc"), [""; 0]);
    }
}
