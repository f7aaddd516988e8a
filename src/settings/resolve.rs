//! Finds the source that decides each setting.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use super::error;
use super::names::{
    AZURE_PYTHON, BRANCH, DISABLE_SUBMODULES, EXTRAS, FILE_KEYS, GROUPS, NAMES, PYTHON,
    REQUIREMENTS,
};
use super::warnings::warnings;
use super::{DeploymentFile, EffectiveSettings, SettingSource, Sourced};
use crate::site::settings::{Dependencies, IDLE_TIMEOUT};
use crate::site::{ACTIONS, AppSettings, DeployOptions, REPOSITORY, Settings};
use crate::user_error::UserError;

const SWITCH: &str = "true or false";
const SECONDS: &str = "a number of seconds";

impl EffectiveSettings {
    /// The settings of a deployment whose commit has this `.deployment`.
    pub fn resolve(
        settings: &Settings,
        app: &AppSettings,
        file: &DeploymentFile,
    ) -> EffectiveSettings {
        let layers = Layers { settings, app, file, problems: RefCell::default() };
        let text = |key, site: &Option<String>| {
            layers.first(key, site.as_ref(), |value| Some(value.to_owned()), "text")
        };
        let switch_or = |default, found: Option<Sourced<bool>>| {
            found.unwrap_or_else(|| Sourced::default(default))
        };
        let seconds = |value: &str| {
            value.parse().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
        };
        let python = |name: &str| {
            let value = app.get(name)?.to_owned();
            Some(Sourced::new(value, SettingSource::AppSetting(name.to_owned())))
        };
        let not = |value: &str| switch(value).map(|off| !off);
        EffectiveSettings {
            repository: layers.site_only(
                "repository",
                settings.repository.clone().unwrap_or_else(|| PathBuf::from(REPOSITORY)),
            ),
            branch: branch(settings, app),
            python_version: python(PYTHON).or_else(|| python(AZURE_PYTHON)),
            python: settings
                .python
                .clone()
                .map(|value| Sourced::new(value, SettingSource::SiteSettings("python"))),
            python_paths: layers.site_only("python_paths", settings.python_paths.clone()),
            patch: layers.site_only("patch", settings.patch),
            python_downloads: layers.site_only("python_downloads", settings.python_downloads),
            dependencies: layers.dependencies(),
            strict: layers.site_only("strict", settings.strict),
            installer: layers.site_only("installer", settings.installer),
            pip: settings
                .pip
                .clone()
                .map(|value| Sourced::new(value, SettingSource::SiteSettings("pip"))),
            keep: layers.site_only("keep", settings.keep),
            staging: settings
                .staging
                .map(|value| Sourced::new(value, SettingSource::SiteSettings("staging"))),
            shared: layers.site_only("shared", settings.shared.clone()),
            unshared: layers.site_only("unshared", settings.unshared()),
            step_timeout: layers.site_only("step_timeout", settings.step_timeout),
            idle_timeout: layers
                .first("idle_timeout", settings.idle_timeout.as_ref(), seconds, SECONDS)
                .unwrap_or_else(|| Sourced::default(IDLE_TIMEOUT)),
            command: text("command", &settings.command),
            project: text("project", &settings.project),
            pre_build_command: text("pre_build_command", &settings.pre_build_command),
            post_build_command: text("post_build_command", &settings.post_build_command),
            build: switch_or(true, layers.first("build", settings.build.as_ref(), switch, SWITCH)),
            collectstatic: switch_or(
                true,
                layers.first("collectstatic", settings.collectstatic.as_ref(), not, SWITCH),
            ),
            actions: layers
                .first(
                    "actions",
                    settings.actions.as_ref(),
                    |value| Some(PathBuf::from(value)),
                    "a folder",
                )
                .unwrap_or_else(|| Sourced::default(PathBuf::from(ACTIONS))),
            actions_on: layers.site_only("actions_on", settings.actions_on.clone()),
            report: layers.site_only("report", settings.report),
            run: layers.site_only("run", settings.run.clone()),
            image: layers.site_only("image", settings.image.clone()),
            kubernetes: settings
                .kubernetes
                .clone()
                .map(|value| Sourced::new(value, SettingSource::SiteSettings("kubernetes"))),
            webhook: layers.site_only("webhook", settings.webhook.clone()),
            disable_submodules: switch_or(
                false,
                layers.elsewhere(DISABLE_SUBMODULES, DISABLE_SUBMODULES, switch, SWITCH),
            ),
            variables: variables(file),
            warnings: warnings(settings, app, file),
            problems: layers.problems.into_inner(),
        }
    }

