//! What is still to be said of what was pruned when the log of its deployment had ended: the next
//! log begins with it.

use anyhow::{Context, Error, Result};
use serde::{Deserialize, Serialize};

use super::salvage::Salvaged;
use crate::console;
use crate::disk;
use crate::site::Site;
use crate::user_error::UserError;

#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Notices(Vec<Notice>);

#[derive(Debug, Deserialize, Serialize)]
struct Notice {
    warning: String,
    hint: Option<String>,
}

impl Notices {
    /// Logs what nobody has been told yet.
    pub fn log_unsaid(site: &Site) {
        let path = site.notices_file();
        let Ok(bytes) = disk::read(&path) else { return };
        let Notices(notices) = serde_json::from_slice(&bytes).unwrap_or_default();
        for Notice { warning, hint } in notices {
            console::warning(warning);
            hint.iter().for_each(console::hint);
        }
        if let Err(error) = disk::remove_file(&path) {
            tracing::debug!("{error:#}");
        }
    }

    /// Keeps for the next log what was salvaged, and why something could not be removed.
    pub fn save(site: &Site, salvaged: &[Salvaged], error: Option<&Error>) -> Result<()> {
        let mut notices: Vec<_> = salvaged.iter().map(Notice::of).collect();
        notices.extend(error.map(|error| Notice {
            warning: UserError::new("old releases could not be removed").because(error).to_string(),
            hint: None,
        }));
        if notices.is_empty() {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&Notices(notices)).context("cannot write the notices")?;
        disk::write_atomic(&site.notices_file(), &bytes, 0o600)
    }
}

impl Notice {
    fn of(salvaged: &Salvaged) -> Notice {
        let (warning, hint) = salvaged.in_words();
        Notice { warning, hint: Some(hint) }
    }
}
