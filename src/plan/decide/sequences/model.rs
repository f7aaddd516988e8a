//! What a site goes through, and what is true of it, whatever its files say.

pub(super) mod expected;

use std::collections::{BTreeMap, BTreeSet};

use proptest::sample::Index;

use crate::format::Format;
use crate::ids::{DeploymentId, EnvId};
use crate::plan::decide::tests::{recorded, recorded_lock};
use crate::plan::decide::*;
use crate::python::env::marker::{Provenance, RanCommand, Retired};
use crate::python::env::{DecidingSettings, Marker};
use crate::python::interpreters::FileIdentity;
use crate::python::version::Version;
use expected::is_wanted;

/// How many releases a site keeps.
const KEPT: usize = 3;

/// What the group of every lock has.
const OF_GROUP: (&str, u8) = ("pytest", 1);

/// Requirements: names, and the versions that are asked for.
pub(super) type Needs = BTreeMap<&'static str, u8>;

#[derive(Clone, Debug)]
pub(super) enum Event {
    Push(Push),
    /// `env` was deleted from the live release: the link, not what it leads to.
    LinkDeleted,
    FolderDeleted,
    /// Everything in the folder was deleted, over a link that an FTP client follows.
    FolderEmptied,
    MarkerBroken,
    PackageDeleted,
    /// `nyala env delete`
    Retired,
    InterpreterRemoved(u16),
    InterpreterUpgraded(u16),
    InterpreterInstalled(u16),
    RolledBack(Index),
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is true of some pushes, by itself")]
pub(super) struct Push {
    pub(super) wanted: &'static str,
    pub(super) origin: Origin,
    pub(super) needs: Needs,
    /// Whether a lock pins them, and not a requirements.txt.
    pub(super) locked: bool,
    /// Whether the lock's group is chosen.
    pub(super) dev: bool,
    pub(super) settings: &'static str,
    pub(super) installer: &'static str,
    pub(super) rebuild: bool,
    /// Whether it brings commands that run in the env.
    pub(super) commands: bool,
    pub(super) end: End,
}

/// How far a deployment comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// It is planned, and fails or is killed before it says that an env is never used again.
    Planned,
    /// It says so if that env is unfit, and fails or is killed before its own env is whole.
    Unfinished,
    /// Its env is whole, and what comes then fails or is killed.
    Built,
    Live,
}

impl Push {
    /// What is to be installed: all of it, in a lock.
    pub(super) fn wants(&self) -> Needs {
        let mut needs = self.needs.clone();
        needs.extend((self.locked && self.dev).then_some(OF_GROUP));
        needs
    }
}

/// What is true of an env, whatever its files say.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is true of some envs, by itself")]
struct Env {
    made_with: Version,
    needs: Needs,
    locked: bool,
    settings: &'static str,
    installer: &'static str,
    commands: bool,
    drifted: bool,
    retired: bool,
    harm: BTreeSet<Harm>,
}

impl Env {
    fn harm(&mut self, harm: Harm) {
        self.harm.insert(harm);
    }

    /// Whether nothing is left in its folder, or not even that.
    fn is_bare(&self) -> bool {
        self.harm.contains(&Harm::FolderDeleted) || self.harm.contains(&Harm::FolderEmptied)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    FolderDeleted,
    FolderEmptied,
    MarkerBroken,
    PackageDeleted,
}

#[derive(Debug, Default)]
pub(super) struct Site {
    /// The interpreters of the machine: a patch for each minor version of Python 3.
    machine: BTreeMap<u16, u16>,
    /// All that were ever finished, by the deployments that made them.
    envs: BTreeMap<EnvId, Env>,
    /// The releases that are kept, with their envs and whether the links to those are there.
    releases: BTreeMap<DeploymentId, (EnvId, bool)>,
    live: Option<DeploymentId>,
    deployments: u64,
    /// The envs of which was said, and flushed, that no later deployment uses them.
    never_again: BTreeSet<EnvId>,
}

impl Site {
    pub(super) fn new() -> Site {
        Site { machine: [(11, 7), (12, 1), (13, 0)].into(), ..Site::default() }
    }

    /// The env of the live release, and whether its link is there.
    fn live_env(&self) -> Option<(EnvId, bool)> {
        self.releases.get(&self.live?).copied()
    }

