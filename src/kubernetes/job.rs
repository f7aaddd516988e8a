//! The release command, as a Job that has to succeed before anything else changes.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::complaint::may_pass;
use super::kubectl::Kubectl;
use super::manifests::{COMPONENT, DEPLOYMENT};
use super::watch::LOOK;
use super::{apply, diagnosis, error};
use crate::console;
use crate::processes::RELEASE;
use crate::site::DeploymentId;
use crate::text::clean;

/// Runs the Job to its end, and passes on what it prints. It may take `limit` until it starts, and
/// then as long as it says itself.
pub(super) fn run(kubectl: &Kubectl, job: &Value, id: DeploymentId, limit: Duration) -> Result<()> {
    let step = console::step("Release command");
    let name = job["metadata"]["name"].as_str().unwrap_or_default();
    apply::apply(kubectl, std::slice::from_ref(job))?;
    let outcome = follow(kubectl, name, id, limit);
    let remove = ["delete", "job", name, "--ignore-not-found", "--wait=false", "-o", "name"];
    if let Err(why) = kubectl.run(&remove) {
        tracing::debug!("the Job is not removed: {why:#}");
    }
    outcome?;
    step.done();
    Ok(())
}

fn follow(kubectl: &Kubectl, name: &str, id: DeploymentId, limit: Duration) -> Result<()> {
    let start_by = Instant::now() + limit;
    let selector = format!("{DEPLOYMENT}={id},{COMPONENT}={RELEASE}");
    let mut is_read = false;
    loop {
        if kubectl.is_stopped() {
            bail!("the deployment was cancelled");
        }
        let found = kubectl.items(&["get", "jobs,pods", "-l", &selector, "-o", "json"]);
        let found = match found {
            Ok(found) => found,
            Err(why) if may_pass(&why) && Instant::now() < start_by => {
                thread::sleep(LOOK);
                continue;
            }
            Err(why) => return Err(why),
        };
        let job = found.iter().find(|it| it["kind"] == "Job" && it["metadata"]["name"] == name);
        let pods: Vec<Value> = found.iter().filter(|it| it["kind"] == "Pod").cloned().collect();
        let has_started = pods.iter().any(has_started);
        if has_started && !is_read {
            is_read = true;
            read(kubectl, &pods);
            continue;
        }
        if let Some(job) = job {
            let status = &job["status"];
            if status["succeeded"].as_u64() > Some(0) {
                return Ok(());
            }
            if let Some(why) = failure(status) {
                let error = error::job_failed(id, &why);
                return Err(diagnosis::add(error, kubectl, &pods, !is_read).into());
            }
        }
        if !has_started && Instant::now() >= start_by {
            let error = error::job_failed(id, "it did not start in time");
            return Err(diagnosis::add(error, kubectl, &pods, false).into());
        }
        thread::sleep(LOOK);
    }
}

fn has_started(pod: &Value) -> bool {
    let containers = pod["status"]["containerStatuses"].as_array();
    containers
        .into_iter()
        .flatten()
        .any(|it| it["state"]["running"].is_object() || it["state"]["terminated"].is_object())
}

/// Passes on the log until the container has ended. A connection that breaks does not end the Job.
fn read(kubectl: &Kubectl, pods: &[Value]) {
    let Some(pod) = pods.iter().find(|pod| has_started(pod)) else { return };
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let read = kubectl.stream(&["logs", "-f", name], &mut |line| console::info(clean(line)));
    if let Err(why) = read {
        tracing::debug!("the log of the Job ends early: {why:#}");
    }
}

fn failure(status: &Value) -> Option<String> {
    let conditions = status["conditions"].as_array()?;
    let failed = conditions.iter().find(|it| it["type"] == "Failed" && it["status"] == "True")?;
    Some(match failed["reason"].as_str() {
        Some("DeadlineExceeded") => "it ran longer than step_timeout".to_owned(),
        Some("BackoffLimitExceeded") | None => "it did not exit with 0".to_owned(),
        Some(other) => other.to_owned(),
    })
}
