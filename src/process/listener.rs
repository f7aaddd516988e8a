//! Who listens on a port, as /proc knows it: `proc_net(5)`, `proc_pid_fd(5)`.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use super::unix_sockets::unix_sockets;
use crate::disk;
use crate::text::clean;

/// A process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub pid: u32,
    pub name: String,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

/// Whether who listens at one of these addresses is in the way of the other, as `0.0.0.0:8000` is
/// in the way of `127.0.0.1:8000`.
pub fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let is_any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (is_any || one.ip() == other.ip())
}

/// The process that has a port, or a part of it; `None` where that cannot be seen, as of a process
/// of another user.
pub fn listener(address: SocketAddr) -> Option<Listener> {
    let sockets: BTreeSet<_> =
        tcp().filter(|it| meet(it.address, address)).map(|it| it.socket).collect();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pid = pids.find(|pid| open_files(*pid).any(|file| sockets.contains(&file)))?;
    let name = disk::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(Listener { pid, name: clean(name.trim()).into_owned() })
}

/// Where processes listen: `127.0.0.1:8000`, `[::]:8000`. Sockets with a path count only where
/// there is nothing else, as `unix:/run/shop.sock`: gunicorn has one to be controlled by.
pub fn addresses(pids: &[Pid]) -> Vec<String> {
    let pids = pids.iter().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    let open: BTreeSet<_> = pids.flat_map(open_files).collect();
    let tcp = tcp().filter(|it| open.contains(&it.socket));
    let found: BTreeSet<_> = tcp.map(|it| it.address.to_string()).collect();
    if !found.is_empty() {
        return found.into_iter().collect();
    }
    let unix = unix_sockets(Path::new("/proc/self")).into_iter();
    let unix = unix.filter(|it| it.listens && open.contains(&socket(it.inode)));
    unix.map(|it| format!("unix:{}", clean(&it.path.to_string_lossy()))).collect()
}

/// The user who has a port of this machine, if that is neither this one nor root: anybody can take
/// one that is free. What root starts may become any other user, so root is not told.
pub fn of_another_user(port: u16) -> Option<u32> {
    let own = rustix::process::geteuid();
    if own.is_root() {
        return None;
    }
    let local = IpAddr::from(Ipv4Addr::LOCALHOST);
    let is_at = |Listening { address, .. }: &Listening| {
        address.port() == port && (address.ip() == local || address.ip().is_unspecified())
    };
    // What listens there alone gets the connections.
    let user = tcp().filter(is_at).max_by_key(|it| it.address.ip() == local)?.user;
    (user != 0 && user != own.as_raw()).then_some(user)
}

/// What a process has open: `socket:[INODE]`, the path of a file.
fn open_files(pid: u32) -> impl Iterator<Item = PathBuf> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok())
}

fn socket(inode: impl fmt::Display) -> PathBuf {
    PathBuf::from(format!("socket:[{inode}]"))
}

/// A socket of TCP that listens.
struct Listening {
    socket: PathBuf,
    address: SocketAddr,
    /// Who has made it.
    user: u32,
}

fn tcp() -> impl Iterator<Item = Listening> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let texts = tables.map(|table| disk::read_to_string(table).unwrap_or_default());
    texts.into_iter().flat_map(|text| text.lines().filter_map(listening).collect::<Vec<_>>())
}

/// The socket of a line of these tables, if it listens.
fn listening(line: &str) -> Option<Listening> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let (host, port) = local.split_once(':')?;
    let address = SocketAddr::new(host_of(host)?, u16::from_str_radix(port, 16).ok()?);
    let user = fields.get(7)?.parse().ok()?;
    (*state == LISTEN).then(|| Listening { socket: socket(inode), address, user })
}

/// `TCP_LISTEN` of the kernel's `tcp_states.h`.
const LISTEN: &str = "0A";

/// An address as the table has it: words of four bytes, each in the order of the machine.
fn host_of(text: &str) -> Option<IpAddr> {
    let word =
        |at: usize| u32::from_str_radix(text.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    if text.len() == 8 {
        return Some(Ipv4Addr::from(word(0)?).into());
    }
    let mut bytes = [0; 16];
    for (number, part) in bytes.chunks_exact_mut(4).enumerate() {
        part.copy_from_slice(&word(number * 8)?);
    }
    Some(Ipv6Addr::from(bytes).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_listens_is_found() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = listener(socket.local_addr().unwrap()).unwrap();
        assert_eq!(found.pid, std::process::id());
        let everywhere = std::net::TcpListener::bind("[::]:0").unwrap();
        let port = everywhere.local_addr().unwrap().port();
        assert_eq!(listener(([127, 0, 0, 1], port).into()).unwrap().pid, std::process::id());
        drop(everywhere);
        assert_eq!(listener(([127, 0, 0, 1], port).into()), None);
    }

    #[test]
    fn it_is_known_who_has_a_port() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(of_another_user(socket.local_addr().unwrap().port()), None);
        // Ports 8000 and 8001, of the users 0 and 1000.
        let line = |port: &str, user: u32| {
            let text = format!("0: 0100007F:{port} 00000000:0000 0A 0:0 00:0 0 {user} 0 4711 1");
            let Listening { socket, address, user } = listening(&text).unwrap();
            (socket, address.to_string(), user)
        };
        let socket = PathBuf::from("socket:[4711]");
        assert_eq!(line("1F40", 0), (socket.clone(), "127.0.0.1:8000".to_owned(), 0));
        assert_eq!(line("1F41", 1000), (socket, "127.0.0.1:8001".to_owned(), 1000));
    }

    #[test]
    fn it_is_known_where_a_process_listens() {
        let folder = tempfile::tempdir().unwrap();
        let _unix = std::os::unix::net::UnixListener::bind(folder.path().join("a")).unwrap();
        let tcp = ["127.0.0.1:0", "[::1]:0", "[::]:0"]
            .map(|address| std::net::TcpListener::bind(address).unwrap());
        let found = addresses(&[rustix::process::getpid()]);
        for expected in tcp.iter().map(|it| it.local_addr().unwrap().to_string()) {
            assert!(found.contains(&expected), "{expected}: {found:?}");
        }
        assert!(found.iter().all(|address| !address.contains("unix:")), "{found:?}");
    }
}
