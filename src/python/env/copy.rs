//! Copies an env, so that an installer can add to the copy while the original stays live.
//!
//! A copied env is not a moved one: files in it name its old path. Every file is searched for that
//! path, whatever its name, and is rewritten where that is safe. Where it is not, there is no copy.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, FileType, Metadata};
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use thiserror::Error;

use super::marker::is_marker;
use super::names::Names;
use super::record::{self, Rewritten};
use super::rewritten::{self, Content};
use crate::disk::{self, mounts};

/// The largest file that is read as a whole, in bytes.
const WHOLE: u64 = 8 << 20;

/// Copying gains little from more threads: it waits for the file system.
const THREADS: usize = 2;

/// What was made of a copied env beside the copy.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Copied {
    /// Sources in the copy whose compiled file is not right any more: it named the old env, and was
    /// left behind, or its source did.
    pub(super) uncompiled: Vec<PathBuf>,
}

/// Why an env cannot be copied.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{}: {why}", path.display())]
pub struct NotCopyable {
    /// Relative to the env.
    pub path: PathBuf,
    pub why: &'static str,
}

/// A copy of which the first part is there.
#[derive(Debug)]
pub(super) struct Begun {
    copying: Copying,
    /// What is still to be copied, and where to: files, links, and folders with all that is in
    /// them.
    rest: Vec<(PathBuf, PathBuf)>,
}

/// Begins to copy the env `from` to `to`, which must not be there: what comes `first`, which is
/// asked with a path relative to the env and whether it is a folder. What is in a folder that does
/// not comes later, too. No file of the copy names the old env, and none is a hard link. Fails with
/// [`NotCopyable`] when a file cannot be rewritten.
pub(super) fn begin(from: &Path, to: &Path, first: impl Fn(&Path, bool) -> bool) -> Result<Begun> {
    // It may be large, and is no part of an env.
    if let Some(mount) = mounts::below(from)?.first() {
        let path = mount.strip_prefix(from).unwrap_or(mount).to_owned();
        return Err(NotCopyable { path, why: "something is mounted there" }.into());
    }
    disk::point("env: before copy");
    let copying = Copying {
        from: from.to_owned(),
        to: to.to_owned(),
        names: Names::moving(from, to),
        clones: to.parent().is_some_and(disk::can_clone),
        outcome: Mutex::default(),
    };
    let mut rest = Vec::new();
    let all = [(from.to_owned(), to.to_owned())];
    copying.all(&all, &mut |source, target, is_folder| {
        let is_first = source.strip_prefix(from).is_ok_and(|path| first(path, is_folder));
        if !is_first {
            rest.push((source.to_owned(), target.to_owned()));
        }
        is_first
    })?;
    Ok(Begun { copying, rest })
}

impl Begun {
    /// Copies the rest. Fails as [`begin`] does.
    pub(super) fn finish(&self) -> Result<Copied> {
        let Begun { copying, rest } = self;
        copying.all(rest, &mut |_, _, _| true)?;
        let Outcome { mut copied, rewritten } = mem::take(&mut *copying.outcome());
        record::update(&copying.to, &rewritten)?;
        copied.uncompiled.sort_unstable();
        disk::point("env: after copy");
        Ok(copied)
    }
}

/// Whether to copy something now: asked with its path, that of its copy, and whether it is a
/// folder.
type Now<'n> = &'n mut dyn FnMut(&Path, &Path, bool) -> bool;

#[derive(Debug)]
struct Copying {
    from: PathBuf,
    to: PathBuf,
    names: Names,
    /// Whether the file system can let files share their blocks.
    clones: bool,
    outcome: Mutex<Outcome>,
}

#[derive(Debug, Default)]
struct Outcome {
    copied: Copied,
    rewritten: HashMap<PathBuf, Rewritten>,
}

impl Copying {
    /// Copies all of these, as far as it is to be done `now`.
    fn all(&self, paths: &[(PathBuf, PathBuf)], now: Now) -> Result<()> {
        let mut files = Vec::new();
        for (source, target) in paths {
            let metadata = fs::symlink_metadata(source)
                .with_context(|| format!("cannot access {}", source.display()))?;
            self.any(metadata.file_type(), source, target, now, &mut files)?;
        }
        disk::each_in_threads(THREADS, &files, |(source, target)| self.file(source, target))
    }

    /// Makes a link, or a folder and all folders and links below it; lists the files.
    fn any(
        &self,
        kind: FileType,
        source: &Path,
        target: &Path,
        now: Now,
        files: &mut Vec<(PathBuf, PathBuf)>,
    ) -> Result<()> {
        if !now(source, target, kind.is_dir()) {
            return Ok(());
        }
        if kind.is_dir() {
            disk::create_dir(target)?;
            let reading = || format!("cannot read {}", source.display());
            for entry in fs::read_dir(source).with_context(reading)? {
                let entry = entry.with_context(reading)?;
                let name = entry.file_name();
                if source != self.from || !is_marker(&name) {
                    let kind = entry.file_type().with_context(reading)?;
                    self.any(kind, &entry.path(), &target.join(&name), now, files)?;
                }
            }
        } else if kind.is_symlink() {
            self.link(source, target)?;
        } else if kind.is_file() {
            files.push((source.to_owned(), target.to_owned()));
        }
        // Sockets and fifos that a process left in its env belong to that process.
        Ok(())
    }

