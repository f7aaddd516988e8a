//! `nyala rollback`.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::follow::finish;
use super::redeploy::redeploy;
use crate::git::{RefUpdate, short};
use crate::receive;
use crate::site::queue::NewDeployment;
use crate::site::record::Trigger;
use crate::site::{DeployOptions, DeploymentId, Record, Site};
use crate::worker::rollback::{obstacle, release_before};

#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// The deployment whose release becomes live again [default: the newest kept release before the
    /// live one]
    id: Option<DeploymentId>,
}

impl Rollback {
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        let live =
            site.live()?.context("nothing is live yet\nTo deploy: git push REMOTE HEAD:main")?;
        let record = self.target(site, live)?;
        let id = record.id;
        if id == live {
            say!("Release {id} is already live.");
            return Ok(ExitCode::SUCCESS);
        }
        if !record.went_live() {
            bail!(
                "deployment {id} was never live: its status is {}\n\
                 To see which releases are kept: nyala list",
                record.status.name()
            );
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
            None => release_before(site, live)?.with_context(|| {
                format!(
                    "no release before {live}, the live one, is kept\n\
                     To see which releases are kept: nyala list"
                )
            })?,
        };
        let there_is_none =
            || format!("there is no deployment {id}\nTo see all deployments: nyala list");
        let record = site.record(id)?.with_context(there_is_none)?;
        match record.rolled_back_to {
            Some(release) => site.record(release)?.with_context(there_is_none),
            None => Ok(record),
        }
    }
}
