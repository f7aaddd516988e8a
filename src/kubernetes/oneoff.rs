//! A command in a pod of its own: the live image with its app settings.

use std::io::PipeWriter;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::kubectl::not_started;
use super::live::Live;
use super::manifests::{COMPONENT, MANAGED_BY, NAME, NYALA, SITE, component_of, is_deployment_of};
use super::names::joined;
use super::pod::{self, COMMAND};
use super::{error, names};
use crate::process;
use crate::processes::WEB;

/// How long a command may take at most, in seconds: should everything that removes it fail.
const LONGEST: u64 = 86_400;

/// See <https://kubernetes.io/docs/reference/labels-annotations-taints/>.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

impl Live {
    /// Runs a command with the terminal of this process, and gives its exit code. Its pod goes with
    /// this process, however that ends.
    pub fn run(&self, words: &[String], terminal: bool) -> Result<i32> {
        let name = self.pod_name();
        let pod = self.pod_for(words, terminal)?;
        let overrides = serde_json::to_string(&pod).context("cannot write the pod")?;
        let image = format!("--image={}", self.rollout.image());
        let overrides = format!("--overrides={overrides}");
        let mut run = vec!["run", &name, &image, "--restart=Never", "--quiet", "-i", &overrides];
        if terminal {
            run.push("-t");
        }
        let cleaner = self.remove_at_end(&name)?;
        let status = self.kubectl.command(&run).status();
        drop(cleaner);
        let status = status.map_err(|cause| not_started(&cause))?;
        Ok(status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1))
    }

    fn pod_for(&self, words: &[String], terminal: bool) -> Result<Value> {
        let objects = &self.rollout.objects;
        let of = |process: &str| objects.iter().find(|it| is_deployment_of(it, process));
        let mut others = self.rollout.release.commands.keys();
        let Some(web) = of(WEB).or_else(|| others.find_map(|process| of(process))) else {
            bail!(error::nothing_in_cluster());
        };
        let mut spec = web["spec"]["template"]["spec"].clone();
        let component = component_of(web).as_str().unwrap_or_default();
        pod::for_command(&mut spec, component, words, terminal);
        spec["activeDeadlineSeconds"] = json!(LONGEST);
        Ok(json!({
            "apiVersion": "v1",
            "metadata": {
                // A Service selects what has the component web, and a deployment looks for its own.
                "labels": {
                    NAME: self.rollout.place.name,
                    COMPONENT: COMMAND,
                    MANAGED_BY: NYALA,
                },
                // The cluster may put containers of its own into it: kubectl attaches to this one.
                "annotations": { SITE: self.rollout.site, DEFAULT_CONTAINER: COMMAND },
            },
            "spec": spec,
        }))
    }

    /// One that no other command has at the same time.
    fn pod_name(&self) -> String {
        let now = jiff::Timestamp::now().as_nanosecond();
        let unique = names::digest(format!("{now} {}", std::process::id()).as_bytes());
        joined(&self.rollout.place.name, &format!("{COMMAND}-{}", &unique[..8]))
    }

    /// Starts what removes the pod once the pipe is closed, which the kernel does when this process
    /// is killed.
    fn remove_at_end(&self, pod: &str) -> Result<PipeWriter> {
        let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
        let delete = self.kubectl.command(&[
            "delete",
            "pod",
            pod,
            "--ignore-not-found",
            "--wait=false",
            "--grace-period=5",
        ]);
        let mut cleaner = Command::new("sh");
        cleaner.args(["-c", "read -r _; exec \"$@\"", "sh"]).arg(delete.get_program());
        cleaner.args(delete.get_args()).env_clear();
        cleaner.envs(delete.get_envs().filter_map(|(name, value)| Some((name, value?))));
        cleaner.stdin(reader).stdout(Stdio::null()).stderr(Stdio::null());
        process::start_session(&mut cleaner);
        cleaner.spawn().context("cannot start sh")?;
        Ok(writer)
    }
}
