//! Translates pip's settings and options for uv. None is dropped silently.
//!
//! Sources: <https://pip.pypa.io/en/stable/cli/pip_install/>,
//! <https://docs.astral.sh/uv/reference/environment/> and
//! <https://docs.astral.sh/uv/pip/compatibility/>.

use anyhow::Result;

use super::super::error::uv_cannot;
use super::super::indexes::OF_PIP;
use super::super::pip_config::{self, Setting};
use super::Installation;
use crate::process::Environment;
use crate::python::dependencies::{Line, Recorded, Role};

/// The variables and arguments with which uv does what pip would do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Values that may be credentials are variables: everybody on the machine can read arguments.
    pub(super) variables: Vec<(String, String)>,
    pub(super) arguments: Vec<String>,
    /// Settings without a meaning for uv that change nothing that is installed, in words for the
    /// log.
    pub(super) unused: Vec<String>,
    /// What uv cannot do, in words.
    refused: Vec<String>,
}

/// What one of pip's settings becomes for uv.
enum UvEquivalent {
    /// These variables, with the value unchanged.
    Variables(&'static [&'static str]),
    /// A variable of uv's own, with the values separated like this. If it is set already, it stays.
    Own(&'static str, &'static str),
    /// This argument, if the setting is on.
    Flag(&'static [&'static str]),
    /// This argument before each value.
    Each(&'static str),
    /// Nothing that is installed depends on it.
    Unused,
    /// uv always does that.
    Always,
    Refused,
}

impl Settings {
    /// The settings for an installation, of those of pip. Fails with everything that uv cannot do.
    /// With `only`, the indexes of all settings are left aside.
    pub(super) fn read(
        installation: &Installation<'_>,
        of_pip: &[Setting],
        only: bool,
    ) -> Result<Settings> {
        let mut settings = Settings::default();
        // pip takes the best match of all indexes; uv would stop at the first index that has the
        // name.
        settings.own(installation.environment, "UV_INDEX_STRATEGY", "unsafe-best-match");
        let recorded = installation.recorded;
        let own_index = recorded
            .lines
            .iter()
            .any(|line| line.role == Role::Option && line.key == "--index-url");
        for setting in of_pip {
            let name = setting.name.as_str();
            if !(own_index && name == "no-index" || (own_index || only) && OF_PIP.contains(&name)) {
                settings.setting(installation.environment, setting);
            }
        }
        settings.file(installation.environment, recorded);
        // One hash makes pip require all of them. Of what a lock pins, a project in the tree has
        // none; uv compares those that there are.
        let has_hashes = recorded.lines.iter().any(|line| !line.hashes.is_empty());
        if has_hashes && !installation.complete {
            settings.flag(&HASHES);
        }
        if !settings.refused.is_empty() {
            return Err(uv_cannot(&settings.refused).into());
        }
        Ok(settings)
    }

    fn setting(&mut self, environment: &Environment, setting: &Setting) {
        let Setting { name, value, by, file: _ } = setting;
        let value = value.trim();
        let off = pip_config::is_off(value);
        match means(name, value) {
            // Set by nyala itself, for every pip.
            UvEquivalent::Unused if Environment::is_ours(by) => {}
            UvEquivalent::Unused => {
                self.unused.push(format!("uv ignores pip's {name} ({by})."));
            }
            UvEquivalent::Always => {}
            UvEquivalent::Variables(names) => {
                self.variables
                    .extend(names.iter().map(|name| ((*name).to_owned(), value.to_owned())));
            }
            UvEquivalent::Own(_, separator @ ",") if value.contains(separator) => {
                self.refused.push(format!("a comma in pip's {name} ({by})"));
            }
            UvEquivalent::Own(variable, separator) => {
                let values: Vec<_> = value.split_whitespace().collect();
                if !self.own(environment, variable, &values.join(separator)) {
                    self.unused.push(format!(
                        "pip's {name} ({by}) is not used, because {variable} is set."
                    ));
                }
            }
            UvEquivalent::Flag(_) | UvEquivalent::Refused
                if off && name != "no-build-isolation" => {}
            UvEquivalent::Flag(arguments) => self.flag(arguments),
            UvEquivalent::Each(argument) => {
                for value in value.split_whitespace() {
                    self.arguments.extend([argument.to_owned(), value.to_owned()]);
                }
            }
            UvEquivalent::Refused => self.refused.push(format!("pip's {name} ({by})")),
        }
    }

