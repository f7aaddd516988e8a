//! Whether there is room for a deployment, before it writes anything.

use anyhow::{Result, bail};

use super::error;
use crate::disk::space::{DiskUsage, FileSystem, free_at, shortage};
use crate::plan::{Decision, Plan};
use crate::retention::empty_trash;
use crate::site::{Record, Site};
use crate::staging;

/// Fails when less is free than the last tree took and, when an env is made, the last env. Both may
/// be smaller this time; but a deployment that cannot be kept is better not begun.
pub(super) fn check(site: &Site, plan: &Plan) -> Result<()> {
    let makes_env = match plan.env.decision {
        Decision::Create { .. } | Decision::Update { .. } | Decision::Copy { .. } => true,
        Decision::Reuse { .. } | Decision::None | Decision::Committed => false,
    };
    let Some(needed) = needed(site, makes_env)? else { return Ok(()) };
    let mut short = shortage(needed, free_at(&site.releases())?);
    if short.is_some() && staging::is_there(site) {
        // It only saves time, and the new release needs its space.
        staging::discard(site)?;
        empty_trash(site);
        short = shortage(needed, free_at(&site.releases())?);
    }
    let Some(short) = short else { return Ok(()) };
    let system = FileSystem::of(&site.releases())?;
    bail!(error::no_room(short, &system, &needed))
}

/// What the last tree took, and the last env if one is made; `None` when nothing is known.
fn needed(site: &Site, makes_env: bool) -> Result<Option<DiskUsage>> {
    let (mut release, mut env) = (None, None);
    for id in site.deployment_ids()?.into_iter().rev() {
        if let Some(record) = site.record(id)?.filter(Record::went_live) {
            release = release.or(record.usage.release);
            env = env.or(record.usage.env).filter(|_| makes_env);
        }
        if release.is_some() && (env.is_some() || !makes_env) {
            break;
        }
    }
    Ok(match (release, env) {
        (Some(release), Some(env)) => Some(release.and(env)),
        (one, other) => one.or(other),
    })
}
