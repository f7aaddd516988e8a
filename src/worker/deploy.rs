//! One deployment, from its commit to what is live.

use std::time::Instant;

use anyhow::{Context, Error, Result, bail};
use jiff::Timestamp;

use super::build_steps;
use super::cancel;
use super::env_steps::{self, StepContext};
use super::free_space;
use super::publish::{publish, publish_in};
use super::ref_transaction;
use super::what_is_live;
use crate::activate::activate;
use crate::build::{Collectstatic, custom};
use crate::console::text::escaped;
use crate::console::{self, mask};
use crate::disk;
use crate::disk::space;
use crate::git::{Repository, short};
use crate::notify::Notifications;
use crate::plan::{Decision, Plan, PlanRequest, describe, observe};
use crate::process;
use crate::retention::salvage::Salvaged;
use crate::retention::{Notices, Waits, prune};
use crate::settings::{DeploymentFile, EffectiveSettings, Sourced};
use crate::shared;
use crate::site::record::{EnvRecord, PythonRecord, StepRecord};
use crate::site::settings::Outcome;
use crate::site::{AppSettings, DeploymentId, EnvId, Record, Settings, Site, Status};
use crate::user_error::UserError;

/// Carries a deployment out and records what became of it. Fails only when not even that can be
/// recorded.
pub(super) fn deploy(site: &Site, record: Record) -> Result<()> {
    let mut deployment = Deployment { site, record, started: Instant::now(), notifications: None };
    let id = deployment.record.id;
    let outcome = deployment.run();
    site.discard(&site.temporary(id))?;
    match outcome {
        Ok(()) => {
            deployment.measure_env();
            Ok(())
        }
        Err(error) => deployment.fail(&error),
    }
}

pub(super) struct Deployment<'a> {
    pub(super) site: &'a Site,
    pub(super) record: Record,
    /// By a clock that nobody can set back.
    started: Instant,
    /// Known once the settings are.
    pub(super) notifications: Option<Notifications>,
}

