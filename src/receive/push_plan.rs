//! What a push does: which of its refs is deployed, and what is said of the others.

use anyhow::Result;

use super::options::PushOptions;
use super::refs;
use crate::git::{Commit, RefUpdate, Refs, Repository, short};
use crate::settings;
use crate::site::{Settings, Site};
use crate::user_error::UserError;
use crate::worker::what_is_live;

/// How many of the refs that are not deployed are named: each costs the pusher a line.
const MOST_NAMED: usize = 10;

/// What a push does, and what the pusher is told before it is done.
#[derive(Debug)]
pub(super) struct PushPlan<'a> {
    /// Lines about the refs that are not deployed.
    pub messages: Vec<String>,
    pub action: Action<'a>,
}

#[derive(Debug)]
pub(super) enum Action<'a> {
    Deploy {
        update: &'a RefUpdate,
        commit: Commit,
    },
    /// Only the plan is wanted.
    Preview {
        commit: Commit,
    },
    Nothing,
    /// Nothing, because the push asks for something unknown.
    Refuse(UserError),
}

impl<'a> PushPlan<'a> {
    /// Reads the pushed refs and the options. Sets the deploy branch of a site that has none yet,
    /// unless the push is a dry run.
    pub(super) fn of(
        site: &Site,
        settings: &Settings,
        repository: &Repository,
        updates: &'a [RefUpdate],
        options: &Result<PushOptions, UserError>,
    ) -> Result<PushPlan<'a>> {
        let options = match options {
            Ok(options) => options,
            Err(error) => {
                return Ok(PushPlan {
                    messages: Vec::new(),
                    action: Action::Refuse(error.clone()),
                });
            }
        };
        let mut messages = Vec::new();
        let branch =
            deploy_branch(site, settings, repository, updates, options.dry_run, &mut messages)?;
        let mut action = Action::Nothing;
        let mut others = 0;
        for update in updates {
            if update.is_deletion()
                || update.branch().is_none()
                || update.branch() != branch.as_deref()
            {
                others += 1;
                if others <= MOST_NAMED {
                    messages.push(refs::not_deployed(update, branch.as_deref(), site.live()?));
                }
                continue;
            }
            let commit = repository.commit(&update.new_oid)?;
            if options.dry_run {
                action = Action::Preview { commit };
            } else if let Some(why) = options.skipped_because(&commit.message) {
                messages.push(format!(
                    "{} was not deployed: {why}; {}. To deploy it: nyala redeploy {}",
                    short(&commit.id),
                    what_is_live(site),
                    short(&commit.id)
                ));
            } else {
                action = Action::Deploy { update, commit };
            }
        }
        if others > MOST_NAMED {
            let more = others - MOST_NAMED;
            let refs = if more == 1 { "ref is" } else { "refs are" };
            messages.push(format!("{more} more {refs} not deployed."));
        }
        Ok(PushPlan { messages, action })
    }
}

/// The branch that is deployed. The first one that is pushed becomes it, and the repository's HEAD
/// follows; a dry run only takes it as such.
fn deploy_branch(
    site: &Site,
    settings: &Settings,
    repository: &Repository,
    updates: &[RefUpdate],
    dry_run: bool,
    messages: &mut Vec<String>,
) -> Result<Option<String>> {
    if let Some(branch) = settings::deploy_branch(site, settings)? {
        return Ok(Some(branch));
    }
    let _guard = site.guard()?;
    // Another first push may have set it before this one got the guard.
    if let Some(branch) = settings::deploy_branch(site, &site.settings()?)? {
        return Ok(Some(branch));
    }
    let head = repository.head_branch();
    let Some(branch) = refs::first_branch(updates, head.as_deref()) else {
        return Ok(None);
    };
    if !dry_run {
        site.add_setting("branch", branch)?;
        if head.as_deref() != Some(branch) {
            repository.set_head(branch)?;
        }
        messages.push(format!(
            "{branch} is the first branch pushed, so it becomes the deploy branch (branch in \
             nyala.toml)."
        ));
    }
    Ok(Some(branch.to_owned()))
}
