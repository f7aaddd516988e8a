//! Children of a test: each has its own process group, and is never waited for without a limit.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};

/// How long anything may take before a test fails; far more than a slow machine needs.
const DEADLINE: Duration = Duration::from_mins(4);
const POLL: Duration = Duration::from_millis(10);
/// How often it is looked whether a child hangs; its end is noticed at once.
const LOOK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Waits until a condition is true; panics with its name if that takes too long.
pub(crate) fn wait_until(what: &str, mut fact: impl FnMut() -> bool) {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    while !fact() {
        assert!(started.elapsed() < DEADLINE, "waited in vain until {what}");
        sleep(pause);
        pause = POLL.min(pause * 2);
    }
}

/// The output and exit status of a child that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn assert_success(&self) -> &Self {
        assert!(self.status.success(), "it failed: {self:#?}");
        self
    }

    /// The child exited with `code`, and `text` is in what it printed to standard error.
    #[track_caller]
    pub(crate) fn assert_failed(&self, code: i32, text: &str) -> &Self {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
        assert!(self.stderr.contains(text), "no {text:?} in {self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        self.assert_success();
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// A running child. Its output goes to files, so nobody has to read it meanwhile.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdout: File,
    stderr: File,
    ended: bool,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let stdout = tempfile::tempfile().unwrap();
        let output = stdout.try_clone().unwrap().into();
        Self::start_with(command, stdout, output)
    }

    /// Starts a child with this standard output.
    pub(crate) fn start_with_output(command: &mut Command, output: impl Into<Stdio>) -> Self {
        Self::start_with(command, tempfile::tempfile().unwrap(), output.into())
    }

    fn start_with(command: &mut Command, stdout: File, output: Stdio) -> Self {
        let stderr = tempfile::tempfile().unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(stderr.try_clone().unwrap())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child, stdout, stderr, ended: false }
    }

    pub(crate) fn wait(mut self) -> Ran {
        let started = Instant::now();
        let end = pidfd_open(self.pid(), PidfdFlags::empty()).unwrap();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.ended = true;
                return Ran {
                    status,
                    stdout: text_of(&mut self.stdout),
                    stderr: text_of(&mut self.stderr),
                };
            }
            if started.elapsed() > DEADLINE {
                let (stdout, stderr) = (text_of(&mut self.stdout), text_of(&mut self.stderr));
                panic!("it hangs. Standard output:\n{stdout}\nStandard error:\n{stderr}");
            }
            let _ = poll(&mut [PollFd::new(&end, PollFlags::IN)], Some(&LOOK));
        }
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends a signal to the child alone.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Sends a signal to the child and all that it started in its process group.
    pub(crate) fn signal_group(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

fn text_of(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether the process with this id, in decimal, is running. A zombie is not; in a container
/// without an init process, it may stay forever.
pub(crate) fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}
