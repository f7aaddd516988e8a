//! Random sequences of events in the lives of a few sites: pushes that succeed, fail in pip or uv
//! or are killed, rollbacks, and changes to environments by people and by the project's own
//! commands. `plan::decide::sequences` does that thousands of times with a model of the disk; here
//! are real pushes, real environments and real kills.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use fastrand::Rng;

use crate::support::{Project, Push, Site, count, faulty_nyala, two_pythons, uv, wait_until_quiet};

const STEPS: usize = 12;

/// Where the project's own command writes into the env, and what it is.
const TRACE: &str = "trace";
const COMMAND: &str = "bin/post_compile";

/// The contents of requirements.txt: names and versions.
type Needs = BTreeMap<&'static str, &'static str>;

/// What is known of an env from the events, not from its files.
#[derive(Clone, Debug)]
struct Env {
    python: String,
    needs: Needs,
    settings: u32,
    installer: &'static str,
    /// What a command of the project last wrote into it, perhaps before it was copied.
    trace: Option<String>,
    /// A part of it was deleted.
    harmed: bool,
}

/// What the next push contains.
#[derive(Clone, Debug)]
struct Wish {
    python: String,
    needs: Needs,
    settings: u32,
    installer: &'static str,
    /// Whether it has a command that changes the env.
    command: bool,
    rebuild: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Live,
    InstallerFails,
    /// The change of the disk at which the worker dies, if it gets that far.
    Killed(u64),
}

struct Life<'a> {
    site: &'a Site,
    project: Project<'a>,
    random: Rng,
    pythons: [String; 2],
    settings: u32,
    wish: Wish,
    /// All envs that ever went live, by the deployment that created them.
    envs: BTreeMap<u64, Env>,
    /// Envs that were deleted according to a log, or by a person.
    never_again: BTreeSet<u64>,
    /// Envs whose deletion may not have been logged yet when the worker was killed.
    perhaps: BTreeSet<u64>,
    decided: BTreeMap<String, usize>,
}

