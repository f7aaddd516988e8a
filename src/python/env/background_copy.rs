//! An env that is copied while pip starts in the copy.
//!
//! pip needs 0.4 s to import its own modules, which is as long as an env of 200 MB takes to be
//! copied. So what an interpreter and pip need is copied first.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};

use super::copy::{Begun, Copied, begin};
use super::{compile, site_packages};
use crate::disk::{self, Changed};
use crate::process::{Environment, Limits};
use crate::python::version::Version;

/// Makes distutils that of setuptools, by the only `.pth` file with code that most envs have.
const DISTUTILS: (&str, &str) = ("distutils-precedence.pth", "_distutils_hack");

/// Modules that an interpreter imports when it starts, if they are there.
const CUSTOMIZED: [&str; 2] = ["sitecustomize", "usercustomize"];

/// A copy of an env that is being made by a thread. Dropping it waits for that thread.
#[derive(Debug)]
pub struct BackgroundCopy {
    env: PathBuf,
    begun: Arc<Begun>,
    /// `None` where the system allows no more threads.
    thread: Option<JoinHandle<Result<Copied>>>,
    pip_can_start: bool,
}

impl BackgroundCopy {
    /// Begins to copy the env `from` to `to`, which must not be there. No file of the copy will
    /// name the old env, and none will be a hard link. Here and in [`Self::finish`], fails with
    /// [`NotCopyable`](super::NotCopyable) when a file cannot be rewritten.
    pub fn begin(from: &Path, to: &Path) -> Result<BackgroundCopy> {
        let begun = Arc::new(begin(from, to, comes_first)?);
        let has_pip = |packages: &Path| packages.join("pip/__main__.py").is_file();
        let pip_can_start =
            site_packages(from).is_some_and(|it| has_pip(&it) && only_pip_is_imported(&it));
        let others = Arc::clone(&begun);
        let thread = thread::Builder::new().name("copy".to_owned()).spawn(move || others.finish());
        Ok(BackgroundCopy { env: to.to_owned(), begun, thread: thread.ok(), pip_can_start })
    }

    /// Whether an interpreter can be started in the copy already, and pip's modules be imported.
    pub fn pip_can_start(&self) -> bool {
        self.pip_can_start
    }

    /// Waits for the copy, which is whole then. Returns when that was: what changes in it from then
    /// on is no part of the copy.
    pub fn finish(
        mut self,
        python: &Version,
        environment: &Environment,
        limits: &Limits,
    ) -> Result<Changed> {
        let copied = match self.thread.take() {
            Some(thread) => thread.join().unwrap_or_else(|_| Err(anyhow!("the copy has panicked"))),
            None => self.begun.finish(),
        }?;
        if python.major > 2 {
            compile(&self.env, &copied.uncompiled, environment, limits)?;
        }
        // What the installer adds is little beside the copy.
        disk::begin_to_sync_filesystem(&self.env);
        // By the clock of the file system.
        disk::touch(&self.env)?;
        let env = fs::metadata(&self.env).context("cannot see when the env was copied")?;
        Ok(Changed::of(&env))
    }
}

impl Drop for BackgroundCopy {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether pip and its interpreter need something; its path is relative to the env.
fn comes_first(path: &Path, is_folder: bool) -> bool {
    let names: Vec<&OsStr> = path.components().map(Component::as_os_str).collect();
    match names.as_slice() {
        // The folders above, and the few files in them.
        [] | [_] | [_, _] | [_, _, _] => true,
        // The modules and .pth files at the top, and pip.
        [_, _, packages, name, below @ ..] if *packages == "site-packages" => {
            !is_folder && below.is_empty() || *name == "pip" || *name == DISTUTILS.1
        }
        _ => false,
    }
}

/// Whether an interpreter that starts imports nothing from this folder of packages that may not be
/// there yet.
fn only_pip_is_imported(packages: &Path) -> bool {
    let Ok(entries) = fs::read_dir(packages) else { return false };
    !entries.flatten().map(|entry| entry.path()).any(|path| {
        // It may be a folder, a source or a compiled module, which has two endings.
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let module = name.split(|byte| *byte == b'.').next().unwrap_or_default();
        let is_customized = CUSTOMIZED.iter().any(|other| module == other.as_bytes());
        let is_pth = path.extension().is_some_and(|extension| extension == "pth")
            && path.file_name() != Some(OsStr::new(DISTUTILS.0));
        is_customized || is_pth && runs_code(&disk::read(&path).unwrap_or_default())
    })
}

/// Whether a `.pth` file has a line that is run: <https://docs.python.org/3/library/site.html>.
fn runs_code(pth: &[u8]) -> bool {
    let text = pth.strip_prefix(b"\xef\xbb\xbf").unwrap_or(pth);
    text.split(|byte| b"\r\n".contains(byte))
        .any(|line| line.starts_with(b"import ") || line.starts_with(b"import\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_and_what_an_interpreter_needs_come_first() {
        let packages = "lib/python3.12/site-packages";
        for (path, is_folder, first) in [
            ("", true, true),
            ("pyvenv.cfg", false, true),
            ("bin/python", false, true),
            (packages, true, true),
            (&format!("{packages}/six.py"), false, true),
            (&format!("{packages}/a.pth"), false, true),
            (&format!("{packages}/django"), true, false),
            (&format!("{packages}/pipes"), true, false),
            (&format!("{packages}/pip"), true, true),
            (&format!("{packages}/pip/_internal"), true, true),
            (&format!("{packages}/pip/_internal/main.py"), false, true),
            (&format!("{packages}/_distutils_hack/__init__.py"), false, true),
            ("include/site/python3.12/greenlet", true, false),
        ] {
            assert_eq!(comes_first(Path::new(path), is_folder), first, "{path}");
        }
    }

    #[test]
    fn pip_does_not_start_early_where_the_interpreter_imports_what_is_not_there_yet() {
        for (name, text, can_start) in [
            ("paths.pth", "/srv/lib\n# import a\n", true),
            ("distutils-precedence.pth", "import os; __import__('_distutils_hack')", true),
            ("coverage.pth", "import coverage; coverage.process_startup()", false),
            ("nspkg.pth", "/srv\nimport\tsys, types", false),
            ("old.pth", "/srv\rimport sys\r", false),
            ("marked.pth", "\u{feff}import sys", false),
            ("sitecustomize.py", "", false),
            ("usercustomize.cpython-312-x86_64-linux-gnu.so", "", false),
            ("site_customize.py", "", true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(name), text).unwrap();
            assert_eq!(only_pip_is_imported(folder.path()), can_start, "{name}");
        }
    }
}
