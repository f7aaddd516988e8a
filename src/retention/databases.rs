//! Databases that a command of the project made in a release: the next release gets new ones.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use super::salvage::{Scan, written_since};
use super::unshared::share_command;
use crate::console;
use crate::git::CommitTree;
use crate::site::DeploymentId;

/// The first bytes of a database: <https://www.sqlite.org/fileformat.html#the_database_header>.
const MAGIC: [u8; 16] = *b"SQLite format 3\0";

/// Warns of the SQLite databases that a release command, which is there to prepare what outlives
/// releases, made in its own release since then.
///
/// What is shared is not in the release, and a database of the commit is what the project wants
/// each release to begin with.
pub fn warn_of_databases(
    id: DeploymentId,
    release: &Path,
    since: SystemTime,
    tree: &CommitTree<'_>,
) -> Result<()> {
    let is_committed = |path: &str| tree.entry(path).is_ok_and(|entry| entry.is_some());
    let mut found = Vec::new();
    for path in databases(release, since)? {
        found.extend(path.to_str().filter(|path| !is_committed(path)).map(str::to_owned));
    }
    if let Some(command) = share_command(&found) {
        console::warning(format_args!(
            "the release command made a database in release {id}, and the next release will have \
             a new one: {}",
            found.iter().map(|path| path.escape_debug().to_string()).collect::<Vec<_>>().join(", ")
        ));
        console::hint(format_args!("to have it in every release: {command}"));
    }
    Ok(())
}

fn databases(release: &Path, since: SystemTime) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in written_since(release, since, Scan::NewNames)? {
        if is_database(&release.join(&path))? {
            found.push(path);
        }
    }
    Ok(found)
}

fn is_database(path: &Path) -> Result<bool> {
    let mut start = [0; MAGIC.len()];
    match File::open(path).and_then(|mut file| file.read_exact(&mut start)) {
        Ok(()) => Ok(start == MAGIC),
        // What is gone again, or shorter than that, is none.
        Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::NotFound) => {
            Ok(false)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_database_is_told_by_its_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| fs::write(folder.path().join(name), content);
        write("no-suffix", b"SQLite format 3\0 and its pages").unwrap();
        write("empty.sqlite3", b"").unwrap();
        write("text.db", b"SQLite format 3 is described here").unwrap();
        let found = databases(folder.path(), SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(found, [Path::new("no-suffix")]);
    }
}
