//! `nyala rollback`.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use super::follow::{exit_code, watch};
use super::redeploy::redeploy;
use crate::git::{RefUpdate, short};
use crate::receive;
use crate::site::queue::NewDeployment;
use crate::site::record::Trigger;
use crate::site::{DeployOptions, DeploymentId, Record, Site};
use crate::worker::rollback::{obstacle, release_before};

#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// The deployment whose release is made live again; without it, the kept one before what is
    /// live
    id: Option<DeploymentId>,
}

impl Rollback {
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        let live =
            site.live()?.context("nothing is live yet\nTo deploy: git push REMOTE HEAD:main")?;
        let record = self.target(site, live)?;
        let id = record.id;
        if id == live {
            say!("Release {id} is live already.");
            return Ok(ExitCode::SUCCESS);
        }
        if !record.went_live() {
            bail!(
                "deployment {id} has never been live: it is {}\nWhat can be made live again: nyala list",
                record.status.name()
            );
        }
        if let Some(obstacle) = obstacle(site, &record) {
            say!("{obstacle}, so its commit {} is deployed anew.", short(&record.commit));
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
                rolled_back_to: Some(id),
            },
        )?;
        Ok(exit_code(&watch(site, id)?))
    }

    /// The record of the release that is meant. A rollback has no release of its own: it means the
    /// one that it made live.
    fn target(&self, site: &Site, live: DeploymentId) -> Result<Record> {
        let id = match self.id {
            Some(id) => id,
            None => release_before(site, live)?.with_context(|| {
                format!("there is no kept release before {live}, which is live\nWhat there is: nyala list")
            })?,
        };
        let there_is_none = || format!("there is no deployment {id}\nWhat there is: nyala list");
        let record = site.record(id)?.with_context(there_is_none)?;
        match record.rolled_back_to {
            Some(release) => site.record(release)?.with_context(there_is_none),
            None => Ok(record),
        }
    }
}
