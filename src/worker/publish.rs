//! Says in the repository itself what became of a deployment, for everybody who fetches from it:
//! `refs/deployments/live` names the live commit, which also keeps it from `git gc`, and a note on
//! the commit tells of the deployment.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::error;
use crate::console::{self, mask};
use crate::disk;
use crate::git::{Note, Repository, append_note};
use crate::python::version::asked_for;
use crate::setup;
use crate::site::{DeploymentId, Record, Site};
use crate::text::clean;

const LIVE: &str = "refs/deployments/live";
const NOTES: &str = "refs/notes/deployments";

/// How many lines of the log a note ends with, and how much of the log is looked at for them, in
/// bytes.
const LINES: usize = 8;
const TAIL: u64 = 4096;

/// Writes the note of a deployment that has ended, whose last line, if it is not in the log yet, is
/// `last`.
///
/// It comes before the deployment counts as ended, so that the notes are there when a push returns.
/// A note that cannot be written is a warning, and nothing more.
pub(super) fn publish(site: &Site, record: &Record, last: Option<&str>) {
    let repository = repository_of(site);
    or_warn(repository.and_then(|repository| note(&repository, site, record, last, &Flush::new())));
}

/// [`publish`] for whoever has the repository open. Returns what was flushed.
pub(super) fn publish_in(
    repository: &Repository,
    site: &Site,
    record: &Record,
    last: Option<&str>,
) -> Flush {
    let flush = Flush::new();
    or_warn(note(repository, site, record, last, &flush));
    flush
}

/// [`publish`] for whoever says himself what it means that it fails.
pub(super) fn try_publish(site: &Site, record: &Record, last: Option<&str>) -> Result<()> {
    note(&repository_of(site)?, site, record, last, &Flush::new())
}

fn repository_of(site: &Site) -> Result<Repository> {
    Repository::open(&site.repository(&site.settings()?))
}

fn or_warn(noted: Result<()>) {
    if let Err(why) = noted {
        console::warning(error::note_not_written().because(&why));
    }
}

/// Flushes the file system of a repository, and remembers which that was.
pub(super) struct Flush(Cell<Option<u64>>);

impl Flush {
    fn new() -> Flush {
        Flush(Cell::new(None))
    }

    fn of(&self, repository: &Path) -> Result<()> {
        disk::sync_filesystem(repository)?;
        self.0.set(fs::metadata(repository).ok().map(|metadata| metadata.dev()));
        Ok(())
    }

    /// Whether it took along what had been written in this folder.
    pub(super) fn covers(&self, folder: &Path) -> bool {
        let device = fs::metadata(folder).ok().map(|metadata| metadata.dev());
        device.is_some() && self.0.get() == device
    }
}

fn note(
    repository: &Repository,
    site: &Site,
    record: &Record,
    last: Option<&str>,
    flush: &Flush,
) -> Result<()> {
    // A copied site has the same repository, unless that is in it.
    if !repository.path().starts_with(site.root())
        && let Some(named) = setup::other_site(repository.path(), site.root())?
    {
        bail!(error::repository_of_another_site(repository.path(), named.root(), site.root()));
    }
    let live = site.live()?;
    let is_live = live == Some(record.id);
    let live = match live {
        Some(id) if id == record.id => Some(record.commit.clone()),
        Some(id) => site.record(id)?.map(|record| record.commit),
        None => None,
    };
    // After a forced push and a `git gc` of old, the live commit may be gone: then there is nothing
    // to name.
    let live = live.filter(|commit| repository.commit(commit).is_ok());
    let mut lines = last_lines(site, record.id).unwrap_or_default();
    lines.extend(last.map(|last| clean(last).into_owned()));
    append_note(
        repository,
        &Note {
            notes: NOTES,
            commit: &record.commit,
            text: &mask::known().apply(&text(record, is_live, &lines)),
            ref_to_set: live.as_deref().map(|commit| (LIVE, commit)),
        },
        &|| flush.of(repository.path()),
    )
}

/// The note: facts by name, then how the log ended.
fn text(record: &Record, is_live: bool, lines: &[String]) -> String {
    let live = if is_live { ", live" } else { "" };
    let mut text = format!("Deployment {}: {}{live}\n", record.id, record.status.name());
    let mut fact = |name: &str, value: &str| text.push_str(&format!("{name}: {value}\n"));
    if let Some(python) = &record.python {
        fact(
            "Python",
            &format!("{} ({})", python.version, asked_for(&python.wanted, &python.origin)),
        );
    }
    if let Some(env) = &record.env {
        let id = env.id.map_or(String::new(), |id| format!(", env {id}"));
        fact("Environment", &format!("{}{id}", env.decision));
    }
    if let (Some(start), Some(end)) = (record.started_at, record.ended_at) {
        fact("Seconds", &format!("{:.2}", end.duration_since(start).as_secs_f64()));
    }
    if let Some(end) = record.ended_at {
        fact("Ended", &format!("{}", end.strftime("%Y-%m-%d %H:%M:%SZ")));
    }
    for line in &lines[lines.len().saturating_sub(LINES)..] {
        text.push_str(&format!("  | {line}\n"));
    }
    text
}

/// The end of the log, from the first whole line of its last bytes.
fn last_lines(site: &Site, id: DeploymentId) -> Result<Vec<String>> {
    let path = site.log_file(id);
    let mut file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let whole =
        if length > TAIL { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    Ok(whole.lines().map(ToOwned::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_has_the_facts_and_the_end_of_the_log() {
        let record: Record = serde_json::from_value(serde_json::json!({
            "id": 7,
            "status": "succeeded",
            "commit": "a".repeat(40),
            "message": "Fix",
            "author": "Ada <ada@example.org>",
            "trigger": "push",
            "refname": "refs/heads/main",
            "old_oid": "0".repeat(40),
            "new_oid": "a".repeat(40),
            "python": { "version": "3.12.1", "wanted": "3.12", "origin": "runtime.txt" },
            "env": { "id": 5, "decision": "reuse", "reasons": [] },
            "steps": [],
            "created_at": "2026-01-02T03:04:05Z",
            "started_at": "2026-01-02T03:04:05Z",
            "ended_at": "2026-01-02T03:04:07.25Z",
        }))
        .unwrap();
        let lines: Vec<String> = (1..=20).map(|number| format!("line {number}")).collect();
        let text = text(&record, true, &lines);
        assert!(
            text.starts_with(
                "Deployment 7: succeeded, live\nPython: 3.12.1 (runtime.txt asks for 3.12)\n\
                 Environment: reuse, env 5\n\
                 Seconds: 2.25\nEnded: 2026-01-02 03:04:07Z\n  | line 13\n"
            ),
            "{text}"
        );
        assert!(text.ends_with("  | line 20\n"), "{text}");
    }
}
