//! A child's process group and session: signals, members, and processor time.

use std::time::Duration;

use rustix::process::{
    Pid, Signal, getpgid, getpid, kill_process, kill_process_group, test_kill_process_group,
};

/// Sends a signal to every process of the group. An empty group is not an error.
pub(super) fn signal(group: Pid, signal: Signal) {
    let _ = kill_process_group(group, signal);
}

/// Whether any process of the group is alive. Zombies do not count: in a container, they may never
/// be reaped.
pub(super) fn has_members(group: Pid) -> bool {
    test_kill_process_group(group).is_ok() && system::has_living_members(group)
}

/// Sends a signal to all other processes of the session that this process leads, whatever their
/// groups. Does nothing if it leads no session. Linux only.
pub(super) fn signal_session(signal: Signal) {
    for pid in others_in_session() {
        let _ = kill_process(pid, signal);
    }
}

/// Whether [`signal_session`] would reach any process.
pub(super) fn session_has_members() -> bool {
    !others_in_session().is_empty()
}

/// The living processes of a session; none where the system does not tell.
pub fn in_session(session: Pid) -> Vec<Pid> {
    system::in_session(session)
}

/// Sends SIGTERM once to everything in a session: to the group of its leader, and to those that
/// have a group of their own.
pub fn terminate_session(leader: Pid) {
    let _ = kill_process_group(leader, Signal::TERM);
    for pid in in_session(leader) {
        if getpgid(Some(pid)).is_ok_and(|group| group != leader) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

fn others_in_session() -> Vec<Pid> {
    let own = getpid();
    if own_session() != Some(own) {
        return Vec::new();
    }
    in_session(own).into_iter().filter(|pid| *pid != own).collect()
}

#[cfg(target_os = "linux")]
pub(super) use system::{Process, pids};
pub(super) use system::{own_session, processor_time};

#[cfg(target_os = "linux")]
mod system {
    use std::collections::HashSet;
    use std::fs;

    use super::{Duration, Pid, getpid};

    /// Times in /proc are in hundredths of a second (`USER_HZ`, proc(5)).
    const TICK: Duration = Duration::from_millis(10);

    /// A process, as in /proc/PID/stat.
    pub(in super::super) struct Process {
        pub(in super::super) pid: i32,
        pub(in super::super) ended: bool,
        parent: i32,
        group: i32,
        pub(in super::super) session: i32,
        ticks: u32,
        /// How long the machine had been running.
        pub(in super::super) started: Duration,
    }

    /// The session of this process. `None` in a container that was entered from outside: there,
    /// getsid(2) returns 0, which rustix does not expect.
    pub(in super::super) fn own_session() -> Option<Pid> {
        Pid::from_raw(Process::of(getpid().as_raw_nonzero().get())?.session)
    }

    pub(super) fn has_living_members(group: Pid) -> bool {
        let group = group.as_raw_nonzero().get();
        Process::all().iter().any(|process| process.group == group && !process.ended)
    }

    /// The processor time of the group's processes and their descendants, including children that
    /// were waited for. `None` if there is no /proc.
    pub(in super::super) fn processor_time(group: Pid) -> Option<Duration> {
        let group = group.as_raw_nonzero().get();
        let processes = Process::all();
        if processes.is_empty() {
            return None;
        }
        let mut family: HashSet<i32> = HashSet::new();
        loop {
            let before = family.len();
            family.extend(
                processes
                    .iter()
                    .filter(|process| process.group == group || family.contains(&process.parent))
                    .map(|process| process.pid)
                    .collect::<Vec<_>>(),
            );
            if family.len() == before {
                break;
            }
        }
        let ticks = processes
            .iter()
            .filter(|process| family.contains(&process.pid))
            .map(|process| process.ticks)
            .sum::<u32>();
        Some(TICK * ticks)
    }

    /// The processes of a session.
    pub(super) fn in_session(session: Pid) -> Vec<Pid> {
        let session = session.as_raw_nonzero().get();
        let there = Process::all()
            .into_iter()
            .filter(|process| process.session == session && !process.ended);
        there.filter_map(|process| Pid::from_raw(process.pid)).collect()
    }

    /// The number of every process; none if there is no /proc.
    pub(in super::super) fn pids() -> impl Iterator<Item = i32> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
    }

    impl Process {
        /// Every process; none if there is no /proc.
        pub(in super::super) fn all() -> Vec<Process> {
            pids().filter_map(Process::of).collect()
        }

        pub(in super::super) fn of(pid: i32) -> Option<Process> {
            parse(&String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/stat")).ok()?))
        }
    }

    /// Parses `PID (NAME) STATE PPID PGRP SESSION …`. A name may contain spaces and parentheses.
    pub(super) fn parse(stat: &str) -> Option<Process> {
        let (pid, rest) = stat.split_once(" (")?;
        let (_, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let number = |at: usize| fields.get(at)?.parse::<i64>().ok();
        // utime, stime, cutime and cstime: fields 14 to 17 in proc_pid_stat(5).
        let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
        Some(Process {
            pid: pid.parse().ok()?,
            ended: matches!(*fields.first()?, "Z" | "X" | "x"),
            parent: i32::try_from(number(1)?).ok()?,
            group: i32::try_from(number(2)?).ok()?,
            session: i32::try_from(number(3)?).ok()?,
            ticks: u32::try_from(ticks).ok()?,
            started: Duration::from_millis(10 * u64::try_from(number(19)?).ok()?),
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_name_with_parentheses_is_parsed() {
            let stat = "42 (a) b (c) S 1 40 39 0 -1 4194304 1 2 3 4 100 20 3 4 20 0 1 0 700 9";
            let process = parse(stat).unwrap();
            assert_eq!(
                (process.pid, process.parent, process.group, process.session),
                (42, 1, 40, 39)
            );
            assert_eq!((process.ticks, process.started), (127, Duration::from_secs(7)));
            assert!(!process.ended);
            assert!(parse("garbage").is_none());
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Duration, Pid};

    pub(in super::super) fn own_session() -> Option<Pid> {
        rustix::process::getsid(None).ok()
    }

    pub(super) fn has_living_members(_: Pid) -> bool {
        true
    }

    pub(super) fn in_session(_: Pid) -> Vec<Pid> {
        Vec::new()
    }

    /// Unknown on this system, so only output counts.
    pub(in super::super) fn processor_time(_: Pid) -> Option<Duration> {
        None
    }
}
