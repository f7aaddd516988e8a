//! The decision table, row by row and pair by pair.

mod commands;
mod one_file;

pub(super) use one_file::{recorded, recorded_lock};

use super::*;
use crate::format::Format;
use crate::python::env::marker::Retired;
use crate::python::env::{DecidingSettings, Marker};
use crate::python::interpreters::FileIdentity;

/// The project's commands, in this version.
pub(super) fn commands(version: u8) -> Vec<RanCommand> {
    vec![RanCommand {
        name: "bin/post_compile".into(),
        digest: version.to_string(),
        ..RanCommand::default()
    }]
}

/// A site whose live env 5 was made of just what is wanted now.
fn unchanged() -> Observed {
    let version = "3.11.7".parse().unwrap();
    let marker = Marker {
        format: Format,
        deployment: DeploymentId::of(5),
        path: "/site/envs/5".into(),
        python: version,
        interpreter: FileIdentity { dev: 1, inode: 2, size: 3, mtime_ns: 4 },
        installer: "pip".into(),
        requirements: recorded("flask==3.0\nrequests\n"),
        settings: DecidingSettings::new([], []),
        packages: Vec::new(),
        built: Vec::new(),
        provenance: Provenance::default(),
    };
    let inspection = Inspection {
        version: Some(marker.python),
        marker: Some(marker),
        retired: None,
        added: Vec::new(),
        damage: Vec::new(),
    };
    Observed {
        need: EnvNeed::Python,
        wanted: "3.11".parse().unwrap(),
        origin: Origin::RuntimeTxt,
        installer: "pip",
        settings: DecidingSettings::new([], []),
        requirements: recorded("flask==3.0\nrequests\n"),
        live: LiveEnv::There { id: EnvId::of(5), inspection: Box::new(inspection) },
        asked: Vec::new(),
        commands: Vec::new(),
    }
}

/// How much a row asks for; of two rows the greater wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Update,
    Create,
    Committed,
    Plain,
}

struct Row {
    name: &'static str,
    weight: Weight,
    /// What its reason has to say.
    says: &'static str,
    /// Whether it is about an env that is there, so that it cannot be observed together with one
    /// that is not.
    of_env: Option<bool>,
    apply: fn(&mut Observed),
}

fn with_env(observed: &mut Observed, change: impl FnOnce(&mut Inspection)) {
    if let LiveEnv::There { inspection, .. } = &mut observed.live {
        change(inspection);
    }
}

fn rows() -> Vec<Row> {
    let row = |name, weight, says, of_env, apply| Row { name, weight, says, of_env, apply };
    vec![
        row("plain", Weight::Plain, "no requirements and no Python", None, |observed| {
            observed.need = EnvNeed::Plain;
        }),
        row("committed", Weight::Committed, "tracks env/", None, |observed| {
            // A tree without Python files has no use for the env it tracks either.
            if observed.need == EnvNeed::Python {
                observed.need = EnvNeed::CommittedEnv;
            }
        }),
        row("no env yet", Weight::Create, "no environment yet", Some(false), |observed| {
            observed.live = LiveEnv::None;
        }),
        row("deleted by hand", Weight::Create, "deleted by hand", Some(false), |observed| {
            observed.live = LiveEnv::Unlinked { id: EnvId::of(5) };
        }),
        row(
            "another Python",
            Weight::Create,
            "has Python 3.11.7, but runtime.txt asks for 3.12",
            Some(true),
            |observed| {
                observed.wanted = "3.12".parse().unwrap();
            },
        ),
        row(
            "damaged",
            Weight::Create,
            "is damaged: its interpreter is gone",
            Some(true),
            |observed| {
                with_env(observed, |env| {
                    env.version = None;
                    env.damage.push("its interpreter is gone".into());
                });
            },
        ),
        row(
            "retired",
            Weight::Create,
            "may not be used again since deployment 6",
            Some(true),
            |observed| {
                with_env(observed, |env| {
                    env.retired = Some(Retired {
                        deployment: Some(DeploymentId::of(6)),
                        reason: "toggled".into(),
                    });
                });
            },
        ),
        row("asked for", Weight::Create, "a new one was asked for", None, |observed| {
            observed.asked.push("a new one was asked for".into());
        }),
        row("another installer", Weight::Create, "was installed by uv", Some(true), |observed| {
            with_env(observed, |env| {
                if let Some(marker) = &mut env.marker {
                    marker.installer = "uv".into();
                }
            });
        }),
        row(
            "other settings",
            Weight::Create,
            "settings that the installer or a build reads have changed: CFLAGS",
            Some(true),
            |observed| {
                observed.settings = DecidingSettings::new([("CFLAGS", "-O3")], []);
            },
        ),
        row("requirement gone", Weight::Update, "old-one", Some(true), |observed| {
            with_env(observed, |env| {
                if let Some(marker) = &mut env.marker {
                    let old = recorded("old-one==1.0\n").lines.remove(0);
                    marker.requirements.lines.push(old);
                }
            });
        }),
        row("requirement added", Weight::Update, "new-one", Some(true), |observed| {
            let new = recorded("new-one==1.0\n").lines.remove(0);
            observed.requirements.lines.push(new);
        }),
        row("requirement changed", Weight::Update, "flask", Some(true), |observed| {
            let newer = recorded("flask==3.1\n").lines.remove(0);
            let position =
                observed.requirements.lines.iter().position(|line| line.key == newer.key).unwrap();
            observed.requirements.lines[position] = newer;
        }),
    ]
}

