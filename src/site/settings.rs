//! `nyala.toml`: the site's own settings. Unknown keys are errors that name the nearest known one.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::shared_path::check_apart;
use super::{REPOSITORY, SharedPath, Site, text_file};
use crate::console::did_you_mean;
use crate::console::text::{excerpt, split_mark};
use crate::disk;
use crate::python::installers::Installer;

/// The settings of a site, as its `nyala.toml` has them.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The bare repository people push to; `repository.git` in the site when it is not said.
    pub repository: Option<PathBuf>,
    /// The branch that is deployed, without `refs/heads/`. The first one pushed when it is not
    /// said.
    pub branch: Option<String>,
    /// The Python of a project that asks for none, such as `3.12`.
    pub python: Option<String>,
    /// Whether `git push` fails with the deployment, and leaves the branch where it was.
    pub strict: bool,
    /// What installs the requirements.
    pub installer: Installer,
    /// How many good releases are kept, the live one among them. At least 1.
    pub keep: usize,
    /// Where the dependencies are, and which declarations of them do not count.
    pub dependencies: Dependencies,
    /// Interpreters, or folders with interpreters, beyond the usual places.
    pub python_paths: Vec<PathBuf>,
    /// What lives in `SITE/shared` and is linked into every release.
    pub shared: Vec<SharedPath>,
    /// How long one step may take.
    #[serde(deserialize_with = "duration")]
    pub step_timeout: Duration,
    /// How long a step may print nothing and use no processor; [`IDLE_TIMEOUT`] when nobody says.
    #[serde(deserialize_with = "some_duration")]
    pub idle_timeout: Option<Duration>,
    /// What takes the place of the built-in steps.
    pub command: Option<String>,
    /// The folder of a commit that is the application.
    pub project: Option<String>,
    /// A command before the env step, and one after everything is built.
    pub pre_build_command: Option<String>,
    pub post_build_command: Option<String>,
    /// Whether anything is built at all.
    pub build: Option<bool>,
    /// Whether Django's static files are collected.
    pub collectstatic: Option<bool>,
    /// The folder of the post-deployment actions, relative to the site.
    pub actions: Option<PathBuf>,
    /// After which deployments they run.
    pub actions_on: Vec<Outcome>,
    /// Who is told of a deployment over HTTP.
    pub webhook: Vec<Webhook>,
}

/// The table `[dependencies]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Dependencies {
    /// The requirements file, relative to the application; `requirements.txt` when it is not set.
    pub file: Option<String>,
    /// Files that declare dependencies of which nothing is to be installed.
    pub ignore: Vec<String>,
}

/// How a deployment that ran to its end came out.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Success,
    Failure,
}

/// Somebody who is told of a deployment: `[[webhook]]`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// `http://…` or `https://…`. Its path may be a secret, so only its host is ever shown.
    pub url: String,
    #[serde(default = "both")]
    pub on: Vec<Outcome>,
    /// The app setting whose value signs what is sent.
    pub secret: Option<String>,
    /// How long one try may take.
    #[serde(default = "webhook_timeout", deserialize_with = "duration")]
    pub timeout: Duration,
    /// How often it is tried, the first time included.
    #[serde(default = "tries")]
    pub tries: u32,
}

/// How long a step may be silent when nobody says.
pub const IDLE_TIMEOUT: Duration = Duration::from_mins(10);

/// More tries than this would only hold up the next deployment.
const MOST_TRIES: u32 = 10;
const LONGEST_TRY: Duration = Duration::from_hours(1);

fn both() -> Vec<Outcome> {
    vec![Outcome::Success, Outcome::Failure]
}

fn webhook_timeout() -> Duration {
    Duration::from_secs(5)
}

fn tries() -> u32 {
    3
}

const KEYS: [&str; 20] = [
    "repository",
    "branch",
    "python",
    "strict",
    "installer",
    "keep",
    "python_paths",
    "dependencies",
    "shared",
    "step_timeout",
    "idle_timeout",
    "command",
    "project",
    "pre_build_command",
    "post_build_command",
    "build",
    "collectstatic",
    "actions",
    "actions_on",
    "webhook",
];

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            repository: None,
            branch: None,
            python: None,
            strict: false,
            installer: Installer::Pip,
            keep: 3,
            python_paths: Vec::new(),
            dependencies: Dependencies::default(),
            shared: Vec::new(),
            step_timeout: Duration::from_mins(30),
            idle_timeout: None,
            command: None,
            project: None,
            pre_build_command: None,
            post_build_command: None,
            build: None,
            collectstatic: None,
            actions: None,
            actions_on: vec![Outcome::Success],
            webhook: Vec::new(),
        }
    }
}

