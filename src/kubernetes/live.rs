//! What is live in the cluster: looked at, and changed in how many of it run.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::kubectl::Kubectl;
use super::manifests::{COMPONENT, DEPLOYMENT};
use super::names::component;
use super::record::{Rollout, counts};
use super::watch::{self, Seen, is_ready};
use super::{apply, error};
use crate::console;
use crate::site::settings::Kubernetes;
use crate::site::{Settings, Site};

/// What is live in a cluster.
pub struct Live {
    pub(super) rollout: Rollout,
    pub(super) kubectl: Kubectl,
    kubernetes: Kubernetes,
}

/// A pod of the application.
#[derive(Debug, Serialize)]
pub struct Pod {
    pub process: String,
    pub name: String,
    /// The number of the release; empty for a pod that is not nyala's.
    pub release: String,
    pub is_ready: bool,
    /// Its phase, or why it is not ready.
    pub status: String,
    pub restarts: u64,
    pub since: Option<Timestamp>,
    pub node: Option<String>,
}

impl Live {
    /// `None` when the site runs on this machine. Fails where nothing of it is in a cluster yet.
    pub fn of(site: &Site, settings: &Settings) -> Result<Option<Live>> {
        let Some(kubernetes) = settings.kubernetes.as_ref().filter(|it| it.apply) else {
            return Ok(None);
        };
        let Some(rollout) = Rollout::live(site)? else { bail!(error::nothing_in_cluster()) };
        let kubectl = rollout.kubectl(site);
        Ok(Some(Live { rollout, kubectl, kubernetes: kubernetes.clone() }))
    }

    /// Where it is, in words.
    pub fn place(&self) -> String {
        self.rollout.place.in_words()
    }

    /// The pods, by their processes and names.
    pub fn pods(&self) -> Result<Vec<Pod>> {
        let seen = Seen::look(&self.kubectl, &self.rollout)?;
        let mut pods: Vec<Pod> = seen.pods().map(|pod| self.pod(pod)).collect();
        pods.sort_by(|one, other| (&one.process, &one.name).cmp(&(&other.process, &other.name)));
        Ok(pods)
    }

    pub(super) fn pod(&self, pod: &Value) -> Pod {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let labels = &pod["metadata"]["labels"];
        let label = text(&labels[COMPONENT]);
        let mut processes = self.rollout.release.commands.keys();
        let process = processes.find(|process| component(process) == label);
        let containers = pod["status"]["containerStatuses"].as_array();
        let containers = || containers.into_iter().flatten();
        let waiting = containers().find_map(|it| it["state"]["waiting"]["reason"].as_str());
        let status = if pod["metadata"]["deletionTimestamp"].is_string() {
            "Terminating".to_owned()
        } else {
            waiting.map_or_else(|| text(&pod["status"]["phase"]), str::to_owned)
        };
        Pod {
            process: process.cloned().unwrap_or(label),
            name: text(&pod["metadata"]["name"]),
            release: text(&labels[DEPLOYMENT]),
            is_ready: is_ready(pod),
            status,
            restarts: containers().filter_map(|it| it["restartCount"].as_u64()).sum(),
            since: pod["status"]["startTime"].as_str().and_then(|it| it.parse().ok()),
            node: pod["spec"]["nodeName"].as_str().map(str::to_owned),
        }
    }

    /// The names of the Deployments: of one process, or of all.
    pub(super) fn deployments(&self, process: Option<&str>) -> Result<Vec<String>> {
        let all = self.rollout.deployments();
        let names = all.iter().filter(|(it, _)| process.is_none_or(|process| it == process));
        let names: Vec<_> = names.map(|(_, name)| name.clone()).collect();
        match process.filter(|_| names.is_empty()) {
            Some(process) => {
                let known: Vec<_> = all.iter().map(|(process, _)| process.as_str()).collect();
                bail!(error::no_process(process, &known))
            }
            None => Ok(names),
        }
    }

    /// Has as many pods run as the site wants now, and waits for them.
    pub fn set_counts(&self, site: &Site) -> Result<()> {
        self.apply_counts(site, &counts(&self.kubernetes, &self.rollout.release))?;
        self.wait()
    }

    /// Has as many pods run as `wanted` says, and waits for them. When this fails, there are as
    /// many as before.
    pub fn scale(&self, site: &Site, wanted: &BTreeMap<String, u32>) -> Result<()> {
        for process in wanted.keys() {
            self.deployments(Some(process))?;
            if self.rollout.has_own_number(process) {
                bail!(error::number_is_patched(process));
            }
        }
        let before = counts(&self.kubernetes, &self.rollout.release);
        let mut counts = before.clone();
        counts.extend(wanted.clone());
        self.apply_counts(site, &counts)?;
        self.wait().inspect_err(|_| {
            if let Err(why) = self.apply_counts(site, &before) {
                console::warning(error::not_scaled_back().because(&why));
            }
        })
    }

    fn apply_counts(&self, site: &Site, counts: &BTreeMap<String, u32>) -> Result<()> {
        let objects = self.rollout.objects_with(counts, site.stopped()?.is_some());
        let objects: Vec<_> = objects.into_iter().filter(|it| it["kind"] == "Deployment").collect();
        apply::apply(&self.kubectl, &objects)
    }

    pub(super) fn wait(&self) -> Result<()> {
        let deadline = Instant::now() + self.kubernetes.deadline;
        watch::until_ready(&self.kubectl, &self.rollout, deadline)
    }
}
