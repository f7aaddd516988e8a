//! A private port for a process that answers requests.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

use crate::disk;

/// How many ports there are to choose from, below those that the kernel gives to outgoing
/// connections: one of those could be taken by a connection before the process binds it.
const RANGE: u16 = 10_000;
const EPHEMERAL: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const USUAL_EPHEMERAL: u16 = 32_768;

/// How many ports are tried.
const TRIES: usize = 1000;

/// A port of this machine that nobody listens on; `None` when many are taken.
pub(super) fn free() -> Option<u16> {
    let text = disk::read_to_string(EPHEMERAL).unwrap_or_default();
    let first = text.split_whitespace().next().and_then(|word| word.parse().ok());
    let end = first.filter(|port| *port > RANGE + 1024).unwrap_or(USUAL_EPHEMERAL);
    // Anywhere, since others that do the same may have chosen one that they do not use yet.
    let port = |random: u64| end - RANGE + u16::try_from(random % u64::from(RANGE)).unwrap_or(0);
    let candidates = (0..TRIES).map(|_| port(RandomState::new().build_hasher().finish()));
    let mut candidates =
        candidates.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    candidates.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_listened_on_and_is_no_outgoing_one() {
        let port = free().unwrap();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
        let text = disk::read_to_string(EPHEMERAL).unwrap_or_default();
        let first: u16 = text.split_whitespace().next().map_or(32_768, |it| it.parse().unwrap());
        assert!(port < first.max(RANGE + 1025));
    }
}
