//! `nyala cancel`.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::error;
use crate::access;
use crate::site::{DeploymentId, Site, Status};
use crate::worker::cancel::{self, CancelOutcome};
use crate::worker::{self, what_is_live};

#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The number of the deployment [default: the running one, else the newest that is waiting]
    id: Option<DeploymentId>,
}

impl Cancel {
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        let id = match self.id {
            Some(id) => id,
            None => running_or_waiting(site)?
                .ok_or_else(|| error::nothing_to_cancel(&what_is_live(site)))?,
        };
        match cancel::ask(site, id, &access::person())? {
            CancelOutcome::Cancelled => {
                say!("Deployment {id} was cancelled before it started; {}.", what_is_live(site));
                return Ok(ExitCode::SUCCESS);
            }
            CancelOutcome::Dead => {
                say!("The worker of deployment {id} was already dead; {}.", what_is_live(site));
                return Ok(ExitCode::SUCCESS);
            }
            CancelOutcome::Ended(record) => {
                say!(
                    "Deployment {id} had already ended: {}; {}.",
                    record.status.name(),
                    what_is_live(site)
                );
                return Ok(ExitCode::FAILURE);
            }
            CancelOutcome::Running => {}
        }
        let record = loop {
            let record = site.record(id)?.ok_or_else(|| error::record_is_gone(id))?;
            if record.status.is_final() {
                break record;
            }
            if !site.has_worker(id)? {
                // The worker died, or was killed: record that.
                worker::repair(site)?;
            }
            sleep(Duration::from_millis(20));
        };
        if record.status == Status::Interrupted {
            say!("Deployment {id} was cancelled; {}.", what_is_live(site));
            return Ok(ExitCode::SUCCESS);
        }
        say!("Too late: deployment {id} {}; {}.", record.status.name(), what_is_live(site));
        Ok(ExitCode::FAILURE)
    }
}

/// The running deployment, else the newest that is waiting.
pub(super) fn running_or_waiting(site: &Site) -> Result<Option<DeploymentId>> {
    let mut open = site.unsettled()?;
    open.retain(|record| !record.status.is_final());
    let running = open.iter().find(|record| record.status == Status::Building);
    Ok(running.or(open.last()).map(|record| record.id))
}
