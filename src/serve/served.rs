//! One site that is served: its address, what is live, and the requests that wait for it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::sync::{MutexGuard, Notify};
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout_at};

use super::backend::{Backend, InFlight};
use super::bounds;
use super::door::{Door, id_of};
use super::listen::Listening;
use super::logs::ProcessLog;
use super::manager::Manager;
use super::printer::print;
use super::process::Process;
use super::release::Release;
use super::statistics::{Recent, Totals};
use crate::control::{LastMinutes, ProcessAnswers, Statistics};
use crate::site::Site;
use crate::site::lock::ServeLock;
use crate::site::settings::Run;
use crate::text::duration;
use crate::user_error::UserError;

/// How long a connection is kept for one more request when the site closes: closed while a visitor
/// sends one, the request is lost.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// What `nyala serve` has of a site. All of it is on one thread.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) site: Site,
    pub(super) run: RefCell<Rc<Run>>,
    /// What visitors are given to: swapped whole, so that each request has one release.
    live: RefCell<Option<Rc<Release>>>,
    /// The releases before, while they end.
    pub(super) leaving: RefCell<Vec<Rc<Release>>>,
    /// Told whenever a process or what is live has changed.
    pub(super) changed: Rc<Notify>,
    logs: RefCell<BTreeMap<String, Rc<ProcessLog>>>,
    started: Instant,
    recent: RefCell<Recent>,
    /// Until when requests wait.
    pub(super) paused: Cell<Option<Instant>>,
    pub(super) maintenance: RefCell<Option<Bytes>>,
    pub(super) manager: Rc<Manager>,
    pub(super) listening: RefCell<Option<Listening>>,
    /// Why it does not listen where it should.
    pub(super) not_listening: RefCell<Option<UserError>>,
    /// Why what is live was not started, as it was said; it is tried again.
    pub(super) not_started: RefCell<Option<UserError>>,
    /// How many connections of visitors are open.
    connections: Cell<usize>,
    /// Told when one ends that kept others from being taken.
    has_room: Notify,
    is_closing: Cell<bool>,
    closing: Notify,
    /// One deployment at a time is carried out.
    pub(super) turn: tokio::sync::Mutex<()>,
    pub(super) lock: RefCell<ServeLock>,
    pub(super) door: RefCell<Option<Door>>,
    /// The number of its folder: another one at its place is another site.
    folder: Option<(u64, u64)>,
}

impl Served {
    pub(super) fn new(site: Site, lock: ServeLock, manager: Rc<Manager>) -> Rc<Served> {
        let folder = id_of(site.root());
        Rc::new(Served {
            site,
            run: RefCell::default(),
            live: RefCell::new(None),
            leaving: RefCell::default(),
            changed: Rc::new(Notify::new()),
            logs: RefCell::default(),
            started: Instant::now(),
            recent: RefCell::default(),
            paused: Cell::new(None),
            maintenance: RefCell::new(None),
            manager,
            listening: RefCell::new(None),
            not_listening: RefCell::new(None),
            not_started: RefCell::new(None),
            connections: Cell::new(0),
            has_room: Notify::new(),
            is_closing: Cell::new(false),
            closing: Notify::new(),
            turn: tokio::sync::Mutex::new(()),
            lock: RefCell::new(lock),
            door: RefCell::new(None),
            folder,
        })
    }

    /// Whether another site is at its place.
    pub(super) fn is_replaced(&self) -> bool {
        id_of(self.site.root()).is_some_and(|now| Some(now) != self.folder)
    }

    /// Whether it is where it was: it was neither moved nor removed, and nothing is put there anew.
    pub(super) fn is_in_place(&self) -> bool {
        Site::is_at(self.site.root()) && !self.is_replaced()
    }

    /// Has the files begun anew in which the output of such processes is.
    pub(super) fn begin_logs_anew(&self, is_meant: impl Fn(&ProcessLog) -> bool) {
        self.logs.borrow().values().filter(|log| is_meant(log)).for_each(|log| log.begin_anew());
    }

