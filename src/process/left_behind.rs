//! Ends the processes that a killed worker left running.
//!
//! The kernel kills a worker's child together with the worker (see `spawn.rs`), but not the
//! children of that child: a compiler that pip runs, or anything that a deployment's script
//! started. They would go on writing into folders that the next deployment removes and creates
//! again.
//!
//! Such a process is recognized by two things that must agree: a variable that every child of a
//! deployment gets, and the session, which no other process can enter. A daemon with a session of
//! its own keeps running, as it does when a deployment ends.

use std::path::Path;

use super::group::own_session;
use crate::ids::DeploymentId;

/// The variable. Its value is `SESSION:DEPLOYMENT:SITE`.
pub const VARIABLE: &str = "NYALA_WORKER";

/// The value of [`VARIABLE`] for the children of this process, which is `nyala worker`, or `nyala
/// step` in the session of a worker.
pub fn mark(site: &Path, deployment: DeploymentId) -> std::ffi::OsString {
    let session = own_session().map_or(0, |session| session.as_raw_nonzero().get());
    let mut mark = std::ffi::OsString::from(format!("{session}:{deployment}:"));
    mark.push(site);
    mark
}

/// Kills the processes of a deployment whose worker is dead, and waits up to five seconds until
/// they have ended. Returns how many there were; 0 if there is no /proc.
pub fn end(site: &Path, deployment: DeploymentId) -> usize {
    system::end(site, deployment)
}

#[cfg(target_os = "linux")]
mod system {
    use std::collections::BTreeSet;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use super::VARIABLE;
    use crate::ids::DeploymentId;
    use crate::process::group::{Process, own_session};
    use crate::process::marked::{end_all, has_variable};

    pub(super) fn end(site: &Path, deployment: DeploymentId) -> usize {
        end_all(|| {
            let sessions = sessions(site, deployment);
            let is_in_one = move |process: &Process| sessions.contains(&process.session);
            let living = Process::all().into_iter().filter(|process| !process.ended);
            let members = living.filter(&is_in_one).map(|process| process.pid).collect();
            (members, move |pid| Process::of(pid).is_some_and(|process| is_in_one(&process)))
        })
    }

    /// The sessions of this deployment's dead workers that still have a process with its mark.
    fn sessions(site: &Path, deployment: DeploymentId) -> BTreeSet<i32> {
        let own = own_session().map_or(0, |session| session.as_raw_nonzero().get());
        let living = || Process::all().into_iter().filter(|process| !process.ended);
        living()
            // 0 stands for any session that began outside of this container.
            .filter(|process| {
                ![own, 0].contains(&process.session) && carries_mark(process, site, deployment)
            })
            .map(|process| process.session)
            .filter(|session| living().all(|process| process.pid != *session))
            .collect()
    }

    fn carries_mark(process: &Process, site: &Path, deployment: DeploymentId) -> bool {
        let wanted = [
            format!("{VARIABLE}={}:{deployment}:", process.session).as_bytes(),
            site.as_os_str().as_bytes(),
        ]
        .concat();
        has_variable(process.pid, &|variable| variable == wanted)
    }

    #[cfg(test)]
    mod tests {
        use std::process::{Command, Stdio};

        use super::*;
        use crate::process::start_session;

        /// Starts `sh` in a session of its own; it ends, and the process that it started lives on.
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
        fn only_processes_of_the_dead_worker_are_ended() {
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
        fn a_daemon_with_the_mark_in_another_session_keeps_running() {
            // A daemon inherits the variable, and starts a session of its own.
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