impl Life<'_> {
    fn live(&mut self) {
        for step in 0..STEPS {
            match self.random.u8(..16) {
                0 => self.something_is_deleted(),
                1 => self.somebody_wants_a_new_env(),
                2 => drop(self.site.nyala(&["rollback"])),
                3 => {
                    self.settings += 1;
                    self.site.set("PIP_RETRIES", &self.settings.to_string());
                }
                _ => {}
            }
            self.push(step);
        }
    }

    fn somebody_wants_a_new_env(&mut self) {
        if self.site.nyala(&["env", "delete"]).status.success() {
            self.never_again.extend(self.live_env());
        }
    }

    /// The env of the live release: what its link says.
    fn live_env(&self) -> Option<u64> {
        let link = fs::read_link(self.site.path.join("wwwroot/env")).ok()?;
        link.file_name()?.to_str()?.parse().ok()
    }

    fn something_is_deleted(&mut self) {
        let Some(id) = self.live_env() else { return };
        let env = self.site.path.join("envs").join(id.to_string());
        match self.random.u8(..5) {
            0 => return fs::remove_file(self.site.path.join("wwwroot/env")).unwrap(),
            1 => drop(fs::remove_dir_all(&env)),
            2 => drop(fs::remove_dir_all(env.join("lib"))),
            3 => drop(fs::remove_file(env.join("nyala.json"))),
            _ => drop(fs::remove_file(env.join("bin/python"))),
        }
        if let Some(env) = self.envs.get_mut(&id) {
            env.harmed = true;
        }
    }

    fn choose(&mut self) -> End {
        // Most pushes change one thing, and many change nothing that concerns an env.
        match self.random.u8(..8) {
            0 => {
                self.wish.python =
                    self.pythons.iter().find(|it| **it != self.wish.python).unwrap().clone();
            }
            1..4 => {
                let (name, version) = [("acacia", "1.0"), ("antelope", "1.0"), ("antelope", "1.1")]
                    [self.random.usize(..3)];
                self.wish.needs.insert(name, version);
            }
            4 => drop(self.wish.needs.pop_first()),
            _ => {}
        }
        if self.random.u8(..8) == 0 {
            self.wish.installer = if self.wish.installer == "pip" { "uv" } else { "pip" };
        }
        self.wish.command = self.random.u8(..3) == 0;
        self.wish.rebuild = self.random.u8(..10) == 0;
        self.wish.settings = self.settings;
        match self.random.u8(..8) {
            0 => End::InstallerFails,
            1 | 2 => End::Killed(
                [self.random.u64(3..70), self.random.u64(70..500)][self.random.usize(..2)],
            ),
            _ => End::Live,
        }
    }

    fn push(&mut self, step: usize) {
        let end = self.choose();
        let mut wish = self.wish.clone();
        if end == End::InstallerFails {
            wish.needs.insert("mirage", "1.0");
        }
        let before = self.live_env();
        let expected = self.expected(before, &wish);
        eprintln!("{end:?} {wish:?} with env {before:?}: {expected:?}");
        let push = self.carry_out(step, end, &wish);
        let id = *self.site.numbers("deployments").last().unwrap();
        let log = self.site.log(id);
        let decision = decision(&log);
        if let Some(decision) = decision {
            assert!(expected.contains(&decision), "{expected:?} was expected\n{log}");
            *self.decided.entry(decision.to_owned()).or_default() += 1;
        }
        if end == End::Live {
            push.assert_success();
        }

        // An env that is itself the reason counts as deleted once the plan is done, which is before
        // the check out. Another one does when the new one is live.
        if decision == Some("create")
            && let Some(old) = before
        {
            let is_unfit = || {
                let env = self.envs.get(&old);
                wish.rebuild || env.is_none_or(|env| env.harmed || env.python != wish.python)
            };
            let is_live = self.site.live_id() == Some(id);
            let said = if is_live || log.contains("-----> Check out") && is_unfit() {
                &mut self.never_again
            } else {
                &mut self.perhaps
            };
            said.insert(old);
        }
        if self.site.live_id() == Some(id) {
            self.went_live(id, decision.unwrap(), before, &wish, step);
        } else {
            assert_ne!(end, End::Live);
        }
        self.assert_no_command_reached_what_was_live();
    }

    fn carry_out(&self, step: usize, end: End, wish: &Wish) -> Push {
        let requirements = wish
            .needs
            .iter()
            .map(|(name, version)| format!("{name}=={version}\n"))
            .collect::<Vec<_>>();
        self.project.write("requirements.txt", requirements.concat());
        self.project
            .write("runtime.txt", format!("python-{}\n", wish.python))
            .write("page", step.to_string());
        if wish.command {
            self.project
                .write(COMMAND, format!("#!/bin/sh\necho {step} > \"$VIRTUAL_ENV/{TRACE}\"\n"));
        } else if self.project.path.join(COMMAND).exists() {
            self.project.remove(COMMAND);
        }
        let variables = &self.site.sandbox;
        if let End::Killed(at) = end {
            variables.set_variable("NYALA_FAULT_AT", format!("worker:{at}"));
        }
        let installer = format!("installer={}", wish.installer);
        let mut options = vec!["-o", &installer];
        if wish.rebuild {
            options.extend(["-o", "rebuild-env"]);
        }
        let push = self.project.push_with(&options);
        variables.remove_variable("NYALA_FAULT_AT");
        wait_until_quiet(&self.site.path);
        push
    }

    /// The allowed decisions. There are several only if it is unknown how far a killed worker got.
    fn expected(&self, live: Option<u64>, wish: &Wish) -> Vec<&'static str> {
        // The env of a failed first deployment may have been kept.
        let Some(id) = live else { return vec!["create", "copy", "update"] };
        let Some(env) = self.envs.get(&id) else {
            panic!("env {id} is live and was never finished")
        };
        // What pip alone installed can be uninstalled.
        let lost =
            env.installer != "pip" && env.needs.keys().any(|name| !wish.needs.contains_key(name));
        let other = env.python != wish.python
            || env.settings != wish.settings
            || env.installer != wish.installer
            // Another command, or none: each push has a command of its own.
            || env.trace.is_some();
        if wish.rebuild || env.harmed || self.never_again.contains(&id) || lost || other {
            return vec!["create"];
        }
        let fits = match (env.needs == wish.needs, wish.command) {
            (true, false) => "reuse",
            (true, true) => "copy",
            (false, _) => "update",
        };
        if self.perhaps.contains(&id) { vec![fits, "create"] } else { vec![fits] }
    }

    /// The release runs in an env with exactly the required packages, and not in one that was
    /// deleted.
    fn went_live(
        &mut self,
        id: u64,
        decision: &str,
        before: Option<u64>,
        wish: &Wish,
        step: usize,
    ) {
        let env = self.site.env_id();
        if decision == "reuse" {
            assert!(env < id && self.envs.contains_key(&env), "env {env} was never finished");
            assert!(!self.never_again.contains(&env), "env {env} was never to be used again");
        } else {
            assert_eq!(env, id);
            // A copy contains what was written into the original.
            let copied = before
                .filter(|_| decision != "create")
                .and_then(|before| self.envs[&before].trace.clone());
            let Wish { python, needs, settings, installer, command, rebuild: _ } = wish.clone();
            let trace = if command { Some(step.to_string()) } else { copied };
            self.envs.insert(id, Env { python, needs, settings, installer, trace, harmed: false });
        }
        let found = self.site.env_python(
            "import sys\n\
             print('python %d.%d' % sys.version_info[:2])\n\
             for name in 'acacia', 'antelope':\n    \
                 try: print(name, __import__(name).VERSION)\n    \
                 except ImportError: pass",
        );
        let needs = wish.needs.iter().map(|(name, version)| format!("\n{name} {version}"));
        assert_eq!(found, format!("python {}{}", wish.python, needs.collect::<Vec<_>>().concat()));
    }

    /// Each env has what was written into it before it went live, whatever later deployments run.
    fn assert_no_command_reached_what_was_live(&self) {
        for (id, env) in self.envs.iter().filter(|(_, env)| !env.harmed) {
            let folder = self.site.path.join("envs").join(id.to_string());
            if folder.exists() {
                let found = fs::read_to_string(folder.join(TRACE)).ok();
                assert_eq!(
                    found.as_deref().map(str::trim_end),
                    env.trace.as_deref(),
                    "env {id} was changed"
                );
            }
        }
    }
}

