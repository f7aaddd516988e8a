//! `nyala step`: the built-in steps, for a project's own deployment command.

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;

use super::error;
use crate::build::custom;
use crate::console;
use crate::git::Repository;
use crate::plan::{Decision, Missing, PlanRequest, observe};
use crate::process;
use crate::site::{DeployOptions, DeploymentId, Site, Status, no_deployment};
use crate::worker::build_steps;
use crate::worker::{StepContext, env_record, env_steps, install_steps};

#[derive(Debug, Subcommand)]
pub(super) enum Step {
    /// Create the env of the release, or link the existing one
    Env,
    /// Install the requirements into the env of the release
    Install,
    /// Run `bin/pre_compile` and `PRE_BUILD_COMMAND`, if there are any
    PreBuild,
    /// Collect the static files of Django, if it is used
    Collectstatic,
    /// Run `bin/post_compile` and `POST_BUILD_COMMAND`, if there are any
    PostBuild,
}

impl Step {
    pub(super) fn run(&self, site: &Site) -> Result<ExitCode> {
        // Otherwise pip would outlive the script when a time limit ends that.
        process::end_with_parent();
        let id = deployment(site)?;
        let settings = site.settings()?;
        let app_settings = site.app_settings()?;
        console::init_step();
        let repository = Repository::open(&site.repository(&settings))?;
        let record = site.record(id)?.ok_or_else(|| no_deployment(id))?;
        let mut plan = observe(PlanRequest {
            site,
            settings: &settings,
            app_settings: &app_settings,
            repository: &repository,
            commit: repository.commit(&record.commit)?,
            options: &record.options,
            rebuild: rebuild(site, id, &record.options),
            missing_python: Missing::Fail,
        })?;
        let context = StepContext::new(site, id, &app_settings, &plan);
        match self {
            Step::Env => {
                // The script's removal of the link can be the only reason for a new env.
                env_steps::retire(&context, &plan)?;
                env_steps::make_env(&context, &mut plan)?;
                let decided = serde_json::to_vec(&env_record(&plan, Some(id)))?;
                crate::disk::write_atomic(&site.step_decision(id), &decided, 0o600)?;
            }
            Step::Install => {
                let env = site.env_of_release(id);
                if env.is_none()
                    && !matches!(plan.env.decision, Decision::None | Decision::Committed)
                {
                    bail!(error::no_env());
                }
                install_steps::install(&context, &mut plan, env)?;
            }
            Step::PreBuild => build_steps::pre_build(&context, &record, &plan)?,
            Step::PostBuild => build_steps::post_build(&context, &record, &plan)?,
            Step::Collectstatic => {
                if let Some(folder) = build_steps::manage_folder(&context, &repository, &plan)? {
                    build_steps::collectstatic(&context, &record, &plan, &folder)?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The deployment whose command called this step.
fn deployment(site: &Site) -> Result<DeploymentId> {
    let id = env::var(custom::DEPLOYMENT_VARIABLE).ok().and_then(|id| id.parse().ok());
    let is_building = |id: &DeploymentId| {
        site.record(*id).ok().flatten().is_some_and(|record| record.status == Status::Building)
    };
    Ok(id.filter(is_building).ok_or_else(error::not_in_a_deployment)?)
}

/// The reasons for a new env: a push option, and the script itself if it removed the link that it
/// was given.
fn rebuild(site: &Site, id: DeploymentId, options: &DeployOptions) -> Vec<String> {
    let mut asked = options.reasons_for_new_env();
    let linked = env::var(custom::LINKED_VARIABLE).is_ok();
    if linked && site.env_of_release(id).is_none() {
        asked.push("the project's own command removed env".to_owned());
    }
    asked
}
