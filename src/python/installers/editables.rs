//! Editable requirements that cannot stay editable, in copies of the files that name them.
//!
//! `-e git+https://…` under uv, which knows no editable installs but those of a folder: what pip
//! clones into the env for it and links there, uv installs like any other package. It is the same
//! code, and nobody edits a clone in an env. And `-e ../lib` where the application is a folder of
//! the commit: what is above that is in no release, so the env cannot lead to it.
//!
//! Such a line is given to the installer without its `-e`, in a copy of its file that is beside it
//! while the installer runs: paths in it are relative to its folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{InputFile, Installation, Installer};
use crate::console;
use crate::disk;
use crate::python::dependencies::requirements_txt::{Meant, local_path, passages};
use crate::text::shell_word;

const COPY: &str = ".nyala-";
/// How deep `-r` may nest.
const DEEPEST: usize = 100;

/// The files to install from. The copies among them are removed with this.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) named: Vec<InputFile>,
    copies: Vec<PathBuf>,
    unlinks: Unlinks,
}

/// The file of the commit that an installer names; `None` for one that nyala has written elsewhere.
pub(super) fn as_committed(file: &str) -> Option<String> {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let name = name.strip_prefix(COPY).unwrap_or(name);
    let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    Path::new(file).is_relative().then_some(path)
}

/// Which editable requirements lose their `-e`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unlinks {
    git: bool,
    folders: bool,
}

impl Files {
    pub(super) fn of(installation: &Installation<'_>, installer: Installer) -> Result<Files> {
        let unlinks =
            Unlinks { git: installer == Installer::Uv, folders: installation.commit.is_some() };
        let mut files = Files { named: Vec::new(), copies: Vec::new(), unlinks };
        let mut lines = installation.recorded.lines.iter().flat_map(|it| passages(&it.text));
        if !lines.any(|line| unlinks.requirement(&line.meant).is_some()) {
            files.named = installation.files.to_vec();
            return Ok(files);
        }
        if unlinks.folders {
            console::info(
                "Folders are installed without -e: the release does not have what is above the \
                 application.",
            );
        }
        let release = installation.release;
        let canonical = |path: &Path| {
            path.canonicalize().with_context(|| format!("cannot access {}", path.display()))
        };
        let root = canonical(release)?;
        let top = canonical(installation.commit.unwrap_or(release))?;
        for file in installation.files {
            let copy = files.copy((&root, &top), &file.path, 0)?;
            let path = copy.unwrap_or_else(|| file.path.clone());
            files.named.push(InputFile { path, search: file.search.clone() });
        }
        Ok(files)
    }

