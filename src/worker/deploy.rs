//! One deployment, from its commit to what is live.

use std::time::Instant;

use anyhow::{Error, Result, bail};
use jiff::Timestamp;

use super::cancel;
use super::error;
use super::free_space;
use super::python_downloads;
use super::ref_transaction;
use super::{StepContext, env_steps};
use crate::console::{self, mask};
use crate::disk;
use crate::git::{Repository, short};
use crate::kubernetes;
use crate::notify::Notifications;
use crate::plan::{Decision, Missing, Plan, PlanRequest, describe, observe};
use crate::python::version::Wanted;
use crate::retention::{
    Held, Notices, Pruned, Unshared, prune, prune_written, scan_in_time, share_held, unshared,
};
use crate::settings::{DeploymentFile, EffectiveSettings};
use crate::shared;
use crate::site::record::{EnvRecord, PythonRecord, StepRecord};
use crate::site::settings::{self, Outcome, PythonDownloads};
use crate::site::{AppSettings, DeploymentId, EnvId, Record, Settings, Site, Status};
use crate::staging;
use crate::text::{escaped, title};
use crate::user_error::UserError;

/// Carries a deployment out and records what became of it. What its log says already of what stays
/// is `said`. Fails only when not even that can be recorded.
pub(super) fn deploy(site: &Site, record: Record, said: Vec<Held>) -> Result<()> {
    let mut deployment = Deployment { said, ..Deployment::new(site, record) };
    let outcome = deployment.run();
    deployment.discard_temporary();
    match outcome {
        Ok(()) => {
            deployment.measure_env();
            Ok(())
        }
        Err(error) => {
            deployment.bring_cluster_back();
            deployment.fail(&error)
        }
    }
}

/// Records that a deployment failed before it began.
pub(super) fn refuse(site: &Site, record: Record, error: &Error) -> Result<()> {
    Deployment::new(site, record).fail(error)
}

pub(super) struct Deployment<'a> {
    pub(super) site: &'a Site,
    pub(super) record: Record,
    /// By a clock that nobody can set back.
    started: Instant,
    /// Known once the settings are.
    pub(super) notifications: Option<Notifications>,
    /// The step that runs, and since when.
    pub(super) step: Option<(String, Instant)>,
    /// Whether the site keeps its report fresh. Known once the settings are.
    pub(super) keeps_report: Option<bool>,
    /// What stays for now, and was logged before it began.
    said: Vec<Held>,
}

impl<'a> Deployment<'a> {
    fn new(site: &'a Site, record: Record) -> Deployment<'a> {
        let started = Instant::now();
        Deployment {
            site,
            record,
            started,
            notifications: None,
            step: None,
            keeps_report: None,
            said: Vec::new(),
        }
    }
}

impl Deployment<'_> {
    fn run(&mut self) -> Result<()> {
        if let Some(release) = self.record.rolled_back_to {
            return self.roll_back(release);
        }
        let look = staging::look(self.site);
        self.begin();
        let settings = self.site.settings()?;
        self.keeps_report = Some(settings.report);
        let app_settings = self.site.app_settings()?;
        // They may have changed while this deployment waited for its turn.
        mask::know(app_settings.secrets());
        let repository = Repository::open(&self.site.repository(&settings))?;
        ref_transaction::check(&repository, &self.record)?;
        // Without the commit's .deployment: the plan may fail before it is read.
        let known =
            EffectiveSettings::resolve(&settings, &app_settings, &DeploymentFile::default());
        self.notifications = Some(Notifications::new(&known, &app_settings));

        let mut plan = self.plan(&settings, &app_settings, &repository)?;
        free_space::check(self.site, &plan)?;
        let place = self.check_cluster(&settings, &app_settings)?;
        let context = StepContext::new(self.site, self.record.id, &app_settings, &plan);
        self.notifications = Some(Notifications::new(&plan.build.settings, &app_settings));
        cancel::check()?;
        env_steps::retire(&context, &plan)?;
        self.check_out(&repository, &context, &plan, look)?;
        shared::link(self.site, self.record.id, &settings.shared)?;
        cancel::check()?;
        // Before the commands of the project: a migration is for the data that stays.
        let known = match settings.unshared() {
            settings::Unshared::Warn => None,
            settings::Unshared::Fail | settings::Unshared::Share => {
                self.check_unshared(&settings, None)?
            }
        };
        self.build(&context, &repository, &mut plan)?;
        self.find_processes(&settings, &repository, &context, &plan)?;
        if settings.unshared() != settings::Unshared::Warn {
            self.check_unshared(&settings, known.as_ref())?;
        }
        let rollout = match &place {
            Some(place) => self.roll_out(&settings, &app_settings, place)?,
            None => None,
        };
        // What runs in a cluster does not run here.
        let found = self.record.processes.clone().filter(|_| rollout.is_none());
        let started = self.start_application(&settings.run, self.record.id, found.as_ref())?;
        env_steps::retire_replaced(&context, &plan)?;
        let switch = self.activate(&repository, &settings, started)?;
        self.settle_rollout(rollout.as_ref());
        self.end(Status::Succeeded, None);
        self.notify(Outcome::Success)?;
        let said = self.prune_written(&settings);
        self.discard_temporary();
        self.succeed(&repository, &plan, switch)?;
        self.prune(&settings, &said);
        Ok(())
    }

