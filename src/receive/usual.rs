//! Where a running deployment is, and how long that has taken at this site before.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::site::{DeploymentId, Record, Site};
use crate::text::{duration, fit};

/// A step that has run for less is not worth a line.
const SHORTEST: f64 = 2.0;

/// A step that took less did nothing, such as that of an env that is used again.
const NOTHING: f64 = 0.05;

/// How many earlier deployments are looked through.
const MOST: usize = 50;

/// The longest title of a step in a line that says where the deployment is, in columns.
const LONGEST: usize = 40;

/// How the steps of logs begin, what they are called in words, and in records.
const STEPS: [(&str, &str, &str); 10] = [
    ("Plan", "plan", "plan"),
    ("Check out ", "check out", "check out"),
    ("Creating python-", "env", "env"),
    ("Copying env ", "env", "env"),
    ("Pip install requirements.", "pip", "install"),
    ("uv pip install requirements.", "uv", "install"),
    ("Uninstalling what is not required.", "uninstall", "install"),
    ("Running deployment command: ", "build", "build"),
    ("Collecting Django static files.", "collectstatic", "collectstatic"),
    ("Start", "start", "start"),
];

/// What is known of the deployments before one.
pub(super) struct Usual<'a> {
    site: &'a Site,
    id: DeploymentId,
    /// How long each step took before, by its name in records.
    known: RefCell<HashMap<&'static str, Option<f64>>>,
}

impl<'a> Usual<'a> {
    pub(super) fn new(site: &'a Site, id: DeploymentId) -> Self {
        Self { site, id, known: RefCell::default() }
    }

    /// The step with this title in the log, and the time that it has been running for:
    /// `pip: 42 s; last time 55 s`. `before` are the seconds that all steps before it took.
    pub(super) fn place(&self, title: &str, before: f64) -> Option<String> {
        let started = self.site.record(self.id).ok()??.started_at?;
        let since = Timestamp::now().duration_since(started).as_secs_f64() - before;
        (since >= SHORTEST).then(|| in_words(title, since, |name| self.last_time(name)))
    }

    fn last_time(&self, name: &'static str) -> Option<f64> {
        *self.known.borrow_mut().entry(name).or_insert_with(|| {
            let ids = self.site.deployment_ids().ok()?;
            let before = ids.into_iter().rev().filter(|id| *id < self.id).take(MOST);
            let records = before.filter_map(|id| self.site.record(id).ok()?);
            seconds_of(name, records)
        })
    }
}

/// The time that a step took when it last did something. A deployment that failed may have been
/// cut short in it. `records` begin with the newest.
fn seconds_of(name: &str, records: impl Iterator<Item = Record>) -> Option<f64> {
    records.filter(|record| record.status.is_success()).find_map(|record| {
        let step = record.steps.iter().find(|step| step.name == name && step.seconds > NOTHING);
        step.map(|step| step.seconds)
    })
}

fn in_words(title: &str, since: f64, last_time: impl Fn(&'static str) -> Option<f64>) -> String {
    let words = |seconds: f64| duration(Duration::from_secs_f64(seconds.max(0.0)));
    let whole = |seconds: f64| words(seconds.floor());
    let known = STEPS.iter().find(|(start, ..)| title.starts_with(start));
    let Some((_, name, in_record)) = known else {
        return format!("{}: {}", fit(title, LONGEST), whole(since));
    };
    match last_time(in_record) {
        Some(last) => format!("{name}: {}; last time {}", whole(since), words(last)),
        None => format!("{name}: {}", whole(since)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_compared_with_the_last_one_that_did_something() {
        let last = |name: &str| (name == "install").then_some(55.2);
        let said = |title: &str| in_words(title, 42.9, last);
        assert_eq!(said("Pip install requirements."), "pip: 42 s; last time 55 s");
        assert_eq!(said("Check out 1a2b3c4"), "check out: 42 s");
        assert_eq!(
            said("Running make (bin/post_compile)"),
            "Running make (bin/post_compile): 42 s"
        );
    }

    #[test]
    fn deployments_that_failed_or_installed_nothing_do_not_count() {
        let record = |status: &str, seconds: f64| {
            let record = serde_json::json!({
                "id": 1, "status": status, "commit": "", "message": "", "author": "",
                "trigger": "push", "refname": "refs/heads/main", "old_oid": "", "new_oid": "",
                "steps": [{ "name": "install", "seconds": seconds }],
                "created_at": "2026-03-01T12:34:56Z",
            });
            serde_json::from_value::<Record>(record).unwrap()
        };
        let records = [record("failed", 9.0), record("succeeded", 0.0), record("succeeded", 7.5)];
        assert_eq!(seconds_of("install", records.into_iter()), Some(7.5));
    }
}
