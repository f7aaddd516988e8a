//! The decision over the life of a site: sequences of pushes that fail or are killed anywhere, of
//! rollbacks, and of what people and machines do to environments in between.
//!
//! The model knows what has happened; the decision is asked with what could be seen of it, and must
//! come to what the model knows to be right, for all the reasons that hold and no other.

mod model;

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;
use model::expected::{CAUSES, cause_of};
use model::{End, Event, Push, Site};

const SEQUENCES: u32 = 3000;

fn push() -> impl Strategy<Value = Push> {
    let wanted = prop::sample::select(vec![
        "3.11", "3.12", "3.12", "3.13", "3.11.7", "3.12.2", ">=3.12", "any",
    ]);
    let origin =
        prop::sample::select(vec![Origin::RuntimeTxt, Origin::AppSetting, Origin::RequiresPython]);
    let names = prop::sample::select(vec!["flask", "requests", "attrs"]);
    let end = prop_oneof![
        6 => Just(End::Live),
        1 => Just(End::Built),
        2 => Just(End::Unfinished),
        1 => Just(End::Planned),
    ];
    (
        wanted,
        origin,
        prop::collection::btree_map(names, 1..3_u8, 0..3),
        prop_oneof![9 => Just("one"), 1 => Just("other")],
        prop_oneof![19 => Just("pip"), 1 => Just("uv")],
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        (prop::bool::weighted(0.15), prop::bool::weighted(0.3)),
        end,
    )
        .prop_map(
            |(wanted, origin, needs, settings, installer, rebuild, commands, lock, end)| {
                let (locked, dev) = lock;
                Push {
                    wanted,
                    origin,
                    needs,
                    locked,
                    dev,
                    settings,
                    installer,
                    rebuild,
                    commands,
                    end,
                }
            },
        )
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let minor = || 11..14_u16;
    let event = prop_oneof![
        10 => push().prop_map(Event::Push),
        1 => Just(Event::LinkDeleted),
        1 => Just(Event::FolderDeleted),
        1 => Just(Event::FolderEmptied),
        1 => Just(Event::MarkerBroken),
        1 => Just(Event::PackageDeleted),
        1 => Just(Event::Retired),
        1 => minor().prop_map(Event::InterpreterRemoved),
        1 => minor().prop_map(Event::InterpreterUpgraded),
        1 => minor().prop_map(Event::InterpreterInstalled),
        2 => any::<Index>().prop_map(Event::RolledBack),
    ];
    // One push is often followed by the same again: of what is chosen by chance nothing would ever
    // be used twice.
    let events = prop::collection::vec((event, prop::bool::weighted(0.4)), 1..14);
    (events, any::<bool>()).prop_map(|(events, has_lock)| {
        let mut happened: Vec<Event> = Vec::new();
        for (mut event, again) in events {
            // A site rarely goes from requirements to a lock, or back.
            if let Event::Push(push) = &mut event {
                push.locked ^= has_lock;
            }
            let last = happened.iter().rev().find(|event| matches!(event, Event::Push(_))).cloned();
            happened.push(match (event, last) {
                (Event::Push(new), Some(Event::Push(last))) if again => {
                    Event::Push(Push { end: new.end, ..last })
                }
                (event, _) => event,
            });
        }
        happened
    })
}

#[test]
fn no_sequence_uses_an_env_that_is_not_right() {
    let config = Config { cases: SEQUENCES, failure_persistence: None, ..Config::default() };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let seen = RefCell::new((BTreeSet::new(), BTreeSet::new()));
    let outcome = runner.run(&events(), |events| {
        let mut site = Site::new();
        for event in &events {
            if let Some(plan) = site.happens(event) {
                seen.borrow_mut().0.insert(plan.decision.name());
                if !["reuse", "copy"].contains(&plan.decision.name()) {
                    seen.borrow_mut().1.extend(plan.reasons.iter().map(|reason| cause_of(reason)));
                }
            }
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // A model that never gets into trouble would prove nothing.
    let (decisions, causes) = seen.into_inner();
    assert_eq!(decisions, BTreeSet::from(["copy", "create", "reuse", "update"]));
    assert_eq!(causes, CAUSES.into_iter().map(|(cause, _)| cause).collect());
}