    fn with_live_env(&mut self, change: impl FnOnce(&mut Env)) {
        if let Some((id, true)) = self.live_env()
            && let Some(env) = self.envs.get_mut(&id)
        {
            change(env);
        }
    }

    /// The Python that an env runs today: its link leads to whatever patch the machine has; `None`
    /// when it runs none.
    fn runs(&self, env: &Env) -> Option<Version> {
        let patch = self.machine.get(&env.made_with.minor)?;
        (!env.is_bare()).then(|| Version::new(3, env.made_with.minor, *patch))
    }

    /// The newest interpreter that will do.
    fn choice(&self, wanted: &Wanted) -> Option<Version> {
        let there = self.machine.iter().map(|(minor, patch)| Version::new(3, *minor, *patch));
        there.filter(|version| is_wanted(wanted, version)).max()
    }

    /// What an observer sees of all this.
    fn observed(&self, push: &Push) -> Observed {
        Observed {
            need: EnvNeed::Python,
            wanted: push.wanted.parse().unwrap(),
            origin: push.origin,
            installer: push.installer,
            settings: settings(push.settings),
            requirements: declared(&push.wants(), push.locked),
            live: match self.live_env() {
                None => LiveEnv::None,
                Some((id, false)) => LiveEnv::Unlinked { id },
                Some((id, true)) => {
                    LiveEnv::There { id, inspection: Box::new(self.inspection(id)) }
                }
            },
            asked: if push.rebuild {
                vec!["a new environment was asked for".to_owned()]
            } else {
                Vec::new()
            },
            commands: commands(push.commands),
        }
    }

    fn inspection(&self, id: EnvId) -> Inspection {
        let env = &self.envs[&id];
        let has = |harm| env.harm.contains(&harm);
        let mut damage = Vec::new();
        let marker = (!env.is_bare() && !has(Harm::MarkerBroken)).then(|| Marker {
            format: Format,
            deployment: id.maker(),
            path: format!("/site/envs/{id}").into(),
            python: env.made_with,
            interpreter: FileIdentity { dev: 1, inode: 2, size: 3, mtime_ns: 4 },
            installer: env.installer.to_owned(),
            requirements: declared(&env.needs, env.locked),
            settings: settings(env.settings),
            packages: Vec::new(),
            built: Vec::new(),
            provenance: Provenance {
                commands: commands(env.commands),
                drifted: env.drifted,
                ..Provenance::default()
            },
        });
        let version = self.runs(env).filter(|_| marker.is_some());
        if marker.is_none() {
            damage.push("nyala.json is missing".to_owned());
        } else if version.is_none() {
            damage.push("its interpreter is gone".to_owned());
        }
        if marker.is_some() && has(Harm::PackageDeleted) {
            damage.push("flask was deleted from its site-packages".to_owned());
        }
        let retired = (env.retired && !env.is_bare())
            .then(|| Retired { deployment: None, reason: "somebody said so".to_owned() });
        Inspection { marker, retired, version, added: Vec::new(), damage }
    }

    pub(super) fn happens(&mut self, event: &Event) -> Option<EnvPlan> {
        match event {
            Event::Push(push) => return Some(self.pushed(push)),
            Event::LinkDeleted => {
                if let Some(release) = self.live.and_then(|live| self.releases.get_mut(&live)) {
                    release.1 = false;
                }
            }
            Event::FolderDeleted => self.with_live_env(|env| env.harm(Harm::FolderDeleted)),
            Event::FolderEmptied => self.with_live_env(|env| env.harm(Harm::FolderEmptied)),
            Event::MarkerBroken => self.with_live_env(|env| env.harm(Harm::MarkerBroken)),
            Event::PackageDeleted => self.with_live_env(|env| env.harm(Harm::PackageDeleted)),
            Event::Retired => {
                self.retire(self.live_env().filter(|(_, linked)| *linked).map(|(id, _)| id));
            }
            Event::InterpreterRemoved(minor) => {
                self.machine.remove(minor);
            }
            Event::InterpreterUpgraded(minor) => {
                if let Some(patch) = self.machine.get_mut(minor) {
                    *patch += 1;
                }
            }
            Event::InterpreterInstalled(minor) => {
                self.machine.entry(*minor).or_insert(0);
            }
            Event::RolledBack(index) => {
                let runs =
                    |env: &Env| !env.harm.contains(&Harm::MarkerBroken) && self.runs(env).is_some();
                let is_whole = |(env, linked): &(EnvId, bool)| *linked && runs(&self.envs[env]);
                let whole: Vec<DeploymentId> = self
                    .releases
                    .iter()
                    .filter(|kept| is_whole(kept.1))
                    .map(|kept| *kept.0)
                    .collect();
                if !whole.is_empty() {
                    self.live = Some(whole[index.index(whole.len())]);
                }
            }
        }
        None
    }

