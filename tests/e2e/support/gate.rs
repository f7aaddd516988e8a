//! A place at which a child waits for the test: no test sleeps and hopes.

use std::fs;
use std::path::PathBuf;

use super::{Sandbox, wait_until};

#[derive(Debug)]
pub struct Gate {
    reached: PathBuf,
    open: PathBuf,
}

impl Gate {
    pub fn new(sandbox: &Sandbox) -> Self {
        let folder =
            tempfile::Builder::new().prefix("gate-").tempdir_in(sandbox.path("")).unwrap().keep();
        Self { reached: folder.join("reached"), open: folder.join("open") }
    }

    /// Shell text that waits here until the test opens the gate, or is gone.
    pub fn shell(&self) -> String {
        let (reached, open) = (self.reached.display(), self.open.display());
        let folder = self.open.parent().unwrap().display();
        format!(
            "touch '{reached}'\nwhile [ -d '{folder}' ] && [ ! -e '{open}' ]; do sleep 0.05; done\n"
        )
    }

    /// Python text, for a function's body indented by four spaces, that does the same.
    pub fn python(&self) -> String {
        let (reached, open) = (self.reached.display(), self.open.display());
        let folder = self.open.parent().unwrap().display();
        format!(
            "    import os, time\n    open('{reached}', 'w').close()\n    while os.path.isdir('{folder}') and not os.path.exists('{open}'):\n        time.sleep(0.05)\n"
        )
    }

    pub fn wait_until_reached(&self) {
        wait_until("the child is at the gate", || self.reached.exists());
    }

    pub fn open(&self) {
        fs::write(&self.open, "").unwrap();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // Nobody may be left waiting, whatever became of the test.
        let _ = fs::write(&self.open, "");
    }
}
