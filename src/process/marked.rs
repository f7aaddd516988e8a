//! Finds processes by what is in their environment, and ends them.

/// Kills every process of this user whose environment has a variable for which `is_marked` is true,
/// whatever sessions they have started, and waits up to five seconds until they have ended. Returns
/// how many there were; 0 if there is no /proc.
pub fn kill_marked(is_marked: &dyn Fn(&[u8]) -> bool) -> usize {
    system::kill_marked(is_marked)
}

#[cfg(target_os = "linux")]
pub(super) use system::{end_all, has_variable};

#[cfg(target_os = "linux")]
mod system {
    use std::collections::BTreeSet;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

    use crate::process::group::Process;

    /// A process in the middle of a system call takes a moment to end.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// The pause before it is looked again.
    const PAUSE: Duration = Duration::from_millis(2);

    pub(super) fn kill_marked(is_marked: &dyn Fn(&[u8]) -> bool) -> usize {
        end_all(|| (marked(is_marked), |pid| has_variable(pid, is_marked)))
    }

    pub(super) fn marked(is_marked: &dyn Fn(&[u8]) -> bool) -> Vec<i32> {
        let own = getpid().as_raw_nonzero().get();
        let living = Process::all().into_iter().filter(|it| !it.ended && it.pid != own);
        living.map(|process| process.pid).filter(|pid| has_variable(*pid, is_marked)).collect()
    }

    /// Whether a process of this user has such a variable, as in `NAME=VALUE`.
    pub(in super::super) fn has_variable(pid: i32, is_meant: &dyn Fn(&[u8]) -> bool) -> bool {
        let folder = format!("/proc/{pid}");
        let same_user = fs::metadata(&folder)
            .is_ok_and(|found| found.uid() == rustix::process::geteuid().as_raw());
        same_user
            && fs::read(format!("{folder}/environ"))
                .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(is_meant))
    }

    /// Kills the processes that `find` gives until it gives no more, for up to five seconds: they
    /// may start others while they are being killed. What `find` gives beside them says of a
    /// process whether it is still one of them. Returns how many there were.
    pub(in super::super) fn end_all<M: Fn(i32) -> bool>(find: impl Fn() -> (Vec<i32>, M)) -> usize {
        let mut ended = BTreeSet::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (found, is_meant) = find();
            if found.is_empty() || Instant::now() >= deadline {
                return ended.len();
            }
            for pid in found {
                kill(pid, &is_meant);
                ended.insert(pid);
            }
            sleep(PAUSE);
        }
    }

    /// Process ids are reused. A handle (`pidfd_open(2)`) ensures that the process that is checked
    /// is the one that is killed.
    fn kill(pid: i32, is_meant: &impl Fn(i32) -> bool) {
        let Some(process) = Pid::from_raw(pid) else { return };
        let Ok(handle) = pidfd_open(process, PidfdFlags::empty()) else { return };
        if is_meant(pid) {
            let _ = pidfd_send_signal(&handle, Signal::KILL);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn kill_marked(_: &dyn Fn(&[u8]) -> bool) -> usize {
        0
    }
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
