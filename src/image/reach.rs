//! Whether the application of an image could be reached: what runs on the site tells where it
//! listens.

use std::net::SocketAddr;

use rustix::process::Pid;

use crate::control::Control;
use crate::process;
use crate::processes::WEB;
use crate::site::{DeploymentId, Site};

/// Where the web process of a release listens now, if nobody but this machine reaches it there.
/// Empty where others reach it, and where it does not run.
pub(super) fn only_here(site: &Site, release: DeploymentId) -> Vec<String> {
    let control = Control::connect(site).ok().flatten();
    let running = control.and_then(|mut control| control.processes().ok()).unwrap_or_default();
    let web = running.live.iter().find(|it| it.process == WEB && it.release == release);
    let session = web.and_then(|web| Pid::from_raw(web.pid?.cast_signed()));
    let addresses = session.map(|it| process::addresses(&process::in_session(it)));
    addresses.filter(|all| all.iter().all(|address| is_here(address))).unwrap_or_default()
}

fn is_here(address: &str) -> bool {
    address.parse().is_ok_and(|address: SocketAddr| address.ip().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_here;

    #[test]
    fn only_this_machine_reaches_a_loopback_address() {
        assert!(is_here("127.0.0.1:8000") && is_here("[::1]:8000"));
        for reached in ["0.0.0.0:8000", "[::]:8000", "10.0.0.7:8000", "unix:/run/web.sock"] {
            assert!(!is_here(reached), "{reached}");
        }
    }
}
