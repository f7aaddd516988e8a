//! Applies objects, while an API server may be away for a moment.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use super::complaint::may_pass;
use super::kubectl::Kubectl;
use super::owner::reference;
use super::patience::{AWAY, Patience};
use super::{error, reach};
use crate::console;

/// How often it is tried to apply something while an API server is away.
const PAUSE: Duration = Duration::from_secs(3);

/// How often a number of pods may change between a look and the moment it is applied.
const CHANGES: usize = 3;

/// Applies objects. An API server that is away for a moment is waited for: applied twice is the
/// same as once.
pub(super) fn apply(kubectl: &Kubectl, objects: &[Value]) -> Result<()> {
    apply_with(kubectl, objects, &[])
}

/// The same with every field, also those that somebody else has set: what was live has to come
/// back.
pub(super) fn apply_by_force(kubectl: &Kubectl, objects: &[Value]) -> Result<()> {
    apply_with(kubectl, objects, &["--force-conflicts"])
}

fn apply_with(kubectl: &Kubectl, objects: &[Value], more: &[&str]) -> Result<()> {
    if objects.is_empty() {
        return Ok(());
    }
    let has_open_number = objects.iter().any(is_open);
    for _ in 0..CHANGES {
        let apply = || kubectl.apply(&with_numbers(kubectl, objects)?, more).map(drop);
        match patiently(kubectl, apply) {
            Err(why) if has_open_number && error::is(&why, error::CONFLICT) => {}
            outcome => return outcome,
        }
    }
    patiently(kubectl, || kubectl.apply(&with_numbers(kubectl, objects)?, more).map(drop))
}

/// Whether an object leaves the number of pods to somebody else, such as an autoscaler.
fn is_open(object: &Value) -> bool {
    object["kind"] == "Deployment" && object["spec"]["replicas"].is_null()
}

/// The objects with the numbers of pods that the cluster has where nothing sets them. A number that
/// nyala has set once would become 1 if it were left out.
pub(super) fn with_numbers(kubectl: &Kubectl, objects: &[Value]) -> Result<Vec<Value>> {
    let open: Vec<Value> = objects.iter().filter(|object| is_open(object)).cloned().collect();
    let found = if open.is_empty() { Vec::new() } else { reach::get(kubectl, &open)? };
    Ok(objects.iter().map(|object| with_number(object, &found)).collect())
}

/// None is no number to keep: what was stopped is to run again.
fn with_number(object: &Value, found: &[Value]) -> Value {
    let mut object = object.clone();
    let same = found.iter().find(|it| reference(it) == reference(&object));
    if let Some(same) = same.filter(|_| is_open(&object))
        && same["spec"]["replicas"].as_u64() > Some(0)
    {
        object["spec"]["replicas"] = same["spec"]["replicas"].clone();
    }
    object
}

/// Tries again what may go well in a moment.
pub(super) fn patiently(kubectl: &Kubectl, act: impl Fn() -> Result<()>) -> Result<()> {
    let mut patience = Patience::new(AWAY);
    loop {
        let is_new = !patience.is_away();
        match act() {
            Err(why)
                if may_pass(&why) && patience.is_left(Instant::now()) && !kubectl.is_stopped() =>
            {
                if is_new {
                    console::info("The cluster does not answer; trying again.");
                }
                thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_that_nobody_sets_stays_as_it_is() {
        let deployment = |replicas: Value| {
            json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
                "spec": { "replicas": replicas } })
        };
        let number = |wanted: Value, found: &[Value]| {
            with_number(&deployment(wanted), found)["spec"]["replicas"].clone()
        };
        assert_eq!(number(Value::Null, &[deployment(json!(7))]), 7);
        assert_eq!(number(json!(2), &[deployment(json!(7))]), 2);
        assert_eq!(number(Value::Null, &[deployment(json!(0))]), Value::Null);
        assert_eq!(number(Value::Null, &[]), Value::Null);
    }
}
