//! The Python interpreters of this machine: found by running them, remembered, and chosen among.

mod cache;
mod error;
mod probe;
mod search;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use self::cache::{Answer, Cache, ModificationTimes, is_script, settled, stamps};
pub use self::error::{available, cannot_make_envs, not_found};
use self::probe::{Refusal, Report};
use self::search::Candidate;
pub use self::search::Search;
use super::cache::{INTERPRETERS, of_user as cache_of_user};
use super::version::{Version, Wanted};
use crate::console;
use crate::process::is_executable;

/// A `CPython` that ran here and said so itself; never one inside an environment, never a shim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    /// To be run: absolute and without links in it.
    pub path: PathBuf,
    pub version: Version,
    /// `sys.prefix`.
    pub prefix: PathBuf,
    /// Whether `-m venv` works, pip included: Debian splits it off into python3-venv.
    pub venv: bool,
    /// Whether `-E -s -m virtualenv` works.
    pub virtualenv: bool,
    /// The wheel of pip that ensurepip installs.
    pub bundled: Vec<PathBuf>,
    /// Of the file at `path`.
    pub identity: FileIdentity,
}

/// Tells whether a file is still the one it was. `dev` may change when the machine starts again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    pub dev: u64,
    pub inode: u64,
    pub size: u64,
    /// Nanoseconds since 1970.
    pub mtime_ns: i64,
}

impl Interpreter {
    /// Whether it can make an environment with pip in it, by venv or virtualenv.
    pub fn can_make_envs(&self) -> bool {
        self.venv || self.virtualenv
    }
}

impl FileIdentity {
    /// Of the file that `path` leads to, links followed.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            dev: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            mtime_ns: modified_ns(&metadata),
        })
    }
}

/// Finds the interpreters of this machine: newest first, of one version those that `python_paths`
/// names first.
///
/// `cache` is a file that keeps what each said; it and its folder are made if need be, and a cache
/// that cannot be read or written costs time only. While nothing has changed no process is started,
/// unless a script (not in a folder of shims) has an interpreter's name.
pub fn discover(search: &Search, cache: &Path) -> Vec<Interpreter> {
    let before = Cache::read(cache);
    let (found, after) = discover_with(search, before.clone());
    if after != before
        && let Err(error) = after.write(cache)
    {
        tracing::debug!("the interpreters are not kept: {error:#}");
    }
    found
}

/// The same for who must not change anything: `cache` is read and never written.
pub fn discover_unsaved(search: &Search, cache: &Path) -> Vec<Interpreter> {
    discover_with(search, Cache::read(cache)).0
}

/// The interpreters that this user finds, where there is no site with `python_paths`.
pub fn of_user() -> Vec<Interpreter> {
    let cache = cache_of_user().unwrap_or_default();
    discover_unsaved(&Search::from_environment(Vec::new()), &cache.join(INTERPRETERS))
}

/// The interpreter to use: one that can make environments rather than one that cannot, a release
/// rather than what came before it, then the newest, then the first in `all`.
pub fn choose<'a>(wanted: &Wanted, all: &'a [Interpreter]) -> Option<&'a Interpreter> {
    choose_like(wanted, None, all)
}

/// The same for a site that has had a Python: of its minor version, if one of that will do. An
/// application should not meet another Python because a requirement was removed.
pub fn choose_like<'a>(
    wanted: &Wanted,
    before: Option<Version>,
    all: &'a [Interpreter],
) -> Option<&'a Interpreter> {
    let minor = |version: Version| (version.major, version.minor);
    all.iter().filter(|interpreter| wanted.matches(&interpreter.version)).min_by_key(
        |interpreter| {
            (
                before.is_some_and(|before| minor(before) != minor(interpreter.version)),
                !interpreter.can_make_envs(),
                !interpreter.version.is_final(),
                Reverse(interpreter.version),
            )
        },
    )
}

fn discover_with(search: &Search, mut cache: Cache) -> (Vec<Interpreter>, Cache) {
    let mut found: Vec<(Interpreter, bool)> = Vec::new();
    let mut todo = search.candidates();
    let mut seen: HashSet<PathBuf> = todo.iter().map(|candidate| candidate.file.clone()).collect();

    while !todo.is_empty() {
        let mut next = Vec::new();
        for (candidate, answer) in answers(todo, &mut cache) {
            match answer {
                Answer::Interpreter(interpreter) => {
                    found.push((interpreter, candidate.asked_for.is_some()));
                }
                Answer::Elsewhere(files) => {
                    let files = files.iter().filter(|file| is_executable(file));
                    for file in files.filter_map(|file| file.canonicalize().ok()) {
                        if seen.insert(file.clone()) {
                            next.push(Candidate { file, asked_for: candidate.asked_for.clone() });
                        }
                    }
                }
                Answer::Unfit(why) => log_unusable(&candidate, &why),
            }
        }
        todo = next;
    }

    found.sort_by(|(a, a_asked_for), (b, b_asked_for)| {
        (Reverse(a.version), !a_asked_for, &a.path).cmp(&(
            Reverse(b.version),
            !b_asked_for,
            &b.path,
        ))
    });
    // Hard links of one interpreter. Conda links one file into many prefixes, and there each is its
    // own.
    let mut files = HashSet::new();
    found.retain(|(interpreter, _)| {
        files.insert((
            interpreter.identity.dev,
            interpreter.identity.inode,
            interpreter.prefix.clone(),
        ))
    });
    (found.into_iter().map(|(interpreter, _)| interpreter).collect(), cache)
}

