//! `nyala delete`.

use anyhow::{Result, bail};
use clap::Args;

use super::error;
use super::gc::{lock, reported};
use crate::kubernetes;
use crate::retention::gc::delete;
use crate::site::{DeploymentId, Site};

#[derive(Debug, Args)]
pub(super) struct Delete {
    /// The numbers of the deployments to delete
    #[arg(required = true, value_name = "ID")]
    ids: Vec<DeploymentId>,
}

impl Delete {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let lock = lock(site)?;
        if let Some(id) = self.ids.iter().find(|id| kubernetes::is_needed(site, **id)) {
            bail!(error::needed_in_cluster(*id));
        }
        reported(|report| delete(site, &site.settings()?, &self.ids, &lock, report))
    }
}
