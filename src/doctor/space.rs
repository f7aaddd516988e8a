//! Is there room for the next deployment?

use super::{Finding, FindingId};
use crate::disk::space::{DiskUsage, FileSystem, shortage};
use crate::site::Site;

/// With less than this, the next deployment probably does not fit.
const LEAST: DiskUsage = DiskUsage { bytes: 100 << 20, inodes: 5_000 };

pub(super) fn check(site: &Site) -> Option<Finding> {
    let system = FileSystem::of(site.root()).ok()?;
    shortage(LEAST, system.free)?;
    Some(Finding::new(
        FindingId::Space,
        format!("{} has only {} left on {system}", site.root().display(), system.free),
        format!(
            "free some space, or keep fewer releases: keep = 1 in {}",
            site.settings_file().display()
        ),
    ))
}
