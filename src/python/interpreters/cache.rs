//! What probes said, kept by the identity of the file that was asked.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{FileIdentity, Interpreter};
use crate::disk;

/// Raised when what is kept means something else than before: an old file then counts as none.
const FORMAT: u32 = 1;

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cache {
    format: u32,
    answers: BTreeMap<PathBuf, Kept>,
}

/// Folders, and when each was changed last: nanoseconds since 1970, `None` when it is not there.
pub(super) type ModificationTimes = BTreeMap<PathBuf, Option<i64>>;

/// An answer, and what has to be as it was for it to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    identity: FileIdentity,
    /// With `apt install python3-venv` the interpreter can make environments while its own file
    /// stays what it was.
    folders: ModificationTimes,
    answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Interpreter(Interpreter),
    /// It runs another interpreter, or is one inside an environment; those to ask instead.
    Elsewhere(Vec<PathBuf>),
    /// It is a Python, but none that can be used; why.
    Unfit(String),
}

impl Cache {
    /// Reads what is kept. A file that is not there, not readable or not understood is an empty
    /// cache.
    pub(super) fn read(path: &Path) -> Self {
        disk::read(path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .filter(|cache: &Self| cache.format == FORMAT)
            .unwrap_or_default()
    }

    /// Replaces the file, without the answers of files that are gone. Makes its folder if need be.
    pub(super) fn write(mut self, path: &Path) -> Result<()> {
        self.format = FORMAT;
        self.answers.retain(|file, _| file.exists());
        let folder = path.parent().context("a cache needs a folder")?;
        disk::create_private_dir_all(folder)?;
        disk::write_atomic(path, &serde_json::to_vec(&self)?, 0o600)
    }

    /// The answer of this file, if all that it depends on is as it was.
    pub(super) fn get(&self, file: &Path, identity: &FileIdentity) -> Option<&Answer> {
        let kept = self.answers.get(file)?;
        let holds = kept.identity == *identity
            && kept.folders.iter().all(|(folder, changed)| changed_at(folder) == *changed);
        holds.then_some(&kept.answer)
    }

    pub(super) fn put(
        &mut self,
        file: PathBuf,
        identity: FileIdentity,
        folders: ModificationTimes,
        answer: Answer,
    ) {
        self.answers.insert(file, Kept { identity, folders, answer });
    }
}

/// When these folders were changed last, as [`Cache::put`] takes it.
pub(super) fn stamps(folders: Vec<PathBuf>) -> ModificationTimes {
    folders
        .into_iter()
        .map(|folder| {
            let changed = changed_at(&folder);
            (folder, changed)
        })
        .collect()
}

/// Whether the folders were left alone while they were asked about: one that changed in the second
/// before, or since, may have been stamped as it was after the answer.
pub(super) fn settled(folders: &ModificationTimes, asked_at: SystemTime) -> bool {
    let asked_at = asked_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let second = 1_000_000_000;
    folders.values().flatten().all(|changed| {
        i128::from(*changed) + second < i128::try_from(asked_at).unwrap_or(i128::MAX)
    })
}

fn changed_at(folder: &Path) -> Option<i64> {
    fs::metadata(folder).ok().as_ref().map(super::modified_ns)
}

/// Whether a file is a script, whose answer can depend on anything and is therefore never kept.
pub(super) fn is_script(file: &Path) -> bool {
    let mut start = [0; 2];
    fs::File::open(file).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"#!"
}
