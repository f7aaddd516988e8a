//! A temporary folder with its own home. Children see nothing else of the user who runs the tests.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use tempfile::TempDir;

use super::{Ran, Running, machine, wheels};

/// Contains everything that a test writes, and is removed with it.
#[derive(Debug)]
pub(crate) struct Sandbox {
    folder: TempDir,
    /// The nyala under test.
    binary: PathBuf,
    /// Changes to the environment of the children; `None` takes a variable away.
    variables: Mutex<Vec<(OsString, Option<OsString>)>>,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self::with_binary(env!("CARGO_BIN_EXE_nyala").into())
    }

    /// A sandbox whose nyala is another build of it.
    pub(crate) fn with_binary(binary: PathBuf) -> Self {
        Self::in_folder(&std::env::temp_dir(), binary)
    }

    /// A sandbox in memory if there is enough, for tests that write thousands of files repeatedly.
    pub(crate) fn in_memory(binary: PathBuf) -> Self {
        let memory = Path::new("/dev/shm");
        let free =
            rustix::fs::statvfs(memory).map_or(0, |system| system.f_bavail * system.f_frsize);
        if free > 1 << 30 { Self::in_folder(memory, binary) } else { Self::with_binary(binary) }
    }

    fn in_folder(parent: &Path, binary: PathBuf) -> Self {
        let folder = tempfile::Builder::new().prefix("nyala-e2e-").tempdir_in(parent).unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        fs::write(folder.path().join("home/.gitconfig"), "").unwrap();
        Self { folder, binary, variables: Mutex::default() }
    }

    /// A path in the sandbox.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Sets a variable for all children started from now on.
    pub(crate) fn set_variable(&self, name: &str, value: impl AsRef<OsStr>) {
        let value = value.as_ref().to_owned();
        self.variables.lock().unwrap().push((name.into(), Some(value)));
    }

    /// Takes a variable away from all children started from now on.
    pub(crate) fn remove_variable(&self, name: &str) {
        self.variables.lock().unwrap().push((name.into(), None));
    }

    /// Undoes [`Sandbox::set_variable`] for all children started from now on.
    pub(crate) fn reset_variable(&self, name: &str) {
        self.variables.lock().unwrap().retain(|(changed, _)| changed != name);
    }

    /// Whether a variable whose name begins so is set or taken away.
    pub(crate) fn changes_variable(&self, start: &str) -> bool {
        let variables = self.variables.lock().unwrap();
        variables.iter().any(|(name, _)| name.as_encoded_bytes().starts_with(start.as_bytes()))
    }

    /// Puts this uv, and no other, on the PATH of all children started from now on: `tools/uv`.
    pub(crate) fn put_uv_on_path(&self, uv: &Path) {
        let folder = self.path("tools");
        fs::create_dir(&folder).unwrap();
        symlink(uv, folder.join("uv")).unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let without_uv = std::env::split_paths(&path).filter(|folder| !folder.join("uv").exists());
        self.set_variable(
            "PATH",
            std::env::join_paths([folder].into_iter().chain(without_uv)).unwrap(),
        );
    }

    /// A command in the sandbox's own environment: its home, the machine's PATH, and pip told to
    /// use our wheels alone.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .envs(machine::places_of_interpreters())
            .env("HOME", self.path("home"))
            .env("LANG", "C.UTF-8")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("PIP_CONFIG_FILE", "/dev/null")
            .env("PIP_NO_INDEX", "1")
            .env("PIP_FIND_LINKS", wheels::folder());
        for (name, value) in self.variables.lock().unwrap().iter() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    pub(crate) fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let ran = Running::start(
            self.command("git")
                .current_dir(folder)
                .args(["-c", "init.defaultBranch=main"])
                .args(arguments),
        )
        .wait();
        assert!(ran.status.success(), "git {arguments:?}: {ran:#?}");
        ran.stdout.trim_end().to_owned()
    }

    /// Runs the binary under test, with no site named.
    pub(crate) fn nyala(&self, arguments: &[&str]) -> Ran {
        Running::start(self.nyala_command().args(arguments)).wait()
    }

    pub(crate) fn nyala_command(&self) -> Command {
        self.command(&self.binary)
    }

    /// A bare repository without a site; `arguments` are passed to `git init`.
    pub(crate) fn bare_repository(&self, arguments: &[&str]) -> PathBuf {
        let repository = self.path("hosted.git");
        let mut init = vec!["init", "--quiet", "--bare"];
        init.extend(arguments);
        init.push("hosted.git");
        self.git(&self.path(""), &init);
        repository
    }
}
