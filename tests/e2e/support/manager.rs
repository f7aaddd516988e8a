//! A service manager as systemd is one for a service of `Type=notify`: it hears what the service
//! says over a real datagram socket, and keeps the sockets that the service leaves with it.

use std::collections::{BTreeMap, VecDeque};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::{Running, Server, wait_until};

/// Passes on the files with these numbers as systemd does, from 3.
const WITH_SOCKETS: &str = "\
import fcntl, os, sys
numbers = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in sys.argv[2].split()]
for at, number in enumerate(numbers):
    os.dup2(number, 3 + at)
os.closerange(3 + len(numbers), 200)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(numbers)))
os.environ.update(LISTEN_FDNAMES=sys.argv[1])
os.execvp(sys.argv[3], sys.argv[3:])
";

#[derive(Debug)]
pub(crate) struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    /// What the service has said: a line for each state.
    pub said: Vec<String>,
    /// The sockets that it has left, by their names.
    pub store: BTreeMap<String, OwnedFd>,
}

impl Manager {
    /// One whose socket is in this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, path, said: Vec::new(), store: BTreeMap::new() }
    }

    /// Starts a `nyala serve` with the sockets that are kept, and waits until it is ready.
    pub(crate) fn start(&mut self, serve: &Command) -> Server {
        let mut command = Command::new("python3");
        let names: Vec<_> = self.store.keys().map(String::as_str).collect();
        // Those that are inherited, for a moment.
        let sockets: Vec<_> = self.store.values().map(|it| rustix::io::dup(it).unwrap()).collect();
        let numbers: Vec<_> = sockets.iter().map(|it| it.as_raw_fd().to_string()).collect();
        command.args(["-c", WITH_SOCKETS, &names.join(":"), &numbers.join(" ")]);
        command.arg(serve.get_program()).args(serve.get_args());
        command.env_clear().env("NOTIFY_SOCKET", &self.path);
        for (name, value) in serve.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        if let Some(folder) = serve.get_current_dir() {
            command.current_dir(folder);
        }
        let running = Running::start(&mut command);
        drop(sockets);
        self.said.clear();
        wait_until("the service is ready", || {
            self.hear();
            self.said.iter().any(|line| line == "READY=1")
        });
        Server::of(running)
    }

    /// Takes in what the service has said meanwhile.
    pub(crate) fn hear(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut files = RecvAncillaryBuffer::new(&mut space);
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let received = recvmsg(&self.socket, &mut parts, &mut files, RecvFlags::CMSG_CLOEXEC);
            let Ok(received) = received else { return };
            let passed = files.drain().filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(files) => Some(files),
                _ => None,
            });
            let mut passed: VecDeque<OwnedFd> = passed.flatten().collect();
            let text = String::from_utf8_lossy(&buffer[..received.bytes]).into_owned();
            let name = text.lines().find_map(|line| line.strip_prefix("FDNAME="));
            let name = name.unwrap_or_default().to_owned();
            for line in text.lines() {
                match line {
                    "FDSTORE=1" => {
                        self.store.insert(name.clone(), passed.pop_front().unwrap());
                    }
                    "FDSTOREREMOVE=1" => drop(self.store.remove(&name)),
                    _ => self.said.push(line.to_owned()),
                }
            }
        }
    }

    /// Whether it has said this lately.
    pub(crate) fn hears(&mut self, line: &str) -> bool {
        self.hear();
        self.said.iter().any(|said| said == line)
    }
}
