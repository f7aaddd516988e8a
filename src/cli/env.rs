//! `nyala env`.

use anyhow::Result;
use clap::Subcommand;

use crate::python::env;
use crate::site::Site;

#[derive(Debug, Subcommand)]
pub(super) enum Env {
    /// Make the next deployment create a new env; the live release keeps the current one until then
    Delete,
}

impl Env {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let Env::Delete = self;
        let Some(id) = site.live()?.and_then(|live| site.env_of_release(live)) else {
            say!(
                "The live release has no env that nyala made; the next deployment creates one \
                 anyway."
            );
            return Ok(());
        };
        env::retire(&site.env(id), None, "it was deleted with `nyala env delete`")?;
        say!("No later deployment uses env {id}. The live release keeps it until then.");
        say!("To deploy now, with a new env: nyala redeploy");
        Ok(())
    }
}
