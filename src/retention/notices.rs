//! What is still to be said of what was pruned when the log of its deployment had ended: the next
//! log begins with it.

use anyhow::{Context, Error, Result};
use serde::{Deserialize, Serialize};

use super::error;
use super::holders::Held;
use super::prune::Pruned;
use super::salvage::Salvaged;
use crate::console;
use crate::disk;
use crate::site::Site;

#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Notices(Vec<Notice>);

/// A line of a log.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Notice {
    Info(String),
    Warning(String),
    Hint(String),
}

impl Notices {
    /// Logs what nobody has been told yet.
    pub fn log_pending(site: &Site) {
        let path = site.notices_file();
        let Ok(bytes) = disk::read(&path) else { return };
        let Notices(notices) = serde_json::from_slice(&bytes).unwrap_or_default();
        for notice in notices {
            match notice {
                Notice::Info(text) => console::info(text),
                Notice::Warning(text) => console::warning(text),
                Notice::Hint(text) => console::hint(text),
            }
        }
        if let Err(error) = disk::remove_file(&path) {
            tracing::debug!("{error:#}");
        }
    }

    /// Keeps for the next log what was salvaged, what a process still uses, and why something could
    /// not be removed.
    pub fn save(site: &Site, pruned: &Pruned, error: Option<&Error>) -> Result<()> {
        let mut notices = Vec::new();
        for (warning, hint) in pruned.salvaged.iter().map(Salvaged::in_words) {
            notices.extend([Notice::Warning(warning), Notice::Hint(hint)]);
        }
        notices.extend(Held::used(&pruned.held).map(Notice::Info));
        notices.extend(
            error.map(|error| Notice::Warning(error::not_removed().because(error).to_string())),
        );
        if notices.is_empty() {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&Notices(notices)).context("cannot write the notices")?;
        disk::write_atomic(&site.notices_file(), &bytes, 0o600)
    }
}