    pub(super) fn run(&self) -> Rc<Run> {
        Rc::clone(&self.run.borrow())
    }

    /// Has these settings from now on, apart from the address.
    pub(super) fn keep_run(&self, run: Run) {
        self.logs.borrow().values().for_each(|log| log.bound(&run));
        self.run.replace(Rc::new(run));
    }

    /// A line for whoever reads what `nyala serve` prints.
    pub(super) fn say(&self, text: impl std::fmt::Display) {
        print(format!("{}: {text}\n", self.site.name()));
    }

    pub(super) fn log(&self, process: &str) -> Rc<ProcessLog> {
        let mut logs = self.logs.borrow_mut();
        let log = logs
            .entry(process.to_owned())
            .or_insert_with(|| Rc::new(ProcessLog::new(&self.site, process, &self.run())));
        Rc::clone(log)
    }

    /// Waits until nobody else changes what runs, and says so if that is to be waited for.
    pub(super) async fn take_turn(&self, say: &dyn Fn(String)) -> MutexGuard<'_, ()> {
        if let Ok(turn) = self.turn.try_lock() {
            return turn;
        }
        say("Waiting for another deployment or command to end".to_owned());
        self.turn.lock().await
    }

    pub(super) fn live(&self) -> Option<Rc<Release>> {
        self.live.borrow().clone()
    }

    /// A request for the release that is live, once one takes requests; `None` when none does until
    /// the deadline.
    pub(super) async fn live_release(&self, deadline: Instant) -> Option<InFlight> {
        loop {
            if let Some(taken) = self.live()?.take() {
                return Some(taken);
            }
            // Where nothing is to come, nobody waits for it.
            self.live().filter(|release| release.has_web())?;
            timeout_at(deadline, self.changed.notified()).await.ok()?;
        }
    }

    /// Whether visitors have a release, and are to keep it.
    pub(super) fn is_live(&self, release: &Rc<Release>) -> bool {
        !self.is_closing.get() && self.live().is_some_and(|live| Rc::ptr_eq(&live, release))
    }

    /// Gives visitors to a release; returns the one that they had.
    pub(super) fn give_visitors_to(&self, release: &Rc<Release>) -> Option<Rc<Release>> {
        self.not_started.take();
        let before = self.live.replace(Some(Rc::clone(release)));
        self.changed.notify_waiters();
        before
    }

    /// A release that visitors do not have any more still has processes.
    pub(super) fn leaves(&self, release: &Rc<Release>) {
        self.leaving.borrow_mut().push(Rc::clone(release));
    }

    pub(super) fn has_left(&self, release: &Rc<Release>) {
        self.leaving.borrow_mut().retain(|it| !Rc::ptr_eq(it, release));
        self.changed.notify_waiters();
    }

    /// Lets a release that visitors do not have any more finish what it answers, and ends it.
    pub(super) async fn end_leaving(&self, release: &Rc<Release>) {
        self.end(release).await;
        self.has_left(release);
    }

    /// Counts an answer to a request that came at that moment.
    pub(super) fn count(&self, status: StatusCode, begun: Instant) {
        let now = Instant::now();
        self.recent.borrow_mut().count(now - self.started, status, now - begun);
    }

    pub(super) fn last_minutes(&self) -> LastMinutes {
        self.recent.borrow().last_minutes(Duration::ZERO, self.started.elapsed())
    }

    /// Gives visitors to nothing any more, and ends what is live.
    pub(super) async fn end_live(&self) {
        let Some(live) = self.live.take() else { return };
        self.changed.notify_waiters();
        self.leaves(&live);
        self.end_leaving(&live).await;
    }

    /// Lets a release finish what it answers, and ends it.
    pub(super) async fn end(&self, release: &Rc<Release>) {
        let grace = self.run().grace;
        release.drain(grace).await;
        let (left, grace_is) = (release.in_flight(), duration(grace));
        if left > 0 {
            let what = "requests and websockets cut off";
            self.say(format_args!("release {} ends after {grace_is}; {what}: {left}", release.id));
        }
        release.stop(super::STOP_PATIENCE.max(grace)).await;
    }

    /// Ends a part of what is live that is not wanted any more, as it ends a release.
    pub(super) async fn end_part(
        &self,
        live: &Release,
        web: Vec<Rc<Backend>>,
        others: Vec<Rc<Process>>,
    ) {
        let part = Release::new(live.id, web);
        *part.others.borrow_mut() = others;
        self.leaves(&part);
        self.end_leaving(&part).await;
    }

    /// The processes of releases that visitors do not have any more.
    pub(super) fn processes_leaving(&self) -> Vec<Rc<Process>> {
        self.leaving.borrow().iter().flat_map(|release| release.processes()).collect()
    }

    pub(super) fn statistics(&self) -> Statistics {
        let live = self.live();
        let leaving = self.leaving.borrow();
        let web = live.iter().chain(leaving.iter()).flat_map(|release| release.web());
        let processes = web.map(|backend| {
            let Totals { answers, within, time } = backend.totals();
            ProcessAnswers {
                process: backend.process.spec.label(),
                release: backend.process.spec.release,
                answers,
                within,
                seconds: time.as_secs_f64(),
                in_flight: backend.in_flight(),
            }
        });
        Statistics { last_minutes: self.last_minutes(), processes: processes.collect() }
    }

    /// Returns when the site is closing.
    pub(super) async fn closing(&self) {
        while !self.is_closing() {
            self.closing.notified().await;
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing.get()
    }

    /// Returns when one more connection may be taken: the files of this process are for all sites.
    pub(super) async fn room(&self) {
        while self.connections.get() >= bounds::connections() {
            self.has_room.notified().await;
        }
    }

    /// A connection of a visitor, which is open until the value is dropped.
    pub(super) fn connection(self: &Rc<Self>) -> Connection {
        self.connections.set(self.connections.get() + 1);
        Connection(Rc::clone(self))
    }

    /// Takes no more connections, finishes what visitors wait for, and ends everything. A listening
    /// socket that is kept stays there, for the next nyala serve.
    pub(super) async fn close(self: &Rc<Self>) {
        self.listening.take();
        self.is_closing.set(true);
        self.closing.notify_waiters();
        // Who waits gets an answer yet.
        self.resume();
        let deadline = Instant::now() + FAREWELL;
        while self.connections.get() > 0 {
            if timeout_at(deadline, self.changed.notified()).await.is_err() {
                break;
            }
        }
        let live = self.live.borrow().clone();
        let mut all: Vec<_> = live.into_iter().collect();
        all.extend(self.leaving.borrow().iter().cloned());
        let ending = all.into_iter().map(|release| {
            // They never end by themselves, and the next nyala serve takes them.
            release.end_websockets();
            let site = Rc::clone(self);
            spawn_local(async move { site.end(&release).await })
        });
        let ending: Vec<_> = ending.collect();
        for ending in ending {
            let _ = ending.await;
        }
        self.live.borrow_mut().take();
    }

    /// Closes a site that is gone: nobody will listen there.
    pub(super) async fn close_for_good(self: &Rc<Self>) {
        if let Some(listening) = &*self.listening.borrow() {
            self.manager.forget(&listening.name);
        }
        self.close().await;
    }
}

/// See [`Served::connection`].
pub(super) struct Connection(Rc<Served>);

impl Connection {
    pub(super) fn site(&self) -> &Rc<Served> {
        &self.0
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let left = self.0.connections.get() - 1;
        self.0.connections.set(left);
        if left + 1 == bounds::connections() {
            self.0.has_room.notify_waiters();
        }
        if self.0.is_closing() {
            self.0.changed.notify_waiters();
        }
    }
}
