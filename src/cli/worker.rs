//! `nyala worker`: the process that the hook starts. It carries out the deployments that are
//! waiting, one after another.

use std::fs::File;
use std::os::fd::AsFd;

use anyhow::Result;
use clap::Args;

use crate::console;
use crate::site::{DeploymentId, Site};
use crate::worker;

#[derive(Debug, Args)]
pub(super) struct Worker {
    #[arg(long)]
    deployment: DeploymentId,
    /// The process that waits for the deployment
    #[arg(long)]
    caller: Option<i32>,
}

impl Worker {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let log = console::init_worker();
        // The worker was started with its log as standard output.
        let file = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
        log.write_to(file, site.log_file(self.deployment));
        worker::run(site, self.deployment, self.caller)
    }
}