impl Deployment<'_> {
    fn run(&mut self) -> Result<()> {
        if let Some(release) = self.record.rolled_back_to {
            return self.roll_back(release);
        }
        self.begin();
        let settings = self.site.settings()?;
        let app_settings = self.site.app_settings()?;
        // They may have changed while this deployment waited for its turn.
        mask::know(app_settings.secrets());
        let repository = Repository::open(&self.site.repository(&settings))?;
        ref_transaction::check(&repository, &self.record)?;
        // Without the commit's .deployment: the plan may fail before it is read.
        let known =
            EffectiveSettings::resolve(&settings, &app_settings, &DeploymentFile::default());
        self.notifications = Some(Notifications::new(&known, &app_settings));

        let plan = self.plan(&settings, &app_settings, &repository)?;
        free_space::check(self.site, &plan)?;
        let context = StepContext::new(self.site, self.record.id, &app_settings, &plan);
        self.notifications = Some(Notifications::new(&plan.build.settings, &app_settings));
        cancel::check()?;
        env_steps::retire(&context, &plan)?;
        self.check_out(&repository, &context, &plan)?;
        shared::link(self.site, self.record.id, &settings.shared)?;
        cancel::check()?;
        match &plan.build.settings.command {
            None => self.built_in_steps(&context, &plan)?,
            Some(command) => self.custom_command(&context, &plan, command)?,
        }
        self.activate(&settings, &repository, &plan)
    }

    /// That it has begun is recorded with the plan, a few milliseconds later: each record costs a
    /// flush of the disk.
    fn begin(&mut self) {
        let Record { id, commit, message, author, update, .. } = &self.record;
        let [branch, title, author] =
            [update.refname.short(), message.lines().next().unwrap_or_default(), author]
                .map(escaped);
        console::info(format_args!(
            "Deployment {id}: {} of {branch}, \"{title}\" by {author}",
            short(commit)
        ));
        Notices::log_unsaid(self.site);
        self.record.status = Status::Building;
        self.record.started_at = Some(Timestamp::now());
    }

    fn plan(
        &mut self,
        settings: &Settings,
        app_settings: &AppSettings,
        repository: &Repository,
    ) -> Result<Plan> {
        let step = console::step("Plan");
        let plan = observe(PlanRequest {
            site: self.site,
            settings,
            app_settings,
            repository,
            commit: repository.commit(&self.record.commit)?,
            options: &self.record.options,
            rebuild: self.record.options.reasons_for_new_env(),
        })?;
        for warning in plan.build.settings.warnings.iter().chain(&plan.warnings) {
            console::warning(warning);
        }
        for line in describe::lines(&plan) {
            console::info(line);
        }
        self.record.python = plan.python.as_ref().map(|python| PythonRecord {
            version: python.version.to_string(),
            wanted: python.wanted.to_string(),
            origin: python.origin.to_string(),
        });
        self.record.env = Some(env_record(&plan, Some(self.record.id)));
        self.record_step("plan", step.done());
        if !self.site.save_unless_ended(&self.record)? {
            bail!("it was cancelled before it began");
        }
        Ok(plan)
    }

    fn built_in_steps(&mut self, context: &StepContext<'_>, plan: &Plan) -> Result<()> {
        if !plan.build.pre_build.is_empty() {
            self.timed("pre-build", |record| build_steps::pre_build(context, record, plan))?;
        }
        let started = Instant::now();
        let env = env_steps::make_env(context, plan)?;
        self.record_step("env", started.elapsed().as_secs_f64());
        let started = Instant::now();
        env_steps::install(context, plan, env)?;
        self.record_step("install", started.elapsed().as_secs_f64());
        if plan.build.collectstatic != Collectstatic::NotDjango {
            self.timed("collectstatic", |record| {
                build_steps::collectstatic(context, record, plan)
            })?;
        }
        if !plan.build.post_build.is_empty() {
            self.timed("post-build", |record| build_steps::post_build(context, record, plan))?;
        }
        Ok(())
    }

    fn timed(&mut self, name: &str, step: impl FnOnce(&Record) -> Result<()>) -> Result<()> {
        let started = Instant::now();
        step(&self.record)?;
        self.record_step(name, started.elapsed().as_secs_f64());
        Ok(())
    }

    /// The project's own script takes the place of the env, install and build steps. It finds the
    /// env that would be used again; what env the release has when the script has ended is what it
    /// runs in.
    fn custom_command(
        &mut self,
        context: &StepContext<'_>,
        plan: &Plan,
        command: &Sourced<String>,
    ) -> Result<()> {
        let id = self.record.id;
        // The env that is right already is there from the start. Others the script asks for, by
        // `nyala step env`.
        let linked = match plan.env.decision {
            Decision::Copy { .. } => env_steps::make_env(context, plan)?,
            _ => None,
        };
        let temporary = self.site.temporary(id);
        disk::create_dir_all(&temporary)?;
        let environment = custom::environment(
            context.environment.clone(),
            self.site,
            &self.record,
            &plan.build.settings,
            linked,
            &temporary,
        )?;
        let step =
            console::step(format_args!("Running deployment command: {}", escaped(&command.value)));
        custom::run(command, &self.site.release(id), environment, context.limits.clone())?;
        self.record_step("build", step.done());

        let env = self.site.env_of_release(id);
        // `nyala step env` decided anew when it ran, and says here what.
        let decided = std::fs::read(self.site.step_decision(id)).ok();
        let decided = decided.and_then(|bytes| serde_json::from_slice::<EnvRecord>(&bytes).ok());
        let reasons = vec![
            "the project's own command takes the place of the env, install and build steps"
                .to_owned(),
        ];
        self.record.env = Some(match decided {
            Some(decided) => EnvRecord { id: env, ..decided },
            None => EnvRecord { id: env, decision: "custom".to_owned(), reasons },
        });
        // Whoever finds this release live after a crash has to know which env it needs.
        self.site.save(&self.record)
    }

    fn activate(
        &mut self,
        settings: &Settings,
        repository: &Repository,
        plan: &Plan,
    ) -> Result<()> {
        let step = console::step("Activate");
        cancel::check()?;
        let now = Timestamp::now();
        let moves = activate(self.site, self.record.id, || {
            ref_transaction::prepare(repository, &self.record)
        })?;
        self.record.activated_at = Some(now);
        if let Some(moves) = moves {
            disk::point("refs: before");
            moves.commit().context("the release is live, but its push could not be taken")?;
            disk::point("refs: after");
        }
        let mut salvaged = Vec::new();
        let pruned = prune(self.site, settings, Waits::Somebody, &mut salvaged);
        salvaged.iter().for_each(Salvaged::log);
        if let Err(error) = &pruned {
            console::warning(format_args!(
                "the new release is live, but old ones could not be removed: {error:#}"
            ));
        }
        self.record_step("activate", step.done());
        self.succeed(repository, plan)?;
        if pruned.is_ok() {
            self.prune_the_rest(settings);
        }
        Ok(())
    }

    /// What was left until nobody waits: large releases are looked through file by file before they
    /// are removed. The next log says what was found in them.
    fn prune_the_rest(&self, settings: &Settings) {
        disk::point("prune: the rest");
        let mut salvaged = Vec::new();
        let pruned = prune(self.site, settings, Waits::Nobody, &mut salvaged);
        if let Err(error) = Notices::save(self.site, &salvaged, pruned.as_ref().err()) {
            tracing::debug!("{error:#}");
        }
    }

    fn succeed(&mut self, repository: &Repository, plan: &Plan) -> Result<()> {
        let id = self.record.id;
        self.end(Status::Succeeded, None);
        self.notify(Outcome::Success)?;
        let env = match self.record.env.as_ref() {
            Some(EnvRecord { id: Some(env), .. }) if env.maker() == id => {
                ", a new environment".to_owned()
            }
            Some(EnvRecord { id: Some(env), .. }) => format!(", env {env}"),
            _ => String::new(),
        };
        let python = plan
            .python
            .as_ref()
            .map_or(String::new(), |python| format!(", Python {}", python.version));
        let seconds = self.started.elapsed().as_secs_f64();
        let line = format!(
            "deployment {id} is live: {}{python}{env}, in {seconds:.2} s",
            short(&self.record.commit)
        );
        publish_in(repository, self.site, &self.record, Some(&format!("success: {line}")));
        console::success(line);
        self.site.save(&self.record)
    }

    /// Records the room that a new env takes, for the next deployment that makes one. Nobody waits
    /// any more: thousands of files are looked at. When this is cut short, the room that an earlier
    /// one took is what is known.
    fn measure_env(&mut self) {
        let id = self.record.id;
        if self.record.env.as_ref().is_some_and(|env| env.id == Some(id.into())) {
            self.record.usage.env = Some(space::used_by(&self.site.env(id.into())));
            if let Err(error) = self.site.save(&self.record) {
                tracing::debug!("the room that env {id} takes is not recorded: {error:#}");
            }
        }
    }

    /// What the failed deployment built goes; what was live still is.
    fn fail(&mut self, error: &Error) -> Result<()> {
        let id = self.record.id;
        if self.site.record(id)?.is_some_and(|record| record.status == Status::Interrupted) {
            // Cancelled before its beginning was recorded, and nothing has been made yet: log and
            // record say so already.
            return Ok(());
        }
        // Now, while it is so: what this deployment took is about to be given back.
        let error = describe::user_error(error).and(space::explain(error, self.site.root()));
        let summary = error.fact.clone();
        let cancelled = self.site.cancelled(id).filter(|_| process::is_stopped());
        if cancelled.is_none() {
            console::error(&error);
        }
        if !self.site.is_live(id) {
            // Deleted at once, and not when nobody waits: a full disk has to have room for the next
            // push.
            for path in [self.site.release(id), self.site.env(id.into())] {
                if let Err(error) = self.site.discard(&path) {
                    console::warning(format_args!("{error:#}"));
                }
            }
            if let Some(env) = &mut self.record.env
                && env.id == Some(id.into())
            {
                env.id = None;
            }
            self.site.empty_trash();
        }
        let line = if let Some(cancelled) = cancelled {
            self.end(
                Status::Interrupted,
                Some(UserError::new(format!("cancelled by {}", cancelled.by))),
            );
            console::settle_log();
            cancel::last_line(self.site, id, &cancelled.by)
        } else {
            self.end(Status::Failed, Some(error));
            self.notify(Outcome::Failure)?;
            format!("deployment {id} failed: {summary}; {}", what_is_live(self.site))
        };
        publish(self.site, &self.record, Some(&format!("error: {line}")));
        console::error(line);
        self.site.save(&self.record)
    }

    /// Actions and webhooks, of which none changes how the deployment came out. Until they are over
    /// the record on disk says that, and not yet that it has ended.
    pub(super) fn notify(&mut self, outcome: Outcome) -> Result<()> {
        if let Some(notifications) = &self.notifications
            && notifications.has_any(self.site, outcome)
        {
            self.record.ended_at = None;
            self.site.save(&self.record)?;
            notifications.send(self.site, &self.record, outcome);
            self.record.ended_at = Some(Timestamp::now());
        }
        console::settle_log();
        Ok(())
    }

    pub(super) fn record_step(&mut self, name: &str, seconds: f64) {
        self.record.steps.push(StepRecord {
            name: name.to_owned(),
            seconds: (seconds * 1000.0).round() / 1000.0,
        });
    }

    pub(super) fn end(&mut self, status: Status, error: Option<UserError>) {
        self.record.status = status;
        self.record.set_error(error);
        self.record.ended_at = Some(Timestamp::now());
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
