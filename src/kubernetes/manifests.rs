//! What a release is in a cluster: objects, made of facts alone. Kubernetes 1.20 and every later
//! one takes them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::names::{component, joined};
use super::pod;
use super::record::Release;
use crate::processes::{RELEASE, WEB};
use crate::site::Settings;
use crate::site::settings::{Kubernetes, Strategy};

/// The labels by which objects are found again. What selects pods can never be changed.
pub(super) const NAME: &str = "app.kubernetes.io/name";
pub(super) const COMPONENT: &str = "app.kubernetes.io/component";
pub(super) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub(super) const VERSION: &str = "app.kubernetes.io/version";
/// The deployment that has applied an object last.
pub(super) const DEPLOYMENT: &str = "nyala/deployment";
/// The annotation that says whose an object is.
pub(super) const SITE: &str = "nyala/site";

/// Who manages objects, also as a field manager.
pub(super) const NYALA: &str = "nyala";

/// What is known of a release that is to run in a cluster.
#[derive(Clone, Copy)]
pub(super) struct Facts<'f> {
    pub(super) release: &'f Release,
    pub(super) name: &'f str,
    /// Where it is known.
    pub(super) namespace: Option<&'f str>,
    /// Which site it is, for the annotation.
    pub(super) site: &'f str,
    pub(super) settings: &'f Settings,
    pub(super) kubernetes: &'f Kubernetes,
    /// The name of the Secret with the app settings, if there are any.
    pub(super) secret: Option<&'f str>,
    /// How many pods each process has.
    pub(super) counts: &'f BTreeMap<String, u32>,
}

/// The objects of a release without its Secret.
pub(super) fn objects(facts: &Facts<'_>) -> Vec<Value> {
    let commands = &facts.release.commands;
    let mut objects = Vec::new();
    if let Some(command) = commands.get(RELEASE) {
        objects.push(job(facts, command));
    }
    if commands.contains_key(WEB) {
        objects.push(service(facts));
        objects.extend(facts.kubernetes.ingress_host.as_ref().map(|host| ingress(facts, host)));
    }
    let run = commands.iter().filter(|(process, _)| *process != RELEASE);
    objects.extend(run.map(|(process, command)| deployment(facts, process, command)));
    for object in &mut objects {
        mark(object, facts.name, facts.site, &facts.release.id.to_string());
        if let Some(namespace) = facts.namespace {
            object["metadata"]["namespace"] = json!(namespace);
        }
    }
    objects
}

/// Makes an object one of a site's.
pub(super) fn mark(object: &mut Value, name: &str, site: &str, deployment: &str) {
    let metadata = &mut object["metadata"];
    let labels = [(NAME, name), (MANAGED_BY, NYALA), (DEPLOYMENT, deployment)];
    for (label, value) in labels {
        metadata["labels"][label] = json!(value);
    }
    metadata["annotations"][SITE] = json!(site);
}

/// What selects the objects of a site, for kubectl.
pub(super) fn selector(name: &str) -> String {
    format!("{MANAGED_BY}={NYALA},{NAME}={name}")
}

/// What an object is of: its label with the component, if it has one.
pub(super) fn component_of(object: &Value) -> &Value {
    &object["metadata"]["labels"][COMPONENT]
}

/// Whether it is the Deployment of a process, also if a patch calls it something else.
pub(super) fn is_deployment_of(object: &Value, process: &str) -> bool {
    object["kind"] == "Deployment" && component_of(object) == component(process).as_str()
}

/// Whether it is nyala's own, of those that the project's patches give: those that they add are not
/// marked yet.
pub(super) fn is_own(object: &Value) -> bool {
    object["metadata"]["annotations"][SITE].is_string()
}

/// What the Job of the command that runs once in each deployment is called: a Job is never changed,
/// so each deployment has its own.
pub(super) fn release_job_name(name: &str, deployment: &str) -> String {
    joined(name, &format!("{RELEASE}-{deployment}"))
}

