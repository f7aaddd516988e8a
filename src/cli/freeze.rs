//! `nyala freeze`.

use anyhow::{Result, bail};
use clap::Args;

use super::cancel::running_or_waiting;
use super::error;
use crate::access;
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct Freeze {
    /// The reason, which is shown to everyone who pushes
    reason: String,
}

impl Freeze {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let reason = self.reason.trim();
        if reason.is_empty() {
            bail!(error::no_reason());
        }
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
