//! Makes an earlier release live again, tree and env together. Nothing is built and nothing is
//! fetched.

use std::path::Path;

use anyhow::{Result, bail};
use jiff::Timestamp;

use super::deploy::Deployment;
use super::error;
use super::publish::try_publish;
use crate::activate;
use crate::console;
use crate::console::text::title;
use crate::disk;
use crate::git::short;
use crate::notify::Notifications;
use crate::python::env;
use crate::settings::{DeploymentFile, EffectiveSettings};
use crate::site::record::EnvRecord;
use crate::site::settings::Outcome;
use crate::site::{DeploymentId, Record, Site, Status, no_deployment};

/// Why a release cannot be made live again as it is, in words; `None` when it can.
///
/// Looks only whether everything is in its place: running the interpreter would take longer than
/// all the rest.
pub fn obstacle(site: &Site, record: &Record) -> Option<String> {
    let id = record.id;
    if !site.release_ids().is_ok_and(|kept| kept.contains(&id)) {
        return Some(format!("release {id} is no longer kept"));
    }
    let made_with = record.env.as_ref().and_then(|env| env.id)?;
    if site.env_of_release(id) != Some(made_with) {
        return Some(format!("release {id} is no longer linked to env {made_with}"));
    }
    let found = site.env(made_with);
    let is_whole = env::Marker::read(&found).is_some() && runs(&env::python(&found));
    (!is_whole)
        .then(|| format!("env {made_with}, which release {id} was built with, is damaged or gone"))
}

/// The newest kept release that came before what is live; `None` when there is none.
pub fn release_before(site: &Site, live: DeploymentId) -> Result<Option<DeploymentId>> {
    for id in site.release_ids()?.into_iter().rev().filter(|id| *id < live) {
        if site.record(id)?.is_some_and(|record| record.went_live()) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

impl Deployment<'_> {
    /// The whole of a rollback: one rename of `wwwroot`. The release's own record becomes the live
    /// one; this deployment's says that it was made live again, when, and what was live until then.
    pub(super) fn roll_back(&mut self, release: DeploymentId) -> Result<()> {
        let id = self.record.id;
        self.record.started_at = Some(Timestamp::now());
        self.prepare_notifications();
        let title = title(&self.record.message);
        console::info(format_args!(
            "Deployment {id}: back to release {release}, {} \"{title}\"",
            short(&self.record.commit)
        ));
        // Asked again under the lock: another deployment may have cleaned up meanwhile.
        let Some(target) = self.site.record(release)? else {
            bail!(no_deployment(release));
        };
        if let Some(obstacle) = obstacle(self.site, &target) {
            bail!(error::cannot_go_back(release, &obstacle));
        }
        let step = console::step(format_args!("Roll back to release {release}"));
        self.record.python.clone_from(&target.python);
        self.record.env = Some(EnvRecord {
            id: target.env.as_ref().and_then(|env| env.id),
            decision: "reuse".to_owned(),
            reasons: vec![format!(
                "release {release} is live again, with the env it was built with"
            )],
        });
        let before = self.site.live()?;
        // Saved and flushed: after a loss of power there is a record of why this release is live.
        self.record.status = Status::Building;
        if !self.site.save_unless_ended(&self.record)? {
            bail!(error::cancelled_before_it_started());
        }
        disk::sync_filesystem(&self.site.deployments())?;
        activate::point_to(self.site, release)?;
        self.record_step("activate", step.done());
        self.end(Status::Succeeded, None);
        self.notify(Outcome::Success)?;
        self.say_where_we_are(&target, before);
        self.site.save(&self.record)?;
        // Nobody waits for it: this is the one deployment that has to be quick, and it has to work
        // without the repository.
        if let Err(error) = try_publish(self.site, &self.record, None) {
            tracing::debug!("the rollback is not noted in the repository: {error:#}");
        }
        Ok(())
    }

    /// The actions, of which one may restart the application. Settings that are broken must not
    /// keep a site from going back to what worked.
    fn prepare_notifications(&mut self) {
        let (Ok(settings), Ok(app_settings)) = (self.site.settings(), self.site.app_settings())
        else {
            console::warning(
                "the settings cannot be read, so no actions run and no webhooks are sent",
            );
            return;
        };
        let known =
            EffectiveSettings::resolve(&settings, &app_settings, &DeploymentFile::default());
        self.notifications = Some(Notifications::new(&known, &app_settings));
    }

    fn say_where_we_are(&self, target: &Record, before: Option<DeploymentId>) {
        let Record { id, commit, python, env, .. } = target;
        if let Some(before) = before.filter(|before| before != id) {
            console::hint(format_args!("to undo this: nyala rollback {before}"));
        }
        let python =
            python.as_ref().map_or(String::new(), |python| format!(", Python {}", python.version));
        let env =
            env.as_ref().and_then(|env| env.id).map_or(String::new(), |env| format!(", env {env}"));
        console::success(format_args!(
            "release {id} is live again: {}{python}{env}, in {:.3} s (deployment {})",
            short(commit),
            self.seconds(),
            self.record.id
        ));
    }
}

/// Whether a link leads to something: an interpreter that was removed leaves one that leads
/// nowhere.
fn runs(python: &Path) -> bool {
    std::fs::metadata(python).is_ok_and(|metadata| metadata.is_file())
}
