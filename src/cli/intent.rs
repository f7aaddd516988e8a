//! Which commands only look at a site, and which change it.

use super::{Command, InPush};
use crate::access::Intent;

impl Command {
    /// What the command does with the site; `None` for those that enter it by themselves.
    pub(super) fn intent(&self) -> Option<Intent> {
        let changes = match self {
            Command::InPush(InPush::PostReceive(_) | InPush::ProcReceive(_)) => return None,
            Command::Config(config) => config.changes(),
            Command::Doctor(doctor) => doctor.changes(),
            Command::Report(report) => report.changes(),
            Command::List(_)
            | Command::Status(_)
            | Command::Show(_)
            | Command::BuildLog(_)
            | Command::Diff(_)
            | Command::Plan(_)
            | Command::Wait(_)
            | Command::Ps(_)
            | Command::Metrics(_)
            | Command::Logs(_)
            | Command::Kubernetes(_)
            | Command::Script(_)
            | Command::Shell(_)
            | Command::Service(_)
            | Command::Sites(_)
            | Command::Python(_)
            | Command::Uv(_)
            | Command::Completions(_)
            | Command::Man(_) => false,
            Command::Init(_)
            | Command::Install(_)
            | Command::Redeploy(_)
            | Command::Rollback(_)
            | Command::Delete(_)
            | Command::Gc
            | Command::Share(_)
            | Command::Image(_)
            | Command::Serve(_)
            | Command::Restart(_)
            | Command::Scale(_)
            | Command::Maintenance(_)
            | Command::Pause(_)
            | Command::Stop
            | Command::Proxy(_)
            | Command::Start
            | Command::Run(_)
            | Command::Cancel(_)
            | Command::Freeze(_)
            | Command::Unfreeze(_)
            | Command::Env(_)
            | Command::Step(_)
            | Command::Try(_)
            | Command::InPush(InPush::Worker(_)) => true,
        };
        Some(if changes { Intent::Change } else { Intent::Read })
    }
}