/// The decision in a log, once its plan is complete: the duration follows the last reason.
fn decision(log: &str) -> Option<&'static str> {
    let (_, plan) = log.split_once("-----> Plan")?;
    let plan = plan.split("----->").next().filter(|plan| plan.contains("Done in"))?;
    let (_, environment) = plan.split_once("Environment: ")?;
    let words = [
        ("create a new environment", "create"),
        ("install into the copy", "update"),
        ("uninstall what is not required", "update"),
        ("copy env", "copy"),
        ("reuse env", "reuse"),
    ];
    words
        .into_iter()
        .find(|(words, _)| environment.lines().next().is_some_and(|line| line.contains(words)))
        .map(|it| it.1)
}

/// With each seed, every decision occurs, with envs of both Pythons and both installers.
fn lives(seed: u64) {
    let (Some((older, newer)), Some(uv)) = (two_pythons(), uv()) else { return };
    let site = Site::of_nyala(faulty_nyala());
    site.sandbox.put_uv_on_path(&uv);
    let wish = Wish {
        python: older.minor(),
        needs: Needs::new(),
        settings: 0,
        installer: "pip",
        command: false,
        rebuild: false,
    };
    let mut life = Life {
        site: &site,
        project: site.project(),
        random: Rng::with_seed(seed),
        pythons: [older.minor(), newer.minor()],
        settings: 0,
        wish,
        envs: BTreeMap::new(),
        never_again: BTreeSet::new(),
        perhaps: BTreeSet::new(),
        decided: BTreeMap::new(),
    };
    life.live();
    eprintln!("{:?}", life.decided);
    count("lives of a site: pushes that came, failed or were killed in any order", STEPS);
    assert_eq!(
        life.decided.len(),
        4,
        "this seed does not lead to every decision: {:?}",
        life.decided
    );
    let kinds: BTreeSet<_> =
        life.envs.values().flat_map(|env| [&env.python, env.installer]).collect();
    assert_eq!(
        kinds.len(),
        4,
        "this seed does not lead to both Pythons and both installers: {kinds:?}"
    );
}

#[test]
fn no_sequence_of_events_uses_a_wrong_env() {
    lives(18);
}

#[test]
fn no_other_sequence_of_events_uses_a_wrong_env() {
    lives(34);
}
