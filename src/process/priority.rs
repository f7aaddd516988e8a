//! Work that must not slow down anything else.

/// Lets this process, and the threads that it starts from now on, run only when no other process
/// needs the processors or the disk. If the system does not allow it, nothing changes.
pub fn lower_priority() {
    const LOWEST: i32 = 19;
    let _ = rustix::process::setpriority_process(None, LOWEST);
    #[cfg(target_os = "linux")]
    lower_disk_priority();
}

/// The class `IOPRIO_CLASS_IDLE` of `ioprio_set(2)`, for which glibc has no function.
#[cfg(target_os = "linux")]
fn lower_disk_priority() {
    const WHO_PROCESS: libc::c_int = 1;
    const IDLE: libc::c_int = 3 << 13;
    // SAFETY: the call takes three integers and touches no memory of this process.
    #[expect(unsafe_code, reason = "neither the standard library nor rustix has ioprio_set")]
    unsafe {
        libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, IDLE);
    }
}
