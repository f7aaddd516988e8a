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
}

impl Rollback {
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        let live = site.live()?.ok_or_else(error::nothing_live)?;
        let record = self.target(site, live)?;
        let id = record.id;
        if id == live {
            say!("Release {id} is already live.");
            return Ok(ExitCode::SUCCESS);
        }
        if !record.went_live() {
            bail!(error::never_live(id, record.status.name()));
        }
        if let Some(obstacle) = obstacle(site, &record) {
            say!("{obstacle}, so its commit {} is redeployed.", short(&record.commit));
            let options = DeployOptions::default();
            return redeploy(site, &record.commit, Some(record.update.refname), options);
        }
        let old_oid = site.record(live)?.map_or_else(|| record.commit.clone(), |live| live.commit);
        let id = receive::start(
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
        finish(site, id)
    }

    /// The record of the release to make live. A rollback has no release of its own; its number
    /// means the release that it made live.
    fn target(&self, site: &Site, live: DeploymentId) -> Result<Record> {
        let id = match self.id {
            Some(id) => id,
            None => release_before(site, live)?.ok_or_else(|| error::nothing_before(live))?,
        };
        let record = site.record(id)?.ok_or_else(|| no_deployment(id))?;
        match record.rolled_back_to {
            Some(release) => Ok(site.record(release)?.ok_or_else(|| no_deployment(release))?),
            None => Ok(record),
        }
    }
}
