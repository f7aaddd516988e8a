//! `nyala proxy`: the configuration of a web server in front of the site.

use anyhow::Result;
use clap::Args;

use crate::console;
use crate::front::{self, WebServer};
use crate::site::Site;

#[derive(Debug, Args)]
pub(super) struct Proxy {
    /// The web server: nginx or caddy
    #[arg(value_enum, hide_possible_values = true)]
    server: WebServer,
    /// A domain of the site, which may be named several times [default: `domains` in nyala.toml]
    #[arg(long = "domain", value_name = "NAME")]
    domains: Vec<String>,
}

impl Proxy {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        console::say(front::configuration(site, self.server, &self.domains)?);
        Ok(())
    }
}
