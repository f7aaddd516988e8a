//! A place at which a child waits for the test, so that no test relies on timing.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

use super::{Sandbox, wait_until};

#[derive(Debug)]
pub(crate) struct Gate {
    reached: PathBuf,
    open: PathBuf,
    /// The process id of the worker whose deployment command has come here.
    worker: PathBuf,
}

impl Gate {
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        let folder =
            tempfile::Builder::new().prefix("gate-").tempdir_in(sandbox.path("")).unwrap().keep();
        Self {
            reached: folder.join("reached"),
            open: folder.join("open"),
            worker: folder.join("worker"),
        }
    }

    /// A shell script that waits until the test opens the gate, or has ended.
    pub(crate) fn shell(&self) -> String {
        let (reached, open) = (self.reached.display(), self.open.display());
        let folder = self.open.parent().unwrap().display();
        format!(
            "touch '{reached}'\nwhile [ -d '{folder}' ] && [ ! -e '{open}' ]; do sleep 0.05; done\n"
        )
    }

    /// [`Gate::shell`] for a deployment command whose worker is to be killed.
    pub(crate) fn shell_of_worker(&self) -> String {
        // The script's parent is the shell that runs `command`; its parent is the worker.
        let worker = self.worker.display();
        format!("awk '{{print $4}}' /proc/$PPID/stat > '{worker}'\n{}", self.shell())
    }

    /// Kills the worker whose deployment command waits here.
    pub(crate) fn kill_worker(&self) {
        let worker = fs::read_to_string(&self.worker).unwrap().trim().parse().unwrap();
        kill_process(Pid::from_raw(worker).unwrap(), Signal::KILL).unwrap();
    }

    /// [`Gate::shell`] in Python, for the body of a function, indented by four spaces.
    pub(crate) fn python(&self) -> String {
        let (reached, open) = (self.reached.display(), self.open.display());
        let folder = self.open.parent().unwrap().display();
        format!(
            "    import os, time\n\
             \x20   open('{reached}', 'w').close()\n\
             \x20   while os.path.isdir('{folder}') and not os.path.exists('{open}'):\n\
             \x20       time.sleep(0.05)\n"
        )
    }

    pub(crate) fn wait_until_reached(&self) {
        wait_until("the child is at the gate", || self.reached.exists());
    }

    pub(crate) fn open(&self) {
        fs::write(&self.open, "").unwrap();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // No child may be left waiting, whatever happened to the test.
        let _ = fs::write(&self.open, "");
    }
}
