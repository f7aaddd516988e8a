//! `nyala restart`: the processes of the application, anew.

use anyhow::Result;
use clap::Args;

use super::cluster;
use super::entry::serve_of;
use crate::console;
use crate::control::Request;
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct Restart {
    /// The name of the processes [default: all of them]
    process: Option<String>,
}

impl Restart {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let _log = console::init_step();
        if let Some((live, _lock)) = cluster::live_to_change(site)? {
            return live.restart(self.process.as_deref());
        }
        let restart = Request::Restart { process: self.process.clone() };
        serve_of(site)?.ask(&restart, &mut |line| say!("{line}"))?;
        Ok(())
    }
}
