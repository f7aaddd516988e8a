//! How much memory processes use.

use rustix::process::Pid;

use crate::disk;
use crate::process::in_session;

/// What a process and all others of its session have in memory, in bytes; `None` where /proc does
/// not say. Memory that they share counts for each of them by its share (`proc_pid_smaps(5)`).
pub(super) fn of_session(leader: u32) -> Option<u64> {
    let members = in_session(Pid::from_raw(leader.cast_signed())?);
    members.into_iter().filter_map(of).reduce(|sum, more| sum + more)
}

/// How many processes of this machine the kernel has ended because memory was short; 0 where /proc
/// does not say.
pub(super) fn kills() -> u64 {
    let text = disk::read_to_string("/proc/vmstat").unwrap_or_default();
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|count| count.parse().ok()).unwrap_or_default()
}

fn of(process: Pid) -> Option<u64> {
    let file = format!("/proc/{}/smaps_rollup", process.as_raw_nonzero());
    let text = disk::read_to_string(file).ok()?;
    let share = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = share.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}
