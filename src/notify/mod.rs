//! Runs a site's post-deployment actions and sends its webhooks. Nothing here changes the outcome
//! of a deployment.

mod error;
mod webhook;

use std::fs;
use std::path::{Path, PathBuf};

use crate::console;
use crate::process::{self, Environment, Invocation, Limits, is_executable};
use crate::settings::EffectiveSettings;
use crate::site::record::{NotifyFailure, NotifyKind};
use crate::site::settings::{Outcome, Webhook};
use crate::site::{AppSettings, Record, Site};
use crate::text::clean;
use crate::text::url::scheme_and_host;
use crate::user_error::UserError;

/// What is run and sent after a deployment of this site.
pub struct Notifications {
    folder: PathBuf,
    on: Vec<Outcome>,
    webhooks: Vec<Webhook>,
    app_settings: AppSettings,
    limits: Limits,
}

impl Notifications {
    pub fn new(settings: &EffectiveSettings, app_settings: &AppSettings) -> Notifications {
        let limits = Limits {
            step: Some(settings.step_timeout.value),
            idle: Some(settings.idle_timeout.value),
            ..Limits::default()
        };
        Notifications {
            folder: settings.actions.value.clone(),
            on: settings.actions_on.value.clone(),
            webhooks: settings.webhook.value.clone(),
            app_settings: app_settings.clone(),
            limits,
        }
    }

    pub fn has_any(&self, site: &Site, outcome: Outcome) -> bool {
        self.webhooks.iter().any(|webhook| webhook.on.contains(&outcome))
            || !self.actions(site, outcome).is_empty()
    }

    /// Runs the actions, then sends the webhooks. Any failure is a warning in the log; returns all
    /// of them.
    pub fn send(&self, site: &Site, record: &Record, outcome: Outcome) -> Vec<NotifyFailure> {
        let mut failures = Vec::new();
        let actions = self.actions(site, outcome);
        if !actions.is_empty() {
            let step = console::step("Running post deployment command(s)");
            for action in actions {
                failures.extend(self.run_action(site, record, &action));
            }
            step.done();
        }
        for webhook in self.webhooks.iter().filter(|webhook| webhook.on.contains(&outcome)) {
            let host = scheme_and_host(&webhook.url);
            match webhook::send(webhook, site, record, &self.app_settings) {
                Ok(status) => console::info(format_args!("Notified {host}: HTTP {status}.")),
                Err(error) => {
                    failures.push(NotifyFailure {
                        kind: NotifyKind::Webhook,
                        name: host.clone(),
                        error: UserError::of(&error).fact,
                    });
                    console::warning(error::failed(&host).because(&error));
                }
            }
        }
        failures
    }

    /// The files in the actions' folder, sorted by name, without hidden files and backups.
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

    /// What became of it, if it failed.
    fn run_action(&self, site: &Site, record: &Record, action: &Path) -> Option<NotifyFailure> {
        let name = action.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let failure = |error: &str| NotifyFailure {
            kind: NotifyKind::Action,
            name: clean(&name).into_owned(),
            error: error.to_owned(),
        };
        if !is_executable(action) {
            console::warning(error::not_executable(action, &name));
            return Some(failure("it is not executable"));
        }
        console::info(format_args!("{name}:"));
        let environment = Environment::clean()
            .with_app_settings(self.app_settings.iter())
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
        let error = process::stream(&invocation, &mut |line| console::info(line)).err()?;
        let failed = failure(&error.user_error().fact);
        console::warning(error::action_failed().because(&error.into()));
        Some(failed)
    }
}

fn is_action(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    !name.starts_with(b".") && !name.ends_with(b"~") && path.is_file()
}