    /// The settings of a deployment with these options.
    #[must_use]
    pub fn with_options(mut self, options: &DeployOptions) -> EffectiveSettings {
        if let Some(installer) = options.installer {
            self.installer = Sourced::new(installer, SettingSource::Option);
        }
        self
    }
}

/// The branch that is deployed; `None` until the first push.
pub(super) fn branch(settings: &Settings, app: &AppSettings) -> Option<Sourced<String>> {
    if let Some(branch) = &settings.branch {
        return Some(Sourced::new(branch.clone(), SettingSource::SiteSettings("branch")));
    }
    let branch = app.get(BRANCH)?.trim_start_matches("refs/heads/");
    let source = SettingSource::AppSetting(BRANCH.to_owned());
    (!branch.is_empty()).then(|| Sourced::new(branch.to_owned(), source))
}

fn switch(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

struct Layers<'a> {
    settings: &'a Settings,
    app: &'a AppSettings,
    file: &'a DeploymentFile,
    problems: RefCell<Vec<UserError>>,
}

impl Layers<'_> {
    /// A value that only nyala.toml sets.
    fn site_only<T>(&self, key: &'static str, value: T) -> Sourced<T> {
        let is_set = self.settings.set.contains(key);
        Sourced::new(
            value,
            if is_set { SettingSource::SiteSettings(key) } else { SettingSource::Default },
        )
    }

    /// The table of nyala.toml, and of what it does not set the app settings: the file by Oryx's
    /// name for it.
    fn dependencies(&self) -> Sourced<Dependencies> {
        let mut found = self.site_only("dependencies", self.settings.dependencies.clone());
        let Dependencies { file, groups, extras, .. } = &mut found.value;
        let mut source = None;
        let mut app_setting = |name: &str, is_missing: bool| {
            let value = self.app.get(name)?.trim();
            let value = Some(value).filter(|value| is_missing && !value.is_empty())?;
            source.get_or_insert_with(|| SettingSource::AppSetting(name.to_owned()));
            Some(value)
        };
        let words = |value: &str| -> Vec<String> {
            let words = value.split([',', ' ', '\t']).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        };
        if let Some(value) = app_setting(REQUIREMENTS, file.is_none()) {
            *file = Some(value.trim_start_matches("./").to_owned());
        }
        if let Some(value) = app_setting(GROUPS, groups.is_empty()) {
            *groups = words(value);
        }
        if let Some(value) = app_setting(EXTRAS, extras.is_empty()) {
            *extras = words(value);
        }
        if let (SettingSource::Default, Some(source)) = (&found.source, source) {
            found.source = source;
        }
        found
    }

    /// The first who sets it: `key` of nyala.toml, then the app setting of its name, then
    /// `.deployment`.
    fn first<T: Clone>(
        &self,
        key: &'static str,
        site: Option<&T>,
        read: impl Fn(&str) -> Option<T>,
        allowed: &str,
    ) -> Option<Sourced<T>> {
        if let Some(value) = site {
            return Some(Sourced::new(value.clone(), SettingSource::SiteSettings(key)));
        }
        let (_, name) = NAMES.iter().find(|(known, _)| *known == key)?;
        let shown = FILE_KEYS.iter().find(|known| known.eq_ignore_ascii_case(name));
        self.elsewhere(name, shown.unwrap_or(name), read, allowed)
    }

    fn elsewhere<T>(
        &self,
        name: &str,
        shown: &str,
        read: impl Fn(&str) -> Option<T>,
        allowed: &str,
    ) -> Option<Sourced<T>> {
        let app = self
            .app
            .iter()
            .find(|(known, value)| known.eq_ignore_ascii_case(name) && !value.trim().is_empty());
        if let Some((known, value)) = app {
            if let Some(value) = read(value.trim()) {
                return Some(Sourced::new(value, SettingSource::AppSetting(known.to_owned())));
            }
            self.problem(error::wrong_app_setting(known, allowed));
        }
        let value = self.file.get(name)?;
        if let Some(value) = read(value) {
            return Some(Sourced::new(value, SettingSource::DeploymentFile(shown.to_owned())));
        }
        self.problem(error::wrong_in_deployment_file(shown, value, allowed));
        None
    }

    fn problem(&self, problem: UserError) {
        self.problems.borrow_mut().push(problem);
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
    use crate::settings::deployment_file::parse;

    fn resolved(toml: &str, app: &str, file: &str) -> EffectiveSettings {
        let file = parse(format!("[config]\n{file}").as_bytes()).unwrap();
        let app = AppSettings::parse(app).unwrap();
        EffectiveSettings::resolve(&Settings::parse(toml).unwrap(), &app, &file)
    }

    #[test]
    fn a_site_setting_goes_before_an_app_setting_and_that_before_the_file() {
        let (toml, app, file) = ("command = 'one'", "COMMAND=two", "Command = three");
        let command = |toml, app, file| {
            let said = resolved(toml, app, file).command.unwrap();
            format!("{} ({})", said.value, said.source)
        };
        assert_eq!(command(toml, app, file), "one (command in nyala.toml)");
        assert_eq!(command("", app, file), "two (the app setting COMMAND)");
        assert_eq!(command("", "", file), "three (command in .deployment)");
        assert_eq!(command("", "COMMAND=", file), "three (command in .deployment)");
        assert_eq!(resolved("", "", "command =").command, None);
    }

    #[test]
    fn oryxs_name_for_the_requirements_file_is_understood() {
        let app = "CUSTOM_REQUIREMENTSTXT_PATH=./requirements/production.txt";
        let found = resolved("", app, "").dependencies;
        assert_eq!(found.value.file.as_deref(), Some("requirements/production.txt"));
        assert_eq!(found.source.to_string(), "the app setting CUSTOM_REQUIREMENTSTXT_PATH");
        let found = resolved("[dependencies]\nfile = 'pylock.toml'", app, "").dependencies;
        assert_eq!(found.value.file.as_deref(), Some("pylock.toml"));
        assert_eq!(found.source.to_string(), "dependencies in nyala.toml");
    }

    #[test]
    fn groups_and_extras_can_be_chosen_by_app_settings() {
        let app = "DEPENDENCIES_GROUPS='prod, web'\nDEPENDENCIES_EXTRAS=x\n";
        let found = resolved("", app, "").dependencies;
        assert_eq!(found.source.to_string(), "the app setting DEPENDENCIES_GROUPS");
        assert_eq!(
            (found.value.groups, found.value.extras),
            (vec!["prod".into(), "web".into()], vec!["x".into()])
        );
        let found = resolved("[dependencies]\ngroups = ['a']\n", app, "").dependencies;
        assert_eq!(found.source, SettingSource::SiteSettings("dependencies"));
        assert_eq!((found.value.groups, found.value.extras), (vec!["a".into()], vec!["x".into()]));
    }

    #[test]
    fn kudus_names_are_read_as_kudu_meant_them() {
        let settings = resolved("", "DISABLE_COLLECTSTATIC=1", "scm_command_idle_timeout = 90");
        assert_eq!(settings.idle_timeout.value, Duration::from_secs(90));
        assert!(!settings.collectstatic.value);
        assert!(!resolved("", "", "SCM_DO_BUILD_DURING_DEPLOYMENT=False").build.value);
        let idle =
            resolved("idle_timeout = '5s'", "SCM_COMMAND_IDLE_TIMEOUT=90", "").idle_timeout.value;
        assert_eq!(idle, Duration::from_secs(5));
        assert_eq!(resolved("", "", "").idle_timeout.value, IDLE_TIMEOUT);
    }

    #[test]
    fn a_value_that_cannot_be_meant_is_an_error_that_names_its_source() {
        let error = |app, file| resolved("", app, file).checked().unwrap_err().to_string();
        insta::assert_snapshot!(error("", "SCM_COMMAND_IDLE_TIMEOUT = soon"), @r"
        SCM_COMMAND_IDLE_TIMEOUT in .deployment is wrong: it should be a number of seconds
        found: `soon`
        Correct it, commit, and push again
        ");
        insta::assert_snapshot!(error("DISABLE_COLLECTSTATIC=hunter2", ""), @r"
        the app setting DISABLE_COLLECTSTATIC is wrong: it should be true or false
        Set it: nyala config set DISABLE_COLLECTSTATIC=…
        ");
    }

    #[test]
    fn a_value_that_cannot_be_meant_leaves_the_next_source_in_force() {
        let (app, file) = ("SCM_COMMAND_IDLE_TIMEOUT=soon", "SCM_COMMAND_IDLE_TIMEOUT=90");
        let settings = resolved("", app, file);
        assert_eq!(settings.idle_timeout.value, Duration::from_secs(90));
        assert_eq!(settings.problems.len(), 1);
    }

    #[test]
    fn what_only_nyala_toml_sets_comes_from_there_or_is_the_default() {
        let settings = resolved("keep = 3", "DEPLOYMENT_BRANCH=refs/heads/live", "");
        assert_eq!(settings.keep, Sourced::new(3, SettingSource::SiteSettings("keep")));
        assert_eq!(settings.strict, Sourced::default(false));
        let branch = settings.branch.unwrap();
        assert_eq!(branch.value, "live");
        assert_eq!(branch.source.to_string(), "the app setting DEPLOYMENT_BRANCH");
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
