//! Why something is not ready, as a person would find out: which pod, its reason, what its probe
//! was answered, and the last lines that the application has printed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::error;
use super::kubectl::Kubectl;
use super::watch::is_ready;
use crate::text::clean;
use crate::user_error::UserError;

/// How many pods are told of: the others fail in the same way.
const PODS: usize = 3;

/// How many of the last lines of the application are shown.
const LINES: &str = "--tail=20";

/// What is wrong with a pod.
#[derive(Debug, Default, PartialEq, Eq)]
struct Trouble {
    /// In words: `CrashLoopBackOff, exited with status 1, restarted 3 times`.
    reasons: Vec<String>,
    /// The container whose output tells more, and whether it is that of before it was restarted.
    output: Option<(String, bool)>,
    fixes: BTreeSet<&'static str>,
}

/// A rollout that is not ready in time. `late` are lines such as `web: 1 of 3 ready`.
pub(super) fn not_ready(
    kubectl: &Kubectl,
    late: &[String],
    after: &str,
    pods: &[Value],
    deployments: &[&Value],
) -> UserError {
    let mut error = error::not_ready(late, after);
    for (reason, fix) in deployments.iter().flat_map(|it| held_back(it)) {
        error = error.found(reason).fix(fix);
    }
    let error = add(error, kubectl, pods, true);
    if error.fixes.is_empty() { error.fix(error::NEEDS_LONGER) } else { error }
}

/// Adds what is wrong with pods; with `output`, also what the application has printed.
pub(super) fn add(
    mut error: UserError,
    kubectl: &Kubectl,
    pods: &[Value],
    output: bool,
) -> UserError {
    let mut fixes = BTreeSet::new();
    let mut shown = false;
    for pod in pods.iter().filter(|pod| !is_ready(pod)).take(PODS) {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let events = events(kubectl, name);
        let trouble = trouble(pod, &events);
        error = error.found(format!("pod {name}: {}", trouble.reasons.join("\n")));
        fixes.extend(trouble.fixes);
        if let (true, false, Some((container, is_before))) = (output, shown, trouble.output) {
            let lines = printed(kubectl, name, &container, is_before);
            shown = !lines.is_empty();
            error = error.with_output(&lines);
        }
    }
    error.fixes(fixes)
}

fn events(kubectl: &Kubectl, pod: &str) -> Vec<Value> {
    let selector = format!("--field-selector=involvedObject.name={pod}");
    kubectl.items(&["get", "events", &selector, "-o", "json"]).unwrap_or_default()
}

/// The last lines of a container; of the one before it when this one has not said anything yet.
fn printed(kubectl: &Kubectl, pod: &str, container: &str, is_before: bool) -> Vec<String> {
    let logs = |more: &[&str]| {
        let arguments = [&["logs", pod, "-c", container, LINES], more].concat();
        let text = kubectl.run(&arguments).unwrap_or_default();
        text.lines().map(|line| clean(line).into_owned()).collect::<Vec<_>>()
    };
    let before = if is_before { logs(&["--previous"]) } else { Vec::new() };
    if before.is_empty() { logs(&[]) } else { before }
}

/// Why there is no pod that could tell, with what to do: a quota that has room for some pods and
/// not for all, for example.
fn held_back(deployment: &Value) -> Vec<(String, String)> {
    let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
    let conditions = deployment["status"]["conditions"].as_array();
    let failed = |it: &&Value| it["type"] == "ReplicaFailure" && it["status"] == "True";
    let failed = conditions.into_iter().flatten().find(failed);
    let mut found = Vec::new();
    if let Some(message) = failed.and_then(|it| it["message"].as_str()) {
        found.push((clean(message).into_owned(), FIX_QUOTA.to_owned()));
    }
    if deployment["spec"]["paused"] == true {
        let fix = "Remove paused from the patch, or: kubectl rollout resume deployment";
        found.push((format!("the Deployment {name} is paused"), format!("{fix}/{name}")));
    }
    let has_none = deployment["status"]["updatedReplicas"].as_u64().unwrap_or(0) == 0;
    if found.is_empty() && has_none && deployment["spec"]["strategy"]["type"] == "Recreate" {
        let fact = "pods of the release before have not ended, and the new ones start after them";
        let fact = format!("{name}: {fact} (strategy = \"recreate\")");
        found.push((fact, error::NEEDS_LONGER.to_owned()));
    }
    found
}

