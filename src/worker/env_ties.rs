//! Where an env leads to: it must not run the code of another release.

use std::path::Path;

use anyhow::Result;

use super::{StepContext, error};
use crate::console;
use crate::python::env;
use crate::python::env::look::{self, Folders, Ties};
use crate::python::env::marker::Marker;
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
    let mut ties = ties(context, &env)?;
    if !ties.foreign.is_empty() {
        return Err(tied_elsewhere("the project's commands", &ties).into());
    }
    ties.own.retain(|tie| !marker.provenance.ties.contains(tie));
    if ties.own != marker.provenance.ties_of_commands {
        for tie in &ties.own {
            console::info(format_args!("Env {id} can be used by this release only: {tie}."));
        }
        marker.provenance.ties_of_commands = ties.own;
        marker.save(&env)?;
    }
    Ok(())
}

pub(super) fn ties(context: &StepContext<'_>, env: &Path) -> Result<Ties> {
    let StepContext { site, deployment, .. } = context;
    let (release, releases, wwwroot) = (site.release(*deployment), site.releases(), site.wwwroot());
    let folders = Folders { release: &release, releases: &releases, wwwroot: &wwwroot };
    look::ties(env, &folders)
}

pub(super) fn leads_elsewhere(from: EnvId, ties: &Ties) -> String {
    format!("a copy of env {from} leads to another release: {}", ties.foreign.join("; "))
}

/// The error of an env that would run the code of another release, with the first of what is in it.
pub(super) fn tied_elsewhere(who: &str, ties: &Ties) -> UserError {
    error::tied_elsewhere(who, &ties.foreign[..ties.foreign.len().min(5)])
}
