//! `nyala.toml`: the site's own settings. An unknown key is an error that suggests the nearest
//! known one.

mod choices;
mod duration;
mod error;
mod file;
mod image;
mod keys;
mod kubernetes;
mod resources;
mod run;
mod webhook;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Result;
use pep440_rs::VersionSpecifiers;
use serde::Deserialize;

pub use choices::{Outcome, Patch, PythonDownloads, Unshared};
pub use duration::parse_duration;
pub use file::{with_key, with_shared};
pub use image::{Image, SCRATCH};
pub use keys::keys;
pub use kubernetes::{Kubernetes, PATCHES, Strategy, is_name};
pub use resources::{Quantity, Resources};
pub use run::{
    LOCALHOST, Listen, MOST_LOG_FILES, Run, check_scale, host_of, is_command_line, is_domain,
    is_process_name,
};
pub use webhook::Webhook;

use super::SharedPath;
use super::shared_path::check_apart;
use crate::python::installers::Installer;
use crate::user_error::UserError;

/// The settings of a site, as its `nyala.toml` has them.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The bare repository people push to; by default `repository.git` in the site.
    pub repository: Option<PathBuf>,
    /// The branch that is deployed, without `refs/heads/`; by default the first one pushed.
    pub branch: Option<String>,
    /// The Python of a project that asks for none, such as `3.12`.
    pub python: Option<String>,
    /// Whether `git push` fails with the deployment, and leaves the branch where it was.
    pub strict: bool,
    /// What installs the requirements.
    pub installer: Installer,
    /// Which pip a new env gets, such as `<24.1`; by default the newest.
    pub pip: Option<String>,
    /// How many successful releases are kept, the live one among them. At least 1.
    pub keep: usize,
    /// Whether the worker prepares the tree of the next release; where nobody says, when that pays.
    pub staging: Option<bool>,
    /// Where the dependencies are, and which declarations of them do not count.
    pub dependencies: Dependencies,
    /// What an exact version of Python means where the machine has another patch of it.
    pub patch: Patch,
    /// What happens when the wanted Python is not on the machine.
    pub python_downloads: PythonDownloads,
    /// Interpreters, or folders with interpreters, beyond the usual places.
    pub python_paths: Vec<PathBuf>,
    /// What lives in `SITE/shared` and is linked into every release.
    pub shared: Vec<SharedPath>,
    /// What happens when the application has written outside of what is shared; where nobody says,
    /// see [`Settings::unshared`].
    pub unshared: Option<Unshared>,
    /// How long one step may take.
    #[serde(deserialize_with = "duration::required")]
    pub step_timeout: Duration,
    /// How long a step may print nothing and use no processor; by default [`IDLE_TIMEOUT`].
    #[serde(deserialize_with = "duration::optional")]
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
    /// Whether a report is written into the site after each deployment.
    pub report: bool,
    /// How the application runs.
    pub run: Run,
    /// What images of releases are made on, and where they go.
    pub image: Image,
    /// The cluster that the application runs in; where nobody says, it runs here.
    pub kubernetes: Option<Kubernetes>,
    /// Who is notified of a deployment over HTTP.
    pub webhook: Vec<Webhook>,
    /// The keys that the file has; every other value is a default.
    #[serde(skip)]
    pub set: BTreeSet<String>,
}

/// The table `[dependencies]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Dependencies {
    /// The requirements file, relative to the application, or the name of a lock file or of a file
    /// of the project at its top. When it is not set: `requirements.txt`, else the only lock file
    /// there is, else the project itself.
    pub file: Option<String>,
    /// Files that declare dependencies of which nothing is to be installed.
    pub ignore: Vec<String>,
    /// The groups that are installed beside the main dependencies.
    pub groups: Vec<String>,
    /// The extras that are installed.
    pub extras: Vec<String>,
    /// Whether a lock file is installed even if its manifest has changed since.
    pub frozen: bool,
}

/// How long a step may be silent by default.
pub const IDLE_TIMEOUT: Duration = Duration::from_mins(10);

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            repository: None,
            branch: None,
            python: None,
            strict: false,
            installer: Installer::Pip,
            pip: None,
            keep: 3,
            staging: None,
            python_paths: Vec::new(),
            dependencies: Dependencies::default(),
            patch: Patch::default(),
            python_downloads: PythonDownloads::default(),
            shared: Vec::new(),
            unshared: None,
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
            report: false,
            run: Run::default(),
            image: Image::default(),
            kubernetes: None,
            webhook: Vec::new(),
            set: BTreeSet::new(),
        }
    }
}

