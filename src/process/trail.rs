//! A number that a process leaves on everything that it starts, whatever becomes of environments,
//! sessions and parents.
//!
//! It is the soft limit of a resource that nobody uses up, as in [`super::marked`], whose numbers
//! are hard limits and higher ones. So a process that carries one of those may leave a trail of its
//! own, and what one trail leads to may begin another.

/// Has this process and all that it starts from now on carry a number, which is below 2^61.
pub fn leave(number: u64) {
    system::leave(number);
}

/// The number that this process carries; `None` when it carries none.
pub fn number() -> Option<u64> {
    system::number()
}

/// How long this process has been there; of one that has begun anew with another program (exec(3)),
/// that counts from its first. `None` if there is no /proc.
pub fn age() -> Option<std::time::Duration> {
    system::age()
}

#[cfg(target_os = "linux")]
mod system {
    use std::time::Duration;

    use rustix::process::{Resource, Rlimit, getpid, getrlimit, setrlimit};
    use rustix::time::{ClockId, clock_gettime};

    use crate::process::group::Process;

    const FIRST: u64 = 1 << 61;

    pub(super) fn leave(number: u64) {
        let maximum = getrlimit(Resource::Rttime).maximum;
        // Where no limit may be that high, other signs have to do.
        let _ = setrlimit(Resource::Rttime, Rlimit { current: Some(FIRST + number), maximum });
    }

    pub(super) fn number() -> Option<u64> {
        getrlimit(Resource::Rttime).current?.checked_sub(FIRST).filter(|number| *number < FIRST)
    }

    pub(super) fn age() -> Option<Duration> {
        let started = Process::of(getpid().as_raw_nonzero().get())?.started;
        let now = Duration::try_from(clock_gettime(ClockId::Boottime)).ok()?;
        Some(now.saturating_sub(started))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn leave(_: u64) {}

    pub(super) fn number() -> Option<u64> {
        None
    }

    pub(super) fn age() -> Option<std::time::Duration> {
        None
    }
}
