//! A push: from the ref lines to a deployment with a worker, whose log is then copied to the
//! pusher.
//!
//! By default git has moved the branch when `post-receive` runs, and the push succeeds whatever
//! becomes of the deployment. In a strict site `proc-receive` runs before, and the branch moves
//! with what is live or not at all.

mod dry_run;
mod error;
mod kept_hook;
mod options;
mod post_receive;
mod proc_receive;
mod push_plan;
pub mod refs;
mod rules;
mod usual;
pub mod wire;

use std::fs;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::console::{End, Followed, Follower, follow, mask, paint, print};
use crate::disk::space::FileSystem;
use crate::disk::{self, Changed};
use crate::git::{Commit, RefUpdate, Refs, Repository, short};
use crate::setup;
use crate::site::freeze::{Frozen, Received};
use crate::site::queue::NewDeployment;
use crate::site::record::Trigger;
use crate::site::{DeployOptions, DeploymentId, Record, SETTINGS_FILE, Settings, Site};
use crate::text::clean;
use crate::user_error::UserError;
use crate::worker::{self, Started, session};
use usual::Usual;

pub use post_receive::post_receive;
pub use proc_receive::proc_receive;

/// Gives a push its deployment, and that one its worker; `None` when deployments are frozen.
fn receive(site: &Site, repository: &Repository, new: NewDeployment) -> Result<Option<Started>> {
    site.make_folders()?;
    let new = started_by_own(site, new)?;
    let (commit, refname) = (new.commit.clone(), new.update.refname.clone());
    match site.receive(new, || repository.tip(&refname))? {
        Received::Enqueued(record, log) => worker::start(site, record.id, log).map(Some),
        Received::Overtaken { record, by, mut log } => {
            let line = worker::superseded_line(site, record.id, by);
            Reader::Pusher.say(&line);
            writeln!(log, "{line}").context("the deployment's log cannot be written")?;
            Ok(None)
        }
        Received::Held(frozen) => {
            say_held(site, &frozen, &commit);
            Ok(None)
        }
    }
}

/// Tells the pusher that deployments are frozen.
fn say_held(site: &Site, frozen: &Frozen, commit: &str) {
    Reader::Pusher.say(&format!(
        "error: {} was not deployed: deployments are frozen {}; {}",
        short(commit),
        mask::known().apply(&frozen.in_words()),
        worker::what_is_live(site)
    ));
}

/// Gives a deployment its number and its worker.
pub fn start(site: &Site, new: NewDeployment) -> Result<Started> {
    site.make_folders()?;
    let (record, log) = site.enqueue(started_by_own(site, new)?)?;
    worker::start(site, record.id, log)
}

/// A deployment that another one starts, in one of its steps or actions, says so; see
/// [`session`].
fn started_by_own(site: &Site, new: NewDeployment) -> Result<NewDeployment> {
    let started_by = session::starter(site)?;
    session::check_chain(site, started_by)?;
    Ok(NewDeployment { started_by, ..new })
}

/// Checks that the hook runs in the repository of the site and not in a copy of it.
fn check_repository(site: &Site, settings: &Settings) -> Result<()> {
    let Some(named) = std::env::var_os("GIT_DIR") else { return Ok(()) };
    let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let here = canonical(Path::new(&named));
    let own = canonical(&site.repository(settings));
    let id = |path: &Path| fs::metadata(path).ok().as_ref().map(disk::file_id);
    // One that is mounted twice has two paths. One that is gone cannot be told from a copy; whoever
    // opens it says that it is gone.
    if here == own || id(&own).is_none_or(|own| id(&here) == Some(own)) {
        return Ok(());
    }
    let copy = here.parent().filter(|folder| folder.join(SETTINGS_FILE).is_file());
    let strict = here.join("hooks").join(setup::STRICT_HOOK).is_file();
    bail!(error::copied_hook(&here, &own, site.root(), copy, strict))
}

/// Who reads a log that is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A pusher, at the other end of git. One who stops reading is not waited for.
    Pusher,
    /// A pusher to whom a proc-receive hook talks: its standard output is for git itself.
    StrictPusher,
    /// Somebody who called for the log, and may read as slowly as a pager does.
    Person,
}

