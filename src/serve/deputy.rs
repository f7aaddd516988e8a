//! The `nyala serve` that serves the sites of one owner, as that owner: root's keeps one running
//! for each. What a site runs can so do nothing to the sites of others, or to root.
//!
//! It talks to root's as that does to systemd, and root's keeps its listening sockets.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::net::sockopt::socket_acceptconn;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::task::{spawn_local, yield_now};
use tokio::time::timeout;

use super::channel;
use super::manager::Manager;
use super::pause::Pause;
use super::printer::print;
use crate::process::{OF_SYSTEMD, keep_close, own_binary};

/// How long it may say nothing, before it is taken to hang and is killed.
const SILENCE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Deputy {
    owner: u32,
    /// What root's was told to serve.
    places: Vec<PathBuf>,
    manager: Rc<Manager>,
    /// Its listening sockets, by their names.
    sockets: RefCell<BTreeMap<String, OwnedFd>>,
    pid: Cell<Option<Pid>>,
    is_ready: Cell<bool>,
    is_stopping: Cell<bool>,
    is_over: Cell<bool>,
    /// Told whenever any of this changes.
    changed: Notify,
}

impl Deputy {
    pub(super) fn start(owner: u32, places: &[PathBuf], manager: &Rc<Manager>) -> Rc<Deputy> {
        let deputy = Rc::new(Deputy {
            owner,
            places: places.to_vec(),
            manager: Rc::clone(manager),
            sockets: RefCell::new(manager.take_all(&prefix(owner))),
            pid: Cell::new(None),
            is_ready: Cell::new(false),
            is_stopping: Cell::new(false),
            is_over: Cell::new(false),
            changed: Notify::new(),
        });
        spawn_local(Rc::clone(&deputy).supervise());
        deputy
    }

    /// Returns when it is ready for visitors, or has failed to be.
    pub(super) async fn ready(&self) {
        while !self.is_ready.get() {
            self.changed.notified().await;
        }
    }

    /// Ends it, gracefully. Returns when it has ended.
    pub(super) async fn stop(&self) {
        self.is_stopping.set(true);
        self.changed.notify_waiters();
        if let Some(pid) = self.pid.get() {
            let _ = kill_process(pid, Signal::TERM);
        }
        while !self.is_over.get() {
            self.changed.notified().await;
        }
    }

    /// Has nobody keep its sockets: its owner has no sites any more.
    pub(super) fn forget(&self) {
        for name in self.sockets.take().into_keys() {
            self.manager.forget(&name);
        }
    }

    async fn supervise(self: Rc<Self>) {
        let mut pause = Pause::default();
        while !self.is_stopping.get() {
            let started = Instant::now();
            let end = match self.spawn() {
                Ok((child, channel)) => self.attend(child, channel).await,
                Err(error) => format!("cannot be started: {error}"),
            };
            self.pid.set(None);
            self.is_ready.set(true);
            self.changed.notify_waiters();
            if self.is_stopping.get() {
                break;
            }
            let pause = pause.after(started.elapsed());
            self.say(&format!("{end}; it is started again in {:.1} s", pause.as_secs_f64()));
            let _ = timeout(pause, self.changed.notified()).await;
        }
        self.is_over.set(true);
        self.changed.notify_waiters();
    }

    fn spawn(&self) -> io::Result<(Child, OwnedFd)> {
        let (ours, theirs) = channel::pair()?;
        let mut command = std::process::Command::new(own_binary()?);
        command
            .args(["serve", "--owner", &self.owner.to_string(), "--"])
            .args(&self.places)
            .stdin(theirs);
        // systemd talks to root's, and to nobody else.
        for name in OF_SYSTEMD {
            command.env_remove(name);
        }
        keep_close(&mut command);
        let child = Command::from(command).spawn()?;
        let sockets = self.sockets.borrow();
        let names: Vec<_> = sockets.keys().map(String::as_str).collect();
        let files: Vec<_> = sockets.values().map(AsFd::as_fd).collect();
        // A message without text would look like the end.
        channel::send(&ours, &(names.join("\n") + "\n"), &files)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        Ok((child, ours))
    }

    /// Hears what it says until it ends, and kills it when it hangs. Says how it ended.
    async fn attend(&self, mut child: Child, channel: OwnedFd) -> String {
        self.pid.set(child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())));
        let is_silent = tokio::select! {
            ended = child.wait() => return how(ended),
            is_silent = self.hear(channel) => is_silent,
        };
        if is_silent && !self.is_stopping.get() {
            self.say(&format!("has not responded for {} s, and is killed", SILENCE.as_secs()));
            let _ = child.start_kill();
        }
        how(child.wait().await)
    }

    /// Returns whether it hangs: else, it says nothing more because it ends.
    async fn hear(&self, channel: OwnedFd) -> bool {
        // One of messages is what it is, though its ends are connected.
        let Ok(channel) = UnixDatagram::from_std(channel.into()) else { return false };
        loop {
            let Ok(heard) = timeout(SILENCE, channel.readable()).await else { return true };
            let heard = heard
                .and_then(|()| channel.try_io(Interest::READABLE, || channel::receive(&channel)));
            match heard {
                Ok((text, files)) => {
                    self.heard(&text, files);
                    // It may say something all the time: others have their turn.
                    yield_now().await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
    }

    fn heard(&self, text: &str, files: Vec<OwnedFd>) {
        let says = |state: &str| text.lines().any(|line| line == state);
        let name = text.lines().find_map(|line| line.strip_prefix("FDNAME="));
        if says("READY=1") {
            self.is_ready.set(true);
            self.changed.notify_waiters();
        }
        let Some(name) = name.filter(|name| is_name(name, self.owner)) else { return };
        let mut sockets = self.sockets.borrow_mut();
        if says("FDSTOREREMOVE=1") {
            sockets.remove(name);
            self.manager.forget(name);
        }
        let socket = files.into_iter().next().filter(|_| says("FDSTORE=1"));
        let Some(socket) = socket.filter(|it| socket_acceptconn(it).unwrap_or_default()) else {
            return;
        };
        if sockets.len() < channel::FILES {
            if sockets.remove(name).is_some() {
                // There is no end of those that it could leave under one name.
                self.manager.forget(name);
            }
            self.manager.keep(name, socket.as_fd());
            sockets.insert(name.to_owned(), socket);
        }
    }

    fn say(&self, text: &str) {
        print(format!("the nyala serve of user {} {text}\n", self.owner));
    }
}

/// What the names of an owner's sockets begin with: one gets no sockets of another.
pub(super) fn prefix(owner: u32) -> String {
    format!("{owner}_")
}

/// Whether an owner may call a socket so. It becomes part of a line that systemd reads.
fn is_name(name: &str, owner: u32) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "_.[]%-".contains(it);
    name.len() <= 200 && name.starts_with(&prefix(owner)) && name.chars().all(is_part)
}

fn how(ended: io::Result<ExitStatus>) -> String {
    match ended {
        Ok(status) => format!("ended with {status}"),
        Err(error) => format!("cannot be watched: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_names_only_sockets_of_its_own() {
        assert!(is_name("1000_tcp_127.0.0.1_8000", 1000) && is_name("1000_unix_5_77", 1000));
        assert!(is_name("1000_tcp_[__1]_8000", 1000));
        for wrong in ["0_tcp_127.0.0.1_80", "10000_x", "1000_a:b", "1000_a\nREADY=1", ""] {
            assert!(!is_name(wrong, 1000), "{wrong}");
        }
    }
}