    fn link(&self, source: &Path, target: &Path) -> Result<()> {
        let leads_to = fs::read_link(source)
            .with_context(|| format!("cannot read the link {}", source.display()))?;
        let bytes = self.names.rewrite(leads_to.as_os_str().as_bytes());
        disk::symlink(Path::new(OsStr::from_bytes(&bytes)), target)
    }

    fn file(&self, source: &Path, target: &Path) -> Result<()> {
        let reading = || format!("cannot read {}", source.display());
        let metadata = fs::symlink_metadata(source).with_context(reading)?;
        if metadata.len() > WHOLE {
            let mut file = fs::File::open(source).with_context(reading)?;
            if !self.names.are_in_file(&mut file).with_context(reading)? {
                return disk::copy_file(source, target);
            }
        }
        let bytes = fs::read(source).with_context(reading)?;
        if self.names.are_in(&bytes) {
            return self.naming_file(source, target, &bytes, &metadata);
        }
        if self.clones {
            return disk::copy_file(source, target);
        }
        // A compiled file is good as long as its source has the recorded time.
        disk::write_new_like(target, &bytes, &metadata)
    }

    fn naming_file(
        &self,
        source: &Path,
        target: &Path,
        bytes: &[u8],
        metadata: &Metadata,
    ) -> Result<()> {
        let content = rewritten::content(&self.names, source, bytes).map_err(|why| {
            NotCopyable { path: source.strip_prefix(&self.from).unwrap_or(source).to_owned(), why }
        })?;
        match content {
            Content::Rewritten(new) => {
                disk::write_new_like(target, &new, metadata)?;
                let path = target.strip_prefix(&self.to).unwrap_or(target).to_owned();
                let mut outcome = self.outcome();
                outcome.rewritten.insert(path, Rewritten::of(&new));
                // Its compiled file has its old size.
                if target.extension() == Some(OsStr::new("py")) && new.len() != bytes.len() {
                    outcome.copied.uncompiled.push(target.to_owned());
                }
            }
            Content::LeftOut { source } => {
                let within = source.strip_prefix(&self.from).unwrap_or(&source);
                self.outcome().copied.uncompiled.push(self.to.join(within));
            }
        }
        Ok(())
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn copy(from: &Path, to: &Path) -> Result<Copied> {
        begin(from, to, |path, _| path.starts_with("bin"))?.finish()
    }

    struct Envs {
        _folder: tempfile::TempDir,
        from: PathBuf,
        to: PathBuf,
    }

    /// Two envs in a folder of this name, of which the first is there; their numbers.
    fn envs(name: &str, from: u32, to: u32) -> Envs {
        let folder = tempfile::tempdir().unwrap();
        let envs = folder.path().canonicalize().unwrap().join(name);
        let (from, to) = (envs.join(from.to_string()), envs.join(to.to_string()));
        for below in ["bin", "lib/__pycache__"] {
            fs::create_dir_all(from.join(below)).unwrap();
        }
        Envs { _folder: folder, from, to }
    }

    impl Envs {
        fn write(&self, name: &str, parts: &[&[u8]]) {
            let path = self.from.as_os_str().as_bytes();
            let parts: Vec<_> =
                parts.iter().map(|part| if *part == b"ENV" { path } else { part }).collect();
            fs::write(self.from.join(name), parts.concat()).unwrap();
        }

        /// Copies, and checks that nothing names the old env any more.
        fn copy(&self) -> Copied {
            let copied = copy(&self.from, &self.to).unwrap();
            let old = [self.from.as_os_str().as_bytes(), b"/"].concat();
            for folder in ["bin", "lib", "lib/__pycache__", ""] {
                for entry in fs::read_dir(self.to.join(folder)).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_file() {
                        let bytes = fs::read(&path).unwrap();
                        assert_eq!(memchr::memmem::find(&bytes, &old), None, "{}", path.display());
                        assert_eq!(fs::metadata(&path).unwrap().nlink(), 1);
                    }
                }
            }
            copied
        }

        fn read(&self, name: &str) -> Vec<u8> {
            let text = fs::read(self.to.join(name)).unwrap();
            let to = self.to.as_os_str().as_bytes();
            let mut read = Vec::new();
            let mut rest = text.as_slice();
            while let Some(at) = memchr::memmem::find(rest, to) {
                read.extend([&rest[..at], b"ENV"].concat());
                rest = &rest[at + to.len()..];
            }
            [read.as_slice(), rest].concat()
        }
    }

