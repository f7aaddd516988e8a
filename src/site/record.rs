//! `deployments/N/deployment.json`: the public record of a deployment.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::unreadable_record;
use super::{DeployOptions, DeploymentId, EnvId, Site, lock};
use crate::console::mask;
use crate::disk;
use crate::disk::space::DiskUsage;
use crate::format::{self, Format};
use crate::git::RefUpdate;
use crate::user_error::{Explain, UserError};

/// The record of one deployment. Times are RFC 3339 in UTC, seconds are decimal.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    #[serde(default)]
    pub format: Format,
    pub id: DeploymentId,
    pub status: Status,
    /// The full id of the commit.
    pub commit: String,
    /// The full id of the tree that was checked out; `None` before that.
    #[serde(default)]
    pub tree: Option<String>,
    pub message: String,
    /// `Name <address>`.
    pub author: String,
    pub trigger: Trigger,
    /// What the push did to the branch that is deployed.
    #[serde(flatten)]
    pub update: RefUpdate,
    #[serde(default)]
    pub options: DeployOptions,
    /// The refs that move when this deployment goes live, and only then: those of a push to a
    /// strict site.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<RefUpdate>,
    pub python: Option<PythonRecord>,
    pub env: Option<EnvRecord>,
    /// What the application runs; `None` when nothing is to be run, or was not looked for yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<ProcessesRecord>,
    /// The folders with a manage.py below the top, where they were looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manage_folders: Option<Vec<String>>,
    pub steps: Vec<StepRecord>,
    /// The disk space that it used, as far as it came.
    #[serde(default, alias = "took")]
    pub usage: Usage,
    /// Why it failed, as its log says it.
    pub error: Option<String>,
    /// The same, in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_parts: Option<UserError>,
    /// The actions and webhooks that failed after it. They do not change its status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify_failures: Vec<NotifyFailure>,
    /// The newer deployment that took this one's place.
    pub superseded_by: Option<DeploymentId>,
    /// The deployment that started this one, by a command of the project's or by an action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<DeploymentId>,
    /// Of a rollback: the release that it made live again. It has none of its own.
    #[serde(default)]
    pub rolled_back_to: Option<DeploymentId>,
    /// When its release first went live: what is newer in there was written by the running
    /// application.
    #[serde(default)]
    pub activated_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    /// Set when actions and webhooks are over, too; until then a final `status` is on disk without
    /// it.
    pub ended_at: Option<Timestamp>,
}

/// A record as people and other programs see it: with what is true now.
#[derive(Debug, Serialize)]
pub struct RecordView<'a> {
    #[serde(flatten)]
    record: &'a Record,
    live: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Pending,
    Building,
    Succeeded,
    Failed,
    Superseded,
    Interrupted,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    Push,
    Redeploy,
    Rollback,
}

/// The Python of a deployment: what it is, what was asked for, and where.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct PythonRecord {
    pub version: String,
    pub wanted: String,
    pub origin: String,
}

/// The env of a deployment.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct EnvRecord {
    /// The deployment that made it, and so its folder in `envs/`; `None` when the release has none
    /// of nyala's.
    pub id: Option<EnvId>,
    pub decision: String,
    pub reasons: Vec<String>,
}

/// The processes of a release.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct ProcessesRecord {
    /// Who says so, in words for the log: `the Procfile`.
    pub origin: String,
    /// The commands, for `sh -c` in the folder of the release, by the names of the processes.
    pub commands: BTreeMap<String, String>,
}

/// The disk space a deployment used. The next one needs about as much.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Its tree.
    pub release: Option<DiskUsage>,
    /// Its env, when it made one.
    pub env: Option<DiskUsage>,
}

/// An action that failed or was not run, or a webhook that failed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct NotifyFailure {
    pub kind: NotifyKind,
    /// The file name of the action, or the host of the webhook.
    pub name: String,
    /// Why, on one line.
    pub error: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyKind {
    Action,
    Webhook,
}

