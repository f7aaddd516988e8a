//! The step that makes the release live.

use anyhow::Result;
use jiff::Timestamp;

use super::application::Started;
use super::cancel;
use super::deploy::Deployment;
use super::error;
use super::ref_transaction;
use crate::activate::{activate, flush_switch};
use crate::console;
use crate::disk;
use crate::git::{Prepared, Repository};
use crate::retention::{warn_of_half_shared, warn_of_sockets};
use crate::site::Settings;
use crate::site::settings::{Outcome, Unshared};
use crate::user_error::Explain;

/// Whether the switch outlives a loss of power already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    Flushed,
    /// The flush that comes before `success` takes it along.
    Unflushed,
}

impl Deployment<'_> {
    /// Makes the release live. Everything that can take long or fail comes before it, except that a
    /// release that is watched may not stay well: then the one before is live again, and in a
    /// strict site the branch does not move.
    pub(super) fn activate(
        &mut self,
        repository: &Repository,
        settings: &Settings,
        started: Started,
    ) -> Result<Switch> {
        let step = console::quiet_step("Activate");
        cancel::check()?;
        let now = Timestamp::now();
        self.site.check_links(self.record.id, &settings.shared)?;
        let meanwhile = || self.look_at_live(settings);
        let refs =
            activate(self.site, self.record.id, meanwhile, || self.before_the_switch(repository))?;
        self.record.activated_at = Some(now);
        let switch = if refs.is_some() || started.is_running() || self.is_told_before_end(settings)
        {
            flush_switch(self.site)?;
            Switch::Flushed
        } else {
            Switch::Unflushed
        };
        if !settings.run.watch.is_zero()
            && let Err(error) = self.site.save(&self.record)
        {
            // It tells what the application has written, should the release go.
            tracing::debug!("{error:#}");
        }
        started.switch(true)?;
        if let Some(refs) = refs {
            disk::point("refs: before");
            refs.commit().explain(error::live_but_not_moved)?;
            disk::point("refs: after");
        }
        self.record_step("activate", step.quietly_done());
        Ok(switch)
    }

    /// Whether others count on the switch before the deployment has ended: a cluster, actions,
    /// webhooks, and the clean-up that takes what was live until now.
    fn is_told_before_end(&self, settings: &Settings) -> bool {
        let notifications = self.notifications.as_ref();
        settings.runs_in_cluster()
            || settings.keep <= 1
            || notifications.is_some_and(|it| it.has_any(self.site, Outcome::Success))
    }

    /// Warns of what visitors lose with the live release. Nothing depends on it, so it is done
    /// while the disk is waited for. Where something depends on what the application wrote, that
    /// was looked at already.
    fn look_at_live(&self, settings: &Settings) -> Result<()> {
        let Some(live) = self.site.live()? else { return Ok(()) };
        warn_of_half_shared(self.site, settings, live);
        warn_of_sockets(self.site, live);
        if settings.unshared() == Unshared::Warn {
            self.check_unshared(settings, None)?;
        }
        Ok(())
    }

    /// The last thing before visitors see the release, which is whole and on the disk: here its
    /// application is to be started and checked. When this fails, the live release is unchanged.
    fn before_the_switch(&self, repository: &Repository) -> Result<Option<Prepared>> {
        ref_transaction::prepare(repository, &self.record)
    }
}
