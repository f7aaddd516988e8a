//! Where a site listens, and how that changes.

pub(super) mod error;

use std::rc::Rc;

use anyhow::Result;

use super::listen::{self, Listening};
use super::served::Served;
use crate::disk;
use crate::site::settings::{Listen, Run};
use crate::user_error::UserError;

/// The address that settings want, which is listened on already, beside the one before. Dropped, it
/// is given up.
pub(super) struct Reserved {
    site: Rc<Served>,
    /// Whether it is another one than before.
    is_new: bool,
    /// `None` where nobody is to listen, and where nothing changes.
    listening: Option<Listening>,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.take() {
            self.site.forget(&listening);
        }
    }
}

impl Served {
    /// Listens where settings want it. Fails when it cannot be had; then nothing has changed.
    pub(super) fn reserve(self: &Rc<Self>, wanted: Option<&Listen>) -> Result<Reserved> {
        let now = self.listening.borrow();
        let is_new = now.as_ref().map(|it| &it.listen) != wanted;
        let listen = |wanted: &Listen| listen::start(self, wanted, now.as_ref());
        let listening = wanted.filter(|_| is_new).map(listen).transpose()?;
        Ok(Reserved { site: Rc::clone(self), is_new, listening })
    }

    /// Takes over settings, and the address that was reserved for them.
    pub(super) fn take_over(&self, run: Run, mut reserved: Reserved) {
        self.keep_run(run);
        self.not_listening.take();
        if !reserved.is_new {
            return;
        }
        let now = reserved.listening.take();
        match &now {
            Some(now) => self.say(format_args!("listening on {}", now.listen)),
            None => self.say("not listening any more"),
        }
        if let Some(before) = self.listening.replace(now) {
            self.forget(&before);
        }
    }

    /// Takes over settings at once. Where their address cannot be had, it is tried again.
    pub(super) fn set_run(self: &Rc<Self>, run: Run) -> Result<()> {
        match self.reserve(run.listen.as_ref()) {
            Ok(reserved) => {
                self.take_over(run, reserved);
                Ok(())
            }
            Err(error) => {
                self.keep_run(run);
                *self.not_listening.borrow_mut() = Some(UserError::of(&error));
                Err(error)
            }
        }
    }

    /// Listens again where somebody has removed its socket, or has put another one in its place.
    pub(super) fn listen_if_gone(self: &Rc<Self>) {
        let is_gone = |it: &Listening| it.is_gone(self.site.root());
        if !self.listening.borrow().as_ref().is_some_and(is_gone) || !self.is_in_place() {
            return;
        }
        self.say("its socket was removed");
        if let Some(before) = self.listening.take() {
            self.manager.forget(&before.name);
        }
        if let Err(error) = self.set_run(Run::clone(&self.run())) {
            self.say(UserError::of(&error));
        }
    }

    /// Listens where an earlier nyala serve did, while nobody can say what the settings are.
    pub(super) fn listen_as_before(self: &Rc<Self>) {
        if self.listening.borrow().is_none()
            && let Some(listening) = listen::start_as_before(self)
        {
            self.say(format_args!("listening on {}, as before", listening.listen));
            self.listening.replace(Some(listening));
        }
    }

    /// Why it does not listen where it should; `None` when it does.
    pub(super) fn not_listening(&self) -> Option<UserError> {
        self.not_listening.borrow().clone()
    }

    /// Tries again to listen where it could not: whoever had the address may have ended. If it is
    /// still taken, finds out anew by whom.
    pub(super) fn try_to_listen(self: &Rc<Self>) {
        if self.not_listening.borrow().is_some() {
            let run = Run::clone(&self.run());
            let _ = self.set_run(run);
        }
    }

    /// Listens where it could not, once it can. Who has an address is not asked each time: all
    /// processes of the machine are looked through for it, while visitors of other sites wait.
    pub(super) fn listen_once_free(self: &Rc<Self>) {
        let is_waiting = self.not_listening.borrow().is_some();
        if is_waiting && self.run().listen.as_ref().is_some_and(listen::is_free) {
            self.try_to_listen();
        }
    }

    /// Has nobody keep a socket that is given up.
    fn forget(&self, listening: &Listening) {
        self.manager.forget(&listening.name);
        // Whoever looks for it there is to be told at once that it is gone.
        if let Listen::Unix(path) = &listening.listen
            && let Err(error) = disk::remove_file(&self.site.root().join(path))
        {
            tracing::debug!("{error:#}");
        }
    }
}
