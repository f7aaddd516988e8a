//! `nyala pause`: requests wait, for example while a migration runs.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::entry::serve_of;
use crate::control::Request;
use crate::site::Site;
use crate::site::settings::parse_duration;

#[derive(Debug, Args)]
pub(super) struct Pause {
    /// After this time, requests pass again by themselves
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    at_most: Duration,
    /// Let requests pass again now
    #[arg(long, conflicts_with = "at_most")]
    end: bool,
}

impl Pause {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let at_most = (!self.end).then_some(self.at_most.as_secs());
        serve_of(site)?.ask(&Request::Pause { at_most }, &mut |line| say!("{line}"))?;
        Ok(())
    }
}
