//! The post-receive hook: git has moved the refs already.

use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};

use super::options::{self, PushOptions};
use super::push_plan::{Action, PushPlan};
use super::{
    Reader, check_repository, dry_run, error, kept_hook, new_deployment, receive, refs,
    watch_started,
};
use crate::access;
use crate::disk::space;
use crate::git::{RefUpdate, Repository};
use crate::setup;
use crate::site::{Record, Settings, Site};
use crate::user_error::{DEPLOY_AGAIN, UserError};
use crate::worker::{session, what_is_live};

/// Runs the post-receive hook, whose file is in the folder `hooks`. Returns how the deployment
/// ended, or `None` when nothing was deployed.
pub fn post_receive(site: &Site, hooks: &Path) -> Result<Option<Record>> {
    let mut input = Vec::new();
    io::stdin().lock().read_to_end(&mut input).context("the hook's input cannot be read")?;
    if let Err(error) = access::enter_after_push(site, &input) {
        kept_hook::run(hooks, &input);
        not_deployed(site, UserError::of(&error));
        return Ok(None);
    }
    let updates = refs::parse(&input)?;
    let options = PushOptions::parse(&options::of_environment());
    let (settings, repository, PushPlan { messages, action }) = match plan(site, &updates, &options)
    {
        Ok(planned) => planned,
        Err(error) => {
            let of_space = space::explain(&error, site.root());
            not_deployed(site, UserError::of(&error).and(of_space));
            return Ok(None);
        }
    };
    let strict = settings.strict && hooks.join(setup::STRICT_HOOK).is_file();

    if strict && !matches!(&action, Action::Deploy { update, .. } if !was_deployed(site, update)?) {
        // The proc-receive hook has already done the work and printed the messages.
        kept_hook::run(hooks, &input);
        return Ok(None);
    }
    for line in &messages {
        Reader::Pusher.say(line);
    }
    let options = options.map(|options| options.deploy).unwrap_or_default();
    let started = match action {
        Action::Deploy { update, commit } => {
            receive(site, &repository, new_deployment(commit, update, options, Vec::new()))?
        }
        Action::Preview { commit } => {
            dry_run::show(site, &settings, &repository, commit, &options, Reader::Pusher);
            None
        }
        Action::Nothing => None,
        Action::Refuse(why) => {
            kept_hook::run(hooks, &input);
            not_deployed(site, why);
            return Ok(None);
        }
    };
    kept_hook::run(hooks, &input);
    if strict {
        Reader::Pusher.say(
            "warning: strict = true, but this git did not run the proc-receive hook \
             (git 2.29 and later do), so the branch has already moved",
        );
    } else if settings.strict != hooks.join(setup::STRICT_HOOK).is_file() {
        follow_setting(site, &repository, settings.strict);
    }
    let Some(started) = started else { return Ok(None) };
    if let Some(own) = session::own_deployment(site)? {
        Reader::Pusher.say(&format!(
            "Deployment {} starts when deployment {own}, which has pushed, has ended.",
            started.id
        ));
        return Ok(None);
    }
    watch_started(site, &started, Reader::Pusher).map(Some)
}

/// Says why nothing was deployed. git has moved the branch, so that the same push does nothing.
fn not_deployed(site: &Site, why: UserError) {
    let says_it =
        |fix: &String| fix.to_lowercase().contains(DEPLOY_AGAIN) || fix.ends_with(" redeploy");
    let says_it = why.fixes.iter().any(says_it);
    let why = why.with_next_step(true);
    let why = if says_it { why } else { why.fix("Deploy what was pushed: nyala redeploy") };
    Reader::Pusher.tell("error", &why);
    // The last line of a push says what is live.
    Reader::Pusher.say(&format!("error: {}", error::nothing_deployed(&what_is_live(site))));
}

/// What the push asks for. Fails when the site or its repository cannot be read.
fn plan<'u>(
    site: &Site,
    updates: &'u [RefUpdate],
    options: &Result<PushOptions, UserError>,
) -> Result<(Settings, Repository, PushPlan<'u>)> {
    let settings = site.settings()?;
    check_repository(site, &settings)?;
    let repository = Repository::open(&site.repository(&settings))?;
    let plan = PushPlan::of(site, &settings, &repository, updates, options)?;
    Ok((settings, repository, plan))
}

/// Reinstalls the hooks, because `strict` in nyala.toml has changed since they were installed.
fn follow_setting(site: &Site, repository: &Repository, strict: bool) {
    let what = if strict { "strict = true" } else { "strict = false" };
    match setup::install_hook(repository.path(), site) {
        Ok(_) => {
            Reader::Pusher.say(&format!("{what} in nyala.toml takes effect with the next push."));
        }
        Err(why) => Reader::Pusher.tell("warning", &error::cannot_follow(what).because(&why)),
    }
}

/// Whether the proc-receive hook of this push has deployed this update.
fn was_deployed(site: &Site, update: &RefUpdate) -> Result<bool> {
    for id in site.deployment_ids()?.into_iter().rev() {
        if let Some(record) = site.record(id)?
            && record.update == *update
        {
            return Ok(!record.moves.is_empty());
        }
    }
    Ok(false)
}
