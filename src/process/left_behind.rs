//! Ends what a worker that was killed has left running.
//!
//! The kernel kills a worker's child with the worker (see `run.rs`), but not the child's own
//! children: a compiler that pip runs, whatever a deployment's script has started. They would go on
//! writing into folders that the next deployment clears away, and find others of the same name
//! there.
//!
//! They are known by two things that have to agree: a variable that every child of a deployment
//! gets, and the session, which nobody else can enter. A daemon that has made a session of its own
//! is left alone, as it is when a deployment ends.

use std::path::Path;

use super::group::own_session;
use crate::ids::DeploymentId;

/// The variable, and what it says: `SESSION:DEPLOYMENT:SITE`.
pub const VARIABLE: &str = "NYALA_WORKER";

/// What the children of this process get as [`VARIABLE`]: `nyala worker`, or `nyala step` in a
/// session of such a worker.
pub fn mark(site: &Path, deployment: DeploymentId) -> std::ffi::OsString {
    let session = own_session().map_or(0, |session| session.as_raw_nonzero().get());
    let mut mark = std::ffi::OsString::from(format!("{session}:{deployment}:"));
    mark.push(site);
    mark
}

/// Kills the processes of a deployment whose worker is dead, and waits until they are gone: at most
/// five seconds. Returns how many there were; 0 where there is no /proc.
pub fn end(site: &Path, deployment: DeploymentId) -> usize {
    system::end(site, deployment)
}

#[cfg(target_os = "linux")]
mod system {
    use std::collections::BTreeSet;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

    use super::VARIABLE;
    use crate::ids::DeploymentId;
    use crate::process::group::{Process, own_session};

    /// What is in the middle of a system call may need a moment to die.
    const PATIENCE: Duration = Duration::from_secs(5);

    pub(super) fn end(site: &Path, deployment: DeploymentId) -> usize {
        let mut ended = BTreeSet::new();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let sessions = sessions(site, deployment);
            // They may start others while they are being killed.
            let members: Vec<_> = members(&sessions);
            if members.is_empty() || Instant::now() >= deadline {
                return ended.len();
            }
            for process in members {
                kill(&process, &sessions);
                ended.insert(process.pid);
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// The sessions of dead workers of this deployment in which somebody lives who carries its
    /// mark.
    fn sessions(site: &Path, deployment: DeploymentId) -> BTreeSet<i32> {
        let own = own_session().map_or(0, |session| session.as_raw_nonzero().get());
        let living = || Process::all().into_iter().filter(|process| !process.ended);
        living()
            // 0 is every session that was begun outside of this container.
            .filter(|process| {
                ![own, 0].contains(&process.session) && carries_mark(process, site, deployment)
            })
            .map(|process| process.session)
            .filter(|session| living().all(|process| process.pid != *session))
            .collect()
    }

    fn members(sessions: &BTreeSet<i32>) -> Vec<Process> {
        Process::all()
            .into_iter()
            .filter(|process| !process.ended && sessions.contains(&process.session))
            .collect()
    }

    fn carries_mark(process: &Process, site: &Path, deployment: DeploymentId) -> bool {
        let folder = format!("/proc/{}", process.pid);
        let same_user = fs::metadata(&folder)
            .is_ok_and(|found| found.uid() == rustix::process::geteuid().as_raw());
        let wanted = [
            format!("{VARIABLE}={}:{deployment}:", process.session).as_bytes(),
            site.as_os_str().as_bytes(),
        ]
        .concat();
        same_user
            && fs::read(format!("{folder}/environ")).is_ok_and(|environ| {
                environ.split(|byte| *byte == 0).any(|variable| variable == wanted)
            })
    }

    /// Numbers are used again: the one that is killed is the one that is looked at once more, by a
    /// handle.
    fn kill(process: &Process, sessions: &BTreeSet<i32>) {
        let Some(pid) = Pid::from_raw(process.pid) else { return };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        if Process::of(process.pid).is_some_and(|now| sessions.contains(&now.session)) {
            let _ = pidfd_send_signal(&handle, Signal::KILL);
        }
    }

    #[cfg(test)]
    mod tests {
        use std::process::{Command, Stdio};

        use super::*;
        use crate::process::start_session;

        /// `sh` makes a session of its own and ends; what it has started there lives on.
        fn leave_behind(mark: &str) -> i32 {
            let mut command = Command::new("sh");
            let text = format!("{VARIABLE}=$$:{mark} sleep 60 >/dev/null 2>&1 & echo $!");
            command.args(["-c", &text]).stdin(Stdio::null());
            start_session(&mut command);
            let output = command.output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
        }

        fn lives(pid: i32) -> bool {
            Process::of(pid).is_some_and(|process| !process.ended)
        }

        #[test]
        fn only_what_the_dead_worker_started_is_ended() {
            let site = Path::new("/srv/left behind");
            let own = leave_behind("'7:/srv/left behind'");
            let other_deployment = leave_behind("'8:/srv/left behind'");
            let other_site = leave_behind("7:/srv/left");
            assert!(end(site, DeploymentId::of(7)) == 1);
            assert!(!lives(own));
            assert!(lives(other_deployment) && lives(other_site));
            assert_eq!(
                end(site, DeploymentId::of(8)) + end(Path::new("/srv/left"), DeploymentId::of(7)),
                2
            );
        }

        #[test]
        fn what_has_the_mark_and_is_in_another_session_is_left_alone() {
            // A daemon: it inherits the variable, and makes a session of its own.
            let mut daemon = Command::new("sleep");
            daemon.arg("60").env(VARIABLE, "4711:7:/srv/daemon");
            let mut daemon = daemon.spawn().unwrap();
            assert_eq!(end(Path::new("/srv/daemon"), DeploymentId::of(7)), 0);
            assert!(daemon.try_wait().unwrap().is_none());
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::path::Path;

    pub(super) fn end(_: &Path, _: DeploymentId) -> usize {
        0
    }
}
