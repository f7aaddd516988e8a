//! What all commands that deploy have in common: they show the log, and their exit code is the
//! result of the deployment.

use std::process::ExitCode;

use anyhow::Result;

use crate::receive::{self, Reader};
use crate::site::{Record, Site};
use crate::worker::{Started, session};

/// Shows the log of a deployment that this command has started. Returns its record once it has
/// ended, even if nobody reads the output to the end.
pub(super) fn watch(site: &Site, started: &Started) -> Result<Record> {
    receive::watch_started(site, started, Reader::Person)?;
    receive::wait(site, started.id)
}

/// Shows the log of a deployment that this command started, and gives its result. Within a
/// deployment of the same site, which has to end first, nobody waits.
pub(super) fn finish(site: &Site, started: &Started) -> Result<ExitCode> {
    if let Some(own) = session::own_deployment(site)? {
        let id = started.id;
        say!("Deployment {id} starts when deployment {own}, which runs this command, has ended.");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(exit_code(&watch(site, started)?))
}

/// The exit code of a command that deploys.
fn exit_code(record: &Record) -> ExitCode {
    if record.status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
