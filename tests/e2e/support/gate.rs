//! A place at which a child waits for the test, so that no test relies on timing.

use std::fs;
use std::path::PathBuf;

use super::{Sandbox, wait_until};

#[derive(Debug)]
pub(crate) struct Gate {
    reached: PathBuf,
    open: PathBuf,
}

impl Gate {
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        let folder =
            tempfile::Builder::new().prefix("gate-").tempdir_in(sandbox.path("")).unwrap().keep();
        Self { reached: folder.join("reached"), open: folder.join("open") }
    }

    /// A shell script that waits until the test opens the gate, or has ended.
    pub(crate) fn shell(&self) -> String {
        let (reached, open) = (self.reached.display(), self.open.display());
        let folder = self.open.parent().unwrap().display();
        format!(
            "touch '{reached}'\nwhile [ -d '{folder}' ] && [ ! -e '{open}' ]; do sleep 0.05; done\n"
        )
    }

    /// The same in Python, for the body of a function, indented by four spaces.
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
