//! `nyala delete`.

use anyhow::Result;
use clap::Args;

use super::gc::{lock, reported};
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
        reported(|report| delete(site, &site.settings()?, &self.ids, &lock(site)?, report))
    }
}
