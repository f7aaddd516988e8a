//! `nyala freeze`.

use anyhow::{Result, ensure};
use clap::Args;

use super::cancel::running_or_waiting;
use super::person;
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct Freeze {
    /// Why; whoever pushes is told
    reason: String,
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