impl Settings {
    /// Reads the settings of a text in TOML. Fails with the line, and for an unknown key with the
    /// nearest known one.
    pub fn parse(text: &str) -> Result<Settings> {
        let table: toml::Table = text.parse().map_err(|error| wrong(&error))?;
        for key in table.keys() {
            if !KEYS.contains(&key.as_str()) {
                bail!("unknown key `{}`\n{}", excerpt(key), nearest(key));
            }
        }
        let settings: Settings = toml::from_str(text).map_err(|error| wrong(&error))?;
        if settings.keep == 0 {
            bail!("keep = 0: at least the live release is kept, so 1 is the smallest");
        }
        check_apart(&settings.shared)?;
        if let Some(branch) = &settings.branch
            && (branch.is_empty() || branch.starts_with("refs/"))
        {
            bail!("branch = \"{}\": write the branch's name without refs/heads/", excerpt(branch));
        }
        for webhook in &settings.webhook {
            // The address may be a secret, so it is not shown.
            if !["http://", "https://"].iter().any(|scheme| webhook.url.starts_with(scheme)) {
                bail!("the url of a [[webhook]] does not begin with http:// or https://");
            }
            if !(1..=MOST_TRIES).contains(&webhook.tries) {
                bail!("tries = {} of a [[webhook]]: 1 to {MOST_TRIES} are allowed", webhook.tries);
            }
            if webhook.timeout > LONGEST_TRY {
                bail!(
                    "the timeout of a [[webhook]] is longer than an hour, and the next deployment waits for it"
                );
            }
        }
        Ok(settings)
    }
}

impl Site {
    /// Reads `nyala.toml`. A deploy branch that it does not name is the app setting
    /// `DEPLOYMENT_BRANCH`, as with Kudu.
    pub fn settings(&self) -> Result<Settings> {
        let path = self.settings_file();
        let text =
            text_file::read(&path)?.with_context(|| format!("there is no {}", path.display()))?;
        let mut settings =
            Settings::parse(&text).with_context(|| format!("{} is wrong", path.display()))?;
        if settings.branch.is_none() {
            let app = self.app_settings()?;
            let branch =
                app.get("DEPLOYMENT_BRANCH").map(|branch| branch.trim_start_matches("refs/heads/"));
            settings.branch = branch.filter(|branch| !branch.is_empty()).map(str::to_owned);
        }
        Ok(settings)
    }

    /// Sets a key that is not set yet, keeping everything else a person wrote. The caller holds the
    /// guard.
    pub fn add_setting(&self, key: &str, value: &str) -> Result<()> {
        let path = self.settings_file();
        let text =
            text_file::read(&path)?.with_context(|| format!("there is no {}", path.display()))?;
        disk::write_atomic(&path, with_key(&text, key, value).as_bytes(), 0o644)
    }

    /// The bare repository of this site.
    pub fn repository(&self, settings: &Settings) -> PathBuf {
        match &settings.repository {
            Some(path) => self.root().join(path),
            None => self.root().join(REPOSITORY),
        }
    }
}

/// The text of a `nyala.toml` with a key that it does not have yet, and everything else as it was.
pub fn with_key(text: &str, key: &str, value: &str) -> String {
    // A key at the very top belongs to no table, whatever tables follow. Only a byte order mark has
    // to come before it.
    let (mark, text) = split_mark(text);
    format!("{mark}{key} = {}\n{text}", toml::Value::from(value))
}

/// What is wrong with a text in TOML: as the parser says it, with the line, of which it shows all.
fn wrong(error: &toml::de::Error) -> anyhow::Error {
    const MOST_LINES: usize = 10;
    let lines: Vec<_> = error.to_string().lines().take(MOST_LINES).map(excerpt).collect();
    anyhow::anyhow!("{}", lines.join("\n"))
}

fn nearest(key: &str) -> String {
    match did_you_mean(key, KEYS) {
        Some(known) => format!("Did you mean `{known}`?"),
        None => format!("Known keys: {}", KEYS.join(", ")),
    }
}

