//! What an application may use, so that it neither takes `nyala serve` down with it, nor keeps it
//! from ending the application.

use std::process::Command;
use std::sync::OnceLock;

use crate::disk;
use crate::process::bound;

/// An application gets this part of the processes that its owner may have, or that fit into the
/// control group: the rest is for who ends it.
const PART: u64 = 2;

/// How much sooner than this process the kernel ends an application when memory is short, in
/// thousandths of all memory: `proc_pid_oom_score_adj(5)`.
const SOONER: i32 = 200;

/// A site may have a quarter as many connections as this process may have files: each takes two,
/// so that half of the files are left for others.
const FILES: u64 = 4;

/// How many connections of visitors a site may have at the same time. More wait to be taken.
pub(super) fn connections() -> usize {
    static CONNECTIONS: OnceLock<usize> = OnceLock::new();
    *CONNECTIONS.get_or_init(|| {
        let files = bound::files().unwrap_or(u64::MAX);
        usize::try_from((files / FILES).max(1)).unwrap_or(usize::MAX)
    })
}

/// Bounds what a child and everything that it starts may use.
pub(super) fn set(command: &mut Command) {
    static PROCESSES: OnceLock<Option<u64>> = OnceLock::new();
    let processes = *PROCESSES.get_or_init(|| {
        let limits = [bound::processes(), in_control_group()];
        limits.into_iter().flatten().min().map(|limit| limit / PART)
    });
    bound::set(command, processes, SOONER);
}

/// How many processes fit into the control group of this one, as `TasksMax=` of systemd says:
/// cgroups(7). `None` without a limit.
fn in_control_group() -> Option<u64> {
    let groups = disk::read_to_string("/proc/self/cgroup").ok()?;
    let files = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        match (parts.next()?, parts.next()?) {
            ("", group) => Some(format!("/sys/fs/cgroup{group}/pids.max")),
            ("pids", group) => Some(format!("/sys/fs/cgroup/pids{group}/pids.max")),
            _ => None,
        }
    });
    files.filter_map(|file| disk::read_to_string(file).ok()?.trim().parse().ok()).min()
}
