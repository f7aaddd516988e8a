//! `stopped.json`: the application of the site is not to run, and who has said so.

use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Site;
use crate::disk;

/// Who has stopped the application, and when.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Stopped {
    pub by: String,
    pub at: Timestamp,
}

impl Stopped {
    /// Since when and by whom: words that continue a line.
    pub fn in_words(&self) -> String {
        let at = self.at.strftime("%Y-%m-%d %H:%M UTC");
        format!("since {at} by {}", self.by.escape_debug())
    }
}

impl Site {
    /// Says that the application is not to run, until [`Site::set_started`]. Stopping it again
    /// keeps who was the first.
    pub fn set_stopped(&self, by: &str) -> Result<()> {
        let _guard = self.guard()?;
        if self.stopped()?.is_some() {
            return Ok(());
        }
        let stopped = Stopped { by: by.to_owned(), at: Timestamp::now() };
        let mut bytes = serde_json::to_vec_pretty(&stopped).context("cannot write")?;
        bytes.push(b'\n');
        disk::write_atomic(&self.stopped_file(), &bytes, 0o600)
    }

    pub fn set_started(&self) -> Result<()> {
        let _guard = self.guard()?;
        match self.stopped()? {
            Some(_) => disk::remove_file(&self.stopped_file()),
            None => Ok(()),
        }
    }

    /// Who has stopped the application; `None` when it is to run. The file counts whatever is in
    /// it: a site that somebody has stopped must not start by itself.
    pub fn stopped(&self) -> Result<Option<Stopped>> {
        let somebody = |_| Stopped { by: "somebody".to_owned(), at: Timestamp::UNIX_EPOCH };
        let bytes = disk::read_if_there(&self.stopped_file())?;
        Ok(bytes.map(|bytes| serde_json::from_slice(&bytes).unwrap_or_else(somebody)))
    }

    fn stopped_file(&self) -> PathBuf {
        self.root().join("stopped.json")
    }
}