    /// Options in requirements files that uv ignores with a warning, or reads differently from pip.
    fn file(&mut self, environment: &Environment, recorded: &Recorded) {
        let options = || recorded.lines.iter().filter(|line| line.role == Role::Option);
        let mut hosts = Vec::new();
        for line in options() {
            let at = format!("{}, line {}", line.file, line.number);
            let word = line.text.split([' ', '=']).next().unwrap_or_default();
            match word {
                "--pre" => self.flag(&PRE),
                "--trusted-host" if line.text.contains("${") => {
                    self.refused.push(format!("a variable in {word} ({at})"));
                }
                "--trusted-host" => hosts.extend(line.source.clone()),
                "--prefer-binary" | "--use-feature" | "--global-option" | "--install-option" => {
                    self.refused.push(format!("{word} ({at})"));
                }
                _ => {}
            }
            // Those of a lock are on no line.
            let is_beside = |other: &&Line| {
                line.number > 0 && other.file == line.file && other.number == line.number
            };
            if options().filter(is_beside).count() > 1 {
                let all = format!("several options on one line ({at})");
                if !self.refused.contains(&all) {
                    self.refused.push(all);
                }
            }
        }
        for line in recorded.lines.iter().filter(|line| !line.options.is_empty()) {
            self.refused.push(format!(
                "{} ({}, line {})",
                line.options.join(" "),
                line.file,
                line.number
            ));
        }
        if !hosts.is_empty() {
            // They come to those that are trusted already.
            let name = "UV_INSECURE_HOST";
            let said = self
                .variables
                .iter()
                .rfind(|(variable, _)| variable == name)
                .map(|(_, value)| value.clone());
            hosts.extend(
                said.or_else(|| Some(environment.get(name)?.to_string_lossy().into_owned())),
            );
            self.variables.push((name.to_owned(), hosts.join(" ")));
        }
    }

    /// Adds arguments once, since uv refuses repeated ones.
    fn flag(&mut self, arguments: &[&str]) {
        if !arguments
            .first()
            .is_some_and(|first| self.arguments.iter().any(|argument| argument == first))
        {
            self.arguments.extend(arguments.iter().map(ToString::to_string));
        }
    }

    /// Sets a variable of uv's own, unless it is set already. Returns whether it was set.
    fn own(&mut self, environment: &Environment, variable: &str, value: &str) -> bool {
        let free = environment.get(variable).is_none();
        if free {
            self.variables.push((variable.to_owned(), value.to_owned()));
        }
        free
    }
}

const PRE: [&str; 2] = ["--prerelease", "allow"];
const HASHES: [&str; 1] = ["--require-hashes"];

/// The variables in which programs look for a proxy: pip's setting overrides all of them.
const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

