//! `nyala plan`.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::console::mask;
use crate::console::text::clean;
use crate::git::{RefName, Refs, Repository, short};
use crate::plan::{Missing, PlanRequest, describe, observe};
use crate::settings::deploy_branch;
use crate::site::{DeployOptions, Site};
use crate::worker::env_record;

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// A revision in the repository [default: the tip of the deploy branch]
    revision: Option<String>,
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
        let branch = deploy_branch(site, &settings)?
            .as_deref()
            .map(|branch| RefName::of_branch(branch).to_string());
        let revision = self.revision.clone().or(branch).unwrap_or_else(|| RefName::HEAD.to_owned());
        let options = DeployOptions { rebuild_env: self.rebuild_env, installer: None };
        let plan = observe(PlanRequest {
            site,
            settings: &settings,
            app_settings: &app_settings,
            repository: &repository,
            commit: repository.commit(&repository.resolve(&revision)?)?,
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
}
