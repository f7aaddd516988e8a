//! Makes an earlier release live again, tree and env together. Nothing is built and nothing is
//! fetched.

use anyhow::{Result, bail};
use jiff::Timestamp;

use super::deploy::Deployment;
use super::publish::try_publish;
use super::{ending, error};
use crate::activate;
use crate::console;
use crate::disk;
use crate::git::short;
use crate::kubernetes;
use crate::notify::Notifications;
use crate::plan::Decision;
use crate::process::Environment;
use crate::python::env::inspect;
use crate::python::env::inspect::run_version;
use crate::retention::unneeded;
use crate::settings::{DeploymentFile, EffectiveSettings};
use crate::site::record::EnvRecord;
use crate::site::settings::Outcome;
use crate::site::{DeploymentId, Record, Site, Status, no_deployment};
use crate::text::title;

/// Why a release cannot be made live again as it is, in words; `None` when it can.
///
/// Its env is checked as a push checks the env that it would use again.
pub fn obstacle(site: &Site, record: &Record) -> Option<String> {
    let id = record.id;
    if let Some(obstacle) = kubernetes::obstacle(site, id) {
        return Some(obstacle);
    }
    if !site.release_ids().is_ok_and(|kept| kept.contains(&id)) {
        return Some(format!("release {id} is no longer kept"));
    }
    // Settings that cannot be read must not be in the way of a rollback.
    let shared = site.settings().map(|settings| settings.shared).unwrap_or_default();
    if let Some((link, meant)) = site.wrong_link(id, &shared) {
        return Some(format!("{} does not lead to {}", link.display(), meant.display()));
    }
    let built_with = record.env.as_ref()?;
    let Some(made_with) = built_with.id else {
        let is_committed = built_with.decision == Decision::Committed.name();
        let ran = is_committed.then(|| run_version(&site.env_link(id), &Environment::clean()))?;
        return ran.err().map(|fact| {
            format!("the env/ that release {id} has from its commit is damaged: {fact}")
        });
    };
    if site.env_of_release(id) != Some(made_with) {
        return Some(format!("release {id} is no longer linked to env {made_with}"));
    }
    let damage = inspect(&site.env(made_with), &Environment::clean()).damage;
    damage.first().map(|fact| {
        format!("env {made_with}, which release {id} was built with, is damaged: {fact}")
    })
}

/// The newest kept release that came before what is live, or of all where nothing is; `None` when
/// there is none.
///
/// A release beyond `keep` does not count although it is still there: a worker prunes only after
/// its push has ended, so it may be gone in a moment.
pub fn release_before(site: &Site, live: Option<DeploymentId>) -> Result<Option<DeploymentId>> {
    let mut kept = kept_releases(site)?;
    // Settings that cannot be read must not be in the way of a rollback.
    if let Ok(settings) = site.settings() {
        let going = unneeded(site, settings.keep)?.releases;
        kept.retain(|id| !going.contains(id));
    }
    kept.retain(|id| live.is_none_or(|live| *id < live));
    Ok(kept.pop())
}

/// The releases that were live and are kept, oldest first.
pub fn kept_releases(site: &Site) -> Result<Vec<DeploymentId>> {
    let mut kept = Vec::new();
    for id in site.release_ids()? {
        if site.record(id)?.is_some_and(|record| record.went_live()) {
            kept.push(id);
        }
    }
    Ok(kept)
}

/// What is kept where nothing is live, and how to bring it back, in words: `releases 3 and 4 are
/// kept: nyala rollback 4`; `None` when nothing is kept.
pub fn kept_in_words(site: &Site) -> Option<String> {
    let kept = kept_releases(site).ok()?;
    let newest = kept.last()?;
    Some(match &kept[..] {
        [only] => format!("release {only} is kept: nyala rollback {only}"),
        [others @ .., last] => {
            let others: Vec<_> = others.iter().map(ToString::to_string).collect();
            format!("releases {} and {last} are kept: nyala rollback {newest}", others.join(", "))
        }
        [] => return None,
    })
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
        let rollout = self.roll_out_again(release)?;
        // Settings that cannot be read are not in the way of a rollback.
        let settings = self.site.settings().unwrap_or_default();
        let found = target.processes.as_ref().filter(|_| rollout.is_none());
        let started = self.start_application(&settings.run, release, found)?;
        activate::point_to(self.site, release)?;
        self.settle_rollout(rollout.as_ref());
        // It was live before. Whoever goes back does not want the other one again.
        started.switch(false)?;
        self.record_step(rollout.map_or("activate", |_| "roll out"), step.done());
        self.end(Status::Succeeded, None);
        self.notify(Outcome::Success)?;
        let line = self.live_again(&target);
        self.refresh_report(&format!("success: {line}"));
        if let Some(before) = before.filter(|before| *before != release) {
            console::hint(format_args!("to undo this: nyala rollback {before}"));
        }
        console::success(line);
        self.site.save(&self.record)?;
        ending::tell(self.site, self.record.id);
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
        let read = self.site.settings().and_then(|ours| Ok((ours, self.site.app_settings()?)));
        let (settings, app_settings) = match read {
            Ok(read) => read,
            Err(why) => {
                console::warning(error::nobody_is_notified().because(&why));
                return;
            }
        };
        self.keeps_report = Some(settings.report);
        let known =
            EffectiveSettings::resolve(&settings, &app_settings, &DeploymentFile::default());
        self.notifications = Some(Notifications::new(&known, &app_settings));
    }

    /// The last line of the log.
    fn live_again(&self, target: &Record) -> String {
        let Record { id, commit, python, env, .. } = target;
        let python =
            python.as_ref().map_or(String::new(), |python| format!(", Python {}", python.version));
        let env =
            env.as_ref().and_then(|env| env.id).map_or(String::new(), |env| format!(", env {env}"));
        format!(
            "release {id} is live again: {}{python}{env}, in {:.3} s (deployment {})",
            short(commit),
            self.seconds(),
            self.record.id
        )
    }
}
