//! What a report tells, read from a site.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::Result;
use jiff::Timestamp;

use crate::site::{DeploymentId, EnvId, Record, Site};

/// How many deployments a report shows, the newest ones.
const MOST: usize = 500;

/// How much of a log is read, at its beginning and at its end, in bytes.
const READ: u64 = 24 << 10;

/// A deployment that is about to end: its record and the last line of its log, which are not on
/// the disk yet.
#[derive(Debug)]
pub struct Ending<'a> {
    pub record: &'a Record,
    pub last_line: &'a str,
}

pub(super) struct SiteData {
    pub(super) name: String,
    /// The name of the site's own folder.
    pub(super) folder: std::ffi::OsString,
    pub(super) made_at: Timestamp,
    pub(super) live: Option<DeploymentId>,
    /// Since when it is, by the last deployment that made it live.
    pub(super) live_since: Option<Timestamp>,
    /// The newest first.
    pub(super) deployments: Vec<Deployment>,
    /// How many older ones there are.
    pub(super) older: usize,
}

pub(super) struct Deployment {
    pub(super) record: Record,
    pub(super) log: String,
}

impl SiteData {
    pub(super) fn of(site: &Site, ending: Option<&Ending<'_>>) -> Result<SiteData> {
        let mut ids = site.deployment_ids()?;
        ids.reverse();
        let older = ids.len().saturating_sub(MOST);
        ids.truncate(MOST);
        let mut deployments = Vec::new();
        for id in ids {
            let ending = ending.filter(|ending| ending.record.id == id);
            let record = match ending {
                Some(ending) => Some(ending.record.clone()),
                // One that is damaged hides no other.
                None => site.record(id).ok().flatten(),
            };
            let Some(record) = record else { continue };
            let mut log = read_log(&site.log_file(id)).unwrap_or_default();
            if let Some(ending) = ending {
                log.push_str(ending.last_line);
                log.push('\n');
            }
            deployments.push(Deployment { record: record.masked(), log });
        }
        // Also when `wwwroot` is damaged: then nothing is shown as live.
        let live = site.live().ok().flatten();
        let root = site.root();
        let folder = root.file_name().unwrap_or_default().to_owned();
        Ok(SiteData {
            name: folder.to_string_lossy().into_owned(),
            folder,
            made_at: Timestamp::now(),
            live,
            live_since: live.and_then(|live| live_since(live, &deployments)),
            deployments,
            older,
        })
    }

    pub(super) fn live_record(&self) -> Option<&Record> {
        let live = self.live?;
        self.records().find(|record| record.id == live)
    }

    /// The records, the newest first.
    pub(super) fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.deployments.iter().map(|deployment| &deployment.record)
    }
}

/// A release that went live, or went live again.
pub(super) struct WentLive<'a> {
    pub(super) release: DeploymentId,
    pub(super) env: Option<EnvId>,
    pub(super) at: Timestamp,
    pub(super) by: &'a Record,
}

/// What a deployment made live; `None` when it made nothing live.
pub(super) fn went_live(record: &Record) -> Option<WentLive<'_>> {
    let is_rollback = record.rolled_back_to.is_some() && record.status.is_success();
    if !is_rollback && !record.went_live() {
        return None;
    }
    let at = record.activated_at.or(record.ended_at).unwrap_or(record.created_at);
    Some(WentLive {
        release: record.rolled_back_to.unwrap_or(record.id),
        env: record.env.as_ref().and_then(|env| env.id),
        at,
        by: record,
    })
}

fn live_since(live: DeploymentId, deployments: &[Deployment]) -> Option<Timestamp> {
    let mut events = deployments.iter().filter_map(|deployment| went_live(&deployment.record));
    events.find(|event| event.release == live).map(|event| event.at)
}

/// The seconds from the beginning of a deployment to its end.
pub(super) fn took(record: &Record) -> Option<f64> {
    let took = record.ended_at?.duration_since(record.started_at?).as_secs_f64();
    Some(took.max(0.0))
}

/// The median of some seconds; of an even number, the longer of the two in the middle.
pub(super) fn median(mut seconds: Vec<f64>) -> Option<f64> {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied()
}

/// A log, or the beginning and the end of a long one.
fn read_log(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut bytes = Vec::new();
    if length <= 2 * READ {
        file.read_to_end(&mut bytes).ok()?;
    } else {
        file.by_ref().take(READ).read_to_end(&mut bytes).ok()?;
        bytes.truncate(memchr::memrchr(b'\n', &bytes).map_or(bytes.len(), |end| end + 1));
        if !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        let left_out = length - bytes.len() as u64 - READ;
        let note = format!("       ... about {} left out ...", crate::text::bytes(left_out));
        bytes.extend_from_slice(note.as_bytes());
        file.seek(SeekFrom::End(-READ.cast_signed())).ok()?;
        let mut end = Vec::new();
        file.take(READ).read_to_end(&mut end).ok()?;
        bytes.push(b'\n');
        let whole = memchr::memchr(b'\n', &end).map_or(0, |first| first + 1);
        bytes.extend_from_slice(&end[whole..]);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
