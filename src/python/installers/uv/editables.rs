//! `-e git+https://…` under uv, which knows no editable installs but those of a folder.
//!
//! What pip clones into the env for it and links there, uv installs like any other package: the
//! same code, and nobody edits a clone in an env. So such a line is given to uv without its `-e`,
//! in a copy of its file that is beside it while uv runs: paths in it are relative to its folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::super::Installation;
use crate::disk;

const COPY: &str = ".nyala-";
/// How deep `-r` may nest.
const DEEPEST: usize = 100;

/// The files to install from. The copies among them are removed with this.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) files: Vec<PathBuf>,
    copies: Vec<PathBuf>,
}

impl Files {
    pub(super) fn of(installation: &Installation<'_>) -> Result<Files> {
        let lines = &installation.recorded.lines;
        let mut files = Files::default();
        if !lines.iter().any(|line| of_git(&line.text).is_some()) {
            files.files = installation.files.to_vec();
            return Ok(files);
        }
        let release = installation.release;
        let root = release
            .canonicalize()
            .with_context(|| format!("cannot access {}", release.display()))?;
        for file in installation.files {
            let copy = files.copy(&root, file, 0)?;
            files.files.push(copy.unwrap_or_else(|| file.clone()));
        }
        Ok(files)
    }

    /// A copy of a file of the release without `-e` before addresses of git; `None` when it needs
    /// none, or is elsewhere.
    fn copy(&mut self, root: &Path, file: &Path, depth: usize) -> Result<Option<PathBuf>> {
        let Ok(text) = fs::read_to_string(root.join(file)) else { return Ok(None) };
        let folder = file.parent().unwrap_or(Path::new(""));
        let is_inside = root.join(folder).canonicalize().is_ok_and(|it| it.starts_with(root));
        if !is_inside || depth == DEEPEST {
            return Ok(None);
        }
        let (mut new, mut differs) = (String::new(), false);
        for line in text.split_inclusive('\n') {
            let included = after(line, ["--requirement", "-r"]);
            let included = included.filter(|path| Path::new(path).is_relative());
            let copy = match included {
                Some(path) => self.copy(root, &folder.join(path), depth + 1)?,
                None => None,
            };
            if let Some(address) = of_git(line) {
                new.push_str(address);
                new.push('\n');
                differs = true;
            } else if let (Some(path), Some(copy)) = (included, copy) {
                let name = copy.file_name().unwrap_or_default();
                new.push_str(&format!("-r {}\n", Path::new(path).with_file_name(name).display()));
                differs = true;
            } else {
                new.push_str(line);
            }
        }
        if !differs {
            return Ok(None);
        }
        let mut name = std::ffi::OsString::from(COPY);
        name.push(file.file_name().unwrap_or_default());
        let copy = folder.join(name);
        let path = root.join(&copy);
        // Two files may include the same one.
        if !self.copies.contains(&path) {
            disk::write_new(&path, new.as_bytes(), 0o600)?;
            self.copies.push(path);
        }
        Ok(Some(copy))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for copy in &self.copies {
            if let Err(error) = disk::remove_file(copy) {
                tracing::warn!("{error:#}");
            }
        }
    }
}

/// The address of git in an editable requirement.
fn of_git(line: &str) -> Option<&str> {
    after(line, ["--editable", "-e"]).filter(|address| address.starts_with("git+"))
}

/// What comes after an option at the beginning of a line.
fn after<'l>(line: &'l str, names: [&str; 2]) -> Option<&'l str> {
    let line = line.trim();
    let rest = names.iter().find_map(|name| line.strip_prefix(name))?;
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim();
    Some(rest.split(" #").next().unwrap_or(rest).trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_editable_addresses_of_git_lose_their_option() {
        for (line, address) in [
            ("-e git+https://host/x.git@1.0#egg=x\n", Some("git+https://host/x.git@1.0#egg=x")),
            ("  --editable=git+ssh://git@host/x # ours", Some("git+ssh://git@host/x")),
            ("-egit+https://host/x", Some("git+https://host/x")),
            ("-e ./folder", None),
            ("-e hg+https://host/x", None),
            ("git+https://host/x", None),
            ("# -e git+https://host/x", None),
        ] {
            assert_eq!(of_git(line), address, "{line}");
        }
    }

    #[test]
    fn files_are_copied_as_far_as_they_lead_to_such_a_line_and_the_copies_go() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("deps")).unwrap();
        for (name, text) in [
            ("requirements.txt", "-r deps/a.txt\n-r deps/b.txt\nflask\n"),
            ("deps/a.txt", "-r c.txt\n-e git+https://host/x\n"),
            ("deps/b.txt", "-r c.txt\n"),
            ("deps/c.txt", "django\n"),
        ] {
            fs::write(root.join(name), text).unwrap();
        }
        let mut files = Files::default();
        let copy = files.copy(&root, Path::new("requirements.txt"), 0).unwrap().unwrap();
        let read = |path: &Path| fs::read_to_string(root.join(path)).unwrap();
        assert_eq!(read(&copy), "-r deps/.nyala-a.txt\n-r deps/b.txt\nflask\n");
        let included = Path::new("deps/.nyala-a.txt");
        assert_eq!(read(included), "-r c.txt\ngit+https://host/x\n");
        drop(files);
        assert!(!root.join(copy).exists() && !root.join(included).exists());
    }
}
