//! How much memory processes use.

use std::fs;

use crate::disk;

/// What a process and all others of its session have in memory, in bytes; `None` where /proc does
/// not say. Memory that they share counts for each of them by its share (`proc_pid_smaps(5)`).
pub(super) fn of_session(leader: u32) -> Option<u64> {
    let mut sum = None;
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if session(pid) != Some(leader) {
            continue;
        }
        let text = disk::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        sum = kib.map(|kib| sum.unwrap_or(0) + kib * 1024).or(sum);
    }
    sum
}

fn session(pid: u32) -> Option<u32> {
    let stat = disk::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // PID (NAME) STATE PPID PGRP SESSION
    stat.rsplit_once(") ")?.1.split(' ').nth(3)?.parse().ok()
}
