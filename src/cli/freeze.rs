//! `nyala freeze`.

use anyhow::{Result, ensure};
use clap::Args;

use super::cancel::running_or_waiting;
use crate::access;
use crate::site::Site;
use crate::user_error::UserError;

#[derive(Debug, Args)]
pub(super) struct Freeze {
    /// The reason, which is shown to everyone who pushes
    reason: String,
}

impl Freeze {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let reason = self.reason.trim();
        ensure!(
            !reason.is_empty(),
            UserError::new("a reason is required")
                .fix("nyala freeze \"the database is being moved\"")
        );
        site.freeze(reason, &access::person())?;
        say!("Deployments are frozen; pushes are still received. To resume: nyala unfreeze");
        if let Some(id) = running_or_waiting(site)? {
            say!(
                "Deployment {id} started before the freeze and continues. To stop it: nyala cancel \
                 {id}"
            );
        }
        Ok(())
    }
}
