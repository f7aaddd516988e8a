//! `nyala build-log`.

use std::fs::{self, File};
use std::io::{self, Read};

use anyhow::Result;
use clap::Args;

use super::show::record;
use crate::console::{self, paint, show};
use crate::receive::{self, Reader};
use crate::site::{DeploymentId, Site};
use crate::worker::session;

/// How much of a log is held in memory, in bytes.
const BLOCK: u64 = 1 << 16;

#[derive(Debug, Args)]
pub(super) struct BuildLog {
    /// The number of the deployment [default: the newest]
    id: Option<DeploymentId>,
    /// Keep printing until the deployment ends, in the short form that a push shows, and say which
    /// step is running
    #[arg(long, short)]
    follow: bool,
}

impl BuildLog {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let id = record(site, self.id)?.id;
        if session::own_deployment(site)? == Some(id) {
            // What is printed here goes into the log that is read.
            let length = fs::metadata(site.log_file(id))?.len();
            let mut log = File::open(site.log_file(id))?.take(length);
            let mut bytes = Vec::new();
            while log.by_ref().take(BLOCK).read_to_end(&mut bytes)? > 0 {
                console::say(&bytes);
                bytes.clear();
            }
        } else if self.follow {
            receive::watch(site, id, Reader::Person)?;
        } else {
            show(&site.log_file(id), io::stdout(), paint::wanted(io::stdout()))?;
        }
        Ok(())
    }
}