fn weight(plan: &EnvPlan) -> Option<Weight> {
    match plan.decision {
        Decision::None => Some(Weight::Plain),
        Decision::Committed => Some(Weight::Committed),
        Decision::Create { .. } => Some(Weight::Create),
        Decision::Update { .. } => Some(Weight::Update),
        Decision::Copy { .. } | Decision::Reuse { .. } => None,
    }
}

fn says(plan: &EnvPlan, row: &Row) -> bool {
    plan.reasons.iter().any(|reason| reason.contains(row.says))
}

#[test]
fn what_is_skipped_needs_no_env_whatever_there_is() {
    for row in rows() {
        let mut observed = unchanged();
        (row.apply)(&mut observed);
        observed.need = EnvNeed::Skipped("it was asked for".into());
        let plan = decide(&observed);
        assert_eq!(
            (plan.decision, plan.reasons),
            (Decision::None, vec!["it was asked for".to_owned()]),
            "{}",
            row.name
        );
    }
}

#[test]
fn what_may_lead_a_build_counts_where_something_was_built() {
    let settings = |folder| DecidingSettings::new([], [("HDF5_DIR", folder)]);
    for built in [Vec::new(), vec!["h5py".to_owned()]] {
        let mut observed = Observed { settings: settings("/opt/hdf5-2"), ..unchanged() };
        change_marker(&mut observed, |marker| {
            marker.settings = settings("/opt/hdf5");
            marker.built.clone_from(&built);
        });
        let plan = decide(&observed);
        if built.is_empty() {
            assert_eq!(plan.decision, Decision::Reuse { id: EnvId::of(5) });
        } else {
            let reason = "settings that may say what a build finds have changed: HDF5_DIR (built \
                          on this machine: h5py)";
            assert_eq!(plan.reasons, [reason]);
        }
    }
}

#[test]
fn nothing_changed_is_a_reuse() {
    let plan = decide(&unchanged());
    assert_eq!(plan.decision, Decision::Reuse { id: EnvId::of(5) });
    assert_eq!(plan.reasons.len(), 1);
}

#[test]
fn commands_of_the_project_get_a_copy_of_what_would_be_reused() {
    let plan = decide(&Observed { commands: commands(1), ..unchanged() });
    assert_eq!(plan.decision, Decision::Copy { from: EnvId::of(5) });
    assert!(plan.reasons[1].contains("must not change the live environment"), "{:?}", plan.reasons);
    for row in rows() {
        let mut observed = unchanged();
        (row.apply)(&mut observed);
        let without = decide(&observed);
        assert_eq!(
            decide(&Observed { commands: commands(1), ..observed }),
            without,
            "{}",
            row.name
        );
    }
}

#[test]
fn every_row_decides_by_itself_and_says_why() {
    for row in rows() {
        let mut observed = unchanged();
        (row.apply)(&mut observed);
        let plan = decide(&observed);
        assert_eq!(weight(&plan), Some(row.weight), "{}", row.name);
        assert!(says(&plan, &row), "{}: {:?}", row.name, plan.reasons);
        assert_eq!(plan.reasons.len(), 1, "{}: {:?}", row.name, plan.reasons);
    }
}

#[test]
fn of_every_pair_the_stronger_wins_and_both_are_said() {
    let mut pairs = 0;
    for (first, one) in rows().iter().enumerate() {
        for other in rows().iter().skip(first + 1) {
            if one.of_env.zip(other.of_env).is_some_and(|(one, other)| !one || !other) {
                continue;
            }
            pairs += 1;
            let mut observed = unchanged();
            (one.apply)(&mut observed);
            (other.apply)(&mut observed);
            let plan = decide(&observed);
            let names = format!("{} and {}: {:?}", one.name, other.name, plan.reasons);
            // What the changed one had chosen is not known any more.
            let drifts = [one.name, other.name] == ["requirement gone", "requirement changed"];
            let stronger = one.weight.max(other.weight);
            let stronger = if drifts { Weight::Create } else { stronger };
            assert_eq!(weight(&plan), Some(stronger), "{names}");
            // Where no env of nyala's is wanted, nothing about one is a reason.
            for row in [one, other] {
                let counts = stronger <= Weight::Create || row.weight == stronger;
                assert_eq!(says(&plan, row), counts, "{names}");
            }
        }
    }
    assert_eq!(pairs, 61);
}

