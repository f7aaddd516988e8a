//! Waits until a rollout is ready, and says how far it is.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::complaint::may_pass;
use super::kubectl::Kubectl;
use super::manifests::{COMPONENT, DEPLOYMENT, selector};
use super::names::component;
use super::owner::named_site;
use super::patience::{AWAY, Patience};
use super::record::Rollout;
use super::{diagnosis, error};
use crate::console;
use crate::text::duration;
use crate::user_error::UserError;

/// How often it is asked how far something is, and how often is said that nothing has changed.
pub(super) const LOOK: Duration = Duration::from_secs(1);
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// What kubectl notes in the template of a Deployment that it restarts, and so in its new pods.
pub(super) const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// The Deployments and pods of a site, as the cluster has them.
pub(super) struct Seen {
    objects: Vec<Value>,
}

impl Seen {
    pub(super) fn look(kubectl: &Kubectl, rollout: &Rollout) -> Result<Seen> {
        let selector = selector(&rollout.place.name);
        let get = ["get", "deployments,pods", "-l", &selector, "-o", "json"];
        Ok(Seen { objects: kubectl.items(&get)? })
    }

    pub(super) fn pods(&self) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(|it| it["kind"] == "Pod")
    }

    pub(super) fn deployment(&self, name: &str) -> Option<&Value> {
        let named = |it: &&Value| it["kind"] == "Deployment" && it["metadata"]["name"] == name;
        self.objects.iter().find(named)
    }

    /// The pods of a process that a deployment has made, the last restart of it if there was one,
    /// and that are not on their way out.
    fn pods_of<'s>(
        &'s self,
        rollout: &Rollout,
        process: &str,
        name: &str,
    ) -> impl Iterator<Item = &'s Value> + use<'s> {
        let id = rollout.release.id.to_string();
        let component = component(process);
        let restart = self.deployment(name).map_or(&Value::Null, restarted);
        self.pods().filter(move |pod| {
            let labels = &pod["metadata"]["labels"];
            labels[DEPLOYMENT] == id.as_str()
                && labels[COMPONENT] == component.as_str()
                && pod["metadata"]["annotations"][RESTARTED] == *restart
                && pod["metadata"]["deletionTimestamp"].is_null()
        })
    }
}

/// When a Deployment was restarted, if it was.
pub(super) fn restarted(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["metadata"]["annotations"][RESTARTED]
}

/// How far a process is.
#[derive(Debug, PartialEq, Eq)]
struct Progress {
    ready: u64,
    wanted: u64,
    is_done: bool,
}

/// What has been said of each process, and when.
struct Said {
    lines: BTreeMap<String, String>,
    last: Instant,
}

impl Said {
    /// Says what is new, and now and then that nothing is.
    fn say(&mut self, progress: &BTreeMap<String, Progress>) {
        let is_late = self.last.elapsed() >= SAY_AGAIN;
        for (process, progress) in progress {
            let line = line(process, progress);
            if self.lines.get(process) != Some(&line) || is_late && !progress.is_done {
                console::info(&line);
                self.lines.insert(process.clone(), line);
                self.last = Instant::now();
            }
        }
    }
}

