//! The environment decision: the table of the design, as one pure function.

mod runtime;

use std::fmt;

use crate::ids::{DeploymentId, EnvId};
use crate::python::dependencies::{self, Change, EnvAction, Recorded};
use crate::python::env::marker::{Marker, Provenance, RanCommand};
use crate::python::env::{DecidingSettings, Inspection};
use crate::python::installers::Installer;
use crate::python::version::{Origin, Wanted};

pub use runtime::runtime_change;
pub(super) use runtime::{NO_RUNTIME, UNCHANGED_RUNTIME};

/// All that the decision depends on.
#[derive(Clone, Debug)]
pub struct Observed {
    pub need: EnvNeed,
    pub wanted: Wanted,
    pub origin: Origin,
    pub installer: &'static str,
    pub settings: DecidingSettings,
    pub requirements: Recorded,
    pub live: LiveEnv,
    /// Who asked for a new env, as log lines.
    pub asked: Vec<String>,
    /// The project's commands that run in the env. They may install into it.
    pub commands: Vec<RanCommand>,
}

/// Whether the pushed tree needs an env, and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvNeed {
    /// The tree, or a person, asked for no Python steps; the reason is for the log.
    Skipped(String),
    /// It has no requirements and no Python project files.
    Plain,
    /// It brings an `env/` of its own.
    CommittedEnv,
    Python,
}

/// What is known of the env that the live release runs in.
#[derive(Clone, Debug)]
pub enum LiveEnv {
    /// Nothing is live, or what is live runs in no env of nyala's.
    None,
    /// The live release had an env, and its `env` link is gone.
    Unlinked {
        id: EnvId,
    },
    There {
        id: EnvId,
        inspection: Box<Inspection>,
    },
    /// Nothing is live, and this is the env of a deployment that installed it and failed later.
    Kept {
        id: EnvId,
        inspection: Box<Inspection>,
    },
}

/// What is done about the env.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decision {
    /// No env: the release is a plain copy of the tree.
    #[default]
    None,
    /// The env that the tree tracks is used as it is.
    Committed,
    /// A new env is made; the one in `retire` is not used again by a later deployment, from
    /// when [`EnvPlan::retires`] says.
    Create { retire: Option<EnvId> },
    /// The env in `from` is copied, and the installer adds to the copy.
    Update { from: EnvId },
    /// The env in `from` is right, but is copied because the commands that run in it may change it.
    Copy { from: EnvId },
    /// The env `id` is used again as it is.
    Reuse { id: EnvId },
}

/// A decision, and every reason that holds for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvPlan {
    pub decision: Decision,
    pub reasons: Vec<String>,
    /// Requirements that are there no more, and whose packages are uninstalled from the copy.
    pub uninstall: Vec<String>,
    /// Whether the env is a copy in which versions may stay that a requirement of before has
    /// chosen: see [`Provenance::drifted`].
    pub drifted: bool,
    /// Whether a copy can be brought to what a new env would have by uninstalling from it.
    pub may_uninstall: bool,
    /// Whether the copy has all that is required, since requirements were removed and nothing else
    /// changed.
    pub only_uninstalls: bool,
    pub retires: Retires,
}

/// When the env that a new one replaces is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retires {
    /// When the deployment goes live. If it fails, that env may be right for the next commit.
    #[default]
    WhenLive,
    /// Before anything is built, whatever becomes of the deployment: the env itself is the reason.
    AtOnce,
}

impl Decision {
    /// The word for it in records.
    pub fn name(self) -> &'static str {
        match self {
            Decision::None => "none",
            Decision::Committed => "committed",
            Decision::Create { .. } => "create",
            Decision::Update { .. } => "update",
            Decision::Copy { .. } => "copy",
            Decision::Reuse { .. } => "reuse",
        }
    }
}