#[test]
fn a_new_env_retires_the_old_one_and_an_update_copies_it() {
    for row in rows() {
        let mut observed = unchanged();
        (row.apply)(&mut observed);
        match decide(&observed).decision {
            Decision::Create { retire } => {
                assert_eq!(retire.is_none(), row.name == "no env yet", "{}", row.name);
            }
            Decision::Update { from } => assert_eq!(from, EnvId::of(5)),
            _ => {}
        }
    }
}

/// An env that another commit may want is only given up by a deployment that goes live.
#[test]
fn an_env_is_given_up_at_once_where_it_is_itself_the_reason() {
    let of_env = ["deleted by hand", "another Python", "damaged", "retired", "asked for"];
    for row in rows().iter().filter(|row| row.weight == Weight::Create) {
        let mut observed = unchanged();
        (row.apply)(&mut observed);
        let is_of_env = of_env.contains(&row.name);
        let expected = if is_of_env { Retires::AtOnce } else { Retires::WhenLive };
        assert_eq!(decide(&observed).retires, expected, "{}", row.name);
    }
}

#[test]
fn a_patch_upgrade_of_the_machine_rebuilds_nothing_unless_the_patch_was_asked_for() {
    let mut observed = unchanged();
    with_env(&mut observed, |env| env.version = Some("3.11.9".parse().unwrap()));
    assert_eq!(decide(&observed).decision, Decision::Reuse { id: EnvId::of(5) });
    observed.wanted = "3.11.7".parse().unwrap();
    assert_eq!(decide(&observed).decision, Decision::Create { retire: Some(EnvId::of(5)) });
}

#[test]
fn an_env_without_its_marker_is_never_used_again() {
    let mut observed = unchanged();
    with_env(&mut observed, |env| {
        env.marker = None;
        env.version = None;
        env.damage.push("nyala.json is missing".into());
    });
    assert_eq!(decide(&observed).decision, Decision::Create { retire: Some(EnvId::of(5)) });
}

#[test]
fn runtime_txt_is_said_with_what_it_was_and_since_when() {
    let live = |text| Some(("1a2b3c4d5e6f", text));
    for (live, new, says) in [
        (None, None, "There is no runtime.txt."),
        (None, Some("python-3.11\n"), "runtime.txt: python-3.11"),
        (live(None), None, "There is no runtime.txt."),
        (live(None), Some("python-3.11"), "runtime.txt is new since 1a2b3c4: python-3.11"),
        (
            live(Some("python-3.11\n")),
            Some("python-3.11"),
            "runtime.txt has not changed since 1a2b3c4: python-3.11",
        ),
        (
            live(Some("python-3.11\n")),
            Some("python-3.12"),
            "runtime.txt changed since 1a2b3c4: python-3.11 -> python-3.12",
        ),
        (
            live(Some("python-3.11\n")),
            None,
            "runtime.txt was removed since 1a2b3c4: it was python-3.11",
        ),
        (None, Some("a\u{1b}[2Jb"), "runtime.txt: a\\u{1b}[2Jb"),
    ] {
        assert_eq!(runtime_change(live, new), says);
    }
}

#[test]
fn an_env_that_leads_to_its_release_is_not_used_by_another() {
    let reference = || vec!["x.pth names /site/releases/5".to_owned()];
    let decided = |requirements: &str, provenance: Provenance| {
        let mut observed = Observed { requirements: recorded(requirements), ..unchanged() };
        change_marker(&mut observed, |marker| {
            marker.requirements = recorded(requirements);
            marker.provenance = provenance.clone();
        });
        decide(&observed).decision
    };
    let create = Decision::Create { retire: Some(EnvId::of(5)) };
    let by_installer = Provenance { references: reference(), ..Provenance::default() };
    let by_commands = Provenance { references_of_commands: reference(), ..Provenance::default() };
    assert_eq!(decided("flask\n", by_installer.clone()), create);
    assert_eq!(decided("flask\n", by_commands.clone()), create);
}

fn change_marker(observed: &mut Observed, change: impl FnOnce(&mut Marker)) {
    let LiveEnv::There { inspection, .. } = &mut observed.live else { panic!("no env is live") };
    change(inspection.marker.as_mut().unwrap());
}
