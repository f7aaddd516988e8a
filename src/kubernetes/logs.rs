//! What the pods of a site print: the last lines, and what comes.
//!
//! A connection ends when its container does, or breaks. The next one goes on where it was: each
//! line has its time, and what was passed on already is left out.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;

use super::complaint::may_pass;
use super::live::Live;
use super::watch::Seen;
use crate::process;
use crate::user_error::UserError;

/// How often is looked for containers whose output is not followed.
const LOOK: Duration = Duration::from_secs(2);

/// Why a container that has just been made waits: nothing is wrong with it.
const STARTING: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// What is wanted of the logs.
#[derive(Clone, Copy)]
pub struct Logs<'l> {
    /// Of one process, or of all.
    pub process: Option<&'l str>,
    /// How many of the last lines of each container.
    pub lines: usize,
    /// Whether also what comes is wanted, of new pods, too.
    pub follow: bool,
    /// Gets each line, behind the name of its pod.
    pub say: &'l (dyn Fn(&str) + Sync),
    /// Gets what is left out, and why.
    pub warn: &'l (dyn Fn(&str) + Sync),
    /// Whether nobody follows any more.
    pub is_over: &'l dyn Fn() -> bool,
}

/// A container from its start to its end: the next one in its place is another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    pod: String,
    container: String,
    id: String,
    is_over: bool,
}

/// How far the output of a container is read.
#[derive(Debug, Default)]
struct Reader {
    is_at_work: bool,
    /// The run of which only the last lines are wanted: it was there before anybody followed.
    tail_of: Option<String>,
    /// The time of the last line that was passed on.
    position: Option<Timestamp>,
    /// The run that is read to its end.
    finished: Option<String>,
    /// Whether somebody was told that it cannot be read.
    is_told: bool,
}

/// Tells the new lines of a connection from those that the one before had.
pub(super) struct Lines {
    before: Option<Timestamp>,
    last: Option<Timestamp>,
    is_new: bool,
}

impl Live {
    /// Passes on what the pods print. A pod that has nothing to say is left out with a warning.
    pub fn logs(&self, logs: Logs<'_>) -> Result<()> {
        self.deployments(logs.process)?;
        let pods = self.pods_of(logs.process)?;
        for (pod, why) in pods.iter().filter_map(silence) {
            (logs.warn)(&format!("no output of the pod {pod}: {why}"));
        }
        let runs: Vec<Run> = pods.iter().flat_map(runs).collect();
        if logs.follow {
            self.follow(&logs, runs);
            return Ok(());
        }
        let tail = [format!("--tail={}", logs.lines)];
        for run in &runs {
            if let Err(why) = self.read(run, &tail, &mut Lines::after(None), logs.say) {
                (logs.warn)(&left_out(run, &why));
            }
        }
        Ok(())
    }

    /// The pods of a process, or of all, by their processes and names.
    fn pods_of(&self, process: Option<&str>) -> Result<Vec<Value>> {
        let seen = Seen::look(&self.kubectl, &self.rollout)?;
        let mut pods: Vec<_> = seen.pods().map(|pod| (self.pod(pod), pod)).collect();
        pods.retain(|(pod, _)| process.is_none_or(|process| pod.process == process));
        pods.sort_by(|(one, _), (other, _)| {
            (&one.process, &one.name).cmp(&(&other.process, &other.name))
        });
        Ok(pods.into_iter().map(|(_, pod)| pod.clone()).collect())
    }

    /// Reads every container at the same time, and each again that has more to say.
    fn follow(&self, logs: &Logs<'_>, mut runs: Vec<Run>) {
        let readers = Readers::of(&runs);
        let Logs { process, lines, say, warn, .. } = *logs;
        thread::scope(|scope| {
            while !(logs.is_over)() {
                for run in runs {
                    let Some((more, mut new)) = readers.begin(&run, lines) else { continue };
                    let readers = &readers;
                    scope.spawn(move || {
                        let outcome = self.read(&run, &more, &mut new, say);
                        if let Some(why) = readers.end(&run, &new, outcome) {
                            warn(&why);
                        }
                    });
                }
                thread::sleep(LOOK);
                // A cluster that is away for a moment ends nothing.
                let pods = self.pods_of(process).unwrap_or_default();
                runs = pods.iter().flat_map(self::runs).collect();
            }
            process::stop_all();
        });
    }

    fn read(
        &self,
        run: &Run,
        more: &[String],
        new: &mut Lines,
        say: &(dyn Fn(&str) + Sync),
    ) -> Result<()> {
        let Run { pod, container, .. } = run;
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let arguments = [&["logs", pod, "-c", container, "--timestamps"], &more[..]].concat();
        self.kubectl.stream_stamped(&arguments, &mut |line| {
            if let Some(text) = new.take(line) {
                say(&format!("{pod}: {text}"));
            }
        })
    }
}

