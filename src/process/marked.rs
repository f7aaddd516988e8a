//! Ends the processes that carry a mark in their environment, whatever sessions they have started.

use std::time::{Duration, Instant};

/// How long it is waited until they have ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// Kills every process of this user whose environment has a variable for which `is_marked` is true,
/// and waits up to five seconds until they have ended. Returns how many there were; 0 if there is
/// no /proc.
pub fn kill_marked(is_marked: &dyn Fn(&[u8]) -> bool) -> usize {
    let deadline = Instant::now() + PATIENCE;
    let mut ended = std::collections::BTreeSet::new();
    loop {
        // They may start more while they are being killed.
        let found = system::marked(is_marked);
        if found.is_empty() || Instant::now() >= deadline {
            return ended.len();
        }
        for pid in found {
            system::kill(pid, is_marked);
            ended.insert(pid);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

    use crate::process::group::Process;

    pub(super) fn marked(is_marked: &dyn Fn(&[u8]) -> bool) -> Vec<i32> {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let all = Process::all().into_iter().filter(|process| !process.ended && process.pid != own);
        all.map(|process| process.pid).filter(|pid| carries(*pid, is_marked)).collect()
    }

    fn carries(pid: i32, is_marked: &dyn Fn(&[u8]) -> bool) -> bool {
        let folder = format!("/proc/{pid}");
        let same_user = fs::metadata(&folder)
            .is_ok_and(|found| found.uid() == rustix::process::geteuid().as_raw());
        same_user
            && fs::read(format!("{folder}/environ"))
                .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(is_marked))
    }

    /// Process ids are reused. A handle (`pidfd_open(2)`) ensures that the process that is checked
    /// is the one that is killed.
    pub(super) fn kill(pid: i32, is_marked: &dyn Fn(&[u8]) -> bool) {
        let Some(handle) =
            Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
        else {
            return;
        };
        if carries(pid, is_marked) {
            let _ = pidfd_send_signal(&handle, Signal::KILL);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn marked(_: &dyn Fn(&[u8]) -> bool) -> Vec<i32> {
        Vec::new()
    }

    pub(super) fn kill(_: i32, _: &dyn Fn(&[u8]) -> bool) {}
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_with_the_mark_is_ended_in_whatever_session_it_is() {
        let mark = format!("NYALA_TEST_MARK={}", std::process::id());
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "setsid sleep 60 & sleep 60 & wait"]);
        let mut shell =
            shell.env("NYALA_TEST_MARK", std::process::id().to_string()).spawn().unwrap();
        while system::marked(&|variable| variable == mark.as_bytes()).len() < 3 {
            std::thread::yield_now();
        }
        assert!(kill_marked(&|variable| variable == mark.as_bytes()) >= 3);
        shell.wait().unwrap();
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
