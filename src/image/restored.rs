//! Files of the commit that the application has written to since the release went live: an image
//! has what the commit has there, and none of the data of visitors.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::error;
use crate::checkout;
use crate::disk;
use crate::git::Repository;
use crate::site::{Record, Settings, Site};

/// Writes the files as the commit has them into `temporary`, and says where each is.
pub(super) fn restore(
    site: &Site,
    settings: &Settings,
    record: &Record,
    files: Vec<PathBuf>,
    temporary: &Path,
) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let mut restored = BTreeMap::new();
    if files.is_empty() {
        return Ok(restored);
    }
    let repository = Repository::open(&site.repository(settings))?;
    let tree = match &record.tree {
        Some(tree) => repository.oid(tree)?,
        None => repository.tree(&repository.commit(&record.commit)?)?.root(),
    };
    let objects = repository.objects();
    for (number, file) in files.into_iter().enumerate() {
        let path = file.to_str().context("a path is not UTF-8")?;
        let filter = checkout::filters(objects, tree, std::iter::once(path))?.pop().flatten();
        if filter.is_some_and(|filter| filter == b"lfs") {
            bail!(error::written_to(path));
        }
        let bytes = checkout::preview(objects, tree, path)?;
        let now = site.release(record.id).join(&file);
        let mode = now.metadata().with_context(|| format!("cannot read {}", now.display()))?;
        let copy = temporary.join(format!("restored-{number}"));
        disk::write_new(&copy, &bytes, mode.permissions().mode() & 0o700 | 0o600)?;
        restored.insert(file, copy);
    }
    Ok(restored)
}