    /// That it has begun is recorded with the plan, a few milliseconds later: each record costs a
    /// flush of the disk.
    fn begin(&mut self) {
        let Record { id, commit, message, author, update, .. } = &self.record;
        let branch = escaped(update.refname.short());
        let [title, author] = [message, author].map(|text| title(text));
        console::info(format_args!(
            "Deployment {id}: {} of {branch}, \"{title}\" by {author}",
            short(commit)
        ));
        Notices::log_pending(self.site);
        self.record.status = Status::Building;
        self.record.started_at = Some(Timestamp::now());
    }

    fn plan(
        &mut self,
        settings: &Settings,
        app_settings: &AppSettings,
        repository: &Repository,
    ) -> Result<Plan> {
        let step = console::quiet_step("Plan");
        let install = |wanted: &Wanted| python_downloads::install(wanted, settings, app_settings);
        let plan = observe(PlanRequest {
            site: self.site,
            settings,
            app_settings,
            repository,
            commit: repository.commit(&self.record.commit)?,
            options: &self.record.options,
            rebuild: self.record.options.reasons_for_new_env(),
            missing_python: match settings.python_downloads {
                PythonDownloads::Automatic => Missing::Install(&install),
                PythonDownloads::Never => Missing::Fail,
            },
        })?;
        for warning in plan.build.settings.warnings.iter().chain(&plan.warnings) {
            console::warning(warning);
        }
        if describe::is_old_news(&plan) {
            console::detail(&plan.runtime);
        } else {
            console::info(&plan.runtime);
        }
        for line in describe::lines_after_runtime(&plan) {
            console::info(line);
        }
        self.record.python = plan.python.as_ref().map(|python| PythonRecord {
            version: python.version.to_string(),
            wanted: python.wanted.to_string(),
            origin: python.origin.to_string(),
        });
        self.record.env = Some(env_record(&plan, Some(self.record.id)));
        self.record_step("plan", step.quietly_done());
        if !self.site.save_unless_ended(&self.record)? {
            bail!(error::cancelled_before_it_started());
        }
        Ok(plan)
    }

    /// Says what the application wrote into the live release, which the new one does not have, and
    /// does about it what the site wants. In a large release what was written in place is only
    /// found once it goes. What is known was said already.
    pub(super) fn check_unshared(
        &self,
        settings: &Settings,
        known: Option<&Unshared>,
    ) -> Result<Option<Unshared>> {
        let Some(live) = self.site.live()? else { return Ok(None) };
        let scan = scan_in_time(self.site, live)?;
        let found = unshared(self.site, settings, live, scan).unwrap_or_else(|error| {
            tracing::debug!("what release {live} has of the application: {error:#}");
            None
        });
        let Some(found) = found.and_then(|found| found.without(known)) else { return Ok(None) };
        match settings.unshared() {
            settings::Unshared::Warn => found.log(),
            settings::Unshared::Fail => return Err(found.error().into()),
            settings::Unshared::Share => self.share(&found)?,
        }
        Ok(Some(found))
    }