    fn retire(&mut self, id: Option<EnvId>) {
        if let Some(id) = id {
            self.envs.get_mut(&id).unwrap().retired = true;
            self.never_again.insert(id);
        }
    }

    fn pushed(&mut self, push: &Push) -> EnvPlan {
        self.deployments += 1;
        let id = DeploymentId::of(self.deployments);
        let plan = decide(&self.observed(push));
        self.assert_right(push, &plan);
        let python = match plan.decision {
            // Without such an interpreter a plan fails, and nothing has been done.
            Decision::Create { .. } => self.choice(&push.wanted.parse().unwrap()),
            Decision::Reuse { id }
            | Decision::Update { from: id }
            | Decision::Copy { from: id } => self.runs(&self.envs[&id]),
            other => panic!("{other}"),
        };
        let Some(python) = python else { return plan };
        if push.end == End::Planned {
            return plan;
        }
        if let Decision::Create { retire } = plan.decision
            && (plan.retires == Retires::AtOnce || push.end >= End::Live)
        {
            self.retire(retire);
        }
        // What is not live in the end is thrown away, by the deployment itself or by the next.
        if push.end < End::Live {
            return plan;
        }
        let env = if let Decision::Reuse { id } = plan.decision { id } else { id.into() };
        if env.maker() == id {
            let &Push { settings, installer, commands, locked, .. } = push;
            let (needs, harm) = (push.wants(), BTreeSet::new());
            let drifted = match plan.decision {
                Decision::Update { from } | Decision::Copy { from } => {
                    let from = &self.envs[&from];
                    from.drifted || changes(from, push)
                }
                _ => false,
            };
            self.envs.insert(
                env,
                Env {
                    made_with: python,
                    needs,
                    locked,
                    settings,
                    installer,
                    commands,
                    drifted,
                    retired: false,
                    harm,
                },
            );
        }
        self.releases.insert(id, (env, true));
        self.live = Some(id);
        while self.releases.len() > KEPT {
            self.releases.pop_first();
        }
        plan
    }
}

/// Whether one of the needs is another version of what was needed before, or is written in another
/// file.
fn changes(before: &Env, push: &Push) -> bool {
    let is_other = before.locked != push.locked;
    let differs = |(name, version): (&&str, &u8)| {
        before.needs.get(*name).is_some_and(|before| is_other || before != version)
    };
    push.wants().iter().any(differs)
}

fn settings(flags: &str) -> DecidingSettings {
    DecidingSettings::new([("CFLAGS", flags)], [])
}

fn commands(any: bool) -> Vec<RanCommand> {
    if any { tests::commands(1) } else { Vec::new() }
}

fn declared(needs: &Needs, locked: bool) -> Recorded {
    if !locked {
        return recorded(&text(needs));
    }
    let mut lock = "lock-version = \"1.0\"\ncreated-by = \"x\"\ndependency-groups = [\"dev\"]\n\
                    packages = [\n"
        .to_owned();
    let mut all = needs.clone();
    all.extend([OF_GROUP]);
    for (name, version) in &all {
        let marker = if *name == OF_GROUP.0 { "'dev' in dependency_groups" } else { "" };
        let hash = crate::hex::hex(format!("{name}{version}").as_bytes());
        lock.push_str(&format!(
            "{{ name = \"{name}\", version = \"{version}\", marker = \"{marker}\", wheels = [{{ \
             url = \"https://files.pythonhosted.org/{name}-{version}-py3-none-any.whl\", \
             hashes = {{ sha256 = \"{hash:0<64}\" }} }}] }},\n"
        ));
    }
    lock.push_str("]\n");
    let groups = needs.contains_key(OF_GROUP.0).then(|| "dev".to_owned());
    recorded_lock(&lock, groups.as_slice())
}

fn text(needs: &Needs) -> String {
    needs.iter().map(|(name, version)| format!("{name}=={version}\n")).collect::<Vec<_>>().concat()
}
