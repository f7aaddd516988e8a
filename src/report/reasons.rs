//! Why environments were made anew, counted.

use std::collections::BTreeMap;

use crate::site::Record;

/// What a reason of a plan is about, by words that it has. The first that fits counts.
const KINDS: [(&[&str], &str); 12] = [
    (&["there is no environment yet"], "there was none yet"),
    (&["was asked for ("], "somebody asked for it"),
    (&["deleted by hand", "removed env"], "it was deleted by hand"),
    (&[" is damaged"], "it was damaged"),
    (&["may not be used again", " gave up env "], "a failed deployment had given it up"),
    (&[" has Python "], "another Python"),
    (&[" was installed by "], "another installer"),
    (&["with -e", "its own release only", "is reinstalled"], "it belongs to one release"),
    (&["commands run in it", "no longer run", "since it ran in"], "commands of the project"),
    (&[" was added ("], "requirements were added"),
    (&[" was removed from ", " is gone: nothing"], "requirements were removed"),
    (&["changed", " is now ", " -> "], "requirements or settings changed"),
];

const OTHER: &str = "another reason";

/// How many deployments made an environment for each kind of reason, the most frequent first. One
/// with several reasons counts for each kind once.
pub(super) fn counted<'r>(records: impl Iterator<Item = &'r Record>) -> Vec<(&'static str, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        let Some(env) = &record.env else { continue };
        if !made_env(&env.decision) {
            continue;
        }
        let mut kinds: Vec<_> = env.reasons.iter().map(|reason| kind(reason)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            *counts.entry(kind).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
    counts
}

/// Whether a decision leads to another environment than the one before.
fn made_env(decision: &str) -> bool {
    !matches!(decision, "reuse" | "none" | "committed")
}

/// What became of the environment, in words.
pub(super) fn in_words(decision: &str) -> &str {
    match decision {
        "reuse" => "used again",
        "create" => "created",
        "update" => "copied and updated",
        "copy" => "copied",
        "custom" => "made by a command",
        "none" => "none needed",
        "committed" => "from the commit",
        other => other,
    }
}

fn kind(reason: &str) -> &'static str {
    let fits = |(words, _): &&(&[&str], &str)| words.iter().any(|word| reason.contains(word));
    KINDS.iter().find(fits).map_or(OTHER, |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_a_kind_are_counted_together() {
        for (reason, expected) in [
            ("env 3 has Python 3.13.0, but runtime.txt asks for 3.11", "another Python"),
            ("gunicorn was added (requirements.txt line 2)", "requirements were added"),
            (
                "env 8 may not be used again since deployment 9: six was removed from x",
                "a failed deployment had given it up",
            ),
            ("env 8 is damaged: its interpreter is gone", "it was damaged"),
            ("there is no environment yet", "there was none yet"),
            ("the moon is full", OTHER),
        ] {
            assert_eq!(kind(reason), expected, "{reason}");
        }
        let record = |decision: &str, reasons: &[&str]| -> Record {
            let record = serde_json::json!({
                "id": 1, "status": "succeeded", "commit": "", "message": "", "author": "",
                "trigger": "push", "refname": "", "old_oid": "", "new_oid": "", "steps": [],
                "env": { "id": 1, "decision": decision, "reasons": reasons },
                "created_at": "2026-03-01T11:34:56Z",
            });
            serde_json::from_value(record).unwrap()
        };
        let records = [
            record("create", &["there is no environment yet"]),
            record("update", &["a was added (x)", "b was added (x)"]),
            record("update", &["c was added (x)", "d was removed from x"]),
            record("reuse", &["Python has not changed"]),
        ];
        assert_eq!(
            counted(records.iter()),
            [
                ("requirements were added", 2),
                ("requirements were removed", 1),
                ("there was none yet", 1)
            ]
        );
    }
}