/// Whether it is that Job. One that a patch adds is an object as any other, whatever its labels.
pub(super) fn is_release_job(object: &Value) -> bool {
    let label = |label: &str| object["metadata"]["labels"][label].as_str();
    let name = label(NAME).zip(label(DEPLOYMENT));
    let name = name.map(|(name, deployment)| release_job_name(name, deployment));
    object["kind"] == "Job" && object["metadata"]["name"].as_str() == name.as_deref()
}

/// The name of the Deployment of a process.
pub(super) fn deployment_name(name: &str, process: &str) -> String {
    joined(name, &component(process))
}

fn deployment(facts: &Facts<'_>, process: &str, command: &[String]) -> Value {
    let Facts { settings, kubernetes, .. } = facts;
    let selected = json!({ NAME: facts.name, COMPONENT: component(process) });
    let watched = settings.run.watch.as_secs();
    // What has no probe is ready as soon as it runs, also if it is about to fail.
    let least = if process == WEB { 1 } else { 5 };
    let ready = watched.max(least);
    let strategy = match kubernetes.strategy {
        Strategy::Rolling => json!({
            "type": "RollingUpdate",
            "rollingUpdate": { "maxUnavailable": 0, "maxSurge": 1 },
        }),
        Strategy::Recreate => json!({ "type": "Recreate" }),
    };
    let mut labels = labels(facts, process);
    labels.insert(DEPLOYMENT.to_owned(), json!(facts.release.id.to_string()));
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": deployment_name(facts.name, process),
            "labels": labels.clone(),
        },
        "spec": {
            "replicas": facts.counts.get(process).copied().unwrap_or(1),
            "revisionHistoryLimit": settings.keep,
            "minReadySeconds": ready,
            "progressDeadlineSeconds": kubernetes.deadline.as_secs().max(ready + 1),
            "selector": { "matchLabels": selected },
            "strategy": strategy,
            "template": {
                "metadata": { "labels": labels },
                "spec": pod::of_process(facts, process, command, &selected),
            },
        },
    })
}

/// Its name gets the number of the deployment at last: a patch names it without.
fn job(facts: &Facts<'_>, command: &[String]) -> Value {
    let mut labels = labels(facts, RELEASE);
    labels.insert(DEPLOYMENT.to_owned(), json!(facts.release.id.to_string()));
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": joined(facts.name, RELEASE), "labels": labels.clone() },
        "spec": {
            // A migration that has failed is not simply tried again.
            "backoffLimit": 0,
            "activeDeadlineSeconds": facts.settings.step_timeout.as_secs(),
            "template": {
                "metadata": { "labels": labels },
                "spec": pod::of_job(facts, command),
            },
        },
    })
}

fn service(facts: &Facts<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": facts.name, "labels": labels(facts, WEB) },
        "spec": {
            "selector": { NAME: facts.name, COMPONENT: WEB },
            // Server-side apply tells ports apart by both, and knows no default.
            "ports": [{ "name": "http", "port": 80, "targetPort": "http", "protocol": "TCP" }],
        },
    })
}

fn ingress(facts: &Facts<'_>, host: &str) -> Value {
    let service = json!({ "name": facts.name, "port": { "name": "http" } });
    let path = json!({ "path": "/", "pathType": "Prefix", "backend": { "service": service } });
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": facts.name, "labels": labels(facts, WEB) },
        "spec": { "rules": [{ "host": host, "http": { "paths": [path] } }] },
    })
}

fn labels(facts: &Facts<'_>, process: &str) -> Map<String, Value> {
    let commit = &facts.release.commit;
    let labels = [
        (NAME, facts.name.to_owned()),
        (COMPONENT, component(process)),
        (MANAGED_BY, NYALA.to_owned()),
        (VERSION, commit.get(..12).unwrap_or(commit).to_owned()),
    ];
    labels.into_iter().map(|(label, value)| (label.to_owned(), json!(value))).collect()
}

#[cfg(test)]
mod tests;
