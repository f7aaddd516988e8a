//! Who listens on a port, as /proc knows it: `proc_net(5)`, `proc_pid_fd(5)`.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

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

/// The process that has a port, or a part of it; `None` where that cannot be seen, as of a process
/// of another user.
pub fn listener(address: SocketAddr) -> Option<Listener> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let texts = tables.map(|table| disk::read_to_string(table).unwrap_or_default());
    let sockets: Vec<_> = texts
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| listening(line, address))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let pid = pids.find(|pid| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut open = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        open.any(|target| sockets.iter().any(|socket| target == Path::new(socket)))
    })?;
    let name = disk::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(Listener { pid, name: clean(name.trim()).into_owned() })
}

/// The inode of the socket of a line of the table, if it listens where this address is.
fn listening(line: &str, address: SocketAddr) -> Option<&str> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let (host, port) = local.split_once(':')?;
    let host = host_of(host)?;
    let meets = host.is_unspecified() || address.ip().is_unspecified() || host == address.ip();
    let is_port = u16::from_str_radix(port, 16) == Ok(address.port());
    (*state == LISTEN && is_port && meets).then_some(inode)
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
}