/// What each candidate says, from the cache or by running it; those that say nothing are left out.
fn answers(candidates: Vec<Candidate>, cache: &mut Cache) -> Vec<(Candidate, Answer)> {
    let mut known = Vec::new();
    let mut to_ask = Vec::new();
    for candidate in candidates {
        let Ok(identity) = FileIdentity::of(&candidate.file) else {
            continue;
        };
        match cache.get(&candidate.file, &identity) {
            Some(answer) => known.push((candidate, answer.clone())),
            None => to_ask.push((candidate, identity)),
        }
    }
    let asked_at = SystemTime::now();
    for (candidate, identity, reply) in ask_all(to_ask) {
        match reply {
            Ok(report) => {
                let (answer, folders) = judge(&candidate.file, &identity, report);
                if !is_script(&candidate.file) && settled(&folders, asked_at) {
                    cache.put(candidate.file.clone(), identity, folders, answer.clone());
                }
                known.push((candidate, answer));
            }
            // Not kept: a missing library may be there tomorrow, and the file would be the same.
            Err(refusal) => {
                if let Refusal::TimedOut(_) = refusal {
                    console::warning(format_args!(
                        "{} {refusal}: it is skipped.",
                        candidate.file.display()
                    ));
                } else {
                    log_unusable(&candidate, &refusal.to_string());
                }
            }
        }
    }
    known
}

type ProbeAnswer = (Candidate, FileIdentity, Result<Report, Refusal>);

/// Runs the probes, a few at a time.
fn ask_all(candidates: Vec<(Candidate, FileIdentity)>) -> Vec<ProbeAnswer> {
    if candidates.is_empty() {
        return Vec::new();
    }
    let threads =
        thread::available_parallelism().map_or(2, usize::from).clamp(2, 4).min(candidates.len());
    let queue = Mutex::new(candidates.into_iter());
    let take = || queue.lock().ok()?.next();
    let ask_until_empty = || {
        let mut asked = Vec::new();
        while let Some((candidate, identity)) = take() {
            let reply = probe::ask(&candidate.file);
            asked.push((candidate, identity, reply));
        }
        asked
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(ask_until_empty)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    })
}

fn judge(file: &Path, identity: &FileIdentity, report: Report) -> (Answer, ModificationTimes) {
    let executable = report.executable.canonicalize().unwrap_or_default();
    if report.prefix != report.base_prefix {
        let name = format!("bin/python{}", report.version.minor_version());
        let elsewhere =
            Answer::Elsewhere(vec![report.base_executable, report.base_prefix.join(name)]);
        return (elsewhere, stamps(vec![report.prefix.join("pyvenv.cfg")]));
    }
    if executable != file {
        return (Answer::Elsewhere(vec![report.executable]), ModificationTimes::new());
    }
    if report.implementation != "CPython" {
        return (
            Answer::Unfit(format!("is {}, only CPython is used", report.implementation)),
            ModificationTimes::new(),
        );
    }
    if report.special {
        return (
            Answer::Unfit("is a debug or free-threaded build".to_owned()),
            ModificationTimes::new(),
        );
    }
    let interpreter = Interpreter {
        path: executable,
        version: report.version,
        prefix: report.prefix,
        venv: report.venv,
        virtualenv: report.virtualenv,
        bundled: report.bundled,
        identity: identity.clone(),
    };
    (Answer::Interpreter(interpreter), stamps(report.folders))
}

/// Whoever wrote a path into nyala.toml has to hear of it; what merely lies on PATH is of no
/// interest.
fn log_unusable(candidate: &Candidate, why: &str) {
    let file = candidate.file.display();
    if let Some(path) = &candidate.asked_for {
        console::warning(format_args!(
            "python_paths in nyala.toml names {}, but {file} {why}: it is skipped.",
            path.display()
        ));
    } else {
        tracing::debug!("{file} {why}");
    }
}

fn modified_ns(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}
