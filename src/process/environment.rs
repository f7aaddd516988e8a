//! The environment variables that a child gets.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::is_executable;

/// Environment variables, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

/// Variables of the pusher's session, or of git, that no child of a deployment may see. They would
/// make git use another repository, make Python import from elsewhere, or give the pusher's keys to
/// the code of the site.
const FOREIGN_PREFIXES: [&str; 7] =
    ["GIT_", "PYTHON", "VIRTUAL_ENV", "CONDA", "NYALA_", "SSH_", "_CONDA"];

/// What systemd says to a service, and to none of its children; see systemd.exec(5).
pub const OF_SYSTEMD: [&str; 9] = [
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "SYSTEMD_EXEC_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

const FOREIGN: [&str; 23] = [
    "__PYVENV_LAUNCHER__",
    // With these, pip installs elsewhere than into the env, or not at all.
    "PIP_DRY_RUN",
    "PIP_PREFIX",
    "PIP_PYTHON",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    // The same for uv.
    "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_VENV_CLEAR",
    "UV_VENV_RELOCATABLE",
    "UV_WORKING_DIR",
    // What pyenv sets in a shell, for the shell's folder.
    "PYENV_DIR",
    "PYENV_VERSION",
    // The shell's own; the folder would be wrong.
    "OLDPWD",
    "PWD",
    "SHLVL",
    "_",
    // Shells run the files that these name before anything else.
    "BASH_ENV",
    "ENV",
];

const PATH: &str = "PATH";

/// The default, for example over ssh without a login shell.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Unbuffered output; no prompts, no check for a newer pip, no progress bars.
const ALWAYS: [(&str, &str); 4] = [
    ("PYTHONUNBUFFERED", "1"),
    ("PIP_NO_INPUT", "1"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_PROGRESS_BAR", "off"),
];

/// Removes git's variables from the environment of a child: with a hook's `GIT_DIR`, every git
/// below it would use the wrong repository.
pub fn hide_git_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"GIT_") {
            command.env_remove(name);
        }
    }
}

impl Environment {
    /// Whether nyala sets this variable in every clean environment.
    pub fn is_ours(name: &str) -> bool {
        ALWAYS.iter().any(|(ours, _)| *ours == name)
    }

    /// No variables at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The environment of this process without the variables of the pusher's session (`GIT_*`,
    /// `PYTHON*`, `VIRTUAL_ENV`, `SSH_*`, …). It has a default `PATH` and a UTF-8 locale, and makes
    /// Python and pip print unbuffered and never prompt.
    pub fn clean() -> Self {
        Self::cleaned(std::env::vars_os())
    }

    #[must_use]
    pub fn set(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    #[must_use]
    pub fn unset(mut self, name: impl AsRef<OsStr>) -> Self {
        self.variables.remove(name.as_ref());
        self
    }

    /// Sets all of these variables, such as app settings.
    #[must_use]
    pub fn extend<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        settings: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let settings = settings.into_iter();
        self.variables.extend(settings.map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Sets the app settings of a site. The folders of a `PATH` among them come first, and the
    /// machine's stay: without those, hardly any program runs.
    #[must_use]
    pub fn with_app_settings<'s>(
        self,
        settings: impl IntoIterator<Item = (&'s str, &'s str)>,
    ) -> Self {
        let machines = self.get(PATH).map(OsStr::to_owned);
        let environment = self.extend(settings);
        match (environment.get(PATH).map(OsStr::to_owned), machines) {
            (Some(path), Some(machines)) if path != machines => {
                // An empty folder in it would be the one that a program happens to run in.
                let folders: Vec<_> = std::env::split_paths(&path)
                    .chain(std::env::split_paths(&machines))
                    .filter(|folder| !folder.as_os_str().is_empty())
                    .collect();
                match std::env::join_paths(folders) {
                    Ok(joined) => environment.set(PATH, joined),
                    Err(_) => environment,
                }
            }
            _ => environment,
        }
    }

    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.variables.get(name.as_ref()).map(OsString::as_os_str)
    }

