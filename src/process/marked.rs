//! Finds processes by a mark that they cannot shake off, and ends them.

use std::process::Command;

use rustix::process::Pid;

/// How processes that somebody has started are known: by a variable in their environment, or by a
/// number, which stays with those too that begin anew in an environment of their own.
pub trait Mark: Send {
    /// Whether it is their variable, as in `NAME=VALUE`.
    fn is_variable(&self, variable: &[u8]) -> bool;

    fn is_number(&self, number: u64) -> bool;
}

/// Has a child, and whatever it starts, carry this number, which is below 2^62.
///
/// It is the limit of a resource that nobody uses up: so many microseconds of real-time scheduling
/// without a pause. A limit is inherited whatever a process does with its session, its parent or
/// its environment, and only root raises one again: setrlimit(2).
pub fn number(command: &mut Command, number: u64) {
    system::number(command, number);
}

/// Kills every process of this user that is marked, whatever sessions they have started, and waits
/// for a few seconds until they have ended. Returns how many there were; 0 if there is no /proc.
pub fn kill_marked(mark: &dyn Mark) -> usize {
    system::kill_marked(mark)
}

/// Asks every process of this user that is marked to end, once: SIGTERM. Those in this session are
/// left to [`terminate_session`](super::terminate_session).
pub fn terminate_marked(mark: &dyn Mark, besides: Pid) {
    system::terminate_marked(mark, besides);
}

/// The living processes of this user that are marked, the newest first; none if there is no /proc.
pub fn marked(mark: &dyn Mark) -> Vec<Pid> {
    system::marked(mark)
}

#[cfg(target_os = "linux")]
pub(super) use system::{end_all, has_variable};

#[cfg(target_os = "linux")]
mod system {
    use std::collections::BTreeSet;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use rustix::process::{
        PidfdFlags, Resource, Rlimit, Signal, getpid, pidfd_open, pidfd_send_signal, setrlimit,
    };

    use super::{Command, Mark, Pid};
    use crate::process::group::{Process, pids};

    /// A process in the middle of a system call takes a moment to end.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// How often it is looked at least: on a busy machine a look takes long.
    const LOOKS: usize = 1000;

    /// The pause before it is looked again.
    const PAUSE: Duration = Duration::from_millis(2);

    /// What is added to a number, so that no limit that somebody wants looks like one.
    const FIRST: u64 = 1 << 62;

    #[expect(unsafe_code, reason = "the standard library cannot set limits")]
    pub(super) fn number(command: &mut Command, number: u64) {
        let limit = Some(FIRST + number);
        // SAFETY: between fork and exec only `setrlimit` is called, which is async-signal-safe and
        // touches no memory of others.
        unsafe {
            command.pre_exec(move || {
                // Where the limit is a lower one already, the variable has to do.
                let _ = setrlimit(Resource::Rttime, Rlimit { current: limit, maximum: limit });
                Ok(())
            });
        }
    }

    pub(super) fn kill_marked(mark: &dyn Mark) -> usize {
        end_all(|| (others(), |pid| has_mark(pid, mark)))
    }

    /// All other processes, the newest first: it may start another one at any moment, and end.
    fn others() -> Vec<i32> {
        let own = getpid().as_raw_nonzero().get();
        let mut others: Vec<_> = pids().filter(|pid| *pid != own).collect();
        others.reverse();
        others
    }

    pub(super) fn marked(mark: &dyn Mark) -> Vec<Pid> {
        let marked = others().into_iter().filter(|pid| has_mark(*pid, mark));
        marked.filter_map(Pid::from_raw).collect()
    }

    pub(super) fn terminate_marked(mark: &dyn Mark, besides: Pid) {
        let session = besides.as_raw_nonzero().get();
        let is_meant = |pid| {
            Process::of(pid).is_some_and(|process| process.session != session)
                && has_mark(pid, mark)
        };
        for pid in others() {
            signal(pid, Signal::TERM, &is_meant);
        }
    }

    /// Whether a process lives and is marked.
    fn has_mark(pid: i32, mark: &dyn Mark) -> bool {
        let is_marked = || {
            environ_has(pid, &|variable| mark.is_variable(variable))
                || number_of(pid).is_some_and(|number| mark.is_number(number))
        };
        is_own(pid) && is_marked() && Process::of(pid).is_some_and(|process| !process.ended)
    }

    /// Whether a process of this user has such a variable, as in `NAME=VALUE`.
    pub(in super::super) fn has_variable(pid: i32, is_meant: &dyn Fn(&[u8]) -> bool) -> bool {
        is_own(pid) && environ_has(pid, is_meant)
    }