impl Reader {
    fn output(self) -> BorrowedFd<'static> {
        match self {
            Reader::Pusher | Reader::Person => rustix::stdio::stdout(),
            Reader::StrictPusher => rustix::stdio::stderr(),
        }
    }

    /// Prints an error or a warning. git colours the line that begins with this word.
    fn tell(self, word: &str, error: &UserError) {
        let text = error.to_string();
        for (number, line) in text.lines().enumerate() {
            let line = mask::known().apply(&clean(line)).into_owned();
            let start = if number == 0 { format!("{word}: ") } else { "       ".to_owned() };
            self.say(&format!("{start}{line}"));
        }
    }

    /// Prints one line. It does not matter if nobody reads it.
    fn say(self, line: &str) {
        print(self.output(), &format!("{line}\n"));
    }
}

/// Copies the log of a deployment to a reader until the deployment ends, and returns its record.
/// The deployment does not wait for the reader.
pub fn watch(site: &Site, id: DeploymentId, reader: Reader) -> Result<Record> {
    watch_until(site, id, reader, None)
}

/// [`watch`] for a deployment that this process has started.
pub fn watch_started(site: &Site, started: &Started, reader: Reader) -> Result<Record> {
    watch_until(site, started.id, reader, Some(started.end()))
}

/// [`watch`], which does not wait for its next look when `end` is hung up.
fn watch_until(
    site: &Site,
    id: DeploymentId,
    reader: Reader,
    end: Option<BorrowedFd<'_>>,
) -> Result<Record> {
    let mut state = State::Running;
    let mut asked: Option<(RecordFile, Instant)> = None;
    let mut has_come = || {
        // This is called every few milliseconds, while the worker needs the processors.
        let file = RecordFile::of(site, id);
        if asked.as_ref().is_none_or(|(seen, when)| *seen != file || when.elapsed() > ALIVE) {
            state = state_of(site, id)?;
            asked = Some((file, Instant::now()));
        }
        Ok(state != State::Running)
    };
    let who = match reader {
        Reader::Pusher | Reader::StrictPusher => Follower::Client,
        Reader::Person => Follower::Person { coloured: paint::wanted(io::stdout()) },
    };
    let whole = format!("nyala build-log {id}");
    let usual = Usual::new(site, id);
    let place = |title: &str, before: f64| usual.place(title, before);
    let log = site.log_file(id);
    let followed = follow(
        &log,
        reader.output(),
        who,
        whole,
        &place,
        End { has_come: &mut has_come, hangs_up: end },
    )?;
    if state == State::Dead && followed == Followed::Whole {
        let live = worker::what_is_live(site);
        let error = match FileSystem::of(site.root()) {
            Ok(system) if system.is_full() => error::not_recorded(id, &system),
            _ => error::worker_was_killed(id),
        };
        let error = error.with_next_step(reader != Reader::StrictPusher);
        reader.tell("error", &error);
        // The last line of a push says what is live.
        reader.say(&format!("error: {}; {live}", error.fact));
    }
    record(site, id)
}

/// How often a silent worker is checked for being alive.
const ALIVE: Duration = Duration::from_millis(50);

/// Which file a record is at the moment: a record is replaced when it changes.
#[derive(PartialEq, Eq)]
struct RecordFile(Option<(u64, Changed)>);

impl RecordFile {
    fn of(site: &Site, id: DeploymentId) -> RecordFile {
        RecordFile(fs::metadata(site.record_file(id)).ok().as_ref().map(disk::change_id))
    }
}

/// Waits until a deployment has ended, and returns its record. If its status is not final, its
/// worker was killed.
pub fn wait(site: &Site, id: DeploymentId) -> Result<Record> {
    while state_of(site, id)? == State::Running {
        std::thread::sleep(PAUSE);
    }
    record(site, id)
}

/// The pause between two looks at a deployment that somebody waits for.
const PAUSE: Duration = Duration::from_millis(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Ended,
    /// Its worker was killed.
    Dead,
}

fn state_of(site: &Site, id: DeploymentId) -> Result<State> {
    if has_ended(site, id)? {
        return Ok(State::Ended);
    }
    if site.has_worker(id)? {
        return Ok(State::Running);
    }
    // It may have ended between the two checks.
    Ok(if has_ended(site, id)? { State::Ended } else { State::Dead })
}

fn has_ended(site: &Site, id: DeploymentId) -> Result<bool> {
    Ok(site.record(id)?.is_none_or(|record| record.has_ended()))
}

fn record(site: &Site, id: DeploymentId) -> Result<Record> {
    Ok(site.record(id)?.ok_or_else(|| error::record_is_gone(id))?)
}

fn new_deployment(
    commit: Commit,
    update: &RefUpdate,
    options: DeployOptions,
    moves: Vec<RefUpdate>,
) -> NewDeployment {
    NewDeployment { options, moves, ..NewDeployment::of(commit, Trigger::Push, update.clone()) }
}
