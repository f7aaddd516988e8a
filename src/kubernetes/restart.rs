//! New pods of what is live, in place of the old ones.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use super::live::Live;
use super::watch::{RESTARTED, Seen, restarted};
use super::{apply, error};
use crate::console;

impl Live {
    /// Starts new pods in place of the old ones, and waits for them. When this fails, the
    /// Deployments have the template of before again, whose pods are still there.
    pub fn restart(&self, process: Option<&str>) -> Result<()> {
        let seen = Seen::look(&self.kubectl, &self.rollout)?;
        let of = |name: String| {
            let before = seen.deployment(&name).map_or(Value::Null, |it| restarted(it).clone());
            (name, before)
        };
        let before: BTreeMap<String, Value> =
            self.deployments(process)?.into_iter().map(of).collect();
        let names: Vec<String> = before.keys().map(|name| format!("deployment/{name}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // It may have restarted some of them when it fails.
        let restart = self.kubectl.run(&[&["rollout", "restart"], &names[..]].concat());
        let Err(why) = restart.and_then(|_| self.wait()) else { return Ok(()) };
        match self.undo_restart(&before) {
            Ok(()) => Err(error::restart_undone().because(&why).into()),
            Err(cause) => {
                console::warning(error::restart_not_undone().because(&cause));
                Err(why)
            }
        }
    }

    /// Takes back what a restart changes, so that the pods of before fit again: the history of the
    /// cluster, which `kubectl rollout undo` needs, may be empty.
    fn undo_restart(&self, before: &BTreeMap<String, Value>) -> Result<()> {
        let step = console::step("Bring the cluster back to the pods of before");
        for (name, when) in before {
            let template = json!({ "metadata": { "annotations": { RESTARTED: when } } });
            let patch = json!({ "spec": { "template": template } }).to_string();
            let patch = ["patch", "deployment", name, "--type=merge", "--patch", &patch];
            apply::patiently(&self.kubectl, || self.kubectl.run(&patch).map(drop))?;
        }
        if let Err(why) = self.wait() {
            console::warning(error::not_well_again(self.rollout.release.id).because(&why));
        }
        step.done();
        Ok(())
    }
}
