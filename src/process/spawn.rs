//! Starts a child with nothing of ours but the pipes that its output goes to.

use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;

use super::Invocation;
use super::error::{ChildError, not_started};

/// Big pipes save switching back and forth, and spare a child that made its end non-blocking; the
/// default is 64 KiB.
pub(super) const PIPE: usize = 1 << 20;

/// The second of two pipes.
pub(super) const STDERR: usize = 1;

/// How a child's output is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Both in one pipe, in the order in which they are printed.
    Merged,
    /// Each in its own: 0 and [`STDERR`].
    Apart,
}

/// Starts the child in a process group of its own. Its pipes are read without blocking.
pub(super) fn spawn(
    invocation: &Invocation,
    output: Output,
) -> Result<(Child, Vec<Option<PipeReader>>), ChildError> {
    let io_error = |source| ChildError::Io { command: invocation.called(), source };
    let mut pipes = Vec::new();
    let mut pipe = || {
        let (reader, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&reader, true)?;
        #[cfg(target_os = "linux")]
        let _ = rustix::pipe::fcntl_setpipe_size(&reader, PIPE);
        pipes.push(Some(reader));
        Ok::<_, io::Error>(writer)
    };
    let stdout = pipe().map_err(io_error)?;
    let stderr = match output {
        Output::Merged => stdout.try_clone(),
        Output::Apart => pipe(),
    }
    .map_err(io_error)?;

    let mut command = Command::new(&invocation.program);
    command
        .args(&invocation.args)
        .env_clear()
        .envs(invocation.environment.iter())
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0);
    if let Some(folder) = &invocation.cwd {
        command.current_dir(folder);
    }
    #[cfg(target_os = "linux")]
    linux::keep_close(&mut command);

    let child = command.spawn().map_err(|source| {
        not_started(invocation.called(), &invocation.program, invocation.cwd.as_ref(), source)
    })?;
    // `command`, which goes here, holds copies of the pipes' other ends.
    Ok((child, pipes))
}

/// A descriptor that becomes readable when the child has ended, where the system has such.
#[cfg(target_os = "linux")]
pub(super) fn ended_fd(child: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(child, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn ended_fd(_: Pid) -> Option<OwnedFd> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::process::Signal;

    use super::{Command, CommandExt, io};

    /// Has the child killed when nyala is, and gives it no file but the three standard ones.
    ///
    /// The kernel kills it when the *thread* that started it ends; that thread stays in
    /// [`crate::process::run`] until the child has ended.
    #[expect(
        unsafe_code,
        reason = "the standard library has no safe way to do this between fork and exec"
    )]
    pub(super) fn keep_close(command: &mut Command) {
        let parent = rustix::process::getpid();
        let prepare = move || {
            // Files that git or ssh left open for us; our own are closed on exec anyway. An old
            // kernel cannot: no harm. SAFETY: marks descriptors to be closed on exec; no memory is
            // involved.
            unsafe {
                libc::syscall(
                    libc::SYS_close_range,
                    3,
                    libc::c_uint::MAX,
                    libc::CLOSE_RANGE_CLOEXEC,
                );
            }
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            if rustix::process::getppid() == Some(parent) {
                Ok(())
            } else {
                Err(io::Error::from_raw_os_error(libc::ESRCH))
            }
        };
        // SAFETY: between fork and exec it makes three system calls, takes no lock and allocates
        // nothing.
        unsafe {
            command.pre_exec(prepare);
        }
    }
}