    fn share(&self, found: &Unshared) -> Result<()> {
        found.log();
        let paths = found.paths();
        let step = console::step("Share what the application wrote");
        let moved = share_held(self.site, &paths, Some(found.release))?;
        for moved in moved {
            let release = found.release;
            console::info(format_args!("{0} of release {release} -> shared/{0}", moved.path));
        }
        step.done();
        shared::link(self.site, self.record.id, &paths)
    }

    /// App settings may be in there: they go before anybody is told that the deployment has ended.
    fn discard_temporary(&self) {
        if let Err(error) = self.site.discard(&self.site.temporary(self.record.id)) {
            console::warning(UserError::of(&error));
        }
    }

    /// Saves what the application wrote into releases that go, so that this log says it. Comes
    /// after the actions, of which one may restart the application: until then the release that was
    /// just replaced may serve. Returns what the log says.
    fn prune_written(&self, settings: &Settings) -> Pruned {
        let mut pruned = Pruned::default();
        let outcome = prune_written(self.site, settings, &mut pruned);
        pruned.held.retain(|held| !self.said.iter().any(|it| it.what == held.what));
        pruned.log();
        if let Err(why) = outcome {
            console::warning(error::old_releases_not_removed().because(&why));
        }
        pruned.held.extend(self.said.iter().cloned());
        pruned
    }

    /// Removes what is no longer needed, when nobody waits: all processes are looked through for
    /// it. Of a worker that is killed before this, the next one prunes. The next log says what
    /// there is to say and has not been `said`.
    fn prune(&self, settings: &Settings, said: &Pruned) {
        disk::point("prune: before");
        let mut pruned = Pruned::default();
        let outcome = prune(self.site, settings, &mut pruned);
        pruned.held.retain(|held| !said.held.iter().any(|it| it.what == held.what));
        if let Err(error) = Notices::save(self.site, &pruned, outcome.as_ref().err()) {
            tracing::debug!("{error:#}");
        }
        if settings.runs_in_cluster()
            && let Err(error) = kubernetes::forget(self.site)
        {
            tracing::debug!("old Secrets stay in the cluster: {error:#}");
        }
    }

    pub(super) fn record_step(&mut self, name: &str, seconds: f64) {
        self.step = None;
        self.add_step(name, seconds, false);
    }

    /// A step begins that is recorded even if it fails.
    pub(super) fn begin_step(&mut self, name: &str) {
        self.step = Some((name.to_owned(), Instant::now()));
    }

    /// Records the step that the deployment fails in.
    pub(super) fn record_failed_step(&mut self) {
        if let Some((name, started)) = self.step.take() {
            self.add_step(&name, started.elapsed().as_secs_f64(), true);
        }
    }

    fn add_step(&mut self, name: &str, seconds: f64, failed: bool) {
        let seconds = (seconds * 1000.0).round() / 1000.0;
        self.record.steps.push(StepRecord { name: name.to_owned(), seconds, failed });
    }

    /// Since the deployment began; the times in its record may come from a clock that was set back
    /// meanwhile.
    pub(super) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

/// The plan's decision as the record of this deployment has it, if it is one's.
pub fn env_record(plan: &Plan, deployment: Option<DeploymentId>) -> EnvRecord {
    let id = match plan.env.decision {
        Decision::None | Decision::Committed => None,
        Decision::Create { .. } | Decision::Update { .. } | Decision::Copy { .. } => {
            deployment.map(EnvId::from)
        }
        Decision::Reuse { id } => Some(id),
    };
    EnvRecord {
        id,
        decision: plan.env.decision.name().to_owned(),
        reasons: plan.env.reasons.clone(),
    }
}
