use serde_json::json;

use super::super::place::Place;
use super::*;

fn reasons(pod: &Value, events: &[Value]) -> String {
    trouble(pod, events).reasons.join("\n")
}

fn pod(status: &Value) -> Value {
    json!({ "metadata": { "name": "shop-web-1" }, "status": {
        "phase": "Running", "containerStatuses": [status] } })
}

#[test]
fn a_crash_says_how_it_ended_and_how_often() {
    let crashed = pod(&json!({ "name": "web", "ready": false, "restartCount": 3,
        "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 40s" } },
        "lastState": { "terminated": { "exitCode": 1, "reason": "Error" } } }));
    let trouble = trouble(&crashed, &[]);
    assert_eq!(trouble.reasons, ["CrashLoopBackOff, exited with status 1, restarted 3 times"]);
    assert_eq!(trouble.output, Some(("web".to_owned(), true)));
    assert!(trouble.fixes.contains(FIX_PROGRAM));
    let killed = pod(&json!({ "name": "web", "ready": false, "restartCount": 1, "state": {
        "terminated": { "exitCode": 137, "reason": "OOMKilled" } } }));
    assert_eq!(reasons(&killed, &[]), "killed: it used more memory than it may, restarted 1 time");
}

#[test]
fn an_image_that_cannot_be_pulled_is_named() {
    let waits = pod(&json!({ "name": "web", "ready": false, "restartCount": 0, "state": {
        "waiting": { "reason": "ImagePullBackOff", "message": "Back-off pulling" } } }));
    let failed = json!({ "reason": "Failed", "message": "Failed to pull image \"x\": not found",
        "lastTimestamp": "2026-01-01T00:00:01Z" });
    assert_eq!(
        reasons(&waits, &[failed]),
        "ImagePullBackOff: Back-off pulling\nFailed to pull image \"x\": not found"
    );
}

#[test]
fn a_probe_says_what_it_was_answered_last() {
    let runs = pod(&json!({ "name": "web", "ready": false, "restartCount": 0,
        "state": { "running": { "startedAt": "x" } } }));
    let event = |time: &str, status: u16| {
        let message =
            format!("Readiness probe failed: HTTP probe failed with statuscode: {status}");
        json!({ "reason": "Unhealthy", "message": message, "lastTimestamp": time })
    };
    let events = [event("2026-01-01T00:00:02Z", 503), event("2026-01-01T00:00:01Z", 500)];
    let trouble = trouble(&runs, &events);
    assert_eq!(
        trouble.reasons,
        [
            "runs, and is not ready",
            "Readiness probe failed: HTTP probe failed with statuscode: 503"
        ]
    );
    assert!(trouble.fixes.contains(FIX_PROBE));
}

#[test]
fn a_pod_without_a_node_says_what_is_short() {
    let pending = json!({ "metadata": { "name": "x" }, "status": { "phase": "Pending",
        "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient memory." }] } });
    assert_eq!(
        reasons(&pending, &[]),
        "Unschedulable: 0/3 nodes are available: 3 Insufficient memory."
    );
    assert_eq!(reasons(&json!({ "status": { "phase": "Pending" } }), &[]), "Pending");
}

#[test]
fn what_holds_a_deployment_back_is_told() {
    let reasons = |deployment: &Value| -> Vec<String> {
        held_back(deployment).into_iter().map(|(reason, _)| reason).collect()
    };
    let full = json!({ "status": { "conditions": [
        { "type": "Available", "status": "True", "message": "x" },
        { "type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small" }] } });
    assert_eq!(reasons(&full), ["exceeded quota: small"]);
    let paused = json!({ "metadata": { "name": "shop-web" }, "spec": { "paused": true } });
    assert_eq!(reasons(&paused), ["the Deployment shop-web is paused"]);
    assert_eq!(reasons(&json!({ "spec": { "paused": false } })), Vec::<String>::new());
    let recreated = |updated: u32| {
        let strategy = json!({ "strategy": { "type": "Recreate" } });
        json!({ "metadata": { "name": "shop-web" }, "spec": strategy,
            "status": { "updatedReplicas": updated } })
    };
    let fact = "shop-web: pods of the release before have not ended, and the new ones start after \
                them (strategy = \"recreate\")";
    assert_eq!(reasons(&recreated(0)), [fact]);
    assert_eq!(reasons(&recreated(1)), Vec::<String>::new());
}

#[test]
fn a_pod_that_is_ready_hides_no_reason() {
    let place = serde_json::from_value::<Place>(json!({ "name": "shop" })).unwrap();
    let ready = json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }] } });
    let full = json!({ "status": { "conditions": [
        { "type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small" }] } });
    let late = ["web: 1 of 3 ready".to_owned()];
    let error = not_ready(&Kubectl::new(&place), &late, "5 min", &[ready], &[&full]);
    insta::assert_snapshot!(error, @"
    the release is not ready in the cluster after 5 min: web: 1 of 3 ready
    found: exceeded quota: small
    If a quota is used up, ask for less, or have it raised: kubectl describe resourcequota
    ");
}
