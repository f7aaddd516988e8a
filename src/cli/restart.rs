//! `nyala restart`: the processes of the application, anew.

use anyhow::{Result, bail};
use clap::Args;

use super::error;
use crate::control::{Control, Request};
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct Restart {
    /// The name of the processes [default: all of them]
    process: Option<String>,
}

impl Restart {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let Some(mut control) = Control::connect(site)? else {
            bail!(error::not_served(site.root()));
        };
        control
            .ask(&Request::Restart { process: self.process.clone() }, &mut |line| say!("{line}"))?;
        Ok(())
    }
}