/// Decides about the env. Reasons for a new env come first, but reasons that would only have asked
/// for an update are logged as well.
pub fn decide(observed: &Observed) -> EnvPlan {
    // Destructured without `..`, so that a new field cannot be forgotten here.
    let Observed {
        need,
        wanted,
        origin,
        installer,
        settings: now,
        requirements,
        live,
        asked,
        commands,
    } = observed;
    match need {
        EnvNeed::Skipped(why) => return EnvPlan::new(Decision::None, why),
        EnvNeed::Plain => {
            return EnvPlan::new(
                Decision::None,
                "there are no requirements and no Python project files in the tree",
            );
        }
        EnvNeed::CommittedEnv => {
            return EnvPlan::new(
                Decision::Committed,
                "the tree tracks env/ with a pyvenv.cfg of its own",
            );
        }
        EnvNeed::Python => {}
    }
    let mut reasons = Reasons::asked(asked);
    let id = match live {
        LiveEnv::None => {
            reasons.create("there is no environment yet");
            None
        }
        LiveEnv::Unlinked { id } => {
            reasons.at_once(format!(
                "env was deleted by hand from the live release (it pointed to env {id})"
            ));
            Some(*id)
        }
        LiveEnv::There { id, inspection } | LiveEnv::Kept { id, inspection } => {
            let Inspection { marker, retired, version, added, damage } = inspection.as_ref();
            if let Some(retired) = retired {
                let since = since(retired.deployment);
                let by = if since.is_empty() { "" } else { ", which gave it up" };
                // What that deployment wanted may not be wanted any more: the first reason is
                // enough.
                let why = retired.reason.split("; ").next().unwrap_or_default();
                reasons.at_once(format!("env {id} may not be used again{since}{by}: {why}"));
            }
            for fact in damage {
                reasons.at_once(format!("env {id} is damaged: {fact}"));
            }
            // A damaged env that does not run is still compared by what it was made of.
            let version = version.as_ref().or(marker.as_ref().map(|marker| &marker.python));
            if let Some(version) = version
                && !wanted.matches(version)
            {
                reasons.at_once(format!(
                    "env {id} has Python {version}, but {origin} asks for {wanted}"
                ));
            }
            if let Some(marker) = marker {
                if marker.installer != *installer {
                    reasons.create(format!(
                        "env {id} was installed by {}, but the installer is now {installer}",
                        marker.installer
                    ));
                }
                reasons.create.extend(other_settings(marker, now));
                let changes = dependencies::compare(&marker.requirements, requirements);
                reasons.create.extend(other_commands(*id, marker, commands));
                reasons.create.extend(references(*id, marker, &changes));
                reasons.drifted = marker.provenance.drifted || changes.iter().any(Change::drifts);
                let is_known = added.is_empty() && !reasons.drifted;
                let by_pip_alone = is_known && was_written_by_pip_alone(marker);
                reasons.may_uninstall = by_pip_alone;
                for change in changes {
                    match change.env_action() {
                        EnvAction::Create if by_pip_alone && change.can_be_uninstalled() => {
                            reasons.uninstall.extend(change.gone().map(str::to_owned));
                            reasons.update.push(change.to_string());
                        }
                        EnvAction::Create => reasons.create(change.to_string()),
                        EnvAction::Update => {
                            reasons.installs = true;
                            reasons.update.push(change.to_string());
                        }
                    }
                }
            }
            Some(*id)
        }
    };
    let copy = if let LiveEnv::Kept { id, .. } = live {
        Some(format!("the deployment that made env {id} failed later and may have changed it"))
    } else {
        (!commands.is_empty()).then(|| {
            "the project's commands run in it and must not change the live environment".to_owned()
        })
    };
    reasons.into_plan(id, copy)
}

/// Whether only pip has ever written into an env, so that what is installed in it is all that there
/// is, and can be uninstalled. Python 3.8 is the first whose library reads what is installed.
fn was_written_by_pip_alone(marker: &Marker) -> bool {
    let Provenance { commands, references, references_of_commands, kept: _, drifted: _ } =
        &marker.provenance;
    marker.installer == Installer::Pip.name()
        && (marker.python.major, marker.python.minor) >= (3, 8)
        && commands.is_empty()
        && references.is_empty()
        && references_of_commands.is_empty()
}

/// Which of the settings that decided what was installed are others now.
fn other_settings(marker: &Marker, now: &DecidingSettings) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(names) = marker.settings.changed(now) {
        let which = if names.is_empty() { String::new() } else { format!(": {}", listed(&names)) };
        reasons.push(format!("settings that the installer or a build reads have changed{which}"));
    }
    let perhaps = marker.settings.perhaps_changed(now);
    if !perhaps.is_empty() && !marker.built.is_empty() {
        reasons.push(format!(
            "settings that may say what a build finds have changed: {} (built on this machine: {})",
            listed(&perhaps),
            listed(&marker.built)
        ));
    }
    reasons
}

fn listed(names: &[String]) -> String {
    const MOST: usize = 5;
    let more = if names.len() > MOST { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(MOST)].join(", "))
}