impl Settings {
    /// What a deployment does about files that the application wrote outside of what is shared. A
    /// strict site fails: its pushers read the outcome and not the log.
    pub fn unshared(&self) -> Unshared {
        let default = if self.strict { Unshared::Fail } else { Unshared::Warn };
        self.unshared.unwrap_or(default)
    }

    /// Whether the application runs in a cluster, and nothing of it on this machine.
    pub fn runs_in_cluster(&self) -> bool {
        self.kubernetes.as_ref().is_some_and(|it| it.apply)
    }

    /// Reads settings from a text in TOML. Fails with the line, and for an unknown key with the
    /// nearest known one.
    pub fn parse(text: &str) -> Result<Settings> {
        let table: toml::Table = text.parse().map_err(|error| error::not_toml(&error, text))?;
        check_keys(table.keys(), keys::<Settings>(), "")?;
        if let Some(dependencies) = table.get("dependencies").and_then(toml::Value::as_table) {
            check_keys(dependencies.keys(), keys::<Dependencies>(), " in [dependencies]")?;
        }
        if let Some(run) = table.get("run").and_then(toml::Value::as_table) {
            check_keys(run.keys(), keys::<Run>(), " in [run]")?;
        }
        if let Some(image) = table.get("image").and_then(toml::Value::as_table) {
            check_keys(image.keys(), keys::<Image>(), " in [image]")?;
        }
        if let Some(kubernetes) = table.get("kubernetes").and_then(toml::Value::as_table) {
            check_keys(kubernetes.keys(), keys::<Kubernetes>(), " in [kubernetes]")?;
        }
        for webhook in tables(table.get("webhook")) {
            check_keys(webhook.keys(), keys::<Webhook>(), " in a [[webhook]]")?;
        }
        for path in strings(table.get("shared")) {
            SharedPath::parse(path)
                .map_err(|error| error.found("shared in nyala.toml names it"))?;
        }
        let mut settings: Settings =
            toml::from_str(text).map_err(|error| error::not_toml(&error, text))?;
        settings.set = table.keys().cloned().collect();
        settings.check()?;
        if settings.runs_in_cluster() {
            // Whoever serves a site asks for nothing else to know that it is to be run.
            settings.run.listen = None;
        }
        Ok(settings)
    }

    fn check(&self) -> Result<(), UserError> {
        if self.keep == 0 {
            return Err(error::keeps_nothing());
        }
        if let Some(branch) = &self.branch
            && (branch.is_empty() || branch.starts_with("refs/"))
        {
            return Err(error::not_a_branch(branch));
        }
        if let Some(pip) = &self.pip
            && VersionSpecifiers::from_str(pip).is_err()
        {
            return Err(error::not_a_specifier(pip));
        }
        check_apart(&self.shared)?;
        self.run.check()?;
        self.image.check()?;
        if let Some(kubernetes) = &self.kubernetes {
            kubernetes.check(&self.image, &self.run)?;
        }
        self.webhook.iter().try_for_each(Webhook::check)
    }
}

fn check_keys<'a>(
    found: impl Iterator<Item = &'a String>,
    known: &'static [&'static str],
    place: &str,
) -> Result<(), UserError> {
    let Some(key) = found.into_iter().find(|key| !known.contains(&key.as_str())) else {
        return Ok(());
    };
    // A line that was added at the end of the file is in its last table.
    if !place.is_empty() && keys::<Settings>().contains(&key.as_str()) {
        return Err(error::key_in_table(key, place));
    }
    Err(error::unknown_key(key, place, known))
}

fn tables(value: Option<&toml::Value>) -> impl Iterator<Item = &toml::Table> {
    value.and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_table)
}

/// The strings of a list; nothing where it is something else, of which serde tells.
fn strings(value: Option<&toml::Value>) -> impl Iterator<Item = &str> {
    value.and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_str)
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
        assert!(error.to_string().contains("allowed: repository, branch"), "{error}");
        let error = Settings::parse("[[webhook]]\nurll = 'http://h'").unwrap_err();
        assert_eq!(error.to_string(), "unknown key `urll` in a [[webhook]]\nDid you mean `url`?");
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
    fn keep_is_at_least_the_live_release() {
        assert!(Settings::parse("keep = 0").is_err());
        assert_eq!(Settings::parse("keep = 1").unwrap().keep, 1);
    }
}
