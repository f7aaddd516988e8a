//! How a deployment ends: what is recorded, logged, sent and cleaned up.

use std::path::Path;

use anyhow::{Error, Result};
use jiff::Timestamp;

use super::cancel;
use super::deploy::Deployment;
use super::ending;
use super::env_steps;
use super::error;
use super::publish::{publish, publish_in};
use super::switch::Switch;
use super::what_is_live;
use crate::activate::flush_switch;
use crate::console::{self, mask};
use crate::disk::space;
use crate::git::{Repository, short};
use crate::plan::Plan;
use crate::process;
use crate::report;
use crate::retention::salvage::{Salvaged, Scan};
use crate::retention::{Held, discard_unheld, empty_trash, salvage_release};
use crate::site::Status;
use crate::site::record::EnvRecord;
use crate::site::settings::Outcome;
use crate::user_error::UserError;

impl Deployment<'_> {
    /// Says what is live now, and records that the deployment has ended.
    pub(super) fn succeed(
        &mut self,
        repository: &Repository,
        plan: &Plan,
        switch: Switch,
    ) -> Result<()> {
        let id = self.record.id;
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
        let seconds = self.seconds();
        let line = format!(
            "deployment {id} is live: {}{python}{env}, in {seconds:.2} s",
            short(&self.record.commit)
        );
        self.refresh_report(&format!("success: {line}"));
        // One flush takes the record, the note and the switch along.
        let record = self.site.prepare_record(&self.record)?;
        let flushed =
            publish_in(repository, self.site, &self.record, Some(&format!("success: {line}")));
        if !flushed.covers(&self.site.deployments()) {
            record.flush()?;
        }
        if switch == Switch::Unflushed && !flushed.covers(self.site.root()) {
            flush_switch(self.site)?;
        }
        console::success(line);
        record.put()?;
        ending::tell(self.site, self.record.id);
        Ok(())
    }

    /// Writes the report, where the site keeps one, with this deployment as one that has ended;
    /// `last_line` is the line that its log is about to end with. A report that cannot be written
    /// changes nothing about the deployment.
    pub(super) fn refresh_report(&self, last_line: &str) {
        if !self.keeps_report.unwrap_or_else(|| report::is_wanted(self.site)) {
            return;
        }
        let ending = report::Ending { record: &self.record, last_line };
        if let Err(why) = report::refresh(self.site, &ending) {
            console::warning(error::report_not_written().because(&why));
        }
    }

    /// Records the disk space that a new env uses, for the next deployment that makes one. Nobody
    /// waits any more: thousands of files are looked at. When this is cut short, the usage of an
    /// earlier env is what is known.
    pub(super) fn measure_env(&mut self) {
        let id = self.record.id;
        if self.record.env.as_ref().is_some_and(|env| env.id == Some(id.into())) {
            self.record.usage.env = Some(space::used_by(&self.site.env(id.into())));
            if let Err(error) = self.site.save(&self.record) {
                tracing::debug!("the disk usage of env {id} is not recorded: {error:#}");
            }
        }
    }

    /// Removes what the failed deployment built. The live release is unchanged.
    pub(super) fn fail(&mut self, error: &Error) -> Result<()> {
        let id = self.record.id;
        if self.site.record(id)?.is_some_and(|record| record.status == Status::Interrupted) {
            // Cancelled before its beginning was recorded, and nothing has been made yet: log and
            // record say so already.
            return Ok(());
        }
        self.record_failed_step();
        // Before the space that this deployment used is freed again.
        let of_space = space::explain(error, self.site.root());
        let is_full = of_space != UserError::default();
        let is_explained = UserError::explains(error);
        let error = UserError::of(error);
        let is_said = space::is_about_space(&error);
        let error = if is_said { error } else { error.and(of_space) };
        // With strict, nyala moves the branch once the release is live.
        let mut error = error.with_next_step(self.record.moves.is_empty());
        let known = mask::known();
        for text in error.texts_mut() {
            *text = known.apply(text).into_owned();
        }
        let mut error = error.bounded();
        if error.fixes.is_empty() && !is_explained {
            let site = self.site.root().display();
            error =
                error.fix(format!("See what is wrong with the site: nyala doctor --site {site}"));
        }
        let summary = error.fact.clone();
        let cancelled = self.site.cancelled(id).filter(|_| process::is_stopped());
        let explanation = error.to_string();
        let may_be_kept =
            !is_full && cancelled.is_none() && self.site.live().is_ok_and(|live| live.is_none());
        if !self.site.is_live(id) {
            // At once, and not when nobody waits: a full disk needs space for the next push.
            let env = self.site.env(id.into());
            let is_kept = may_be_kept && env_steps::keep(&env);
            let paths: Vec<_> =
                [self.site.release(id)].into_iter().chain((!is_kept).then_some(env)).collect();
            let (held, outcome) = discard_unheld(self.site, &paths, |path| self.salvage(path));
            Held::log(&held);
            if let Err(error) = outcome {
                console::warning(UserError::of(&error));
            }
            if let Some(env) = &mut self.record.env
                && env.id == Some(id.into())
            {
                env.id = None;
            }
            empty_trash(self.site);
            // Also one that was watched and did not stay well has never been a good release.
            self.record.activated_at = None;
        }
        let line = if let Some(cancelled) = cancelled {
            self.end(Status::Interrupted, Some(error::cancelled_by(&cancelled.by)));
            console::settle_log();
            cancel::last_line(self.site, id, &cancelled.by)
        } else {
            self.end(Status::Failed, Some(error));
            self.notify(Outcome::Failure)?;
            // What explains it comes last, after whatever actions print.
            console::error(explanation);
            format!("deployment {id} failed: {summary}; {}", what_is_live(self.site))
        };
        self.refresh_report(&format!("error: {line}"));
        publish(self.site, &self.record, Some(&format!("error: {line}")));
        console::error(line);
        self.site.save(&self.record)
    }

    /// Saves what the application wrote while its release was watched.
    fn salvage(&self, path: &Path) -> Result<()> {
        let Some(id) = self.site.release_at(path) else { return Ok(()) };
        let settings = self.site.settings().unwrap_or_default();
        let saved = salvage_release(self.site, &settings, id, Scan::EveryFile)?;
        saved.iter().for_each(Salvaged::log);
        Ok(())
    }

    /// Runs the actions and sends the webhooks. None of them changes the outcome of the deployment,
    /// which the record on disk has meanwhile, but not yet when it ended.
    pub(super) fn notify(&mut self, outcome: Outcome) -> Result<()> {
        if let Some(notifications) = &self.notifications
            && notifications.has_any(self.site, outcome)
        {
            self.record.ended_at = None;
            self.site.save(&self.record)?;
            let failures = notifications.send(self.site, &self.record, outcome);
            self.record.notify_failures = failures;
            self.record.ended_at = Some(Timestamp::now());
        }
        console::settle_log();
        Ok(())
    }

    pub(super) fn end(&mut self, status: Status, error: Option<UserError>) {
        self.record.status = status;
        self.record.set_error(error);
        self.record.ended_at = Some(Timestamp::now());
    }
}
