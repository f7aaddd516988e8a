//! What comes after a deployment: the site's own actions, and those who are told over HTTP. Nothing
//! here changes how the deployment came out.

mod webhook;

use std::fs;
use std::path::{Path, PathBuf};

use crate::build::deployment_file::DeploymentFile;
use crate::build::{BuildSettings, resolve};
use crate::console;
use crate::plan::{Plan, describe};
use crate::process::{self, Environment, Invocation, Limits, is_executable};
use crate::site::settings::{IDLE_TIMEOUT, Outcome, Webhook};
use crate::site::{AppSettings, Record, Settings, Site};

/// Where the actions are when nobody says.
const FOLDER: &str = "actions";

/// All that is done after a deployment of this site.
pub(super) struct After {
    folder: PathBuf,
    on: Vec<Outcome>,
    webhooks: Vec<Webhook>,
    app_settings: AppSettings,
    limits: Limits,
}

impl After {
    /// What the site alone says of it: for a deployment whose plan cannot be made.
    pub(super) fn new(settings: &Settings, app_settings: &AppSettings) -> After {
        let limits = Limits {
            step: Some(settings.step_timeout),
            idle: Some(settings.idle_timeout.unwrap_or(IDLE_TIMEOUT)),
            ..Limits::default()
        };
        After {
            folder: settings.actions.clone().unwrap_or_else(|| PathBuf::from(FOLDER)),
            on: settings.actions_on.clone(),
            webhooks: settings.webhook.clone(),
            app_settings: app_settings.clone(),
            limits,
        }
    }

    /// What the site and its app settings say of it: for a deployment that needs no plan.
    pub(super) fn without_plan(settings: &Settings, app_settings: &AppSettings) -> After {
        let mut after = After::new(settings, app_settings);
        if let Ok(BuildSettings { actions: Some(said), .. }) =
            resolve(settings, app_settings, &DeploymentFile::default())
        {
            after.folder.clone_from(&said.value);
        }
        after
    }

    pub(super) fn of(settings: &Settings, app_settings: &AppSettings, plan: &Plan) -> After {
        let BuildSettings { actions, idle_timeout, .. } = &plan.build.settings;
        let mut after = After::new(settings, app_settings);
        after.limits.idle = Some(*idle_timeout);
        if let Some(said) = actions {
            after.folder.clone_from(&said.value);
        }
        after
    }

    pub(super) fn has_any(&self, site: &Site, outcome: Outcome) -> bool {
        self.webhooks.iter().any(|webhook| webhook.on.contains(&outcome))
            || !self.actions(site, outcome).is_empty()
    }

    /// Runs the actions, then tells the webhooks. A failure of any is a warning in the log.
    pub(super) fn run(&self, site: &Site, record: &Record, outcome: Outcome) {
        let actions = self.actions(site, outcome);
        if !actions.is_empty() {
            let step = console::step("Running post deployment command(s)");
            for action in actions {
                self.run_action(site, record, &action);
            }
            step.done();
        }
        for webhook in self.webhooks.iter().filter(|webhook| webhook.on.contains(&outcome)) {
            let host = webhook::host(&webhook.url);
            match webhook::tell(webhook, record, &self.app_settings) {
                Ok(status) => console::info(format_args!("Told {host} of it: HTTP {status}.")),
                Err(error) => {
                    console::warning(format_args!(
                        "{host} could not be told of it: {}",
                        describe::error_text(&error)
                    ));
                }
            }
        }
    }

    /// The files of the actions' folder that can be run, by their names. Hidden ones and backups
    /// are none.
    fn actions(&self, site: &Site, outcome: Outcome) -> Vec<PathBuf> {
        if !self.on.contains(&outcome) {
            return Vec::new();
        }
        let folder = site.root().join(&self.folder);
        let Ok(entries) = fs::read_dir(&folder) else { return Vec::new() };
        let mut paths: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| is_action(path)).collect();
        paths.sort();
        paths
    }

    fn run_action(&self, site: &Site, record: &Record, action: &Path) {
        let name = action.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !is_executable(action) {
            console::warning(format_args!(
                "{name} is not executable, and was not run\nchmod +x {}",
                action.display()
            ));
            return;
        }
        console::info(format_args!("{name}:"));
        let environment = Environment::clean()
            .extend(self.app_settings.iter())
            .set("SCM_COMMIT_ID", &record.commit)
            .set("NYALA_RECORD", site.record_file(record.id))
            .set("NYALA_STATUS", record.status.name())
            .set("NYALA_SITE", site.root())
            .set("NYALA_DEPLOYMENT", record.id.to_string());
        let invocation = Invocation::new(action)
            .cwd(site.root())
            .environment(environment)
            .limits(self.limits.clone())
            .named(&name);
        if let Err(error) = process::stream(&invocation, &mut |line| console::info(line)) {
            console::warning(format_args!("the post-deployment action failed: {error}"));
        }
    }
}

fn is_action(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    !name.starts_with(b".") && !name.ends_with(b"~") && path.is_file()
}
