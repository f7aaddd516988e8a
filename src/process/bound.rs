//! What a child may use of the machine.

use std::process::Command;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many processes this user may have; `None` without a limit.
pub fn processes() -> Option<u64> {
    getrlimit(Resource::Nproc).current
}

/// How many files this process may have open; `None` without a limit.
pub fn files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Lets this process have as many files open as it may, at most so many. Children get the limit of
/// before: some of them look at each file below it.
pub fn raise_files(most: u64) {
    let _ = FILES.get_or_init(|| {
        let before = getrlimit(Resource::Nofile);
        let most = before.maximum.map_or(most, |maximum| maximum.min(most));
        if before.current.is_some_and(|current| current < most) {
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..before });
        }
        before.current
    });
}

/// The limit of before [`raise_files`].
static FILES: OnceLock<Option<u64>> = OnceLock::new();

/// Bounds how many processes the user of a child may have for it to start another one, and has the
/// kernel end it sooner than this process when memory is short. Linux only.
pub fn set(command: &mut Command, processes: Option<u64>, sooner: i32) {
    #[cfg(target_os = "linux")]
    linux::set(command, processes, sooner);
    #[cfg(not(target_os = "linux"))]
    let _ = (command, processes, sooner);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::process::CommandExt;

    use super::{Command, FILES, Resource, Rlimit, getrlimit, setrlimit};
    use crate::disk;
    use rustix::fs::{Mode, OFlags};

    const SCORE: &CStr = c"/proc/self/oom_score_adj";
    const LARGEST: i32 = 1000;

    #[expect(unsafe_code, reason = "the standard library cannot set limits")]
    pub(super) fn set(command: &mut Command, processes: Option<u64>, sooner: i32) {
        let path = OsStr::from_bytes(SCORE.to_bytes());
        let own = disk::read_to_string(path).ok().and_then(|text| text.trim().parse::<i32>().ok());
        let score = own.map(|own| own.saturating_add(sooner).min(LARGEST).to_string());
        let files = FILES.get().copied().flatten();
        // SAFETY: between fork and exec it makes a few system calls, takes no lock and allocates
        // nothing.
        unsafe {
            command.pre_exec(move || {
                // What cannot be bounded runs all the same.
                if files.is_some() {
                    let maximum = getrlimit(Resource::Nofile).maximum;
                    let _ = setrlimit(Resource::Nofile, Rlimit { current: files, maximum });
                }
                if processes.is_some() {
                    let limit = Rlimit { current: processes, maximum: processes };
                    let _ = setrlimit(Resource::Nproc, limit);
                }
                if let Some(score) = &score
                    && let Ok(file) = rustix::fs::open(SCORE, OFlags::WRONLY, Mode::empty())
                {
                    let _ = rustix::io::write(file, score.as_bytes());
                }
                Ok(())
            });
        }
    }
}
