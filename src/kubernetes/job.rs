//! The release command, as a Job that has to succeed before anything else changes.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::complaint::may_pass;
use super::kubectl::Kubectl;
use super::logs::Lines;
use super::manifests::{COMPONENT, DEPLOYMENT, selector};
use super::patience::Patience;
use super::watch::LOOK;
use super::{apply, diagnosis, error};
use crate::console;
use crate::processes::RELEASE;
use crate::site::DeploymentId;

/// The label that Kubernetes itself puts on the pods of a Job.
const JOB_NAME: &str = "job-name";

const CANCELLED: &str = "the deployment was cancelled";

/// Runs the Job to its end, and passes on what it prints. It may take `limit` until it starts, and
/// then as long as it says itself.
pub(super) fn run(kubectl: &Kubectl, job: &Value, id: DeploymentId, limit: Duration) -> Result<()> {
    let step = console::step("Release command");
    let name = job["metadata"]["name"].as_str().unwrap_or_default();
    wait_for_others(kubectl, name, limit)?;
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

/// Waits until no release command of an earlier deployment runs any more. One that was killed or
/// cancelled goes on for a while after its Job is removed, and two migrations must not meet.
fn wait_for_others(kubectl: &Kubectl, name: &str, limit: Duration) -> Result<()> {
    let started = Instant::now();
    let selector = format!("{},{COMPONENT}={RELEASE}", selector(&kubectl.place().name));
    let mut is_told = false;
    loop {
        if kubectl.is_stopped() {
            bail!(CANCELLED);
        }
        match kubectl.items(&["get", "pods", "-l", &selector, "-o", "json"]) {
            Ok(pods) => {
                let others: Vec<&str> = pods.iter().filter_map(|pod| running(pod, name)).collect();
                if others.is_empty() {
                    return Ok(());
                }
                if started.elapsed() >= limit {
                    bail!(error::earlier_job_runs(&others));
                }
                if !std::mem::replace(&mut is_told, true) {
                    console::info("Waiting for the release command of an earlier deployment.");
                }
            }
            Err(why) if may_pass(&why) && started.elapsed() < limit => {}
            Err(why) => return Err(why),
        }
        thread::sleep(LOOK);
    }
}

/// The name of a pod that is of another Job and has not ended.
fn running<'p>(pod: &'p Value, job: &str) -> Option<&'p str> {
    let has_ended = ["Succeeded", "Failed"].iter().any(|it| pod["status"]["phase"] == *it);
    let is_other = pod["metadata"]["labels"][JOB_NAME].as_str().is_some_and(|its| its != job);
    pod["metadata"]["name"].as_str().filter(|_| is_other && !has_ended)
}

fn follow(kubectl: &Kubectl, name: &str, id: DeploymentId, limit: Duration) -> Result<()> {
    let start_by = Instant::now() + limit;
    let selector = format!("{},{DEPLOYMENT}={id}", selector(&kubectl.place().name));
    let mut patience = Patience::new(limit);
    let mut log = Log { lines: Lines::after(None), is_read: false };
    loop {
        if kubectl.is_stopped() {
            bail!(CANCELLED);
        }
        let found = kubectl.items(&["get", "jobs,pods", "-l", &selector, "-o", "json"]);
        let found = match found {
            Ok(found) => found,
            Err(why) if may_pass(&why) && patience.is_left(Instant::now()) => {
                thread::sleep(LOOK);
                continue;
            }
            Err(why) => return Err(why),
        };
        patience.answered();
        let (job, pods) = of_job(found, name);
        let started = pods.iter().find(|pod| state(pod).is_some());
        if let Some(pod) = started {
            log.read(kubectl, pod);
        }
        if let Some(job) = job {
            let status = &job["status"];
            if status["succeeded"].as_u64() > Some(0) {
                return Ok(());
            }
            if let Some(why) = failure(status) {
                let error = error::job_failed(id, &why);
                return Err(diagnosis::add(error, kubectl, &pods, started.is_none()).into());
            }
        }
        if started.is_none() && Instant::now() >= start_by {
            let error = error::job_failed(id, "it did not start in time");
            return Err(diagnosis::add(error, kubectl, &pods, false).into());
        }
        thread::sleep(LOOK);
    }
}

