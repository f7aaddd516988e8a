//! The environment variables that a child gets.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::process::Command;

/// Environment variables, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

/// What the session of whoever pushes, or git itself, has set, and no child of a deployment may
/// see: it would make git answer for another repository, Python import from elsewhere, or hand the
/// pusher's keys to the code of the site.
const FOREIGN_PREFIXES: [&str; 7] =
    ["GIT_", "PYTHON", "VIRTUAL_ENV", "CONDA", "NYALA_", "SSH_", "_CONDA"];

const FOREIGN: [&str; 23] = [
    "__PYVENV_LAUNCHER__",
    // These send pip's packages elsewhere than into the env, or nowhere.
    "PIP_DRY_RUN",
    "PIP_PREFIX",
    "PIP_PYTHON",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    // And uv's.
    "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT",
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_VENV_CLEAR",
    "UV_VENV_RELOCATABLE",
    "UV_WORKING_DIR",
    // What a shell in a pyenv session says about the folder one is in.
    "PYENV_DIR",
    "PYENV_VERSION",
    // What shells keep for themselves; the folder would be the wrong one.
    "OLDPWD",
    "PWD",
    "SHLVL",
    "_",
    // Shells run the file that these name before anything else.
    "BASH_ENV",
    "ENV",
];

/// For where there is none, as over ssh without a login shell.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Output at once, no questions, no news of pip itself, no bars.
const ALWAYS: [(&str, &str); 4] = [
    ("PYTHONUNBUFFERED", "1"),
    ("PIP_NO_INPUT", "1"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_PROGRESS_BAR", "off"),
];

/// Keeps git's variables from a child that otherwise has the environment of this process: a hook's
/// `GIT_DIR` would make every git below it answer for the wrong repository.
pub fn hide_git_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"GIT_") {
            command.env_remove(name);
        }
    }
}

impl Environment {
    /// Whether every clean environment has this variable, whatever anybody says.
    pub fn is_ours(name: &str) -> bool {
        ALWAYS.iter().any(|(ours, _)| *ours == name)
    }

    /// No variables at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// This process's environment without what the session it runs in brought along (`GIT_*`,
    /// `PYTHON*`, `VIRTUAL_ENV`, `SSH_*`, …), with a `PATH` and a UTF-8 locale where there is none,
    /// and with what makes Python and pip print at once and ask nothing.
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

    /// Sets all of these, app settings for instance.
    #[must_use]
    pub fn extend<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        settings: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let settings = settings.into_iter();
        self.variables.extend(settings.map(|(name, value)| (name.into(), value.into())));
        self
    }

    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.variables.get(name.as_ref()).map(OsString::as_os_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    fn cleaned(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let kept = variables.into_iter().filter(|(name, _)| !is_foreign(name));
        let mut environment = Self::empty().extend(kept).extend(ALWAYS);
        if !environment.has("PATH") {
            environment = environment.set("PATH", USUAL_PATH);
        }
        if !["LC_ALL", "LC_CTYPE", "LANG"].iter().any(|name| environment.has(name)) {
            environment = environment.set("LANG", "C.UTF-8");
        }
        environment
    }

    /// POSIX takes an empty locale, and shells an empty `PATH`, as none.
    fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !value.is_empty())
    }
}

fn is_foreign(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    FOREIGN_PREFIXES.iter().any(|prefix| bytes.starts_with(prefix.as_bytes()))
        || FOREIGN.iter().any(|foreign| name == *foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(variables: &[(&str, &str)]) -> Environment {
        Environment::cleaned(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn the_session_of_the_pusher_does_not_leak_in() {
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
    fn a_path_and_a_locale_that_are_there_stay() {
        let environment = cleaned(&[("PATH", "/opt/bin"), ("LC_ALL", "de_DE.UTF-8")]);
        assert_eq!(environment.get("PATH"), Some(OsStr::new("/opt/bin")));
        assert_eq!(environment.get("LANG"), None);
        let empty = cleaned(&[("PATH", ""), ("LANG", "")]);
        assert_eq!(empty.get("PATH"), Some(OsStr::new(USUAL_PATH)));
        assert_eq!(empty.get("LANG"), Some(OsStr::new("C.UTF-8")));
    }

    #[test]
    fn app_settings_go_over_what_was_there() {
        let environment =
            cleaned(&[("DEBUG", "0")]).extend([("DEBUG", "1"), ("PYTHONPATH", "lib")]);
        assert_eq!(environment.get("DEBUG"), Some(OsStr::new("1")));
        assert_eq!(environment.get("PYTHONPATH"), Some(OsStr::new("lib")));
        assert_eq!(environment.unset("DEBUG").get("DEBUG"), None);
    }
}