    /// The file of a program that is given by its name, as the `PATH` of this environment leads to
    /// it.
    pub fn program(&self, name: impl AsRef<Path>) -> Option<PathBuf> {
        let folders = std::env::split_paths(self.get(PATH).unwrap_or_default());
        let mut files = folders.map(|folder| folder.join(&name));
        files.find(|file| is_executable(file))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    fn cleaned(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let kept = variables.into_iter().filter(|(name, _)| !is_foreign(name));
        let mut environment = Self::empty().extend(kept).extend(ALWAYS);
        if !environment.has(PATH) {
            environment = environment.set(PATH, USUAL_PATH);
        }
        if !["LC_ALL", "LC_CTYPE", "LANG"].iter().any(|name| environment.has(name)) {
            environment = environment.set("LANG", "C.UTF-8");
        }
        environment
    }

    /// An empty locale counts as unset in POSIX, and an empty `PATH` in shells.
    fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !value.is_empty())
    }
}

fn is_foreign(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    FOREIGN_PREFIXES.iter().any(|prefix| bytes.starts_with(prefix.as_bytes()))
        || FOREIGN.iter().chain(&OF_SYSTEMD).any(|foreign| name == *foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(variables: &[(&str, &str)]) -> Environment {
        Environment::cleaned(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn variables_of_the_pushers_session_are_removed() {
        let environment = cleaned(&[
            ("GIT_DIR", "."),
            ("GIT_PUSH_OPTION_0", "x"),
            ("PYTHONHOME", "/x"),
            ("VIRTUAL_ENV", "/x"),
            ("CONDA_PREFIX", "/x"),
            ("SSH_AUTH_SOCK", "/x"),
            ("NYALA_SITE", "/x"),
            ("PIP_TARGET", "/x"),
            ("PIP_INDEX_URL", "https://index"),
            ("HOME", "/home/me"),
        ]);
        let names: Vec<_> = environment.iter().map(|(name, _)| name).collect();
        let expected = [
            "HOME",
            "LANG",
            "PATH",
            "PIP_DISABLE_PIP_VERSION_CHECK",
            "PIP_INDEX_URL",
            "PIP_NO_INPUT",
            "PIP_PROGRESS_BAR",
            "PYTHONUNBUFFERED",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn an_existing_path_and_locale_are_kept() {
        let environment = cleaned(&[("PATH", "/opt/bin"), ("LC_ALL", "de_DE.UTF-8")]);
        assert_eq!(environment.get("PATH"), Some(OsStr::new("/opt/bin")));
        assert_eq!(environment.get("LANG"), None);
        let empty = cleaned(&[("PATH", ""), ("LANG", "")]);
        assert_eq!(empty.get("PATH"), Some(OsStr::new(USUAL_PATH)));
        assert_eq!(empty.get("LANG"), Some(OsStr::new("C.UTF-8")));
    }

    #[test]
    fn the_machines_path_stays_behind_that_of_the_app_settings() {
        let path = |set: &str| {
            let environment = cleaned(&[("PATH", "/usr/bin:/bin")]);
            let set = environment.with_app_settings([("PATH", set), ("DEBUG", "1")]);
            assert_eq!(set.get("DEBUG"), Some(OsStr::new("1")));
            set.get("PATH").unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(path("/opt/node/bin"), "/opt/node/bin:/usr/bin:/bin");
        assert_eq!(path("/opt/node/bin:$PATH"), "/opt/node/bin:$PATH:/usr/bin:/bin");
        assert_eq!(path(""), "/usr/bin:/bin");
        assert_eq!(path(":/a:"), "/a:/usr/bin:/bin");
        assert_eq!(path("/usr/bin:/bin"), "/usr/bin:/bin");
    }

    #[test]
    fn app_settings_override_the_environment() {
        let environment =
            cleaned(&[("DEBUG", "0")]).extend([("DEBUG", "1"), ("PYTHONPATH", "lib")]);
        assert_eq!(environment.get("DEBUG"), Some(OsStr::new("1")));
        assert_eq!(environment.get("PYTHONPATH"), Some(OsStr::new("lib")));
        assert_eq!(environment.unset("DEBUG").get("DEBUG"), None);
    }
}
