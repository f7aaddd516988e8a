//! What has started this process and looks after it: systemd, or the `nyala serve` of root that
//! has one for each owner of sites. It is told how things are, and keeps the listening sockets
//! while this process is started anew, so that no visitor is refused meanwhile. See `sd_notify(3)`
//! and <https://systemd.io/FILE_DESCRIPTOR_STORE/>.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_acceptconn;
use sd_notify::{NotifyState, listen_fds_with_names, notify_with_fds};

use super::channel;

#[derive(Debug)]
pub(super) struct Manager {
    channel: Channel,
    /// The sockets that an earlier process has left with it, by their names, until a site takes
    /// them.
    kept: RefCell<BTreeMap<String, OwnedFd>>,
}

#[derive(Debug)]
enum Channel {
    /// The socket in `NOTIFY_SOCKET`; without that variable, nobody is told.
    Systemd,
    /// The standard input.
    Serve(OwnedFd),
}

impl Manager {
    /// Takes over the sockets that systemd has kept. Must be called first, once.
    pub(super) fn systemd() -> Manager {
        let passed = listen_fds_with_names().into_iter().flatten();
        let sockets = passed.map(|(number, name)| {
            // SAFETY: systemd has passed it open to this process, for which the crate has looked
            // at LISTEN_PID, and nothing else has used it yet.
            #[expect(unsafe_code, reason = "files that are passed have only a number")]
            let socket = unsafe { OwnedFd::from_raw_fd(number) };
            (name, socket)
        });
        let kept = RefCell::new(sockets.collect());
        Manager { channel: Channel::Systemd, kept }
    }

    /// Takes over the sockets that the `nyala serve` of root has kept: what comes first on the
    /// standard input. Fails when it is gone.
    pub(super) fn serve() -> Result<Manager> {
        let cannot = "the nyala serve of root is gone";
        let channel = std::io::stdin().as_fd().try_clone_to_owned().context(cannot)?;
        let (names, sockets) = channel::receive(&channel).context(cannot)?;
        // It sends nothing else.
        let mut its_end = [PollFd::new(&channel, PollFlags::IN)];
        if poll(&mut its_end, Some(&Timespec::default())) != Ok(0) {
            bail!(cannot);
        }
        let kept = names.lines().map(str::to_owned).zip(sockets).collect();
        Ok(Manager { channel: Channel::Serve(channel), kept: RefCell::new(kept) })
    }

    pub(super) fn tell(&self, states: &[NotifyState<'_>]) {
        self.send(states, None);
    }

    /// A listening socket that was kept under such a name. It stays with the manager.
    pub(super) fn take(&self, is_meant: impl Fn(&str) -> bool) -> Option<(String, OwnedFd)> {
        let mut kept = self.kept.borrow_mut();
        let listens = |socket: &OwnedFd| socket_acceptconn(socket).unwrap_or_default();
        let mut found = kept.extract_if(.., |name, it| is_meant(name) && listens(it));
        found.next()
    }

    /// The sockets whose names begin so.
    pub(super) fn take_all(&self, prefix: &str) -> BTreeMap<String, OwnedFd> {
        self.kept.borrow_mut().extract_if(.., |name, _| name.starts_with(prefix)).collect()
    }

    /// Leaves a listening socket with the manager.
    pub(super) fn keep(&self, name: &str, socket: BorrowedFd<'_>) {
        self.send(&[NotifyState::FdStore, NotifyState::FdName(name)], Some(socket));
    }

    /// Has the manager close its copy of a socket.
    pub(super) fn forget(&self, name: &str) {
        self.tell(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)]);
    }

    /// Closes the sockets that no site has taken, and none is going to take.
    pub(super) fn forget_others(&self, is_waited_for: impl Fn(&str) -> bool) {
        let mut kept = self.kept.borrow_mut();
        for (name, _socket) in kept.extract_if(.., |name, _| !is_waited_for(name)) {
            self.forget(&name);
        }
    }

    fn send(&self, states: &[NotifyState<'_>], socket: Option<BorrowedFd<'_>>) {
        let sockets: Vec<_> = socket.into_iter().collect();
        let sent = match &self.channel {
            Channel::Systemd if sockets.is_empty() => sd_notify::notify(states),
            Channel::Systemd => notify_with_fds(states, &sockets),
            Channel::Serve(channel) => {
                let lines: Vec<_> = states.iter().map(ToString::to_string).collect();
                channel::send(channel, &lines.join("\n"), &sockets)
            }
        };
        if let Err(error) = sent {
            tracing::debug!("the service manager cannot be told: {error}");
        }
    }
}
