//! `deployments/N/cancel.json`: somebody asks a running deployment to end. A file, and not a
//! signal: a process number that was read a moment ago may be somebody else's.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DeploymentId, Site};
use crate::disk;

/// The mode of the log of a deployment that is asked to end, where the file could not be written.
const ASKED: u32 = 0o700;

/// Who asked for a deployment's end, and when.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Cancel {
    pub by: String,
    pub at: Timestamp,
}

impl Site {
    /// Asks a running deployment to end: its worker looks for this.
    pub fn ask_to_cancel(&self, id: DeploymentId, by: &str) -> Result<()> {
        let asked = serde_json::to_vec(&Cancel { by: by.to_owned(), at: Timestamp::now() })?;
        disk::write_atomic(&self.deployment(id).join("cancel.json"), &asked, 0o600)
            // A full disk has no room for it. The mode of a file needs none.
            .or_else(|_| disk::set_mode(&self.log_file(id), ASKED))
    }

    /// Who asked for this deployment's end, if anybody did.
    pub fn cancelled(&self, id: DeploymentId) -> Option<Cancel> {
        // One that cannot be read still asks.
        let unknown = || Cancel { by: "somebody".to_owned(), at: Timestamp::now() };
        if let Ok(bytes) = disk::read(self.deployment(id).join("cancel.json")) {
            return Some(serde_json::from_slice(&bytes).unwrap_or_else(|_| unknown()));
        }
        let mode = fs::metadata(self.log_file(id)).ok()?.permissions().mode();
        (mode & 0o777 == ASKED).then(unknown)
    }
}
