//! What is said of the build, and by whom: a site setting goes before an app setting, that before
//! `.deployment`, and that before the default. It is Kudu's order
//! (Kudu.Core/Settings/DeploymentSettingsManager.cs), and so are the names.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};

use super::deployment_file::DeploymentFile;
use crate::console::did_you_mean;
use crate::console::text::excerpt;
use crate::site::settings::IDLE_TIMEOUT;
use crate::site::{AppSettings, Settings};

/// A value, and who said it, in words for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said<T> {
    pub value: T,
    pub by: String,
}

/// What is said of one deployment's build; what nobody said is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSettings {
    /// What takes the place of the built-in steps.
    pub command: Option<Said<String>>,
    /// The folder of the commit that is the application.
    pub project: Option<Said<String>>,
    pub pre_build_command: Option<Said<String>>,
    pub post_build_command: Option<Said<String>>,
    /// Whether anything is built at all.
    pub build: Option<Said<bool>>,
    /// Whether Django's static files are collected.
    pub collectstatic: Option<Said<bool>>,
    /// The folder of the post-deployment actions, absolute or relative to the site.
    pub actions: Option<Said<PathBuf>>,
    /// Whether submodules stay empty folders.
    pub disable_submodules: Option<Said<bool>>,
    /// How long a step may print nothing and use no processor.
    pub idle_timeout: Duration,
    /// What `.deployment` says besides: environment variables of the project's own commands.
    pub variables: Vec<(String, String)>,
    /// What was said and means nothing here.
    pub warnings: Vec<String>,
}

/// Names that begin with `SCM_` and mean something here.
const UNDERSTOOD: [&str; 4] = [
    "SCM_COMMAND_IDLE_TIMEOUT",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "SCM_POST_DEPLOYMENT_ACTIONS_PATH",
    "SCM_DISABLE_SUBMODULES",
];

/// Names of Kudu's that mean nothing here, and what serves in their place.
const INSTEAD: [(&str, &str); 6] = [
    ("SCM_REPOSITORY_PATH", "repository in nyala.toml says where the repository is"),
    ("SCM_TARGET_PATH", "what is live is always SITE/wwwroot"),
    ("SCM_SCRIPT_GENERATOR_ARGS", "nyala script writes a deployment script to be changed"),
    ("SCM_BUILD_ARGS", "there is no build tool to pass them to"),
    ("SCM_TRACE_LEVEL", "NYALA_LOG=debug shows what a command does"),
    ("SCM_LOGSTREAM_TIMEOUT", "nyala log --follow follows until the deployment ends"),
];

/// The keys of `.deployment` that Kudu's users write by hand.
const KEYS: [&str; 4] = ["command", "project", "PRE_BUILD_COMMAND", "POST_BUILD_COMMAND"];

/// Finds out what counts. Fails when a value cannot be meant, naming who said it.
pub fn resolve(
    settings: &Settings,
    app: &AppSettings,
    file: &DeploymentFile,
) -> Result<BuildSettings> {
    let layers = Layers { app, file };
    let text = |value: &str| Some(value.to_owned());
    Ok(BuildSettings {
        command: layers.first(
            "command",
            settings.command.as_ref(),
            "COMMAND",
            text,
            "a command",
        )?,
        project: layers.first("project", settings.project.as_ref(), "PROJECT", text, "a folder")?,
        pre_build_command: layers.first(
            "pre_build_command",
            settings.pre_build_command.as_ref(),
            "PRE_BUILD_COMMAND",
            text,
            "a command",
        )?,
        post_build_command: layers.first(
            "post_build_command",
            settings.post_build_command.as_ref(),
            "POST_BUILD_COMMAND",
            text,
            "a command",
        )?,
        build: layers.first(
            "build",
            settings.build.as_ref(),
            "SCM_DO_BUILD_DURING_DEPLOYMENT",
            switch,
            SWITCH,
        )?,
        collectstatic: layers.first(
            "collectstatic",
            settings.collectstatic.as_ref(),
            "DISABLE_COLLECTSTATIC",
            |value| switch(value).map(|off| !off),
            SWITCH,
        )?,
        actions: layers.first(
            "actions",
            settings.actions.as_ref(),
            "SCM_POST_DEPLOYMENT_ACTIONS_PATH",
            |value| Some(PathBuf::from(value)),
            "a folder",
        )?,
        disable_submodules: layers.first(
            "",
            None::<&bool>,
            "SCM_DISABLE_SUBMODULES",
            switch,
            SWITCH,
        )?,
        idle_timeout: layers
            .first(
                "idle_timeout",
                settings.idle_timeout.as_ref(),
                "SCM_COMMAND_IDLE_TIMEOUT",
                |value| value.parse().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs),
                "a number of seconds",
            )?
            .map_or(IDLE_TIMEOUT, |said| said.value),
        variables: variables(file),
        warnings: layers.warnings(settings),
    })
}

