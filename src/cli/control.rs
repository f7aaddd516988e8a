//! `nyala cancel`, `freeze` and `unfreeze`.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::history::{exit_code, watch};
use super::person;
use crate::site::{DeploymentId, Site, Status};
use crate::worker::cancel::{self, Asked};
use crate::worker::{self, what_is_live};

#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The deployment's number; without it, the one that runs, else the newest that waits
    id: Option<DeploymentId>,
}

#[derive(Debug, Args)]
pub(super) struct Freeze {
    /// Why; whoever pushes is told
    reason: String,
}

#[derive(Debug, Args)]
pub(super) struct Unfreeze {
    /// Do not deploy what was held back
    #[arg(long)]
    no_deploy: bool,
}

impl Cancel {
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        let id = match self.id {
            Some(id) => id,
            None => running_or_waiting(site)?.with_context(|| {
                format!("nothing is running or waiting; {}", what_is_live(site))
            })?,
        };
        match cancel::ask(site, id, &person())? {
            Asked::Cancelled => {
                say!("Deployment {id} was cancelled before it began; {}.", what_is_live(site));
                return Ok(ExitCode::SUCCESS);
            }
            Asked::Dead => {
                say!("The worker of deployment {id} was dead already; {}.", what_is_live(site));
                return Ok(ExitCode::SUCCESS);
            }
            Asked::Ended(record) => {
                say!(
                    "Deployment {id} had ended: {}; {}.",
                    record.status.name(),
                    what_is_live(site)
                );
                return Ok(ExitCode::FAILURE);
            }
            Asked::Running => {}
        }
        let record = loop {
            let record = site
                .record(id)?
                .with_context(|| format!("the record of deployment {id} is gone"))?;
            if record.status.is_final() {
                break record;
            }
            if !site.has_worker(id)? {
                // Whatever ended it, it has ended.
                worker::put_right(site)?;
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

fn running_or_waiting(site: &Site) -> Result<Option<DeploymentId>> {
    let open: Vec<_> =
        site.records()?.into_iter().filter(|record| !record.status.is_final()).collect();
    let running = open.iter().find(|record| record.status == Status::Building);
    Ok(running.or(open.last()).map(|record| record.id))
}

impl Freeze {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let reason = self.reason.trim();
        ensure!(!reason.is_empty(), "say why: nyala freeze \"the database is being moved\"");
        site.freeze(reason, &person())?;
        say!(
            "Deployments are held back from now on; pushes are received. To let them go on: nyala unfreeze"
        );
        if let Some(id) = running_or_waiting(site)? {
            say!("Deployment {id} was there before, and goes on. To stop it: nyala cancel {id}");
        }
        Ok(())
    }
}

impl Unfreeze {
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        let Some(thawed) = site.unfreeze(!self.no_deploy)? else {
            say!("Deployments were not held back.");
            return Ok(ExitCode::SUCCESS);
        };
        let pushes = match thawed.pushes {
            0 => "no push was held back".to_owned(),
            1 => "1 push was held back".to_owned(),
            number => format!("{number} pushes were held back"),
        };
        let begun = thawed
            .enqueued
            .map(|(record, log)| worker::start(site, record.id, log).map(|()| record.id));
        // Not before: whoever reads this may let it wait for as long as they like.
        say!("Deployments go on; {pushes}.");
        begun.transpose()?.map_or(Ok(ExitCode::SUCCESS), |id| Ok(exit_code(&watch(site, id)?)))
    }
}
