//! The signals that end `nyala serve` as an operator wants it: with everything that it has started.

use std::future::pending;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::disk;

pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Whoever starts it by nohup(1) wants it to outlive the terminal.
    hangup: Option<Signal>,
}

impl Signals {
    pub(super) fn new() -> Result<Signals> {
        let signal = |kind| signal(kind).context("cannot wait for signals");
        let status = disk::read_to_string("/proc/self/status").unwrap_or_default();
        let hangup = (!ignores_hangup(&status)).then(|| signal(SignalKind::hangup()));
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: hangup.transpose()?,
        })
    }

    /// Returns when one of them has come.
    pub(super) async fn end(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = hangup => {}
        }
    }
}

/// Whether a process ignores SIGHUP, by `/proc/PID/status`: `proc_pid_status(5)`. The standard
/// library cannot tell, and whoever waits for a signal does not ignore it any more.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::ignores_hangup;

    #[test]
    fn a_process_of_nohup_ignores_the_end_of_its_terminal() {
        let status = |mask: &str| format!("Name:\tnyala\nSigBlk:\t0000000000000000\n{mask}\n");
        assert!(ignores_hangup(&status("SigIgn:\t0000000000001001")));
        assert!(!ignores_hangup(&status("SigIgn:\t0000000000001000")));
        assert!(!ignores_hangup(&status("SigCgt:\t0000000000000001")) && !ignores_hangup(""));
    }
}
