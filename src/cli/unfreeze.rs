//! `nyala unfreeze`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::follow::finish;
use crate::site::Site;
use crate::worker::{self, session};

#[derive(Debug, Args)]
pub(super) struct Unfreeze {
    /// Do not deploy what was held back
    #[arg(long)]
    no_deploy: bool,
}

impl Unfreeze {
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        session::check_chain(site, session::starter(site)?)?;
        let Some(thawed) = site.unfreeze(!self.no_deploy)? else {
            say!("Deployments are not frozen.");
            return Ok(ExitCode::SUCCESS);
        };
        let pushes = match thawed.pushes {
            0 => "no push was held back".to_owned(),
            1 => "1 push was held back".to_owned(),
            number => format!("{number} pushes were held back"),
        };
        let begun = thawed.enqueued.map(|(record, log)| worker::start(site, record.id, log));
        // The worker has been started before this line: its reader may block us for any time.
        say!("Deployments are resumed; {pushes}.");
        begun.transpose()?.map_or(Ok(ExitCode::SUCCESS), |started| finish(site, &started))
    }
}
