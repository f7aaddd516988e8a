//! Starts a child that inherits nothing but the pipes for its output.

use std::io::{self, PipeReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::process::Pid;

use super::error::ChildError;
use super::not_started::NotStarted;
use super::{Environment, Invocation};

/// The size of a pipe, in bytes. A large one saves context switches, and lost output where a child
/// makes its end non-blocking. The default is 64 KiB: pipe(7).
pub(super) const PIPE: usize = 1 << 20;

/// The number of the second pipe.
pub(super) const STDERR: usize = 1;

/// Where a child's output goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Standard output and error share a pipe, which keeps their order.
    Merged,
    /// Each has its own: 0 and [`STDERR`].
    Apart,
}

/// Starts the child in a process group of its own. Its pipes are read without blocking.
pub(super) fn spawn(
    invocation: &Invocation,
    output: Output,
    input: Stdio,
) -> Result<(Child, Vec<Option<PipeReader>>), ChildError> {
    let io_error = |source| invocation.io_error(source);
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

    let mut command = Command::new(own_program(&invocation.program));
    if invocation.program.components().count() == 1 {
        command.arg0(&invocation.program);
    }
    command
        .args(&invocation.args)
        .env_clear()
        .envs(invocation.environment.iter())
        .stdin(input)
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0);
    if let Some(folder) = &invocation.cwd {
        command.current_dir(folder);
    }
    keep_close(&mut command);

    let child = command.spawn().map_err(|source| {
        let why = NotStarted::new(&invocation.program, invocation.cwd.as_ref(), &source);
        ChildError::NotStarted { command: invocation.label(), why, source }
    })?;
    // Dropping `command` here closes its copies of the pipes' other ends.
    Ok((child, pipes))
}

/// What the child reads. It is written by a thread, since it may be more than a pipe takes; a child
/// that ends without reading it ends the thread.
pub(super) fn input(invocation: &Invocation) -> io::Result<Stdio> {
    let Some(bytes) = invocation.input.clone() else { return Ok(Stdio::null()) };
    let (reader, mut writer) = io::pipe()?;
    thread::Builder::new().name("input".to_owned()).spawn(move || writer.write_all(&bytes))?;
    Ok(reader.into())
}

/// Has the child killed when the thread that starts it ends, and closes all but the three standard
/// files. Linux only.
pub fn keep_close(command: &mut Command) {
    #[cfg(target_os = "linux")]
    linux::keep_close(command);
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

/// The file of a program that is given by name; the name itself where there is none.
fn own_program(program: &Path) -> PathBuf {
    if program.as_os_str().as_encoded_bytes().contains(&b'/') {
        return program.to_owned();
    }
    Environment::clean().program(program).unwrap_or_else(|| program.to_owned())
}

/// A descriptor that becomes readable when the process has ended, if it is there and the system has
/// one: `pidfd_open(2)`.
#[cfg(target_os = "linux")]
pub fn ended_fd(process: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
pub fn ended_fd(_: Pid) -> Option<OwnedFd> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::process::Signal;

    use super::{Command, CommandExt, io};

    /// Asks the kernel to kill the child when nyala ends, and closes all but the three standard
    /// files.
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
            // Closes the files that git or ssh left open; nyala's own are closed on exec anyway. An
            // old kernel lacks the call, which does no harm. SAFETY: marks descriptors to be closed
            // on exec; no memory is involved.
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