fn trouble(pod: &Value, events: &[Value]) -> Trouble {
    let mut trouble = Trouble::default();
    let text = |value: &Value| clean(value.as_str().unwrap_or_default()).into_owned();
    let conditions = pod["status"]["conditions"].as_array();
    for condition in conditions.into_iter().flatten() {
        if condition["type"] == "PodScheduled" && condition["status"] == "False" {
            let (reason, message) = (text(&condition["reason"]), text(&condition["message"]));
            trouble.reasons.push(format!("{reason}: {message}"));
            trouble.fixes.insert(FIX_ROOM);
        }
    }
    let statuses = ["initContainerStatuses", "containerStatuses"];
    let statuses = statuses.iter().filter_map(|kind| pod["status"][kind].as_array()).flatten();
    for status in statuses.filter(|status| status["ready"] != true) {
        let restarts = status["restartCount"].as_u64().unwrap_or(0);
        let name = text(&status["name"]);
        let waiting = &status["state"]["waiting"];
        let reason = text(&waiting["reason"]);
        let mut parts = Vec::new();
        if !reason.is_empty() && reason != "ContainerCreating" && reason != "PodInitializing" {
            let is_told = reason != "CrashLoopBackOff";
            let message = text(&waiting["message"]);
            let more =
                if is_told && !message.is_empty() { format!(": {message}") } else { String::new() };
            parts.push(format!("{reason}{more}"));
        }
        let ended = [&status["state"]["terminated"], &status["lastState"]["terminated"]];
        if let Some(ended) = ended.iter().find(|it| it.is_object()) {
            parts.push(how_it_ended(ended));
            trouble.output = Some((name.clone(), status["state"]["terminated"].is_null()));
            let is_short = ended["reason"] == "OOMKilled";
            trouble.fixes.insert(if is_short { FIX_MEMORY } else { FIX_PROGRAM });
        } else if status["state"]["running"].is_object() {
            parts.push("runs, and is not ready".to_owned());
            trouble.output = Some((name.clone(), false));
        }
        if restarts > 0 {
            let s = if restarts == 1 { "" } else { "s" };
            parts.push(format!("restarted {restarts} time{s}"));
        }
        if reason.contains("Image") {
            trouble.fixes.insert(FIX_IMAGE);
        }
        if !parts.is_empty() {
            trouble.reasons.push(parts.join(", "));
        }
    }
    for message in told(events) {
        if message.contains("probe failed") {
            trouble.fixes.insert(FIX_PROBE);
        }
        // A reason of before says as much.
        if !trouble.reasons.iter().any(|reason| reason.contains(&message)) {
            trouble.reasons.push(message);
        }
    }
    if trouble.reasons.is_empty() {
        let phase = text(&pod["status"]["phase"]);
        trouble.reasons.push(if phase.is_empty() { "it has not begun".to_owned() } else { phase });
    }
    trouble
}

const FIX_ROOM: &str =
    "Ask for less: resources and replicas under [kubernetes] of nyala.toml; or add a node";
const FIX_QUOTA: &str = "If a quota is used up, ask for less, or have it raised: kubectl describe \
     resourcequota";
const FIX_MEMORY: &str = "Give it more memory: resources under [kubernetes] of nyala.toml";
const FIX_PROGRAM: &str = "Repair what made the application end, commit, and push again";
const FIX_IMAGE: &str = "See whether the nodes reach the registry and may pull from it; a patch \
     can name a Secret for it: imagePullSecrets";
const FIX_PROBE: &str =
    "See what the application answers, and set health and health_timeout under [run] of nyala.toml";

fn how_it_ended(ended: &Value) -> String {
    let code = ended["exitCode"].as_i64().unwrap_or_default();
    match (ended["reason"].as_str(), ended["signal"].as_i64()) {
        (Some("OOMKilled"), _) => "killed: it used more memory than it may".to_owned(),
        (_, Some(signal)) => format!("ended by signal {signal}"),
        _ => format!("exited with status {code}"),
    }
}

/// What the cluster has told of a pod that explains it: the last of each kind.
fn told(events: &[Value]) -> Vec<String> {
    const TELLING: [&str; 6] = [
        "Unhealthy",
        "FailedMount",
        "FailedCreatePodSandBox",
        "Failed",
        "FailedAttachVolume",
        "NodeNotReady",
    ];
    let mut found: Vec<String> = Vec::new();
    for reason in TELLING {
        let of_reason = events.iter().filter(|it| it["reason"] == reason);
        let last = of_reason.max_by_key(|it| it["lastTimestamp"].as_str().unwrap_or_default());
        if let Some(message) = last.and_then(|it| it["message"].as_str()) {
            let message = clean(message.trim()).into_owned();
            if !found.contains(&message) {
                found.push(message);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