fn means(name: &str, value: &str) -> UvEquivalent {
    match name {
        "index-url" | "pypi-url" | "i" => UvEquivalent::Own("UV_DEFAULT_INDEX", " "),
        "extra-index-url" => UvEquivalent::Own("UV_INDEX", " "),
        "find-links" | "f" => UvEquivalent::Own("UV_FIND_LINKS", ","),
        "trusted-host" => UvEquivalent::Own("UV_INSECURE_HOST", " "),
        "timeout" | "default-timeout" => UvEquivalent::Own("UV_HTTP_TIMEOUT", " "),
        "retries" => UvEquivalent::Own("UV_HTTP_RETRIES", " "),
        "cert" => UvEquivalent::Variables(&["SSL_CERT_FILE"]),
        "client-cert" => UvEquivalent::Variables(&["SSL_CLIENT_CERT"]),
        "proxy" => UvEquivalent::Variables(&PROXIES),
        "keyring-provider" => match value {
            "disabled" | "subprocess" => UvEquivalent::Own("UV_KEYRING_PROVIDER", " "),
            "auto" => UvEquivalent::Unused,
            _ => UvEquivalent::Refused,
        },
        "no-index" => UvEquivalent::Flag(&["--no-index"]),
        "pre" => UvEquivalent::Flag(&PRE),
        "require-hashes" => UvEquivalent::Flag(&HASHES),
        "no-deps" | "no-dependencies" => UvEquivalent::Flag(&["--no-deps"]),
        "no-cache-dir" => UvEquivalent::Flag(&["--no-cache"]),
        "compile" => UvEquivalent::Flag(&["--compile-bytecode"]),
        "upgrade" | "U" => UvEquivalent::Flag(&["--upgrade"]),
        "force-reinstall" => UvEquivalent::Flag(&["--reinstall"]),
        "constraint" | "c" => UvEquivalent::Each("--constraint"),
        "build-constraint" => UvEquivalent::Each("--build-constraint"),
        "no-binary" => UvEquivalent::Each("--no-binary"),
        "only-binary" => UvEquivalent::Each("--only-binary"),
        "uploaded-prior-to" => UvEquivalent::Each("--exclude-newer"),
        "use-feature" => match value {
            "truststore" => UvEquivalent::Flag(&["--system-certs"]),
            "fast-deps" => UvEquivalent::Unused,
            _ => UvEquivalent::Refused,
        },
        "no-compile" | "use-pep517" => UvEquivalent::Always,
        "no-input"
        | "disable-pip-version-check"
        | "progress-bar"
        | "quiet"
        | "verbose"
        | "no-color"
        | "log"
        | "log-file"
        | "debug"
        | "cache-dir"
        | "no-python-version-warning"
        | "root-user-action"
        | "no-warn-script-location"
        | "no-warn-conflicts"
        | "break-system-packages"
        | "require-virtualenv"
        | "exists-action"
        | "resume-retries"
        | "no-clean"
        | "require-venv" => UvEquivalent::Unused,
        _ => UvEquivalent::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str) -> Setting {
        Setting {
            name: name.to_owned(),
            value: value.to_owned(),
            by: "here".to_owned(),
            file: false,
        }
    }

    fn told(environment: &Environment, settings: &[Setting]) -> Settings {
        let mut told = Settings::default();
        for one in settings {
            told.setting(environment, one);
        }
        told
    }

    fn variable<'a>(told: &'a Settings, name: &str) -> Option<&'a str> {
        told.variables
            .iter()
            .find(|(variable, _)| variable == name)
            .map(|(_, value)| value.as_str())
    }

    #[test]
    fn lists_are_separated_as_uv_expects() {
        let indexes = setting("extra-index-url", "https://a/\n https://b/");
        let told = told(&Environment::empty(), &[indexes, setting("find-links", "/one /two")]);
        assert_eq!(variable(&told, "UV_INDEX"), Some("https://a/ https://b/"));
        assert_eq!(variable(&told, "UV_FIND_LINKS"), Some("/one,/two"));
    }

    #[test]
    fn settings_of_uv_override_those_of_pip() {
        let environment = Environment::empty().set("UV_DEFAULT_INDEX", "https://mine/");
        let told = told(&environment, &[setting("index-url", "https://pips/")]);
        assert_eq!(variable(&told, "UV_DEFAULT_INDEX"), None);
        assert_eq!(
            told.unused,
            ["pip's index-url (here) is not used, because UV_DEFAULT_INDEX is set."]
        );
    }

    #[test]
    fn settings_that_are_off_have_no_effect() {
        let off = [setting("pre", "false"), setting("user", "no"), setting("no-index", "0")];
        let told_off = told(&Environment::empty(), &off);
        assert_eq!((told_off.arguments, told_off.refused), (vec![], vec![]));
        // pip ignores the value of this one.
        let told = told(&Environment::empty(), &[setting("no-build-isolation", "0")]);
        assert_eq!(told.refused, ["pip's no-build-isolation (here)"]);
    }

    #[test]
    fn unknown_settings_are_refused() {
        let told = told(
            &Environment::empty(),
            &[setting("platform", "x"), setting("frobnicate", "1"), setting("find-links", "a,b")],
        );
        assert_eq!(
            told.refused,
            [
                "pip's platform (here)",
                "pip's frobnicate (here)",
                "a comma in pip's find-links (here)"
            ]
        );
    }

    #[test]
    fn an_argument_is_given_once() {
        let mut told =
            told(&Environment::empty(), &[setting("pre", "1"), setting("require-hashes", "1")]);
        told.flag(&PRE);
        told.flag(&HASHES);
        assert_eq!(told.arguments, ["--prerelease", "allow", "--require-hashes"]);
    }
}
