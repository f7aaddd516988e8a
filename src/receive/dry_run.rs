//! What a push would do, for somebody who only asks (`git push -o dry-run`).

use anyhow::Result;

use super::Reader;
use crate::console::mask;
use crate::git::{Commit, Repository, short};
use crate::plan::{Missing, PlanRequest, describe, observe};
use crate::site::{DeployOptions, Settings, Site};
use crate::text;
use crate::user_error::UserError;

/// Prints the plan for a commit. Returns whether there is one: it may be one that cannot be
/// deployed, which is said too.
pub(super) fn show(
    site: &Site,
    settings: &Settings,
    repository: &Repository,
    commit: Commit,
    options: &DeployOptions,
    reader: Reader,
) -> bool {
    reader.say(&format!("-----> Plan for {} (dry-run: nothing is deployed)", short(&commit.id)));
    let again = format!("To deploy it: nyala redeploy {}", short(&commit.id));
    match plan(site, settings, repository, commit, options) {
        Ok(lines) => {
            for line in lines {
                reader.say(&format!("       {}", mask::known().apply(&text::clean(&line))));
            }
            if reader == Reader::Pusher {
                reader.say(&again);
            }
            true
        }
        Err(error) => {
            reader.tell("error", &UserError::of(&error));
            reader.say("error: this cannot be deployed; nothing was tried");
            false
        }
    }
}

fn plan(
    site: &Site,
    settings: &Settings,
    repository: &Repository,
    commit: Commit,
    options: &DeployOptions,
) -> Result<Vec<String>> {
    let app_settings = site.app_settings()?;
    mask::know(app_settings.secrets());
    let plan = observe(PlanRequest {
        site,
        settings,
        app_settings: &app_settings,
        repository,
        commit,
        options,
        rebuild: options.reasons_for_new_env(),
        missing_python: Missing::of(settings),
    })?;
    Ok(describe::lines(&plan))
}