/// What ran in an env and does not run any more, or not in the same way: what it put into the env
/// would stay. A setting that was not there then may only have been missing.
fn other_commands(id: EnvId, marker: &Marker, now: &[RanCommand]) -> Vec<String> {
    let then = marker.provenance.commands.iter();
    then.filter_map(|RanCommand { name, digest, settings }| {
        let Some(other) = now.iter().find(|other| (&other.name, &other.digest) == (name, digest))
        else {
            let is_changed = now.iter().any(|other| other.name == *name);
            let gone = || format!("{name} ran in env {id} and is no longer run");
            let changed = || format!("{name} has changed since it ran in env {id}");
            return Some(if is_changed { changed() } else { gone() });
        };
        let is_other = |set: &&String| settings.get(*set) != other.settings.get(*set);
        let others: Vec<_> = settings.keys().filter(is_other).cloned().collect();
        let named = (!others.is_empty()).then(|| listed(&others))?;
        Some(format!("{name} ran in env {id} with other values of what it names: {named}"))
    })
    .collect()
}

/// What leads from an env to its release, where another release would import it. The installer
/// makes editable installs of the tree again; what else it or a command made stays.
fn references(id: EnvId, marker: &Marker, changes: &[Change]) -> Vec<String> {
    let Provenance { commands: _, references, references_of_commands, .. } = &marker.provenance;
    let made_again = changes.iter().any(|change| matches!(change, Change::Editable { .. }));
    let references = if made_again { &[] } else { references.as_slice() };
    let leads =
        |reference: &String| format!("env {id} can be used by its own release only: {reference}");
    references.iter().chain(references_of_commands).map(leads).collect()
}

#[derive(Default)]
struct Reasons {
    create: Vec<String>,
    update: Vec<String>,
    uninstall: Vec<String>,
    installs: bool,
    drifted: bool,
    may_uninstall: bool,
    retires: Retires,
}

impl Reasons {
    fn asked(who: &[String]) -> Reasons {
        let retires = if who.is_empty() { Retires::WhenLive } else { Retires::AtOnce };
        Reasons { create: who.to_vec(), retires, ..Reasons::default() }
    }

    fn create(&mut self, reason: impl Into<String>) {
        self.create.push(reason.into());
    }

    /// One that does not pass with another commit.
    fn at_once(&mut self, reason: impl Into<String>) {
        self.retires = Retires::AtOnce;
        self.create(reason);
    }

    /// `copy` says why an env is not used itself that could be.
    fn into_plan(mut self, id: Option<EnvId>, copy: Option<String>) -> EnvPlan {
        let decision = match id {
            Some(from) if self.create.is_empty() && !self.update.is_empty() => {
                Decision::Update { from }
            }
            Some(id) if self.create.is_empty() => {
                self.update.push(
                    "Python, requirements, and settings have not changed since it was made".into(),
                );
                match copy {
                    Some(why) => {
                        self.update.push(why);
                        Decision::Copy { from: id }
                    }
                    None => Decision::Reuse { id },
                }
            }
            retire => Decision::Create { retire },
        };
        if !matches!(decision, Decision::Update { .. }) {
            self.uninstall.clear();
        }
        self.create.append(&mut self.update);
        let is_copy = matches!(decision, Decision::Update { .. } | Decision::Copy { .. });
        let drifted = self.drifted && is_copy;
        EnvPlan {
            decision,
            reasons: self.create,
            only_uninstalls: !self.uninstall.is_empty() && !self.installs,
            uninstall: self.uninstall,
            drifted,
            may_uninstall: self.may_uninstall,
            retires: self.retires,
        }
    }
}

impl EnvPlan {
    fn new(decision: Decision, reason: &str) -> EnvPlan {
        EnvPlan { decision, reasons: vec![reason.to_owned()], ..EnvPlan::default() }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Decision::None => write!(f, "no environment, a plain copy"),
            Decision::Committed => write!(f, "use the committed env as it is"),
            Decision::Create { retire: None } => write!(f, "create a new environment"),
            Decision::Create { retire: Some(id) } => {
                write!(f, "delete env {id}, create a new environment")
            }
            Decision::Update { from } => write!(f, "copy env {from}, install into the copy"),
            Decision::Copy { from } => write!(f, "copy env {from}"),
            Decision::Reuse { id } => write!(f, "reuse env {id}"),
        }
    }
}

fn since(deployment: Option<DeploymentId>) -> String {
    deployment.map_or(String::new(), |deployment| format!(" since deployment {deployment}"))
}

#[cfg(test)]
mod sequences;
#[cfg(test)]
mod tests;
