//! What was applied, beside the record of a deployment.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::begun::Begun;
use super::kubectl::Kubectl;
use super::manifests::{deployment_name, is_deployment_of, is_release_job};
use super::place::Place;
use crate::disk;
use crate::processes::RELEASE;
use crate::site::settings::Kubernetes;
use crate::site::{DeploymentId, Site};

/// What is known of a release that runs in containers.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Release {
    pub id: DeploymentId,
    /// The full id of the commit.
    pub commit: String,
    /// The image by its digest.
    pub image: String,
    /// The words of each process's command.
    pub commands: BTreeMap<String, Vec<String>>,
    /// The Python of the env in the image.
    pub python: Option<String>,
}

/// A release as it is in a cluster, or is to be. The values of the app settings are not recorded.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Rollout {
    pub place: Place,
    /// Which site it is, as the annotation of its objects says.
    pub(super) site: String,
    pub release: Release,
    /// The name of the Secret with the app settings.
    pub(super) secret: Option<String>,
    /// How many pods each process was to have.
    pub(super) counts: BTreeMap<String, u32>,
    /// Whether nyala has applied it, and not something else.
    pub(super) is_applied: bool,
    /// All but the Secret.
    pub(super) objects: Vec<Value>,
    #[serde(skip)]
    pub(super) secret_object: Option<Value>,
}

impl Rollout {
    /// What was recorded of a deployment; `None` when it is in no cluster.
    pub fn read(site: &Site, id: DeploymentId) -> Result<Option<Rollout>> {
        let path = site.rollout_file(id);
        let Some(bytes) = disk::read_if_there(&path)? else { return Ok(None) };
        let reading = || format!("cannot read {}", path.display());
        serde_json::from_slice(&bytes).map(Some).with_context(reading)
    }

    /// The same of what is live and in a cluster.
    pub(super) fn live(site: &Site) -> Result<Option<Rollout>> {
        let live = site.live()?.map(|live| Rollout::read(site, live)).transpose()?.flatten();
        Ok(live.filter(|live| live.is_applied))
    }

    /// What was recorded of every release that is kept, and of all that rollouts which were not
    /// undone have to do with. Those that cannot be read are left out.
    pub(super) fn all(site: &Site) -> Result<Vec<Rollout>> {
        let mut ids: BTreeSet<DeploymentId> = site.release_ids()?.into_iter().collect();
        ids.extend(Begun::read(site).ok().flatten().iter().flat_map(Begun::deployments));
        ids.extend(site.live()?);
        Ok(ids.into_iter().filter_map(|id| Rollout::read(site, id).ok().flatten()).collect())
    }

    /// kubectl for where it is. The kubeconfig may have been moved since.
    pub(super) fn kubectl(&self, site: &Site) -> Kubectl {
        let kubeconfig = match todays(site) {
            Some(kubernetes) => Place::kubeconfig(site, &kubernetes),
            None => self.place.kubeconfig.clone(),
        };
        Kubectl::new(&Place { kubeconfig, ..self.place.clone() })
    }

    pub fn write(&self, site: &Site) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(self).context("cannot write what is applied")?;
        disk::write_atomic(&site.rollout_file(self.release.id), &bytes, 0o600)
    }

    /// The objects with as many pods as the site wants now: what `kubernetes` says, or, where that
    /// cannot be read, as many as there were to be; none while it is stopped.
    pub(super) fn objects_now(
        &self,
        site: &Site,
        kubernetes: Option<&Kubernetes>,
    ) -> Result<Vec<Value>> {
        let is_stopped = site.stopped()?.is_some();
        let wanted = kubernetes
            .map_or_else(|| self.counts.clone(), |kubernetes| counts(kubernetes, &self.release));
        Ok(self.objects_with(&wanted, is_stopped))
    }

    /// [`Rollout::objects_now`] without those that are for one deployment.
    pub(super) fn kept_now(
        &self,
        site: &Site,
        kubernetes: Option<&Kubernetes>,
    ) -> Result<Vec<Value>> {
        let mut objects = self.objects_now(site, kubernetes)?;
        objects.retain(Rollout::is_kept);
        Ok(objects)
    }

    /// The objects with so many pods. A number that a patch has set, or has left to somebody else,
    /// stays; what is stopped has none.
    pub(super) fn objects_with(
        &self,
        wanted: &BTreeMap<String, u32>,
        is_stopped: bool,
    ) -> Vec<Value> {
        let mut objects = self.objects.clone();
        for (process, before) in &self.counts {
            let Some(object) = objects.iter_mut().find(|it| is_deployment_of(it, process)) else {
                continue;
            };
            let number = &mut object["spec"]["replicas"];
            if is_stopped {
                *number = json!(0);
            } else if *number == *before {
                *number = json!(wanted.get(process).unwrap_or(before));
            }
        }
        objects
    }

    /// Whether a patch sets how many pods a process has, or leaves it to somebody else.
    pub(super) fn has_own_number(&self, process: &str) -> bool {
        let object = self.objects.iter().find(|it| is_deployment_of(it, process));
        let before = self.counts.get(process);
        object.zip(before).is_some_and(|(object, before)| object["spec"]["replicas"] != *before)
    }

    /// What is kept running: no Job, which is for one deployment.
    pub(super) fn is_kept(object: &Value) -> bool {
        !is_release_job(object)
    }

    /// The processes with the names of their Deployments.
    pub fn deployments(&self) -> Vec<(String, String)> {
        let processes = self.release.commands.keys().filter(|process| *process != RELEASE);
        let name = |process: &String| {
            let labelled = self.objects.iter().find(|it| is_deployment_of(it, process));
            let found = labelled.and_then(|object| object["metadata"]["name"].as_str());
            found.map_or_else(|| deployment_name(&self.place.name, process), str::to_owned)
        };
        processes.map(|process| (process.clone(), name(process))).collect()
    }
}

