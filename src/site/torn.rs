//! Records that a loss of power has torn.

use std::io::ErrorKind;

use anyhow::Result;

use super::{DeploymentId, Site};
use crate::disk;

impl Site {
    /// The deployments of whose records a loss of power has left nothing, or only a part. Records
    /// are flushed with what goes live, so all of these are newer than the newest that has ended,
    /// and none ever went live.
    pub fn lost(&self) -> Result<Vec<DeploymentId>> {
        let mut lost = Vec::new();
        for id in self.deployment_ids()?.into_iter().rev() {
            match self.record(id) {
                Ok(Some(record)) if record.started_at.is_some() && record.has_ended() => break,
                Ok(Some(_)) => {}
                _ if self.is_torn(id) => lost.push(id),
                _ => {}
            }
        }
        Ok(lost)
    }

    fn is_torn(&self, id: DeploymentId) -> bool {
        match disk::read(self.record_file(id)) {
            Ok(bytes) => {
                let read = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes);
                bytes.contains(&0) || read.is_err_and(|error| error.is_eof())
            }
            Err(error) => error.kind() == ErrorKind::NotFound,
        }
    }
}