/// The Job and its pods among what was found.
fn of_job(found: Vec<Value>, name: &str) -> (Option<Value>, Vec<Value>) {
    let (pods, jobs): (Vec<_>, Vec<_>) = found.into_iter().partition(|it| it["kind"] == "Pod");
    let is_job = |it: &Value| it["kind"] == "Job" && it["metadata"]["name"] == name;
    let job = jobs.into_iter().find(is_job);
    let is_its = |pod: &Value| pod["metadata"]["labels"][JOB_NAME] == name;
    (job, pods.into_iter().filter(is_its).collect())
}

/// What the container of the command does, if it has started: others may be beside it.
fn state(pod: &Value) -> Option<&Value> {
    let containers = pod["status"]["containerStatuses"].as_array()?;
    let state = &containers.iter().find(|it| it["name"] == RELEASE)?["state"];
    (state["running"].is_object() || state["terminated"].is_object()).then_some(state)
}

/// What the command has printed, as far as it was passed on.
struct Log {
    lines: Lines,
    is_read: bool,
}

impl Log {
    /// Passes on what is new until the command has ended. A connection that breaks does not end the
    /// command: the next one goes on from there.
    fn read(&mut self, kubectl: &Kubectl, pod: &Value) {
        if self.is_read {
            return;
        }
        let has_ended = state(pod).is_some_and(|state| state["terminated"].is_object());
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        self.lines = self.lines.next();
        let since = self.lines.since();
        let arguments = ["logs", name, "-c", RELEASE, "--follow", "--timestamps"];
        let arguments: Vec<&str> = arguments.into_iter().chain(since.as_deref()).collect();
        let read = kubectl.stream_stamped(&arguments, &mut |line| {
            if let Some(text) = self.lines.take(line) {
                console::info(text);
            }
        });
        if let Err(why) = &read {
            tracing::debug!("the log of the Job ends early: {why:#}");
        }
        self.is_read = has_ended && read.is_ok();
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_pods_of_another_job_are_not_its_own() {
        let job = |name: &str| json!({ "kind": "Job", "metadata": { "name": name } });
        let pod = |name: &str, job: &str| {
            let labels = json!({ "job-name": job });
            json!({ "kind": "Pod", "metadata": { "name": name, "labels": labels } })
        };
        let own = "shop-release-7";
        let found = vec![job("x"), job(own), pod("a", "blog-release-7"), pod("b", own)];
        let (found, pods) = of_job(found, own);
        assert_eq!(found, Some(job(own)));
        assert_eq!(pods, [pod("b", own)]);
    }

    #[test]
    fn the_command_of_an_earlier_deployment_runs_until_its_pod_has_ended() {
        let pod = |job: &str, phase: &str| {
            json!({ "metadata": { "name": "p", "labels": { "job-name": job } },
                "status": { "phase": phase } })
        };
        let own = "shop-release-7";
        for phase in ["Pending", "Running", "Unknown"] {
            assert_eq!(running(&pod("shop-release-6", phase), own), Some("p"), "{phase}");
            assert_eq!(running(&pod(own, phase), own), None);
        }
        for phase in ["Succeeded", "Failed"] {
            assert_eq!(running(&pod("shop-release-6", phase), own), None, "{phase}");
        }
        let of_process = json!({ "metadata": { "name": "p" }, "status": { "phase": "Running" } });
        assert_eq!(running(&of_process, own), None, "a process may be called Release");
    }

    #[test]
    fn a_container_beside_the_command_does_not_start_it() {
        let pod = |state: Value| {
            json!({ "status": { "containerStatuses": [
                { "name": "proxy", "state": { "running": {} } },
                { "name": "release", "state": state },
            ] } })
        };
        assert_eq!(state(&pod(json!({ "waiting": {} }))), None);
        assert!(state(&pod(json!({ "running": {} }))).is_some());
        assert!(state(&pod(json!({ "terminated": { "exitCode": 0 } }))).is_some());
    }
}
