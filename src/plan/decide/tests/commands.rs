//! What the project's commands have put into an env.

use super::*;

fn decided(ran: Vec<RanCommand>, now: Vec<RanCommand>) -> EnvPlan {
    let mut observed = Observed { commands: now, ..unchanged() };
    change_marker(&mut observed, |marker| marker.provenance.commands = ran);
    decide(&observed)
}

#[test]
fn what_a_command_put_into_an_env_goes_with_the_command() {
    let copy = Decision::Copy { from: EnvId::of(5) };
    let create = Decision::Create { retire: Some(EnvId::of(5)) };
    assert_eq!(decided(commands(1), commands(1)).decision, copy);
    assert_eq!(decided(Vec::new(), commands(1)).decision, copy);
    let changed = decided(commands(1), commands(2));
    assert_eq!(changed.decision, create);
    assert_eq!(changed.reasons, ["bin/post_compile has changed since it ran in env 5"]);
    let gone = decided(commands(1), Vec::new());
    assert_eq!(gone.decision, create);
    assert_eq!(gone.reasons, ["bin/post_compile ran in env 5 and is no longer run"]);
}

#[test]
fn a_setting_that_a_command_names_and_that_was_set_counts() {
    let with = |settings: &[(&str, &str)]| {
        let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        vec![RanCommand { settings: settings.collect(), ..commands(1).remove(0) }]
    };
    let copy = Decision::Copy { from: EnvId::of(5) };
    for now in [&[("EXTRA", "a")][..], &[("EXTRA", "a"), ("OTHER", "b")]] {
        assert_eq!(decided(with(&[("EXTRA", "a")]), with(now)).decision, copy);
    }
    for now in [&[("EXTRA", "b")][..], &[]] {
        let changed = decided(with(&[("EXTRA", "a")]), with(now));
        let reason = "bin/post_compile ran in env 5 with other values of what it names: EXTRA";
        assert_eq!(changed.reasons, [reason]);
    }
}