impl fmt::Display for NotifyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotifyFailure { kind, name, error } = self;
        match kind {
            NotifyKind::Action => write!(f, "the action {name} failed: {error}"),
            NotifyKind::Webhook => write!(f, "the webhook to {name} failed: {error}"),
        }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StepRecord {
    pub name: String,
    pub seconds: f64,
    /// Whether the deployment failed in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

impl Trigger {
    pub fn name(self) -> &'static str {
        match self {
            Trigger::Push => "push",
            Trigger::Redeploy => "redeploy",
            Trigger::Rollback => "rollback",
        }
    }
}

impl Status {
    /// Whether the status will not change any more.
    pub fn is_final(self) -> bool {
        match self {
            Status::Pending | Status::Building => false,
            Status::Succeeded | Status::Failed | Status::Superseded | Status::Interrupted => true,
        }
    }

    pub fn is_success(self) -> bool {
        self == Status::Succeeded
    }

    pub fn name(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Building => "building",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::Superseded => "superseded",
            Status::Interrupted => "interrupted",
        }
    }
}

impl Record {
    /// The name of the author, without the address.
    pub fn author_name(&self) -> &str {
        self.author.split('<').next().unwrap_or_default().trim()
    }

    /// Whether the deployment is over, including its actions and webhooks.
    pub fn has_ended(&self) -> bool {
        self.status.is_final() && self.ended_at.is_some()
    }

    /// Whether its release has ever been live: one that was killed right afterwards is
    /// `interrupted`, and counts.
    pub fn went_live(&self) -> bool {
        self.rolled_back_to.is_none() && (self.status.is_success() || self.activated_at.is_some())
    }

    /// This record for the outside; `live` is what [`Site::live`] says.
    pub fn view(&self, live: Option<DeploymentId>) -> RecordView<'_> {
        RecordView { record: self, live: live == Some(self.id) }
    }

    /// What took its place, in words.
    pub fn superseded_by_whom(&self) -> String {
        let newer = self.superseded_by.map(|newer| format!("deployment {newer}"));
        newer.unwrap_or_else(|| "a newer deployment".to_owned())
    }

    /// Says why it failed.
    pub fn set_error(&mut self, error: Option<UserError>) {
        self.error = error.as_ref().map(ToString::to_string);
        self.error_parts = error;
    }

    /// Why it failed, on one line.
    pub fn fact(&self) -> Option<&str> {
        self.error_parts.as_ref().map(|error| error.fact.as_str())
    }

    /// The record without the secrets that this process knows: an error repeats what a child has
    /// said, a reason what stands in a requirements file.
    #[must_use]
    pub fn masked(&self) -> Record {
        let known = mask::known();
        let hide = |text: &mut String| *text = known.apply(text).into_owned();
        let mut shown = self.clone();
        hide(&mut shown.message);
        hide(&mut shown.author);
        shown.error.iter_mut().for_each(hide);
        shown.error_parts.iter_mut().flat_map(UserError::texts_mut).for_each(hide);
        shown.notify_failures.iter_mut().for_each(|failure| hide(&mut failure.error));
        shown.env.iter_mut().flat_map(|env| &mut env.reasons).for_each(hide);
        shown
    }

    /// The bytes of its file.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut bytes =
            serde_json::to_vec_pretty(&self.masked()).context("cannot write the record")?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

impl Site {
    /// Reads the record of a deployment; `None` when there is no such deployment.
    pub fn record(&self, id: DeploymentId) -> Result<Option<Record>> {
        let path = self.record_file(id);
        let Some(bytes) = disk::read_if_there(&path)? else { return Ok(None) };
        let record = serde_json::from_slice(&bytes);
        if record.is_err() {
            // That a newer nyala has written it says more than what is wrong with it.
            format::check_bytes(&path, &bytes)?;
        }
        record.map(Some).explain(|| unreadable_record(&path))
    }

