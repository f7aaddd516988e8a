//! `nyala log`.

use std::io;

use anyhow::Result;
use clap::Args;

use super::show::record;
use crate::console::{paint, show};
use crate::receive::{self, Reader};
use crate::site::{DeploymentId, Site};

#[derive(Debug, Args)]
pub(super) struct Log {
    /// The number of the deployment [default: the newest]
    id: Option<DeploymentId>,
    /// Keep printing until the deployment ends
    #[arg(long, short)]
    follow: bool,
}

impl Log {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let id = record(site, self.id)?.id;
        if self.follow {
            receive::watch(site, id, Reader::Person)?;
        } else {
            show(&site.log_file(id), io::stdout(), paint::wanted(io::stdout()), &mut || Ok(true))?;
        }
        Ok(())
    }
}