/// Waits until every process of a rollout is ready. Fails at the deadline, with the reasons that a
/// person would find. An API server that is away meanwhile is waited for: until the deadline, and
/// then until it has been away for [`AWAY`].
pub(super) fn until_ready(kubectl: &Kubectl, rollout: &Rollout, deadline: Instant) -> Result<()> {
    let started = Instant::now();
    let mut said = Said { lines: BTreeMap::new(), last: started };
    let mut patience = Patience::new(AWAY);
    loop {
        if kubectl.is_stopped() {
            bail!("the rollout was cancelled");
        }
        match Seen::look(kubectl, rollout) {
            Ok(seen) => {
                if let Some(since) = patience.answered() {
                    let away = duration(since.elapsed());
                    console::info(format_args!("The API server answers again, after {away}."));
                }
                if let Some((name, other)) = replaced(&seen, rollout) {
                    bail!(error::replaced(&name, &other));
                }
                let progress = progress(&seen, rollout);
                said.say(&progress);
                if progress.values().all(|progress| progress.is_done) {
                    return Ok(());
                }
                if Instant::now() >= deadline {
                    let after = duration(started.elapsed());
                    return Err(not_ready(kubectl, rollout, &seen, &progress, &after).into());
                }
            }
            Err(why) if may_pass(&why) => {
                if !patience.is_away() {
                    console::info("The API server does not answer; waiting for it.");
                }
                // Whether all is ready at the deadline is known once it answers again.
                if !patience.is_left(Instant::now()) && Instant::now() >= deadline {
                    return Err(why);
                }
            }
            Err(why) => return Err(why),
        }
        thread::sleep(LOOK);
    }
}

/// A Deployment that somebody has applied for another deployment or another site meanwhile, and for
/// which: it may be ready, and is not what is waited for.
fn replaced(seen: &Seen, rollout: &Rollout) -> Option<(String, String)> {
    rollout.deployments().into_iter().find_map(|(_, name)| {
        let found = seen.deployment(&name)?;
        let site = named_site(found).filter(|site| *site != rollout.site);
        let id = found["metadata"]["labels"][DEPLOYMENT].as_str();
        let id = id.filter(|id| *id != rollout.release.id.to_string());
        let of_site = site.map(|site| format!("the site {site}"));
        let other = of_site.or_else(|| Some(format!("deployment {}", id?)))?;
        Some((name, other))
    })
}

fn not_ready(
    kubectl: &Kubectl,
    rollout: &Rollout,
    seen: &Seen,
    progress: &BTreeMap<String, Progress>,
    after: &str,
) -> UserError {
    let is_late = |process: &String| progress.get(process).is_some_and(|it| !it.is_done);
    let late = || progress.iter().filter(|(process, _)| is_late(process));
    let lines: Vec<_> = late().map(|(process, it)| line(process, it)).collect();
    let late = rollout.deployments().into_iter().filter(|(process, _)| is_late(process));
    let pods = late.flat_map(|(process, name)| seen.pods_of(rollout, &process, &name));
    let pods: Vec<Value> = pods.cloned().collect();
    let deployments = seen.objects.iter().filter(|it| it["kind"] == "Deployment");
    let deployments: Vec<&Value> = deployments.collect();
    diagnosis::not_ready(kubectl, &lines, after, &pods, &deployments)
}

fn progress(seen: &Seen, rollout: &Rollout) -> BTreeMap<String, Progress> {
    let of = |(process, name): (String, String)| {
        let is_ready = |pod: &&Value| is_ready(pod);
        let ready = seen.pods_of(rollout, &process, &name).filter(is_ready).count() as u64;
        let deployment = seen.deployment(&name).unwrap_or(&Value::Null);
        let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(0);
        (process, Progress { ready: ready.min(wanted), wanted, is_done: is_rolled_out(deployment) })
    };
    rollout.deployments().into_iter().map(of).collect()
}

fn line(process: &str, progress: &Progress) -> String {
    let Progress { ready, wanted, is_done } = progress;
    match (wanted, is_done) {
        (0, _) => format!("{process}: none wanted"),
        (_, true) => format!("{process}: {wanted} of {wanted} ready"),
        _ if ready < wanted => format!("{process}: {ready} of {wanted} ready"),
        // The last one has to stay ready for a while, or an old one still goes.
        _ => format!("{process}: {ready} of {wanted} ready, not settled yet"),
    }
}

pub(super) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["status"] == "True")
}