fn some_duration<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// `"90s"`, `"30m"`, `"1h"`, or a whole number of seconds.
fn duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Seconds(u64),
        Text(String),
    }
    let written = Written::deserialize(deserializer).map_err(|_| {
        serde::de::Error::custom(
            "a time is written as \"90s\", \"30m\", \"1h\" or a number of seconds",
        )
    })?;
    let seconds = match &written {
        Written::Seconds(seconds) => Some(*seconds),
        Written::Text(text) => {
            let digits =
                text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic()).trim_end();
            let unit = match text[digits.len()..].trim() {
                "" | "s" => Some(1),
                "m" | "min" => Some(60),
                "h" => Some(3600),
                _ => None,
            };
            digits.parse::<u64>().ok().zip(unit).and_then(|(number, unit)| number.checked_mul(unit))
        }
    };
    match seconds {
        Some(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
        _ => Err(serde::de::Error::custom(
            "a time is written as \"90s\", \"30m\", \"1h\" or a number of seconds",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(Settings::parse("").unwrap(), Settings::default());
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        let error = Settings::parse("brnach = \"main\"").unwrap_err();
        assert_eq!(error.to_string(), "unknown key `brnach`\nDid you mean `branch`?");
        let error = Settings::parse("colour = 1").unwrap_err();
        assert!(error.to_string().contains("Known keys: repository, branch"), "{error}");
    }

    #[test]
    fn times_have_units() {
        let of = |text: &str| {
            Settings::parse(&format!("step_timeout = {text}")).map(|settings| settings.step_timeout)
        };
        assert_eq!(of("\"90s\"").unwrap(), Duration::from_secs(90));
        assert_eq!(of("\"2h\"").unwrap(), Duration::from_hours(2));
        assert_eq!(of("45").unwrap(), Duration::from_secs(45));
        for wrong in ["\"soon\"", "0", "-1", "\"5 d\"", "\"99999999999999999999h\""] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_value_shows_its_line() {
        let error =
            Settings::parse("branch = \"main\"\nkeep = \"many\"\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("keep = \"many\""), "{error}");
    }

    #[test]
    fn a_wrong_value_is_shown_on_short_lines() {
        for wrong in [
            "keep = '\u{1b}[2J'",
            &format!("keep = '{}'", "x".repeat(9000)),
            "installer = \"\\u202e\\n\"",
        ] {
            let error = Settings::parse(wrong).unwrap_err().to_string();
            assert!(error.len() < 1000 && !error.contains(['\u{1b}', '\u{202e}']), "{error:?}");
        }
    }

    #[test]
    fn a_key_is_put_in_and_the_rest_stays() {
        for text in
            ["", "keep = 2", "\u{feff}keep = 2\r\n", "# ours\n[[webhook]]\nurl = 'http://h'\n"]
        {
            let before = Settings::parse(text).unwrap();
            let after = Settings::parse(&with_key(text, "branch", "a\"b")).unwrap();
            assert_eq!(after, Settings { branch: Some("a\"b".to_owned()), ..before }, "{text:?}");
        }
    }

    #[test]
    fn a_webhook_is_told_of_both_unless_it_says_otherwise() {
        let webhook = |text: &str| {
            Settings::parse(&format!("[[webhook]]\n{text}")).map(|mut all| all.webhook.remove(0))
        };
        let plain = webhook("url = 'https://example.org/x'").unwrap();
        assert_eq!((plain.on, plain.tries, plain.timeout), (both(), 3, Duration::from_secs(5)));
        let own = webhook(
            "url = 'http://h/'\non = ['failure']\nsecret = 'KEY'\ntimeout = '1s'\ntries = 1",
        )
        .unwrap();
        assert_eq!((own.on, own.secret.as_deref()), (vec![Outcome::Failure], Some("KEY")));
        for wrong in [
            "",
            "url = 'ftp://h'",
            "url = 'http://h'\ntries = 0",
            "url = 'http://h'\ntimeout = '2h'",
            "url = 'http://h'\nurll = 1",
        ] {
            assert!(webhook(wrong).is_err(), "{wrong}");
        }
        let error = webhook("url = 'hunter2'").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn keep_is_at_least_the_live_release() {
        assert!(Settings::parse("keep = 0").is_err());
        assert_eq!(Settings::parse("keep = 1").unwrap().keep, 1);
    }
}
