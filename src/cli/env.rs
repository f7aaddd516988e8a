//! `nyala env`.

use anyhow::Result;
use clap::Subcommand;

use crate::python::env;
use crate::site::Site;

#[derive(Debug, Subcommand)]
pub(super) enum Env {
    /// Let the next deployment make a new env; what is live runs on until then
    Delete,
}

impl Env {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let Env::Delete = self;
        let Some(id) = site.live()?.and_then(|live| site.env_of_release(live)) else {
            say!("What is live has no env of nyala's: the next deployment makes one anyway.");
            return Ok(());
        };
        env::retire(&site.env(id), None, "it was deleted with `nyala env delete`")?;
        say!(
            "Env {id} is never used again by a later deployment; what is live runs on in it until then."
        );
        say!("To deploy with a new env now: nyala redeploy");
        Ok(())
    }
}
