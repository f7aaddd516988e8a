//! Numbers deployments, and puts them into the queue.

use std::fs::File;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lock::Guard;
use super::record::{Trigger, Usage};
use super::{DeployOptions, DeploymentId, Record, Site, Status};
use crate::disk;
use crate::format::Format;
use crate::git::{Commit, RefUpdate};

/// How much of a commit's message and of its author a record holds, in bytes. Records are read
/// whole, often and by many, and a message can have any length.
const LONGEST_MESSAGE: usize = 16 << 10;
const LONGEST_AUTHOR: usize = 1 << 10;

/// What is known of a deployment before it has a number.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct NewDeployment {
    pub commit: String,
    pub message: String,
    pub author: String,
    pub trigger: Trigger,
    #[serde(flatten)]
    pub update: RefUpdate,
    pub options: DeployOptions,
    /// What the deployment moves when it goes live; empty but for a push to a strict site.
    pub moves: Vec<RefUpdate>,
    /// The deployment that starts this one, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<DeploymentId>,
    /// Of a rollback: the release to make live again.
    pub rolled_back_to: Option<DeploymentId>,
}

impl NewDeployment {
    /// A deployment of a commit that was pushed to, or counts as, this ref. It moves no ref, and
    /// nothing special was asked for.
    pub fn of(commit: Commit, trigger: Trigger, update: RefUpdate) -> NewDeployment {
        NewDeployment {
            commit: commit.id,
            message: cut(commit.message, LONGEST_MESSAGE),
            author: cut(commit.author, LONGEST_AUTHOR),
            trigger,
            update,
            options: DeployOptions::default(),
            moves: Vec::new(),
            started_by: None,
            rolled_back_to: None,
        }
    }
}

impl Site {
    /// Gives a deployment its number and writes its pending record and its empty log.
    ///
    /// The returned log is locked: whoever holds it is the deployment's writer, and the deployment
    /// counts as dead when nobody does and it has not ended. It is handed to the worker as its
    /// standard output.
    pub fn enqueue(&self, new: NewDeployment) -> Result<(Record, File)> {
        let guard = self.guard()?;
        self.enqueue_guarded(&guard, new, None)
    }

    /// [`Site::enqueue`] for a caller that holds the guard. A push whose successor already has a
    /// deployment, because that hook was faster, is superseded from the start.
    pub(super) fn enqueue_guarded(
        &self,
        _: &Guard,
        new: NewDeployment,
        overtaken_by: Option<DeploymentId>,
    ) -> Result<(Record, File)> {
        let id = self.next_id()?;
        let record = Record {
            id,
            status: if overtaken_by.is_some() { Status::Superseded } else { Status::Pending },
            commit: new.commit,
            tree: None,
            message: cut(new.message, LONGEST_MESSAGE),
            author: cut(new.author, LONGEST_AUTHOR),
            trigger: new.trigger,
            update: new.update,
            options: new.options,
            moves: new.moves,
            python: None,
            env: None,
            processes: None,
            manage_folders: None,
            steps: Vec::new(),
            usage: Usage::default(),
            error: None,
            error_parts: None,
            notify_failures: Vec::new(),
            format: Format,
            superseded_by: overtaken_by,
            started_by: new.started_by,
            rolled_back_to: new.rolled_back_to,
            activated_at: None,
            created_at: Timestamp::now(),
            started_at: None,
            ended_at: overtaken_by.map(|_| Timestamp::now()),
        };
        // Made aside and renamed, so that a reader who sees the number sees the record and the log
        // as well.
        let folder = disk::create_temporary_dir(&self.deployments())?;
        let log = disk::create_file(&folder.join("log.txt"), 0o600)?;
        log.lock().context("cannot lock the deployment's log")?;
        // Nothing is flushed until it goes live. When the power fails before that, nothing has
        // happened, and recovery removes what is left of it.
        disk::write(&folder.join("deployment.json"), &record.to_json()?, 0o600)?;
        disk::rename(&folder, &self.deployment(id))?;
        Ok((record, log))
    }

    /// Keeps the number of a deployment from being reused, before its record is deleted.
    pub fn remember_number(&self, id: DeploymentId) -> Result<()> {
        let _guard = self.guard()?;
        // Something of a newer deployment is still there, and keeps the number.
        if id.next() < self.next_id()? {
            return Ok(());
        }
        disk::write_atomic(&self.last_number_file(), format!("{id}\n").as_bytes(), 0o644)
    }

    /// One more than the highest number in use. Numbers are never reused, even when a record was
    /// deleted, or was lost and only its release or its env is left.
    fn next_id(&self) -> Result<DeploymentId> {
        let remembered = disk::read_to_string(self.last_number_file()).ok();
        let remembered = remembered.and_then(|text| text.trim().parse().ok());
        let envs = self.env_ids()?;
        let highest = [
            remembered,
            self.deployment_ids()?.pop(),
            self.release_ids()?.pop(),
            envs.last().map(|env| env.maker()),
        ];
        Ok(highest.into_iter().flatten().max().map_or(DeploymentId::FIRST, DeploymentId::next))
    }
}

/// A text of at most so many bytes, which says at its end when something of it is left out.
fn cut(mut text: String, longest: usize) -> String {
    if text.len() <= longest {
        return text;
    }
    let note = format!("… [cut: {} bytes in all]", text.len());
    let mut end = longest - note.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text + &note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_once_and_between_characters() {
        let long = "ä".repeat(LONGEST_MESSAGE);
        let once = cut(long, LONGEST_MESSAGE);
        assert!(
            once.len() <= LONGEST_MESSAGE && once.len() > LONGEST_MESSAGE - 4,
            "{}",
            once.len()
        );
        assert!(once.ends_with("ä… [cut: 32768 bytes in all]"), "{once}");
        assert_eq!(cut(once.clone(), LONGEST_MESSAGE), once);
        assert_eq!(cut("Fix".to_owned(), LONGEST_MESSAGE), "Fix");
    }
}