impl BuildSettings {
    /// The folder of the commit that is the application, with `/` between its names; empty for the
    /// whole commit.
    pub fn project_folder(&self) -> PathBuf {
        let folder = self.project.as_ref().and_then(|said| super::project::folder(&said.value));
        PathBuf::from(folder.unwrap_or_default())
    }
}

const SWITCH: &str = "true or false";

fn switch(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

struct Layers<'a> {
    app: &'a AppSettings,
    file: &'a DeploymentFile,
}

impl Layers<'_> {
    /// The first who says it: `key` of nyala.toml, then the app setting `name`, then `name` in
    /// `.deployment`.
    fn first<T: Clone>(
        &self,
        key: &str,
        site: Option<&T>,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
        allowed: &str,
    ) -> Result<Option<Said<T>>> {
        if let Some(value) = site {
            return Ok(Some(Said { value: value.clone(), by: format!("{key} in nyala.toml") }));
        }
        let app = self
            .app
            .iter()
            .find(|(known, value)| known.eq_ignore_ascii_case(name) && !value.trim().is_empty());
        if let Some((known, value)) = app {
            // The value may be a secret that was set by mistake, so it is not shown.
            let Some(value) = read(value.trim()) else {
                bail!(
                    "the app setting {known} is wrong: it should be {allowed}\nSet it: nyala config set {known}=…"
                );
            };
            return Ok(Some(Said { value, by: format!("the app setting {known}") }));
        }
        let Some(value) = self.file.get(name) else { return Ok(None) };
        let shown = if KEYS.contains(&key) { key } else { name };
        let Some(read) = read(value) else {
            bail!(
                "{shown} in .deployment is wrong: it should be {allowed}\nfound: `{}`",
                excerpt(value)
            );
        };
        Ok(Some(Said { value: read, by: format!("{shown} in .deployment") }))
    }

    /// Only `SCM_` names are looked at, and what is nearly a key of `.deployment`: everything else
    /// may be the application's own.
    fn warnings(&self, settings: &Settings) -> Vec<String> {
        let mut warnings = Vec::new();
        let said = self.app.iter().map(|(name, _)| (name, "the app settings"));
        for (name, place) in said.chain(self.file.iter().map(|(name, _)| (name, ".deployment"))) {
            let upper = name.to_ascii_uppercase();
            if upper.starts_with("SCM_") && !UNDERSTOOD.contains(&upper.as_str()) {
                let instead = INSTEAD.iter().find(|(known, _)| *known == upper);
                let instead = instead
                    .map_or("commands see it as an environment variable", |(_, instead)| *instead);
                warnings
                    .push(format!("{} in {place} has no meaning here; {instead}", excerpt(name)));
            }
        }
        for (name, _) in self.file.iter() {
            if KEYS.iter().any(|key| key.eq_ignore_ascii_case(name)) {
                continue;
            }
            if let Some(key) = did_you_mean(name, KEYS) {
                warnings.push(format!(
                    "{} in .deployment is no key; did you mean `{key}`?",
                    excerpt(name)
                ));
            }
        }
        let branch = self.app.get("DEPLOYMENT_BRANCH").filter(|branch| !branch.is_empty());
        if let (Some(wanted), Some(branch)) = (branch, &settings.branch)
            && wanted != branch
        {
            warnings.push(format!(
                "the app setting DEPLOYMENT_BRANCH has no effect: branch = \"{branch}\" in nyala.toml goes before it"
            ));
        }
        warnings
    }
}