/// The readers by their pods and containers.
struct Readers(Mutex<BTreeMap<(String, String), Reader>>);

impl Readers {
    /// Of those that run when somebody begins to follow.
    fn of(runs: &[Run]) -> Readers {
        let reader = |run: &Run| Reader { tail_of: Some(run.id.clone()), ..Reader::default() };
        Readers(Mutex::new(runs.iter().map(|run| (run.key(), reader(run))).collect()))
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<(String, String), Reader>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How kubectl is to read on; `None` when there is nothing to read, or it is being read.
    fn begin(&self, run: &Run, lines: usize) -> Option<(Vec<String>, Lines)> {
        let mut all = self.all();
        let reader = all.entry(run.key()).or_default();
        if reader.is_at_work || reader.finished.as_ref() == Some(&run.id) {
            return None;
        }
        reader.is_at_work = true;
        let new = Lines::after(reader.position);
        let is_tail = reader.tail_of.as_ref() == Some(&run.id);
        let from = new.since().or_else(|| is_tail.then(|| format!("--tail={lines}")));
        Some((from.into_iter().chain(["--follow".to_owned()]).collect(), new))
    }

    /// Notes how far it was read. Says once what cannot be read, and why, unless that may pass.
    fn end(&self, run: &Run, new: &Lines, outcome: Result<()>) -> Option<String> {
        let mut all = self.all();
        let reader = all.entry(run.key()).or_default();
        reader.is_at_work = false;
        reader.position = new.last;
        // What was running may have printed more since: it is looked at again, as is what could not
        // be read for a moment.
        let is_to_come = outcome.as_ref().is_err_and(may_pass);
        if run.is_over && !is_to_come {
            reader.finished = Some(run.id.clone());
        }
        let why = outcome.err()?;
        tracing::debug!("{}: {why:#}", run.pod);
        let is_final = !is_to_come && (run.is_over || !reader.is_told);
        reader.is_told |= is_final;
        (is_final && !process::is_stopped()).then(|| left_out(run, &why))
    }
}

impl Run {
    fn key(&self) -> (String, String) {
        (self.pod.clone(), self.container.clone())
    }
}

impl Lines {
    pub(super) fn after(before: Option<Timestamp>) -> Lines {
        Lines { before, last: before, is_new: false }
    }

    /// For the connection after this one.
    pub(super) fn next(&self) -> Lines {
        Lines::after(self.last)
    }

    /// The flag with which kubectl goes on after the last line, if there was one.
    pub(super) fn since(&self) -> Option<String> {
        self.before.map(|before| format!("--since-time={before}"))
    }

    /// A line without its time, if it is new. kubectl goes on at a whole second, so that some come
    /// again. Those of standard output and standard error may be a little out of order.
    pub(super) fn take<'l>(&mut self, line: &'l str) -> Option<&'l str> {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        // A piece of a very long line has no time.
        let Ok(time) = first.parse::<Timestamp>() else {
            return self.is_new.then_some(line);
        };
        self.is_new = self.before.is_none_or(|before| time > before);
        self.last = self.last.max(Some(time));
        self.is_new.then_some(rest)
    }
}

/// The containers of a pod that have printed something, or may have.
fn runs(pod: &Value) -> Vec<Run> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let run = |status: &Value| {
        let (state, before) = (&status["state"], &status["lastState"]["terminated"]);
        let is_over = !state["running"].is_object();
        // A container that is about to be started again has the output of the one before.
        let ended = [&state["terminated"]["containerID"], &before["containerID"]];
        let ended = || ended.into_iter().find_map(text);
        let id =
            if is_over { ended() } else { text(&status["containerID"]).or(Some(String::new())) };
        Some(Run {
            pod: text(&pod["metadata"]["name"])?,
            container: text(&status["name"])?,
            id: id?,
            is_over,
        })
    };
    statuses(pod).filter_map(run).collect()
}

/// The name of a pod that has no output, and why; `None` while it is only being started.
fn silence(pod: &Value) -> Option<(&str, &str)> {
    if !runs(pod).is_empty() {
        return None;
    }
    let waiting = |status: &'_ Value| status["state"]["waiting"]["reason"].is_string();
    let waiting = statuses(pod).find(|status| waiting(status));
    let waiting = waiting.and_then(|status| status["state"]["waiting"]["reason"].as_str());
    let why = pod["status"]["reason"].as_str().or(waiting)?;
    let name = pod["metadata"]["name"].as_str()?;
    (!STARTING.contains(&why)).then_some((name, why))
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    let statuses = ["initContainerStatuses", "containerStatuses"];
    statuses.into_iter().filter_map(|kind| pod["status"][kind].as_array()).flatten()
}

fn left_out(run: &Run, why: &anyhow::Error) -> String {
    let Run { pod, container, .. } = run;
    format!("no output of the container {container} of the pod {pod}: {}", UserError::of(why))
}

#[cfg(test)]
mod tests;
