//! A release in a cluster: its image goes to the registry, and Kubernetes rolls it out, in place of
//! a start on this machine.

use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::cancel;
use super::deploy::Deployment;
use super::error;
use crate::console;
use crate::image::{self, Request, Target};
use crate::kubernetes::{self, Place, Release, Rollout, Wanted};
use crate::processes::WEB;
use crate::site::{AppSettings, DeploymentId, Settings};

impl Deployment<'_> {
    /// Where the release is to be rolled out. Fails, before anything is built, when that cannot be;
    /// `None` for a site that runs here.
    pub(super) fn check_cluster(
        &self,
        settings: &Settings,
        app_settings: &AppSettings,
    ) -> Result<Option<Place>> {
        let Some(kubernetes) = &settings.kubernetes else { return Ok(None) };
        kubernetes::check_processes(self.site, kubernetes, settings.run.processes.keys())?;
        kubernetes::check(self.site, kubernetes, app_settings).map(Some)
    }

    /// Sends the image of the release, and rolls it out. Visitors have it when this returns.
    pub(super) fn roll_out(
        &mut self,
        settings: &Settings,
        app_settings: &AppSettings,
        place: &Place,
    ) -> Result<Option<Rollout>> {
        cancel::check()?;
        let started = Instant::now();
        let release = self.send_image()?;
        self.record_step("image", started.elapsed().as_secs_f64());
        cancel::check()?;
        let site = self.site;
        let release = &release;
        let wanted = Wanted { site, settings, app_settings, place, release, patched: true };
        let rollout = kubernetes::prepare(wanted)?;
        let Some(kubernetes) = settings.kubernetes.as_ref().filter(|it| it.apply) else {
            rollout.write(self.site)?;
            console::info("Not applied: apply = false in nyala.toml.");
            console::hint("to see what is to be applied: nyala kubernetes manifests");
            return Ok(None);
        };
        let step = console::step(format_args!("Roll out {}", place.in_words()));
        rollout.carry_out(self.site, kubernetes)?;
        self.record_step("roll out", step.done());
        Ok(Some(rollout))
    }

    /// Makes the image and sends it; gives what is known of the release then.
    fn send_image(&mut self) -> Result<Release> {
        let id = self.record.id;
        let Some(found) = &self.record.processes else { bail!(error::nothing_in_image()) };
        let commands = found.commands.clone();
        if !commands.contains_key(WEB) {
            console::warning(error::no_web(&found.origin));
        }
        // It is read there what the release is.
        if !self.site.save_unless_ended(&self.record)? {
            bail!(error::cancelled_before_it_started());
        }
        let push = Some(Target::OfSettings);
        let request = Request { release: Some(id), output: None, push, base: None, is_new: true };
        let made = image::make(self.site, &request)?;
        let pushed = made.pushed.as_deref().context("the image was not sent")?;
        let repository = pushed.rsplit_once(':').map_or(pushed, |(repository, _)| repository);
        let commands = commands.into_iter().map(|(process, command)| {
            let words = image::in_container(&command, process == WEB, made.has_shell)?;
            Ok((process, words))
        });
        Ok(Release {
            id,
            commit: self.record.commit.clone(),
            image: format!("{repository}@{}", made.digest),
            commands: commands.collect::<Result<_>>()?,
            python: made.python,
        })
    }

    /// Rolls out again what an earlier deployment had rolled out; `None` for a site that runs here.
    /// Settings that cannot be read are not in the way.
    pub(super) fn roll_out_again(&self, release: DeploymentId) -> Result<Option<Rollout>> {
        if !kubernetes::is_in_cluster(self.site) {
            return Ok(None);
        }
        let Some(rollout) = Rollout::read(self.site, release)? else { return Ok(None) };
        console::info(format_args!("Rolling out {}.", rollout.place.in_words()));
        rollout.carry_out_again(self.site, kubernetes::todays(self.site).as_ref())?;
        Ok(Some(rollout))
    }

    /// The release is live: what only the one before had goes.
    pub(super) fn settle_rollout(&self, rollout: Option<&Rollout>) {
        if let Some(Err(why)) = rollout.map(|rollout| rollout.settle(self.site)) {
            console::warning(error::rollout_not_settled().because(&why));
        }
    }

    /// Has the cluster have what is live again, should this deployment have changed it.
    pub(super) fn bring_cluster_back(&self) {
        let settings = self.site.settings().unwrap_or_default();
        let limit = settings.kubernetes.unwrap_or_default().deadline;
        if let Err(why) = kubernetes::bring_back(self.site, Some(limit)) {
            console::warning(error::cluster_not_brought_back().because(&why));
        }
    }
}
