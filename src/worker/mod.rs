//! The detached process that carries deployments out, one at a time per site.

mod application;
mod build;
mod build_folder;
mod build_leftovers;
pub mod build_steps;
pub mod cancel;
mod check_out;
mod cluster;
mod deploy;
mod ending;
mod env_references;
pub mod env_steps;
mod error;
mod free_space;
pub mod install_steps;
mod outcome;
pub mod programs;
mod publish;
mod python_downloads;
mod recover;
mod ref_transaction;
pub mod rollback;
pub mod session;
mod step_context;
mod switch;

pub use deploy::env_record;
pub use ending::Started;
pub use ref_transaction::finish as finish_ref_transaction;
pub use step_context::StepContext;

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use jiff::Timestamp;

use crate::console;
use crate::disk;
use crate::process::{self, hide_git_variables, own_binary, start_session};
use crate::retention::{self, Held};
use crate::site::lock::DeployLock;
use crate::site::{DeploymentId, Record, Site, Status};
use crate::staging;

/// Starts the worker of a deployment: a process of its own session, whose only output is the
/// deployment's log, and whose input is for [`ending`].
///
/// `log` is the locked log that [`Site::enqueue`] gave. This process must not keep a copy of it, or
/// the worker would look alive for as long as this process is.
pub fn start(site: &Site, id: DeploymentId, log: File) -> Result<Started> {
    let errors = log.try_clone().context("cannot share the deployment's log")?;
    let (end, workers) = ending::pipe().context("cannot make a pipe for the worker")?;
    let mut command = Command::new(own_binary().context("nyala cannot find its own binary")?);
    command
        .args(["worker", "--deployment", &id.to_string(), "--site"])
        .arg(site.root())
        .args(["--caller", &ending::caller().to_string()])
        .current_dir(site.root())
        .stdin(workers)
        .stdout(log)
        .stderr(errors);
    hide_git_variables(&mut command);
    start_session(&mut command);
    disk::point("worker: before it is started");
    command.spawn().context("the worker cannot be started")?;
    disk::point("worker: started");
    Ok(Started { id, end })
}

/// The worker itself: waits for its turn, deploys unless somebody newer waits too, and cleans up
/// when the process `caller` has ended.
pub fn run(site: &Site, id: DeploymentId, caller: Option<i32>) -> Result<()> {
    // A web server of another user reads releases and envs, whatever mask the pusher's session has.
    // What is secret is made with its own mode.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(disk::umask()));
    session::begin(site, id);
    site.mask_new_secrets();
    ending::take(caller).context("the worker cannot take its standard input over")?;
    cancel::watch(site, id);
    let lock = if let Some(lock) = site.try_deploy_lock()? {
        lock
    } else if site.record(id)?.is_none_or(|record| record.status.is_final()) {
        // Cancelled before it could even begin to wait.
        return Ok(());
    } else {
        console::info(why_it_waits(site, id)?);
        site.deploy_lock()?
    };
    cancel::begun();
    let held = match recover::recover(site, Some(id)) {
        Ok(held) => held,
        // A site in which nothing can go live, as when `wwwroot` is no link.
        Err(error) => {
            let Some(record) = site.record(id)? else { return Err(error) };
            return deploy::refuse(site, record, &error);
        }
    };
    Held::log(&held);
    let unsettled = site.unsettled()?;
    let Some(record) = unsettled.iter().find(|record| record.id == id && !record.status.is_final())
    else {
        return Ok(());
    };
    if let Some(newest) = newest_waiting(site, &unsettled)?.filter(|newest| *newest > id) {
        return supersede(site, id, newest);
    }
    // Those who wait are told at once, and not when it is their turn.
    for older in unsettled.iter().filter(|older| older.id < id && older.status == Status::Pending) {
        supersede(site, older.id, id)?;
    }
    site.keep_reserve();
    let folders = [site.releases(), site.envs(), site.cache(), site.deployments(), site.shared()];
    process::keep_space_free(folders.into_iter().chain([site.root().to_owned()]).collect());
    deploy::deploy(site, record.clone(), held)?;
    ending::tell(site, id);
    disk::point("worker: deployed");
    drop(lock);
    retention::empty_trash(site);
    retention::remove_unused_caches();
    disk::point("worker: trash emptied");
    staging::prepare(site, id);
    Ok(())
}

/// Who holds the lock: a deployment that runs, or one that is live already and cleans up.
fn why_it_waits(site: &Site, id: DeploymentId) -> Result<&'static str> {
    let runs = |record: &Record| record.id != id && !record.has_ended();
    Ok(if site.unsettled()?.iter().any(runs) {
        "Another deployment is running; waiting for it."
    } else {
        "The last deployment is over, and still cleans up; waiting for it."
    })
}

/// The newest deployment that waits and has a worker to wait for it.
fn newest_waiting(site: &Site, unsettled: &[Record]) -> Result<Option<DeploymentId>> {
    for record in unsettled.iter().rev().filter(|record| record.status == Status::Pending) {
        if site.has_worker(record.id)? {
            return Ok(Some(record.id));
        }
    }
    Ok(None)
}

fn supersede(site: &Site, id: DeploymentId, newest: DeploymentId) -> Result<()> {
    site.change_record(id, |record| {
        // Before the record says that it has ended: whoever follows the log stops there.
        recover::log_of(site, id, &superseded_line(site, id, newest));
        record.status = Status::Superseded;
        record.superseded_by = Some(newest);
        record.ended_at = Some(Timestamp::now());
        publish::publish(site, record, None);
        true
    })?;
    Ok(())
}

/// The last line of the log of a deployment that a newer one has overtaken.
pub fn superseded_line(site: &Site, id: DeploymentId, newest: DeploymentId) -> String {
    format!(
        "error: deployment {id} was superseded by deployment {newest}, a newer push, before it \
         started; {}",
        what_is_live(site)
    )
}

/// What belongs to no release that is kept, and to no deployment that goes on: what [`repair`]
/// throws away.
pub fn leftovers(site: &Site) -> Result<Vec<PathBuf>> {
    let going_on = |id: DeploymentId| {
        let record = site.record(id)?;
        Ok::<_, anyhow::Error>(
            record.is_some_and(|record| !record.status.is_final()) && site.has_worker(id)?,
        )
    };
    let mut found = Vec::new();
    for path in retention::leftovers(site, site.live()?)? {
        let id = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        if !id.map(going_on).transpose()?.unwrap_or(false) {
            found.push(path);
        }
    }
    found.append(&mut retention::temporary_files(site, &site.deployment_ids()?)?);
    Ok(found)
}

/// Repairs what a killed worker left behind, as the next deployment would. `Ok(false)` when a
/// deployment is running.
pub fn repair(site: &Site) -> Result<bool> {
    let Some(lock) = site.try_deploy_lock()? else { return Ok(false) };
    recover_with(site, &lock)?;
    drop(lock);
    retention::empty_trash(site);
    retention::remove_unused_caches();
    Ok(true)
}

/// [`repair`] for whoever holds the lock. Returns what has to stay for now.
pub fn recover_with(site: &Site, _lock: &DeployLock) -> Result<Vec<Held>> {
    recover::recover(site, None)
}

/// What is live, for the last line of a log.
pub fn what_is_live(site: &Site) -> String {
    match site.live() {
        Ok(Some(live)) => format!("deployment {live} is still live"),
        Ok(None) => match rollback::kept_in_words(site) {
            Some(kept) => format!("nothing is live; {kept}"),
            None => "nothing is live yet".to_owned(),
        },
        Err(_) => "wwwroot is not a link that nyala made".to_owned(),
    }
}
