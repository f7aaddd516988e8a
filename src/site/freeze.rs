//! `frozen.json`: deployments are held back, by whom and why, and the push that would be deployed
//! next.

use std::fs::File;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::unreadable_freeze;
use super::queue::NewDeployment;
use super::record::Trigger;
use super::{DeploymentId, Record, Site};
use crate::disk;
use crate::git::RefName;
use crate::text::clause;
use crate::user_error::Explain;

/// Why deployments are frozen.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Frozen {
    pub reason: String,
    pub by: String,
    pub at: Timestamp,
    /// How many pushes were held back.
    pub pushes: u64,
    /// The newest of them, which is deployed when deployments resume.
    pub held: Option<NewDeployment>,
}

/// What was held back until now.
#[derive(Debug)]
pub struct Unfrozen {
    pub pushes: u64,
    /// The newest push, with a number; its worker can be started with this log.
    pub enqueued: Option<(Record, File)>,
}

impl Frozen {
    /// Since when, by whom and why: one line, to be continued by other words.
    pub fn in_words(&self) -> String {
        let at = self.at.strftime("%Y-%m-%d %H:%M UTC");
        format!(
            "since {at} by {}: {}",
            self.by.escape_debug(),
            clause(&self.reason.escape_debug().to_string())
        )
    }
}

/// What became of a push.
#[derive(Debug)]
pub enum Received {
    /// It has a number, and its worker can be started with this log.
    Enqueued(Box<Record>, File),
    /// The deployment of this number has the push that came after it, and takes its place; the log
    /// is still empty.
    Overtaken { record: Box<Record>, by: DeploymentId, log: File },
    /// It is held back until deployments resume.
    Held(Box<Frozen>),
}

impl Site {
    /// Freezes deployments; those that are running or waiting go on. Freezing again replaces the
    /// reason, and keeps what is held back.
    pub fn freeze(&self, reason: &str, by: &str) -> Result<()> {
        let _guard = self.guard()?;
        let (pushes, held) =
            self.frozen()?.map_or((0, None), |frozen| (frozen.pushes, frozen.held));
        self.save_frozen(&Frozen {
            reason: reason.to_owned(),
            by: by.to_owned(),
            at: Timestamp::now(),
            pushes,
            held,
        })
    }

    /// Lets deployments go on; gives the newest push that was held back its number when it is to be
    /// deployed. `None` when they were not held back.
    pub fn unfreeze(&self, deploy: bool) -> Result<Option<Unfrozen>> {
        let guard = self.guard()?;
        let Some(mut frozen) = self.frozen()? else { return Ok(None) };
        // Numbered first: whatever happens in between, the push is not lost.
        let held = frozen.held.take().filter(|_| deploy);
        let enqueued = held.map(|held| self.enqueue_guarded(&guard, held, None)).transpose()?;
        disk::remove_file(&self.frozen_file())?;
        Ok(Some(Unfrozen { pushes: frozen.pushes, enqueued }))
    }

    /// Why deployments are held back; `None` when they are not.
    pub fn frozen(&self) -> Result<Option<Frozen>> {
        let path = self.frozen_file();
        let Some(bytes) = disk::read_if_there(&path)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).explain(|| unreadable_freeze(&path))
    }

    /// Gives a push its number, unless deployments are held back: then it is remembered in the
    /// place of the one before.
    ///
    /// `tip` says what the pushed branch names now. git moves the branch before it runs the hook,
    /// and the hooks of two pushes can come in the other order: one whose successor has a number
    /// already is superseded by it.
    pub fn receive(
        &self,
        new: NewDeployment,
        tip: impl FnOnce() -> Option<String>,
    ) -> Result<Received> {
        let guard = self.guard()?;
        let tip = tip().filter(|tip| *tip != new.update.new_oid);
        let overtaken_by = match &tip {
            Some(tip) => self.newest_push_of(tip, &new.update.refname)?,
            None => None,
        };
        if let Some(mut frozen) = self.frozen()? {
            frozen.pushes += 1;
            let newer_is_held = tip.is_some()
                && frozen.held.as_ref().map(|held| &held.update.new_oid) == tip.as_ref();
            if !newer_is_held {
                frozen.held = Some(new);
            }
            self.save_frozen(&frozen)?;
            return Ok(Received::Held(Box::new(frozen)));
        }
        let (record, log) = self.enqueue_guarded(&guard, new, overtaken_by)?;
        Ok(match overtaken_by {
            Some(by) => Received::Overtaken { record: Box::new(record), by, log },
            None => Received::Enqueued(Box::new(record), log),
        })
    }

    fn newest_push_of(&self, commit: &str, refname: &RefName) -> Result<Option<DeploymentId>> {
        let (records, _) = self.readable_records()?;
        let of =
            |record: &&Record| record.update.new_oid == commit && record.update.refname == *refname;
        Ok(records
            .iter()
            .rev()
            .filter(|record| record.trigger == Trigger::Push)
            .find(of)
            .map(|record| record.id))
    }

    pub fn frozen_file(&self) -> std::path::PathBuf {
        self.root().join("frozen.json")
    }

    fn save_frozen(&self, frozen: &Frozen) -> Result<()> {
        let mut bytes =
            serde_json::to_vec_pretty(frozen).context("cannot write the reason for the freeze")?;
        bytes.push(b'\n');
        disk::write_atomic(&self.frozen_file(), &bytes, 0o600)
    }
}