    fn environ_has(pid: i32, is_meant: &dyn Fn(&[u8]) -> bool) -> bool {
        fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(is_meant))
    }

    fn is_own(pid: i32) -> bool {
        fs::metadata(format!("/proc/{pid}"))
            .is_ok_and(|found| found.uid() == rustix::process::geteuid().as_raw())
    }

    /// The number that a process carries.
    fn number_of(pid: i32) -> Option<u64> {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max realtime timeout"))?;
        let hard: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        hard.checked_sub(FIRST)
    }

    /// Stops processes until none is left that runs, and then kills them: one that is killed while
    /// others run is replaced by those. `find` gives those that may be meant, and what says of one
    /// whether it is. Returns how many there were.
    pub(in super::super) fn end_all<M: Fn(i32) -> bool>(find: impl Fn() -> (Vec<i32>, M)) -> usize {
        let mut known: BTreeSet<i32> = BTreeSet::new();
        until_none_is_left(|| {
            let (found, is_meant) = find();
            let new: Vec<_> = found.into_iter().filter(|pid| !known.contains(pid)).collect();
            let stopped = new.into_iter().filter(|pid| signal(*pid, Signal::STOP, &is_meant));
            let stopped: Vec<_> = stopped.collect();
            known.extend(&stopped);
            stopped.is_empty()
        });
        until_none_is_left(|| {
            let (found, is_meant) = find();
            let killed = found.into_iter().filter(|pid| signal(*pid, Signal::KILL, &is_meant));
            let killed: Vec<_> = killed.collect();
            known.extend(&killed);
            if !killed.is_empty() {
                sleep(PAUSE);
            }
            killed.is_empty()
        });
        known.len()
    }

    fn until_none_is_left(mut is_done: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut looks = 0;
        while !is_done() && (looks < LOOKS || Instant::now() < deadline) {
            looks += 1;
        }
    }

    /// Sends a signal to a process that is meant. Process ids are reused: a handle
    /// (`pidfd_open(2)`) ensures that the process that is checked is the one that gets it.
    fn signal(pid: i32, signal: Signal, is_meant: &impl Fn(i32) -> bool) -> bool {
        let Some(process) = Pid::from_raw(pid) else { return false };
        let Ok(handle) = pidfd_open(process, PidfdFlags::empty()) else { return false };
        is_meant(pid) && pidfd_send_signal(&handle, signal).is_ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Command, Mark, Pid};

    pub(super) fn number(_: &mut Command, _: u64) {}

    pub(super) fn marked(_: &dyn Mark) -> Vec<Pid> {
        Vec::new()
    }

    pub(super) fn terminate_marked(_: &dyn Mark, _: Pid) {}

    pub(super) fn kill_marked(_: &dyn Mark) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    struct Both(String, u64);

    impl Mark for Both {
        fn is_variable(&self, variable: &[u8]) -> bool {
            variable == self.0.as_bytes()
        }

        fn is_number(&self, number: u64) -> bool {
            number == self.1
        }
    }

    #[test]
    fn a_process_with_a_mark_is_ended_in_whatever_session_it_is() {
        let own = std::process::id();
        let mark = Both(format!("NYALA_TEST_MARK={own}"), u64::from(own));
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "setsid sleep 60 & sleep 60 & wait"]);
        let mut shell = shell.env("NYALA_TEST_MARK", own.to_string()).spawn().unwrap();
        // The last one has forgotten who started it.
        let mut daemon = Command::new("sh");
        daemon.args(["-c", "cd /; setsid env -i /bin/sh -c 'sleep 60 & sleep 60' & exec sleep 60"]);
        number(daemon.stdout(Stdio::null()), own.into());
        let mut daemon = daemon.spawn().unwrap();
        while marked(&mark).len() < 6 {
            std::thread::yield_now();
        }
        assert!(kill_marked(&mark) >= 6);
        shell.wait().unwrap();
        daemon.wait().unwrap();
        assert_eq!(marked(&mark), []);
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn processes_that_start_others_all_the_time_are_ended() {
        let own = std::process::id();
        let mark = Both(format!("NYALA_TEST_BOMB={own}"), u64::MAX);
        // Each of the chains starts its next one and ends.
        let mut bomb = Command::new("sh");
        bomb.env("NYALA_TEST_BOMB", own.to_string());
        bomb.args(["-c", "b() { sh -c \"$1\" sh \"$1\" & }; for i in 1 2 3 4; do b \"$0\"; done"]);
        bomb.arg("sh -c \"$1\" sh \"$1\" & exit");
        bomb.spawn().unwrap().wait().unwrap();
        while marked(&mark).is_empty() {
            std::thread::yield_now();
        }
        // It gives up after a while, which may be too early where others have the processors.
        let is_over = |_| {
            kill_marked(&mark);
            marked(&mark).is_empty()
        };
        assert!((0..20).any(is_over), "{:?}", marked(&mark));
    }
}