    /// All records, oldest first.
    pub fn records(&self) -> Result<Vec<Record>> {
        self.records_of(self.deployment_ids()?)
    }

    /// All records that can be read, oldest first, and why others cannot: one that is damaged
    /// hides no other.
    pub fn readable_records(&self) -> Result<(Vec<Record>, Vec<anyhow::Error>)> {
        let (mut records, mut damaged) = (Vec::new(), Vec::new());
        for id in self.deployment_ids()? {
            match self.record(id) {
                Ok(record) => records.extend(record),
                Err(error) => damaged.push(error),
            }
        }
        Ok((records, damaged))
    }

    /// The newest record that can be read.
    pub fn newest_record(&self) -> Result<Option<Record>> {
        let mut newest_first = self.deployment_ids()?.into_iter().rev();
        Ok(newest_first.find_map(|id| self.record(id).ok().flatten()))
    }

    /// The records of a deployment and of all newer ones, oldest first.
    pub fn records_from(&self, first: DeploymentId) -> Result<Vec<Record>> {
        let mut ids = self.deployment_ids()?;
        ids.retain(|id| *id >= first);
        self.records_of(ids)
    }

    fn records_of(&self, ids: Vec<DeploymentId>) -> Result<Vec<Record>> {
        ids.into_iter().filter_map(|id| self.record(id).transpose()).collect()
    }

    /// The records of those deployments that may not have ended, oldest first, and perhaps of some
    /// that have.
    ///
    /// A deployment that begins ends all before it, so the search stops at the newest one that
    /// began and has ended: a push must not become slower with every push before it.
    pub fn unsettled(&self) -> Result<Vec<Record>> {
        let mut found = Vec::new();
        for id in self.deployment_ids()?.into_iter().rev() {
            // What a loss of power left of a record holds nobody up.
            let Ok(Some(record)) = self.record(id) else { continue };
            if record.started_at.is_some() && record.has_ended() {
                break;
            }
            found.push(record);
        }
        found.reverse();
        Ok(found)
    }

    /// Replaces the record of a deployment. A loss of power leaves the old one or the new one.
    pub fn save(&self, record: &Record) -> Result<()> {
        disk::write_atomic(&self.record_file(record.id), &record.to_json()?, 0o600)
    }

    /// Writes the record of a deployment beside the one that is there, not flushed yet.
    pub fn prepare_record(&self, record: &Record) -> Result<disk::Aside> {
        disk::write_aside(&self.record_file(record.id), &record.to_json()?, 0o600)
    }

    /// Changes the record of a deployment that has not ended, with nobody else changing it at the
    /// same time: its worker and somebody who cancels it can come at the same moment, and the first
    /// one counts. `change` says whether it did anything. Returns the record as it is now, changed
    /// or not; `None` when there is no such deployment.
    pub fn change_record(
        &self,
        id: DeploymentId,
        change: impl FnOnce(&mut Record) -> bool,
    ) -> Result<Option<Record>> {
        let _guard = self.guard()?;
        let Some(mut record) = self.record(id)? else { return Ok(None) };
        if !record.status.is_final() && change(&mut record) {
            self.save(&record)?;
        }
        Ok(Some(record))
    }

    /// Replaces the record of a deployment that has not gone live yet, unless it has ended
    /// meanwhile; says whether it did. It is flushed with what goes live.
    pub fn save_unless_ended(&self, record: &Record) -> Result<bool> {
        let _guard = self.guard()?;
        let has_ended = self.record(record.id)?.is_none_or(|found| found.status.is_final());
        if !has_ended {
            let bytes = record.to_json()?;
            disk::write_atomic_unflushed(&self.record_file(record.id), &bytes, 0o600)?;
        }
        Ok(!has_ended)
    }

    /// Whether a deployment that has not ended is being worked on, or waits with a worker of its
    /// own.
    pub fn has_worker(&self, id: DeploymentId) -> Result<bool> {
        lock::has_writer(&self.log_file(id))
    }
}
