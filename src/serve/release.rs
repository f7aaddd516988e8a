//! The application of one release, while it runs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout_at};

use super::body::Outgoing;
use super::process::Process;
use crate::site::DeploymentId;

/// How many idle connections to a process are kept.
const IDLE: usize = 64;

/// How long an idle connection is used again. gunicorn closes its own after 2 s.
const IDLE_LIFE: Duration = Duration::from_millis(1500);

/// The processes of a release, and the requests that they are answering.
#[derive(Debug)]
pub(super) struct Release {
    pub(super) id: DeploymentId,
    /// What answers requests; `None` when nothing does.
    pub(super) web: Option<Rc<Process>>,
    /// The others, once the release is live.
    pub(super) others: RefCell<Vec<Rc<Process>>>,
    idle: RefCell<Vec<(SendRequest<Outgoing>, Instant)>>,
    in_flight: Cell<usize>,
    answered: Notify,
    /// Whether it is replaced, and no connection is worth keeping.
    is_leaving: Cell<bool>,
    /// Told when connections that would never end have to.
    pub(super) hang_up: Notify,
}

/// A request that a release is answering.
#[derive(Debug)]
pub(super) struct InFlight(Rc<Release>);

impl Release {
    pub(super) fn new(id: DeploymentId, web: Option<Rc<Process>>) -> Rc<Release> {
        Rc::new(Release {
            id,
            web,
            others: RefCell::new(Vec::new()),
            idle: RefCell::new(Vec::new()),
            in_flight: Cell::new(0),
            answered: Notify::new(),
            is_leaving: Cell::new(false),
            hang_up: Notify::new(),
        })
    }

    /// Whether a request can be given to it now.
    pub(super) fn accepts(&self) -> bool {
        self.web.as_ref().is_some_and(|web| web.accepts())
    }

    pub(super) fn processes(&self) -> Vec<Rc<Process>> {
        self.web.iter().chain(self.others.borrow().iter()).cloned().collect()
    }

    /// A connection to its web process; a new one if that is asked for.
    pub(super) async fn connection(&self, fresh: bool) -> std::io::Result<SendRequest<Outgoing>> {
        if !fresh && let Some(sender) = self.idle() {
            return Ok(sender);
        }
        let port = self.web.as_ref().and_then(|web| web.spec.port).unwrap_or_default();
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        spawn_local(connection.with_upgrades());
        Ok(sender)
    }

    /// A connection that is open and was used lately.
    fn idle(&self) -> Option<SendRequest<Outgoing>> {
        let mut idle = self.idle.borrow_mut();
        while let Some((sender, since)) = idle.pop() {
            if sender.is_ready() && since.elapsed() < IDLE_LIFE {
                return Some(sender);
            }
        }
        None
    }

    /// Keeps a connection for the next request, once its answer was read.
    pub(super) fn give_back(self: &Rc<Self>, mut sender: SendRequest<Outgoing>) {
        let release = Rc::clone(self);
        spawn_local(async move {
            if sender.ready().await.is_ok() && !release.is_leaving.get() {
                let mut idle = release.idle.borrow_mut();
                if idle.len() < IDLE {
                    idle.push((sender, Instant::now()));
                }
            }
        });
    }

    /// Waits until it has answered everything, or `grace` is over; then connections that go on for
    /// ever, such as those of websockets, are told to end. It must not be given requests any more.
    pub(super) async fn drain(&self, grace: Duration) {
        self.is_leaving.set(true);
        self.idle.borrow_mut().clear();
        let deadline = Instant::now() + grace;
        while self.in_flight.get() > 0 {
            if timeout_at(deadline, self.answered.notified()).await.is_err() {
                break;
            }
        }
        self.hang_up.notify_waiters();
    }

    /// Ends its processes: what answers requests first, then the others.
    pub(super) async fn stop(&self, grace: Duration) {
        for process in self.processes() {
            process.stop(grace).await;
        }
    }
}

impl InFlight {
    pub(super) fn of(release: &Rc<Release>) -> InFlight {
        release.in_flight.set(release.in_flight.get() + 1);
        InFlight(Rc::clone(release))
    }

    pub(super) fn release(&self) -> &Rc<Release> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
        self.0.answered.notify_waiters();
    }
}
