//! `nyala cancel`: how a command asks for it, and how the worker notices.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};
use jiff::Timestamp;

use super::{error, recover, repair, what_is_live};
use crate::process;
use crate::site::{DeploymentId, Record, Site, Status, no_deployment};

/// How often a worker checks whether it was cancelled.
const LOOK: Duration = Duration::from_millis(100);

/// Whether this worker has begun to deploy. Whoever acts on the answer holds the lock.
static BEGUN: Mutex<bool> = Mutex::new(false);

/// What became of a request to cancel a deployment.
#[derive(Clone, Debug, PartialEq)]
pub enum CancelOutcome {
    /// It was still waiting, and its record says that it was cancelled.
    Cancelled,
    /// It is running, and its worker will end it.
    Running,
    /// It had ended already, as its record says.
    Ended(Box<Record>),
    /// Its worker was dead already. It is recorded as interrupted.
    Dead,
}

/// Asks a deployment to end. One that runs has not ended yet when this returns. Fails when there is
/// no such deployment.
pub fn ask(site: &Site, id: DeploymentId, by: &str) -> Result<CancelOutcome> {
    let record = site.record(id)?.ok_or_else(|| no_deployment(id))?;
    if !record.status.is_final() && !site.has_worker(id)? {
        // It may have ended between the two questions.
        let record = site.record(id)?.ok_or_else(|| no_deployment(id))?;
        if record.status.is_final() {
            return Ok(CancelOutcome::Ended(Box::new(record)));
        }
        repair(site)?;
        return Ok(CancelOutcome::Dead);
    }
    let mut cancelled = false;
    let record = site.change_record(id, |record| {
        cancelled = record.status == Status::Pending;
        if cancelled {
            // Before the record says that it has ended: whoever follows the log stops there.
            recover::log_of(site, id, &format!("error: {}", last_line(site, id, by)));
            record.status = Status::Interrupted;
            record.set_error(Some(error::cancelled_while_it_waited(by)));
            record.ended_at = Some(Timestamp::now());
        }
        cancelled
    })?;
    let record = record.ok_or_else(|| no_deployment(id))?;
    if cancelled {
        return Ok(CancelOutcome::Cancelled);
    }
    if record.status.is_final() {
        return Ok(CancelOutcome::Ended(Box::new(record)));
    }
    site.ask_to_cancel(id, by)?;
    Ok(CancelOutcome::Running)
}

/// What the log of a cancelled deployment ends with, behind `error: `.
pub(super) fn last_line(site: &Site, id: DeploymentId, by: &str) -> String {
    format!("deployment {id} was cancelled by {by}; {}", what_is_live(site))
}

/// Watches, as long as this process is, whether somebody cancels this deployment. One that waits
/// ends at once: its record is final already. One that runs has its children ended, and notices at
/// its next step.
#[expect(clippy::exit, reason = "a worker that waits for its turn has nothing to clean up")]
pub(super) fn watch(site: &Site, id: DeploymentId) {
    let site = site.clone();
    // Where no thread can be had, a deployment cannot be cancelled, and is carried out.
    let _ = thread::Builder::new().name("cancel".to_owned()).spawn(move || {
        loop {
            thread::sleep(LOOK);
            if site.cancelled(id).is_some() {
                return process::stop_all();
            }
            let begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
            if !*begun && matches!(site.record(id), Ok(Some(record)) if record.status.is_final()) {
                std::process::exit(0);
            }
        }
    });
}

/// The worker has its turn: from now on it ends by itself.
pub(super) fn begun() {
    *BEGUN.lock().unwrap_or_else(PoisonError::into_inner) = true;
}

/// Fails when the deployment was cancelled.
pub(super) fn check() -> Result<()> {
    if process::is_stopped() {
        bail!(error::cancelled());
    }
    Ok(())
}
