//! A web process of a release: the connections to it, and the requests that it is answering.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout_at};

use super::body::Outgoing;
use super::process::Process;
use super::statistics::Totals;
use super::upstream::Upstream;

/// How many idle connections to a process are kept.
const IDLE: usize = 64;

/// How long an idle connection is used again. gunicorn closes its own after 2 s.
const IDLE_LIFE: Duration = Duration::from_millis(1500);

#[derive(Debug)]
pub(super) struct Backend {
    pub(super) process: Rc<Process>,
    idle: RefCell<Vec<(SendRequest<Outgoing>, Instant)>>,
    in_flight: Cell<usize>,
    answered: Notify,
    /// The number of the request that it was given last, so that processes take turns.
    last: Cell<u64>,
    /// Whether it gets no more requests, and no connection is worth keeping.
    is_leaving: Cell<bool>,
    /// Told when connections that would never end have to.
    hang_up: Notify,
    totals: RefCell<Totals>,
}

/// A request that a process is answering.
#[derive(Debug)]
pub(super) struct InFlight {
    backend: Rc<Backend>,
    /// What its answer comes on, and the next request may be sent on after that.
    connection: Option<SendRequest<Outgoing>>,
}

impl Backend {
    pub(super) fn new(process: Rc<Process>) -> Rc<Backend> {
        Rc::new(Backend {
            process,
            idle: RefCell::new(Vec::new()),
            in_flight: Cell::new(0),
            answered: Notify::new(),
            last: Cell::new(0),
            is_leaving: Cell::new(false),
            hang_up: Notify::new(),
            totals: RefCell::default(),
        })
    }

    /// Whether a request can be given to it now.
    pub(super) fn accepts(&self) -> bool {
        self.process.accepts() && !self.is_leaving.get()
    }

    /// How busy it is: the least gets the next request.
    pub(super) fn rank(&self) -> (usize, u64) {
        (self.in_flight.get(), self.last.get())
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals.borrow().clone()
    }

    /// Counts an answer of it, which began so long after its request had come.
    pub(super) fn count(&self, status: StatusCode, time: Duration) {
        self.totals.borrow_mut().count(status, time);
    }

    /// A connection to the process; a new one if that is asked for.
    pub(super) async fn connection(&self, fresh: bool) -> std::io::Result<SendRequest<Outgoing>> {
        if !fresh && let Some(sender) = self.idle() {
            return Ok(sender);
        }
        let stream = Upstream::connect(self.process.port()).await?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        spawn_local(connection.with_upgrades());
        Ok(sender)
    }

    /// A connection that is open and was used lately.
    fn idle(&self) -> Option<SendRequest<Outgoing>> {
        let mut idle = self.idle.borrow_mut();
        let mut unread = Vec::new();
        let mut found = None;
        while found.is_none()
            && let Some((sender, since)) = idle.pop()
        {
            if sender.is_closed() || since.elapsed() >= IDLE_LIFE {
                continue;
            }
            if sender.is_ready() {
                found = Some(sender);
            } else {
                // The end of its last answer has not been read yet.
                unread.push((sender, since));
            }
        }
        idle.append(&mut unread);
        found
    }

    /// Keeps a connection for the next request.
    fn keep(&self, sender: SendRequest<Outgoing>) {
        let mut idle = self.idle.borrow_mut();
        if !sender.is_closed() && !self.is_leaving.get() && idle.len() < IDLE {
            idle.push((sender, Instant::now()));
        }
    }

    /// Gives it no more requests.
    pub(super) fn leave(&self) {
        self.is_leaving.set(true);
        self.idle.borrow_mut().clear();
    }

    /// Gives it requests again.
    pub(super) fn come_back(&self) {
        self.is_leaving.set(false);
        self.answered.notify_waiters();
    }

    /// Waits until it has answered everything, or until a deadline; then connections that go on for
    /// ever, such as those of websockets, are told to end. One that comes back goes on with its.
    pub(super) async fn drain(&self, deadline: Instant) {
        self.until_idle(deadline, || self.is_leaving.get()).await;
        if self.is_leaving.get() {
            self.end_websockets();
        }
    }

    /// Waits until it has answered everything, as long as that is wanted.
    pub(super) async fn until_idle(&self, deadline: Instant, is_wanted: impl Fn() -> bool) {
        while is_wanted() && self.in_flight.get() > 0 {
            if timeout_at(deadline, self.answered.notified()).await.is_err() {
                return;
            }
        }
    }

    pub(super) fn end_websockets(&self) {
        self.hang_up.notify_waiters();
    }

    /// Returns when connections that would never end have to.
    pub(super) async fn hang_up(&self) {
        self.hang_up.notified().await;
    }
}

impl InFlight {
    /// `number` grows from request to request.
    pub(super) fn of(backend: &Rc<Backend>, number: u64) -> InFlight {
        backend.in_flight.set(backend.in_flight.get() + 1);
        backend.last.set(number);
        InFlight { backend: Rc::clone(backend), connection: None }
    }

    pub(super) fn backend(&self) -> &Rc<Backend> {
        &self.backend
    }

    /// Keeps the connection that the answer comes on until the answer was passed on.
    pub(super) fn is_answered_on(&mut self, connection: SendRequest<Outgoing>) {
        self.connection = Some(connection);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.backend.keep(connection);
        }
        self.backend.in_flight.set(self.backend.in_flight.get() - 1);
        self.backend.answered.notify_waiters();
    }
}
