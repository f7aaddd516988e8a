//! `nyala post-receive`: what the hook of a site runs.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::receive;
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct PostReceive {
    /// The folder that contains the hook
    #[arg(long, default_value = "hooks")]
    hooks: PathBuf,
}

impl PostReceive {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        receive::post_receive(site, &self.hooks)?;
        Ok(())
    }
}