    /// A copy of a file below `top` without such an `-e`; `None` if it needs none, or is elsewhere.
    /// The file is relative to `root`.
    fn copy(
        &mut self,
        (root, top): (&Path, &Path),
        file: &Path,
        depth: usize,
    ) -> Result<Option<PathBuf>> {
        let Ok(text) = fs::read_to_string(root.join(file)) else { return Ok(None) };
        let folder = file.parent().unwrap_or(Path::new(""));
        let is_inside = root.join(folder).canonicalize().is_ok_and(|it| it.starts_with(top));
        if !is_inside || depth == DEEPEST {
            return Ok(None);
        }
        let (mut new, mut differs) = (String::new(), false);
        for line in passages(text.strip_prefix('\u{feff}').unwrap_or(&text)) {
            let included = match &line.meant {
                Meant::Include(path) if Path::new(path).is_relative() => Some(path),
                _ => None,
            };
            let copy = match included {
                Some(path) => self.copy((root, top), &folder.join(path), depth + 1)?,
                None => None,
            };
            if let Some(requirement) = self.unlinks.requirement(&line.meant) {
                new.push_str(&requirement);
                new.push('\n');
                differs = true;
            } else if let (Some(path), Some(copy)) = (included, copy) {
                let name = copy.file_name().unwrap_or_default();
                let path = Path::new(path).with_file_name(name);
                new.push_str(&format!("-r {}\n", shell_word(&path)));
                differs = true;
            } else {
                new.push_str(&line.written);
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

impl Unlinks {
    /// What takes the place of an editable requirement; `None` for every other line.
    fn requirement(self, meant: &Meant) -> Option<String> {
        let Meant::Editable { named, options } = meant else { return None };
        let with_options =
            |plain: &str| [&[plain.to_owned()], options.as_slice()].concat().join(" ");
        if named.starts_with("git+") {
            return self.git.then(|| with_options(named));
        }
        // The name after `#egg=` is for addresses; of a path it would be a part.
        let named = named.split("#egg=").next().unwrap_or_default();
        let path = local_path(named)?;
        if named.contains("://") || path.starts_with('/') || !self.folders {
            return None;
        }
        let is_path = path.starts_with(['.', '$']);
        Some(with_options(&if is_path { path } else { format!("./{path}") }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIT: Unlinks = Unlinks { git: true, folders: false };
    const FOLDERS: Unlinks = Unlinks { git: false, folders: true };

    #[test]
    fn only_editable_requirements_lose_their_option() {
        let without = |unlinks: Unlinks, line: &str| {
            let [line] = passages(line).try_into().unwrap();
            unlinks.requirement(&line.meant)
        };
        for (line, address) in [
            ("-e git+https://host/x.git@1.0#egg=x\n", Some("git+https://host/x.git@1.0#egg=x")),
            ("  --editable=git+ssh://git@host/x # ours", Some("git+ssh://git@host/x")),
            ("-egit+https://host/x", Some("git+https://host/x")),
            ("-e 'git+https://host/x'", Some("git+https://host/x")),
            ("-e \\\n    git+https://host/x\n", Some("git+https://host/x")),
            ("-e ./folder", None),
            ("-e hg+https://host/x", None),
            ("git+https://host/x", None),
            ("# -e git+https://host/x", None),
        ] {
            assert_eq!(without(GIT, line).as_deref(), address, "{line}");
        }
        for (line, path) in [
            ("-e ../lib\n", Some("../lib")),
            ("--editable \"../lib[x]\" # ours", Some("../lib[x]")),
            ("-e ../lib#egg=lib", Some("../lib")),
            ("-e ../lib -C a=b", Some("../lib --config-settings a=b")),
            ("-e ../lib ; os_name == 'posix'", Some("../lib")),
            ("-e lib", Some("./lib")),
            ("-e .", Some(".")),
            ("-e file:../lib", Some("../lib")),
            ("-e file:lib[x]", Some("./lib[x]")),
            ("-e git+https://host/x", None),
            ("-e file:///lib", None),
            ("-e /opt/lib", None),
            ("../lib", None),
        ] {
            assert_eq!(without(FOLDERS, line).as_deref(), path, "{line}");
        }
    }

    #[test]
    fn files_are_copied_as_far_as_they_lead_to_such_a_line_and_the_copies_go() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let root = top.join("app");
        fs::create_dir_all(root.join("deps")).unwrap();
        for (name, text) in [
            ("requirements.txt", "-r \"deps/a.txt\"\n-r deps/b.txt\nflask \\\n  ==3\n"),
            ("deps/a.txt", "-r c.txt # ours\n-e \\\n  git+https://host/x\n"),
            ("deps/b.txt", "-r c.txt\n"),
            ("deps/c.txt", "django\n"),
            ("above.txt", "\u{feff}-r '../our common.txt'\n"),
            ("../our common.txt", "\u{feff}-e git+https://host/x\n"),
        ] {
            fs::write(root.join(name), text).unwrap();
        }
        let mut files = Files { named: Vec::new(), copies: Vec::new(), unlinks: GIT };
        let copy = files.copy((&root, &root), Path::new("requirements.txt"), 0).unwrap().unwrap();
        let read = |path: &Path| fs::read_to_string(root.join(path)).unwrap();
        assert_eq!(read(&copy), "-r deps/.nyala-a.txt\n-r deps/b.txt\nflask \\\n  ==3\n");
        let included = Path::new("deps/.nyala-a.txt");
        assert_eq!(read(included), "-r c.txt # ours\ngit+https://host/x\n");
        assert_eq!(files.copy((&root, &root), Path::new("above.txt"), 0).unwrap(), None);
        let above = files.copy((&root, &top), Path::new("above.txt"), 0).unwrap().unwrap();
        assert_eq!(read(&above), "-r '../.nyala-our common.txt'\n");
        drop(files);
        for copy in [&*copy, included, &*above, Path::new("../.nyala-our common.txt")] {
            assert!(!root.join(copy).exists(), "{}", copy.display());
        }
    }
}
