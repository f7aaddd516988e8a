//! `nyala serve` as the first process of a container.
//!
//! Whatever loses its parent there becomes a child of that process, and stays as a zombie until it
//! is waited for (`pid_namespaces(7)`). So the first process only starts the one that serves,
//! passes on the signals that end it, and waits for everything.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command, ExitStatus};

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use tokio::signal::unix::{SignalKind, signal};

use super::error;

/// Whether this process is one.
pub fn is_first_process() -> bool {
    process::id() == 1
}

/// Serves by a child, with the same arguments, until that has ended.
pub fn run_as_first_process() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let status = runtime.block_on(until_ended())?;
    if status.success() {
        return Ok(());
    }
    bail!(error::child_ended(status))
}

async fn until_ended() -> Result<ExitStatus> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    let mut ended = signal(SignalKind::child()).context("cannot wait for signals")?;
    let program = env::current_exe().context("cannot find out where nyala is")?;
    let child = Command::new(program).args(env::args_os().skip(1)).spawn();
    let child = Pid::from_child(&child.context("cannot start the nyala serve that serves")?);
    loop {
        let passed_on = tokio::select! {
            _ = terminate.recv() => Some(Signal::TERM),
            _ = interrupt.recv() => Some(Signal::INT),
            _ = ended.recv() => None,
        };
        if let Some(signal) = passed_on {
            // It may have ended just now.
            let _ = kill_process(child, signal);
        }
        if let Some(status) = wait_for_all(child)? {
            return Ok(status);
        }
    }
}

/// Waits for everything that has ended; `Some` when that is `child`.
fn wait_for_all(child: Pid) -> Result<Option<ExitStatus>> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((ended, status))) if ended == child => {
                return Ok(Some(ExitStatus::from_raw(status.as_raw())));
            }
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Ok(None),
            Err(error) => return Err(error).context("cannot wait for what has ended"),
        }
    }
}