/// What the settings of today say of the cluster; `None` where they say nothing, or cannot be read.
pub fn todays(site: &Site) -> Option<Kubernetes> {
    site.settings().ok().and_then(|settings| settings.kubernetes)
}

/// How many pods each process of a release is to have.
pub(super) fn counts(kubernetes: &Kubernetes, release: &Release) -> BTreeMap<String, u32> {
    let processes = release.commands.keys().filter(|process| *process != RELEASE);
    let count = |process: &String| kubernetes.replicas.get(process).copied().unwrap_or(1);
    processes.map(|process| (process.clone(), count(process))).collect()
}

/// Whether a deployment was rolled out in a cluster.
fn was_rolled_out(site: &Site, id: DeploymentId) -> bool {
    matches!(Rollout::read(site, id), Ok(Some(rollout)) if rollout.is_applied)
}

/// Why a release cannot be rolled out again as it was, in words.
pub fn obstacle(site: &Site, id: DeploymentId) -> Option<String> {
    (is_in_cluster(site) && !was_rolled_out(site, id))
        .then(|| format!("release {id} was never rolled out in a cluster"))
}

/// Whether the site runs in a cluster. Settings that cannot be read must not be in the way of a
/// rollback: then it is where what is live was rolled out.
pub fn is_in_cluster(site: &Site) -> bool {
    match site.settings() {
        Ok(settings) => settings.runs_in_cluster(),
        Err(_) => matches!(Rollout::live(site), Ok(Some(_))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifests::COMPONENT;
    use super::*;

    #[test]
    fn a_number_of_pods_is_todays_unless_a_patch_has_set_it() {
        let rollout: Rollout = serde_json::from_value(json!({
            "place": { "name": "shop" }, "site": "here", "secret": null, "is_applied": true,
            "release": { "id": 7, "commit": "c", "image": "i", "python": null,
                "commands": { "web": ["a"], "my_worker": ["b"], "release": ["c"] } },
            "counts": { "web": 1, "my_worker": 1 },
            "objects": [
                { "kind": "Deployment", "spec": { "replicas": 1 },
                  "metadata": { "name": "shop-web", "labels": { COMPONENT: "web" } } },
                { "kind": "Deployment", "spec": { "replicas": 5 },
                  "metadata": { "name": "x-w", "labels": { COMPONENT: "my-worker" } } },
            ],
        }))
        .unwrap();
        let wanted = BTreeMap::from([("web".to_owned(), 3), ("my_worker".to_owned(), 3)]);
        let numbers = |is_stopped| {
            let objects = rollout.objects_with(&wanted, is_stopped);
            [objects[0]["spec"]["replicas"].clone(), objects[1]["spec"]["replicas"].clone()]
        };
        assert_eq!(numbers(false), [3, 5]);
        assert_eq!(numbers(true), [0, 0], "what a patch sets, too");
        assert_eq!(["web", "my_worker"].map(|it| rollout.has_own_number(it)), [false, true]);
        let names = [("my_worker", "x-w"), ("web", "shop-web")];
        assert_eq!(rollout.deployments(), names.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
