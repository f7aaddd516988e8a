//! Where an env leads to: it must not run the code of another release.

use std::path::Path;

use anyhow::Result;

use super::{StepContext, error};
use crate::console;
use crate::python::env;
use crate::python::env::marker::Marker;
use crate::python::env::references::{self, Folders, References};
use crate::site::EnvId;
use crate::user_error::UserError;

/// Checks what the project's commands have done to the env of this deployment: it shares no file
/// with anything else, and leads to no other release.
pub(super) fn check_after_commands(context: &StepContext<'_>) -> Result<()> {
    let Some(id) = context.site.env_of_release(context.deployment) else { return Ok(()) };
    let env = context.site.env(id);
    let Some(mut marker) = Marker::read(&env).filter(|_| id.maker() == context.deployment) else {
        return Ok(());
    };
    env::unshare(&env)?;
    let mut references = references(context, &env)?;
    if !references.foreign.is_empty() {
        return Err(references_elsewhere("the project's commands", &references).into());
    }
    // The marker of this moment no longer tells what a command made that ran before it.
    references.own.extend(marker.provenance.references_of_commands.iter().cloned());
    references.own.extend(env::made_by_commands(&env, &context.site.release(context.deployment))?);
    references.own.sort_unstable();
    references.own.dedup();
    references.own.retain(|reference| !marker.provenance.references.contains(reference));
    if references.own != marker.provenance.references_of_commands {
        for reference in &references.own {
            console::info(format_args!("Env {id} can be used by this release only: {reference}."));
        }
        marker.provenance.references_of_commands = references.own;
        marker.save(&env)?;
    }
    Ok(())
}

pub(super) fn references(context: &StepContext<'_>, env: &Path) -> Result<References> {
    let StepContext { site, deployment, .. } = context;
    let (release, releases, wwwroot) = (site.release(*deployment), site.releases(), site.wwwroot());
    let folders = Folders { release: &release, releases: &releases, wwwroot: &wwwroot };
    references::find(env, &folders)
}

pub(super) fn leads_elsewhere(from: EnvId, references: &References) -> String {
    format!("a copy of env {from} leads to another release: {}", references.foreign.join("; "))
}

/// The error of an env that would run the code of another release, with the first of what is in it.
pub(super) fn references_elsewhere(who: &str, references: &References) -> UserError {
    error::references_elsewhere(who, &references.foreign[..references.foreign.len().min(5)])
}
