//! `nyala plan`.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::error;
use super::redeploy::named;
use crate::console::mask;
use crate::git::{RefName, Refs, Repository, short};
use crate::plan::{Missing, PlanRequest, describe, observe};
use crate::settings::deploy_branch;
use crate::site::{DeployOptions, Settings, Site};
use crate::text::clean;
use crate::worker::env_record;

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// The number of a deployment, or a revision in the repository [default: the tip of the deploy
    /// branch]
    what: Option<String>,
    /// Plan as if a new env had been requested
    #[arg(long)]
    rebuild_env: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Plan {
    pub(super) fn run(&self, site: &Site) -> Result<()> {
        let settings = site.settings()?;
        let app_settings = site.app_settings()?;
        let repository = Repository::open(&site.repository(&settings))?;
        let commit = self.commit(site, &settings, &repository)?;
        let options = DeployOptions { rebuild_env: self.rebuild_env, installer: None };
        let plan = observe(PlanRequest {
            site,
            settings: &settings,
            app_settings: &app_settings,
            repository: &repository,
            commit: repository.commit(&commit)?,
            options: &options,
            rebuild: options.reasons_for_new_env(),
            missing_python: Missing::of(&settings),
        })?;
        if self.json {
            let python = plan.python.as_ref().map(|python| {
                json!({
                    "version": python.version.to_string(),
                    "wanted": python.wanted.to_string(),
                    "origin": python.origin.to_string(),
                })
            });
            let plan = json!({
                "commit": plan.commit.id,
                "runtime": plan.runtime,
                "python": python,
                "env": env_record(&plan, None),
                "command": plan.build.settings.command.as_ref().map(|said| &said.value),
                "warnings": plan.build.settings.warnings,
            });
            say!("{}", mask::known().apply(&serde_json::to_string_pretty(&plan)?));
            return Ok(());
        }
        say!("Plan for {}", short(&plan.commit.id));
        for line in describe::lines(&plan) {
            say!("  {}", mask::known().apply(&clean(&line)));
        }
        for warning in &plan.build.settings.warnings {
            say!("  warning: {}", clean(warning));
        }
        Ok(())
    }

    /// The commit to plan for.
    fn commit(&self, site: &Site, settings: &Settings, repository: &Repository) -> Result<String> {
        if let Some(what) = &self.what {
            return Ok(named(site, repository, what)?.0);
        }
        let branch = deploy_branch(site, settings)?;
        // Before the first push, an existing repository has its own branch.
        let tip = branch.map_or_else(
            || RefName::HEAD.to_owned(),
            |branch| RefName::of_branch(&branch).to_string(),
        );
        repository.resolve(&tip).map_err(|_| error::nothing_pushed("nyala plan").into())
    }
}
