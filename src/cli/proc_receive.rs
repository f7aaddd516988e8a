//! `nyala proc-receive`: what the hook of a strict site runs.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::receive;
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct ProcReceive {
    /// The folder that contains the hook
    #[arg(long, default_value = "hooks")]
    hooks: PathBuf,
}

impl ProcReceive {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        receive::proc_receive(site, &self.hooks)
    }
}
