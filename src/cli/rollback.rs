//! `nyala rollback`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use super::error;
use super::follow::finish;
use super::redeploy::redeploy;
use crate::git::{RefUpdate, short};
use crate::receive;
use crate::site::queue::NewDeployment;
use crate::site::record::Trigger;
use crate::site::{DeployOptions, DeploymentId, Record, Site, no_deployment};
use crate::worker::rollback::{obstacle, release_before};

#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// The deployment whose release becomes live again [default: the newest kept release before the
    /// live one]
    id: Option<DeploymentId>,
    /// Say what would be done, and do nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

impl Rollback {
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        let live = site.live()?;
        let record = self.target(site, live)?;
        let id = record.id;
        let obstacle = obstacle(site, &record);
        if Some(id) == live && obstacle.is_none() {
            say!("Release {id} is already live.");
            return Ok(ExitCode::SUCCESS);
        }
        if !record.went_live() {
            bail!(error::never_live(id, record.status.name()));
        }
        if self.dry_run {
            say!("{}", dry_run_line(&record, obstacle.as_deref()));
            return Ok(ExitCode::SUCCESS);
        }
        if let Some(obstacle) = obstacle {
            say!("{obstacle}, so its commit {} is redeployed.", short(&record.commit));
            let options = DeployOptions::default();
            return redeploy(site, &record.commit, Some(record.update.refname), options);
        }
        let live = live.map(|live| site.record(live)).transpose()?.flatten();
        let old_oid = live.map_or_else(|| record.commit.clone(), |live| live.commit);
        let started = receive::start(
            site,
            NewDeployment {
                moves: Vec::new(),
                update: RefUpdate {
                    refname: record.update.refname,
                    old_oid,
                    new_oid: record.commit.clone(),
                },
                commit: record.commit,
                message: record.message,
                author: record.author,
                trigger: Trigger::Rollback,
                options: DeployOptions::default(),
                started_by: None,
                rolled_back_to: Some(id),
            },
        )?;
        finish(site, &started)
    }

    /// The record of the release to make live. A rollback has no release of its own; its number
    /// means the release that it made live.
    fn target(&self, site: &Site, live: Option<DeploymentId>) -> Result<Record> {
        let id = match self.id {
            Some(id) => id,
            None => release_before(site, live)?
                .ok_or_else(|| live.map_or_else(error::nothing_live, error::nothing_before))?,
        };
        let record = site.record(id)?.ok_or_else(|| no_deployment(id))?;
        match record.rolled_back_to {
            Some(release) => Ok(site.record(release)?.ok_or_else(|| no_deployment(release))?),
            None => Ok(record),
        }
    }
}

/// What a rollback to the release of this deployment would do, as a sentence.
fn dry_run_line(record: &Record, obstacle: Option<&str>) -> String {
    let Record { id, commit, env, .. } = record;
    let commit = short(commit);
    if let Some(obstacle) = obstacle {
        return format!(
            "{obstacle}, so its commit {commit} would be redeployed: nyala plan {commit}"
        );
    }
    let env = env.as_ref().and_then(|env| env.id);
    let env = env.map_or(String::new(), |env| format!(", with env {env}"));
    format!("Release {id} would be live again: {commit}{env}. Nothing would be built.")
}
