//! `nyala wait`: how a deployment ended, for scripts.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use super::{error, say_error};
use crate::git::{Refs, Repository};
use crate::receive;
use crate::site::{DeploymentId, Record, Site, Status, no_deployment};
use crate::user_error::UserError;
use crate::worker::session;

#[derive(Debug, Args)]
pub(super) struct Wait {
    /// The number of a deployment, or a commit [default: the newest deployment]
    #[arg(value_name = "ID|COMMIT")]
    what: Option<String>,
}

/// The exit code when there is no such deployment.
const NONE: u8 = 2;

impl Wait {
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        let Some(id) = self.id(site)? else {
            let what = self.what.as_deref();
            say_error(&what.map_or_else(error::no_deployments, none_of));
            return Ok(ExitCode::from(NONE));
        };
        if site.record(id)?.is_some_and(|record| !record.has_ended()) {
            session::check_wait(site, &format!("deployment {id} to end"))?;
        }
        let record = receive::wait(site, id)?;
        say!("deployment {id} {}", outcome(&record, site.is_live(id)));
        Ok(if record.status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The deployment with this number, else the newest deployment of this commit.
    fn id(&self, site: &Site) -> Result<Option<DeploymentId>> {
        let Some(what) = &self.what else {
            return Ok(site.deployment_ids()?.pop());
        };
        if let Ok(id) = what.parse::<DeploymentId>()
            && site.record(id)?.is_some()
        {
            return Ok(Some(id));
        }
        let repository = Repository::open(&site.repository(&site.settings()?))?;
        let Ok(commit) = repository.resolve(what) else {
            return Ok(None);
        };
        let records = site.records().context("cannot read the deployments")?;
        Ok(records.iter().rev().find(|record| record.commit == commit).map(|record| record.id))
    }
}

/// What was named is neither a deployment nor a commit of one.
fn none_of(what: &str) -> UserError {
    what.parse().map_or_else(|_| error::never_deployed(what), no_deployment)
}

/// The result, in the words of the record.
fn outcome(record: &Record, is_live: bool) -> String {
    let why = record.fact();
    match record.status {
        Status::Succeeded if is_live => "succeeded, and is live".to_owned(),
        Status::Superseded => {
            format!("was superseded by {}", record.superseded_by_whom())
        }
        // The status, not the time of its end: a worker that is killed during the actions has not
        // written that time, but the result is final.
        status if !status.is_final() => "was interrupted: its worker was killed".to_owned(),
        status => why.map_or(status.name().to_owned(), |why| format!("{}: {why}", status.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A deployment with this status whose worker died before it recorded the end.
    fn cut_short(status: &str, error: Option<&UserError>) -> Record {
        serde_json::from_value(serde_json::json!({
            "id": 1,
            "status": status,
            "commit": "1a2b3c4d".repeat(5),
            "message": "Say hello",
            "author": "Ada <ada@example.org>",
            "trigger": "rollback",
            "refname": "refs/heads/main",
            "old_oid": "0".repeat(40),
            "new_oid": "1a2b3c4d".repeat(5),
            "steps": [],
            "error_parts": error,
            "created_at": "2026-03-01T12:34:56Z",
        }))
        .unwrap()
    }

    #[test]
    fn a_deployment_killed_during_its_actions_keeps_its_result() {
        assert_eq!(
            outcome(&cut_short("building", None), false),
            "was interrupted: its worker was killed"
        );
        let error = UserError::new("pip failed").found("x");
        assert_eq!(outcome(&cut_short("failed", Some(&error)), false), "failed: pip failed");
        assert_eq!(outcome(&cut_short("succeeded", None), false), "succeeded");
    }
}
