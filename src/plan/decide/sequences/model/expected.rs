//! What is right: every reason that holds for a new env, and the decision that follows.

use std::collections::BTreeSet;

use super::{Harm, Push, Site, changes};
use crate::ids::EnvId;
use crate::plan::decide::{Decision, EnvPlan};
use crate::python::version::{Version, Wanted};

/// Why an env is not used again as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::plan::decide::sequences) enum Cause {
    NoneYet,
    Unlinked,
    Asked,
    Retired,
    Damaged,
    OtherPython,
    OtherInstaller,
    OtherSettings,
    CommandGone,
    /// A lock no longer has a package: what an env has of a lock is known, and never uninstalled.
    GoneOfLock,
    /// A lock, and the env was made of a requirements.txt.
    FirstLock,
    /// From here on a copy will do, for this one in some envs.
    Gone,
    Added,
    Changed,
}

pub(in crate::plan::decide::sequences) const CAUSES: [(Cause, &str); 14] = [
    (Cause::NoneYet, "there is no environment yet"),
    (Cause::Unlinked, "env was deleted by hand"),
    (Cause::Asked, "was asked for"),
    (Cause::Retired, "may not be used again"),
    (Cause::Damaged, "is damaged: "),
    (Cause::OtherPython, " has Python "),
    (Cause::OtherInstaller, "was installed by"),
    (Cause::OtherSettings, "settings that the installer or a build reads"),
    (Cause::GoneOfLock, " is gone: nothing asks for it"),
    (Cause::FirstLock, "pylock.toml is installed instead of requirements.txt"),
    (Cause::Gone, " was removed from requirements.txt"),
    (Cause::CommandGone, " and is no longer run"),
    (Cause::Added, " was added ("),
    (Cause::Changed, " -> "),
];

impl Site {
    /// Why the live env cannot be used as it is: all that is true, and is not hidden with what says
    /// so.
    fn causes(&self, push: &Push) -> BTreeSet<Cause> {
        let mut causes = BTreeSet::new();
        let mut holds = |cause, holds: bool| {
            if holds {
                causes.insert(cause);
            }
        };
        holds(Cause::Asked, push.rebuild);
        let Some((id, linked)) = self.live_env() else {
            holds(Cause::NoneYet, true);
            return causes;
        };
        holds(Cause::Unlinked, !linked);
        if !linked {
            return causes;
        }
        let env = &self.envs[&id];
        let runs = self.runs(env);
        holds(Cause::Damaged, !env.harm.is_empty() || runs.is_none());
        holds(Cause::Retired, env.retired && !env.is_bare());
        if env.is_bare() || env.harm.contains(&Harm::MarkerBroken) {
            return causes;
        }
        let python = runs.unwrap_or(env.made_with);
        holds(Cause::OtherPython, !is_wanted(&push.wanted.parse().unwrap(), &python));
        holds(Cause::OtherInstaller, env.installer != push.installer);
        holds(Cause::OtherSettings, env.settings != push.settings);
        let needs = push.wants();
        let is_gone = env.needs.keys().any(|name| !needs.contains_key(name));
        holds(Cause::Gone, is_gone && !env.locked);
        holds(Cause::GoneOfLock, is_gone && env.locked);
        let is_first = push.locked && !env.locked && !env.needs.is_empty() && !needs.is_empty();
        holds(Cause::FirstLock, is_first);
        holds(Cause::CommandGone, env.commands && !push.commands);
        holds(Cause::Added, needs.keys().any(|name| !env.needs.contains_key(name)));
        holds(Cause::Changed, changes(env, push));
        causes
    }

    /// From which cause on a copy of this env will do: pip's can lose requirements, as long as only
    /// pip has written into them and no requirement has changed.
    fn least_for_a_copy(&self, push: &Push, from: EnvId) -> Cause {
        let env = &self.envs[&from];
        let drifted = env.drifted || changes(env, push);
        let by_pip_alone = push.installer == "pip" && !env.commands && !drifted;
        if by_pip_alone { Cause::Gone } else { Cause::Added }
    }

    /// What is decided is right, for every reason that holds, and for no other.
    pub(super) fn assert_right(&self, push: &Push, plan: &EnvPlan) {
        let causes = self.causes(push);
        let live = self.live_env().map(|(id, _)| id);
        let expected = match (causes.first(), live) {
            (None, Some(from)) if push.commands => Decision::Copy { from },
            (None, Some(id)) => Decision::Reuse { id },
            (Some(first), Some(from)) if *first >= self.least_for_a_copy(push, from) => {
                Decision::Update { from }
            }
            (_, retire) => Decision::Create { retire },
        };
        assert_eq!(plan.decision, expected, "{:?}", plan.reasons);
        if let Decision::Reuse { id }
        | Decision::Update { from: id }
        | Decision::Copy { from: id } = plan.decision
        {
            let env = self.envs.get(&id).expect("only what was finished is used");
            assert!(!self.never_again.contains(&id), "env {id} was never to be used again");
            let runs = self.runs(env).expect("only what runs is used");
            assert!(
                is_wanted(&push.wanted.parse().unwrap(), &runs),
                "{} is wanted, and {runs} is used",
                push.wanted
            );
        }
        if let Decision::Reuse { .. } | Decision::Copy { .. } = plan.decision {
            assert_eq!(plan.reasons.len(), if push.commands { 2 } else { 1 });
            return;
        }
        let said: BTreeSet<Cause> = plan.reasons.iter().map(|reason| cause_of(reason)).collect();
        assert_eq!(said, causes, "{:?}", plan.reasons);
    }
}

/// The one thing that a reason says.
pub(in crate::plan::decide::sequences) fn cause_of(reason: &str) -> Cause {
    let found: Vec<Cause> = CAUSES
        .into_iter()
        .filter(|(_, words)| reason.contains(words))
        .map(|(cause, _)| cause)
        .collect();
    let [cause] = found[..] else { panic!("{reason:?} says {found:?}") };
    cause
}

/// Whether a version is one that was asked for, by the text that asks.
pub(super) fn is_wanted(wanted: &Wanted, version: &Version) -> bool {
    let (wanted, Version { minor, patch, .. }) = (wanted.to_string(), *version);
    match wanted.split_once(">=3.") {
        _ if wanted == "any" => true,
        Some(("", least)) => minor >= least.parse().unwrap(),
        _ => wanted == format!("3.{minor}") || wanted == format!("3.{minor}.{patch}"),
    }
}
