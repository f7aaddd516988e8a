//! What the commands that deploy have in common: they show the log, and exit as the deployment ended.

use std::process::ExitCode;

use anyhow::Result;

use crate::receive::{self, Reader};
use crate::site::{DeploymentId, Record, Site, Status};

/// Shows the log of a deployment that this command has started, and returns how it ended, also when
/// nobody reads that far.
pub(super) fn watch(site: &Site, id: DeploymentId) -> Result<Record> {
    receive::watch(site, id, Reader::Person)?;
    receive::wait(site, id)
}

/// What a command that deploys exits with.
pub(super) fn exit_code(record: &Record) -> ExitCode {
    if record.status == Status::Succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