    #[test]
    fn files_are_rewritten_whatever_their_name_and_encoding() {
        let envs = envs("envs", 5, 12);
        envs.write("bin/latin", &[b"#!", b"ENV", b"/bin/python\n# \xe9\n"]);
        envs.write("lib/any.json", &[b"{\"x\": \"", b"ENV", b"/share\"}"]);
        envs.write("bin/zipped", &[b"#!", b"ENV", b"/bin/python\nPK\0\x01"]);
        envs.write("lib/other.txt", &[b"ENV", b"7/bin"]);
        symlink(envs.from.join("bin/latin"), envs.from.join("bin/link")).unwrap();
        fs::set_permissions(envs.from.join("bin/latin"), fs::Permissions::from_mode(0o755))
            .unwrap();
        assert_eq!(envs.copy(), Copied::default());
        assert_eq!(envs.read("bin/latin"), b"#!ENV/bin/python\n# \xe9\n");
        assert_eq!(envs.read("lib/any.json"), b"{\"x\": \"ENV/share\"}");
        assert_eq!(envs.read("bin/zipped"), b"#!ENV/bin/python\nPK\0\x01");
        assert!(envs.read("lib/other.txt").ends_with(b"/57/bin"), "another env's number");
        assert_eq!(fs::read_link(envs.to.join("bin/link")).unwrap(), envs.to.join("bin/latin"));
        assert_eq!(fs::metadata(envs.to.join("bin/latin")).unwrap().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_path_is_found_however_it_is_quoted() {
        let envs = envs("it's a \"$x\" 100%/envs", 5, 12);
        let raw = envs.from.to_str().unwrap().to_owned();
        let double = format!("\"{}\"", raw.replace('"', "\\\"").replace('$', "\\$"));
        let single = format!("'{}'", raw.replace('\'', "'\"'\"'"));
        let percent = raw.replace('%', "%25").replace(' ', "%20").replace('\'', "%27");
        let percent = percent.replace('"', "%22").replace('$', "%24");
        let json = serde_json::to_string(&raw).unwrap();
        for (name, text) in [("a", &double), ("b", &single), ("c", &percent), ("d", &json)] {
            envs.write(&format!("bin/{name}"), &[b"x ", text.as_bytes()]);
        }
        envs.copy();
        for name in ["a", "b", "c", "d"] {
            let text = fs::read_to_string(envs.to.join("bin").join(name)).unwrap();
            assert!(text.contains("envs/12") && !text.contains("envs/5"), "{text}");
        }
    }

    #[test]
    fn a_compiled_file_is_rewritten_at_equal_length_and_left_out_otherwise() {
        for (from, to, is_left_out) in [(5, 6, false), (9, 10, true)] {
            let envs = envs("envs", from, to);
            envs.write("lib/a.py", &[b"x = 1\n"]);
            envs.write("lib/__pycache__/a.cpython-312.pyc", &[b"\0\0", b"ENV", b"/lib/a.py"]);
            envs.write("lib/names.py", &[b"x = '", b"ENV", b"'\n"]);
            let copied = envs.copy();
            let compiled = envs.to.join("lib/__pycache__/a.cpython-312.pyc");
            assert_eq!(compiled.exists(), !is_left_out);
            let sources = ["lib/a.py", "lib/names.py"].map(|name| envs.to.join(name));
            let sources = if is_left_out { sources.to_vec() } else { Vec::new() };
            assert_eq!(copied.uncompiled, sources);
        }
    }

    #[test]
    fn what_cannot_be_rewritten_is_named() {
        let envs = envs("envs", 9, 10);
        envs.write("lib/x.so", &[b"\x7fELF\0", b"ENV", b"/lib"]);
        let error = copy(&envs.from, &envs.to).unwrap_err();
        let why = error.downcast_ref::<NotCopyable>().unwrap();
        assert_eq!(
            why.to_string(),
            "lib/x.so: it names the path of its env, and is not a text file"
        );
        fs::remove_file(envs.from.join("lib/x.so")).unwrap();
        fs::remove_dir_all(&envs.to).unwrap();
        envs.write("lib/__pycache__/gone.cpython-312.pyc", &[b"\0", b"ENV"]);
        let error = copy(&envs.from, &envs.to).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("it names the path of its env, and is compiled without its source"),
            "{error}"
        );
    }

    #[test]
    fn a_large_file_is_searched_to_its_end() {
        let envs = envs("envs", 5, 6);
        let filling = vec![b'x'; usize::try_from(WHOLE).unwrap() - 3];
        envs.write("lib/large.txt", &[&filling, b"ENV", &filling]);
        envs.copy();
        assert!(memchr::memmem::find(&envs.read("lib/large.txt"), b"xENVx").is_some());
    }
}