/// As `kubectl rollout status` decides it: all pods are new and available, and no old one is left.
fn is_rolled_out(deployment: &Value) -> bool {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let (status, wanted) = (&deployment["status"], number(&deployment["spec"]["replicas"]));
    let updated = number(&status["updatedReplicas"]);
    deployment.is_object()
        && number(&status["observedGeneration"]) >= number(&deployment["metadata"]["generation"])
        && updated >= wanted
        && number(&status["replicas"]) <= updated
        && number(&status["availableReplicas"]) >= updated
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::manifests::SITE;
    use super::*;

    #[test]
    fn a_deployment_is_rolled_out_once_all_is_new_and_seen() {
        let deployment = |generation: u64, replicas: u64, updated: u64, available: u64| {
            json!({ "metadata": { "generation": 2 }, "spec": { "replicas": 3 }, "status": {
                "observedGeneration": generation, "replicas": replicas,
                "updatedReplicas": updated, "availableReplicas": available } })
        };
        assert!(is_rolled_out(&deployment(2, 3, 3, 3)));
        assert!(!is_rolled_out(&deployment(1, 3, 3, 3)), "of the generation before");
        assert!(!is_rolled_out(&deployment(2, 4, 3, 4)), "an old one is left");
        assert!(!is_rolled_out(&deployment(2, 3, 2, 3)));
        assert!(!is_rolled_out(&deployment(2, 3, 3, 2)));
        assert!(!is_rolled_out(&Value::Null));
    }

    fn rollout() -> Rollout {
        serde_json::from_value(json!({
            "place": { "name": "shop" }, "site": "here", "secret": null, "is_applied": true,
            "release": { "id": 7, "commit": "c", "image": "i", "python": null,
                "commands": { "web": ["a"] } },
            "counts": { "web": 2 }, "objects": [],
        }))
        .unwrap()
    }

    #[test]
    fn what_somebody_else_applies_is_not_what_is_waited_for() {
        let other = |deployment: &str, site: &str| {
            let labels = json!({ DEPLOYMENT: deployment });
            let metadata =
                json!({ "name": "shop-web", "labels": labels, "annotations": { SITE: site } });
            let objects = vec![json!({ "kind": "Deployment", "metadata": metadata })];
            replaced(&Seen { objects }, &rollout()).map(|(_, other)| other)
        };
        assert_eq!(other("7", "here"), None);
        assert_eq!(other("8", "here").unwrap(), "deployment 8");
        assert_eq!(other("7", "there").unwrap(), "the site there");
    }

    #[test]
    fn only_pods_of_the_last_restart_are_ready() {
        let at = |time: Option<&str>| json!({ "annotations": { RESTARTED: time } });
        let pod = |time: Option<&str>| {
            let mut metadata = at(time);
            metadata["labels"] = json!({ DEPLOYMENT: "7", COMPONENT: "web" });
            let ready = json!([{ "type": "Ready", "status": "True" }]);
            json!({ "kind": "Pod", "metadata": metadata, "status": { "conditions": ready } })
        };
        let ready = |template: Option<&str>| {
            let spec = json!({ "replicas": 2, "template": { "metadata": at(template) } });
            let deployment =
                json!({ "kind": "Deployment", "metadata": { "name": "shop-web" }, "spec": spec });
            let seen = Seen { objects: vec![deployment, pod(None), pod(None), pod(Some("9:00"))] };
            progress(&seen, &rollout())["web"].ready
        };
        assert_eq!(ready(None), 2);
        assert_eq!(ready(Some("9:00")), 1);
        assert_eq!(ready(Some("10:00")), 0);
    }

    #[test]
    fn progress_is_a_whole_line() {
        let line = |ready, wanted, is_done| line("web", &Progress { ready, wanted, is_done });
        assert_eq!(line(1, 3, false), "web: 1 of 3 ready");
        assert_eq!(line(3, 3, false), "web: 3 of 3 ready, not settled yet");
        assert_eq!(line(0, 3, true), "web: 3 of 3 ready");
        assert_eq!(line(0, 0, true), "web: none wanted");
    }
}
