//! What the pods of a site print.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::live::{Live, Pod};

/// How often is looked for pods whose output is not followed yet.
const LOOK: Duration = Duration::from_secs(2);

impl Live {
    /// Passes on what the pods print: the last lines of each, and with `follow` also what comes, of
    /// new pods, too, until `is_over`.
    pub fn logs(
        &self,
        process: Option<&str>,
        lines: usize,
        follow: bool,
        say: &(dyn Fn(&str) + Sync),
        is_over: &dyn Fn() -> bool,
    ) -> Result<()> {
        self.deployments(process)?;
        let pods = |seen: &Mutex<BTreeSet<String>>| -> Result<Vec<Pod>> {
            let mut pods = self.pods()?;
            pods.retain(|pod| process.is_none_or(|process| pod.process == process));
            pods.retain(|pod| pod.status != "Pending" && pod.status != "ContainerCreating");
            let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            pods.retain(|pod| seen.insert(pod.name.clone()));
            Ok(pods)
        };
        let read = |pod: &Pod, more: &[&str]| {
            let tail = format!("--tail={lines}");
            let arguments = [&["logs", &pod.name, "--all-containers", &tail], more].concat();
            let name = &pod.name;
            self.kubectl.stream(&arguments, &mut |line| say(&format!("{name}: {line}")))
        };
        let seen = Mutex::new(BTreeSet::new());
        if !follow {
            return pods(&seen)?.iter().try_for_each(|pod| read(pod, &[]));
        }
        thread::scope(|scope| {
            while !is_over() {
                // A cluster that is away for a moment ends nothing.
                for pod in pods(&seen).unwrap_or_default() {
                    scope.spawn(move || {
                        if let Err(why) = read(&pod, &["-f"]) {
                            tracing::debug!("{}: {why:#}", pod.name);
                        }
                    });
                }
                thread::sleep(LOOK);
            }
            crate::process::stop_all();
        });
        Ok(())
    }
}