/// What of `.deployment` can be an environment variable and is not for nyala alone.
fn variables(file: &DeploymentFile) -> Vec<(String, String)> {
    let mut probe = AppSettings::default();
    file.iter()
        .filter(|(name, _)| {
            !["command", "project"].iter().any(|key| name.eq_ignore_ascii_case(key))
        })
        .filter(|(name, value)| probe.set(name, value).is_ok())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::deployment_file::parse;

    fn resolved(toml: &str, app: &str, file: &str) -> BuildSettings {
        try_resolve(toml, app, file).unwrap()
    }

    fn try_resolve(toml: &str, app: &str, file: &str) -> Result<BuildSettings> {
        let file = parse(format!("[config]\n{file}").as_bytes()).unwrap();
        resolve(&Settings::parse(toml).unwrap(), &AppSettings::parse(app).unwrap(), &file)
    }

    #[test]
    fn a_site_setting_goes_before_an_app_setting_and_that_before_the_file() {
        let (toml, app, file) = ("command = 'one'", "COMMAND=two", "Command = three");
        let command = |toml, app, file| {
            let said = resolved(toml, app, file).command.unwrap();
            format!("{} ({})", said.value, said.by)
        };
        assert_eq!(command(toml, app, file), "one (command in nyala.toml)");
        assert_eq!(command("", app, file), "two (the app setting COMMAND)");
        assert_eq!(command("", "", file), "three (command in .deployment)");
        assert_eq!(command("", "COMMAND=", file), "three (command in .deployment)");
        assert_eq!(resolved("", "", "command =").command, None);
    }

    #[test]
    fn kudus_names_are_read_as_kudu_meant_them() {
        let settings = resolved("", "DISABLE_COLLECTSTATIC=1", "scm_command_idle_timeout = 90");
        assert_eq!(settings.idle_timeout, Duration::from_secs(90));
        assert!(!settings.collectstatic.unwrap().value);
        assert!(!resolved("", "", "SCM_DO_BUILD_DURING_DEPLOYMENT=False").build.unwrap().value);
        let idle = resolved("idle_timeout = '5s'", "SCM_COMMAND_IDLE_TIMEOUT=90", "").idle_timeout;
        assert_eq!(idle, Duration::from_secs(5));
        assert_eq!(resolved("", "", "").idle_timeout, IDLE_TIMEOUT);
    }

    #[test]
    fn a_value_that_cannot_be_meant_is_an_error_that_names_its_place() {
        let error = |app, file| try_resolve("", app, file).unwrap_err().to_string();
        assert!(error("", "SCM_COMMAND_IDLE_TIMEOUT = soon").contains("found: `soon`"));
        let shown = error("DISABLE_COLLECTSTATIC=hunter2", "");
        assert!(
            shown.contains("the app setting DISABLE_COLLECTSTATIC") && !shown.contains("hunter2"),
            "{shown}"
        );
    }

    #[test]
    fn what_nobody_understands_is_a_warning() {
        let settings = resolved(
            "branch = 'main'",
            "SCM_TRACE_LEVEL=4 SCM_DISABLE_SUBMODULES=1 OTHER=1 DEPLOYMENT_BRANCH=live",
            "SCM_MINE = 1\ncomand = x\nAPP_KEY = 1",
        );
        let expected = [
            "SCM_TRACE_LEVEL in the app settings has no meaning here; NYALA_LOG=debug shows what a command does",
            "SCM_MINE in .deployment has no meaning here; commands see it as an environment variable",
            "comand in .deployment is no key; did you mean `command`?",
            "the app setting DEPLOYMENT_BRANCH has no effect: branch = \"main\" in nyala.toml goes before it",
        ];
        assert_eq!(settings.warnings, expected);
    }

    #[test]
    fn what_else_the_file_says_is_for_commands() {
        let settings =
            resolved("", "", "command = x\nproject = y\nSCM_MINE = 1\nno name = 2\nApp = three");
        let expected = [("SCM_MINE", "1"), ("App", "three")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(settings.variables, expected);
    }
}
