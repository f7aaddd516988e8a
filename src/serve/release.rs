//! The application of one release, while it runs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::backend::{Backend, InFlight};
use super::process::{Process, stop_all};
use super::spec::Spec;
use super::statistics::Totals;
use crate::site::DeploymentId;

/// The processes of a release.
#[derive(Debug)]
pub(super) struct Release {
    pub(super) id: DeploymentId,
    /// What answers requests; empty when nothing does.
    pub(super) web: RefCell<Vec<Rc<Backend>>>,
    /// The others, once the release is live.
    pub(super) others: RefCell<Vec<Rc<Process>>>,
    /// The others that are started once those of the releases before have ended.
    pub(super) to_come: RefCell<Option<Vec<Spec>>>,
    /// How many requests it was given.
    requests: Cell<u64>,
}

impl Release {
    pub(super) fn new(id: DeploymentId, web: Vec<Rc<Backend>>) -> Rc<Release> {
        Rc::new(Release {
            id,
            web: RefCell::new(web),
            others: RefCell::new(Vec::new()),
            to_come: RefCell::new(None),
            requests: Cell::new(0),
        })
    }

    pub(super) fn has_web(&self) -> bool {
        !self.web.borrow().is_empty()
    }

    /// Its web processes, as they are now.
    pub(super) fn web(&self) -> Vec<Rc<Backend>> {
        self.web.borrow().clone()
    }

    /// Whether a request can be given to it now.
    pub(super) fn accepts(&self) -> bool {
        self.web.borrow().iter().any(|backend| backend.accepts())
    }

    /// A request for the least busy of its web processes; `None` when none takes requests.
    pub(super) fn take(&self) -> Option<InFlight> {
        let web = self.web.borrow();
        let backend = web.iter().filter(|it| it.accepts()).min_by_key(|it| it.rank())?;
        self.requests.set(self.requests.get() + 1);
        Some(InFlight::of(backend, self.requests.get()))
    }

    pub(super) fn in_flight(&self) -> usize {
        self.web.borrow().iter().map(|backend| backend.in_flight()).sum()
    }

    /// Waits until it is answering nothing, or until a deadline.
    pub(super) async fn until_idle(&self, deadline: Instant) {
        for backend in self.web() {
            backend.until_idle(deadline, || true).await;
        }
    }

    pub(super) fn processes(&self) -> Vec<Rc<Process>> {
        let web = self.web.borrow();
        let web = web.iter().map(|backend| &backend.process);
        web.chain(self.others.borrow().iter()).cloned().collect()
    }

    /// What its web processes have answered.
    pub(super) fn totals(&self) -> Totals {
        self.web.borrow().iter().map(|backend| backend.totals()).sum()
    }

    /// Has its web processes started again when they end.
    pub(super) fn keep(&self) {
        self.web.borrow().iter().for_each(|backend| backend.process.keep());
    }

    /// Gives it no more requests, and waits until it has answered everything, or `grace` is over.
    pub(super) async fn drain(&self, grace: Duration) {
        let web = self.web();
        for backend in &web {
            backend.leave();
        }
        let deadline = Instant::now() + grace;
        for backend in web {
            backend.drain(deadline).await;
        }
    }

    /// Ends the connections that would never end by themselves.
    pub(super) fn end_websockets(&self) {
        for backend in self.web.borrow().iter() {
            backend.end_websockets();
        }
    }

    /// Gives it requests again, whatever [`Release::drain`] has come to.
    pub(super) fn come_back(&self) {
        for backend in self.web.borrow().iter() {
            backend.come_back();
        }
    }

    /// Ends its processes.
    pub(super) async fn stop(&self, grace: Duration) {
        stop_all(self.processes(), grace).await;
    }

    /// Ends the others.
    pub(super) async fn stop_others(&self, grace: Duration) {
        let others = self.others.borrow().clone();
        stop_all(others, grace).await;
        self.others.borrow_mut().clear();
    }
}
