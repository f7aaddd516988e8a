//! Is there room for the next deployment?

use super::error;
use super::{Finding, FindingId};
use crate::disk::space::{DiskUsage, FileSystem, shortage};
use crate::site::Site;

/// With less than this, the next deployment probably does not fit.
const LEAST: DiskUsage = DiskUsage { bytes: 100 << 20, inodes: 5_000 };

pub(super) fn check(site: &Site) -> Option<Finding> {
    let system = FileSystem::of(site.root()).ok()?;
    shortage(LEAST, system.free)?;
    let error = error::little_space(site.root(), &system.free, &system);
    Some(Finding::new(FindingId::Space, error))
}
