//! Who made a temporary file: a process by its number and the moment it started at, because numbers
//! are used again.

use rustix::process::Pid;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProcessIdentity {
    pid: Pid,
    /// 0 where the system does not say.
    started: u64,
}

impl ProcessIdentity {
    /// Reads `PID-STARTED-…`; `None` when it is something else.
    pub(super) fn parse(text: &str) -> Option<ProcessIdentity> {
        let mut parts = text.split('-');
        let pid = Pid::from_raw(parts.next()?.parse().ok()?)?;
        let started = parts.next()?.parse().ok()?;
        parts.next()?;
        Some(ProcessIdentity { pid, started })
    }

    /// One that has ended and was not collected yet (in a container, perhaps for ever) is not
    /// alive, and neither is another one that has got its number.
    pub(super) fn is_alive(&self) -> bool {
        if self.started == 0 {
            return !matches!(
                rustix::process::test_kill_process(self.pid),
                Err(rustix::io::Errno::SRCH)
            );
        }
        started(self.pid) == Some(self.started)
    }
}

/// When a living process started, in clock ticks since the machine did; `None` when there is none,
/// or no /proc.
pub(super) fn started(pid: Pid) -> Option<u64> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(&String::from_utf8_lossy(&stat))
}

/// Field 22 of proc(5). The name, the second field, may have blanks and brackets in it; the third
/// is the state.
fn parse(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let ended = matches!(fields.next()?, "Z" | "X" | "x");
    if ended { None } else { fields.nth(18)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start() {
        let own = rustix::process::getpid();
        let started = started(own).unwrap();
        assert!(ProcessIdentity { pid: own, started }.is_alive());
        assert!(!ProcessIdentity { pid: own, started: started + 1 }.is_alive());
        assert_eq!(
            ProcessIdentity::parse(&format!("{own}-{started}-aB3")),
            Some(ProcessIdentity { pid: own, started })
        );
        assert_eq!(ProcessIdentity::parse("7-aB3"), None);
    }

    #[test]
    fn one_that_waits_to_be_collected_is_gone() {
        let stat = |state: &str| {
            format!("7 (a) b (c) {state} 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 1000")
        };
        assert_eq!(parse(&stat("S")), Some(4711));
        assert_eq!(parse(&stat("Z")), None);
    }
}
