//! The build: nyala's own steps, or the project's command in their place.

use std::time::Instant;

use anyhow::Result;

use super::build_steps;
use super::deploy::{Deployment, env_record};
use super::{StepContext, env_references, env_steps, install_steps};
use crate::build::custom;
use crate::build::django::MANAGE;
use crate::console;
use crate::disk;
use crate::git::Repository;
use crate::plan::{Decision, Plan};
use crate::python::dependencies::has_same_folders_with;
use crate::settings::Sourced;
use crate::site::Record;
use crate::site::record::EnvRecord;
use crate::text::escaped;

impl Deployment<'_> {
    /// Builds the release: by nyala's own steps, or by the project's command.
    pub(super) fn build(
        &mut self,
        context: &StepContext<'_>,
        repository: &Repository,
        plan: &mut Plan,
    ) -> Result<()> {
        match plan.build.settings.command.clone() {
            None => self.built_in_steps(context, repository, plan),
            Some(command) => self.custom_command(context, plan, &command),
        }
    }

    fn built_in_steps(
        &mut self,
        context: &StepContext<'_>,
        repository: &Repository,
        plan: &mut Plan,
    ) -> Result<()> {
        if !plan.build.pre_build.is_empty() {
            self.timed("pre-build", |record| build_steps::pre_build(context, record, plan))?;
        }
        self.begin_step("env");
        let started = Instant::now();
        let env = env_steps::begin_env(context, plan)?;
        self.record_step("env", started.elapsed().as_secs_f64());
        self.begin_step("install");
        let started = Instant::now();
        install_steps::install(context, plan, env)?;
        self.record_step("install", started.elapsed().as_secs_f64());
        // A new env may have been made in place of a copy.
        self.record.env = Some(env_record(plan, Some(self.record.id)));
        if let Some(folder) = self.manage_folder(context, repository, plan)? {
            self.timed("collectstatic", |record| {
                build_steps::collectstatic(context, record, plan, &folder)
            })?;
        }
        if !plan.build.post_build.is_empty() {
            self.timed("post-build", |record| build_steps::post_build(context, record, plan))?;
            env_references::check_after_commands(context)?;
        }
        Ok(())
    }

    /// The folder of Django's manage.py, looked for once in a deployment. Where no folder came or
    /// went since the live release, it is where it was: in a large tree, that is told by the few
    /// folders that changed.
    pub(super) fn manage_folder(
        &mut self,
        context: &StepContext<'_>,
        repository: &Repository,
        plan: &Plan,
    ) -> Result<Option<String>> {
        if let Some(known) = build_steps::manage_folders_known(context, plan) {
            return Ok(known.into_iter().next());
        }
        if self.record.manage_folders.is_none() {
            let found = match self.manage_folders_of_live(repository, plan) {
                Some(found) => found,
                None => build_steps::manage_folders_below(repository, plan)?,
            };
            build_steps::say_if_several(&found);
            self.record.manage_folders = Some(found);
        }
        Ok(self.record.manage_folders.iter().flatten().next().cloned())
    }

    /// Those of the live release, where the new tree has the same.
    fn manage_folders_of_live(&self, repository: &Repository, plan: &Plan) -> Option<Vec<String>> {
        let live = self.site.record(self.site.live().ok()??).ok()??;
        let found = live.manage_folders?;
        let now = repository.tree_at(plan.tree).ok()?;
        let before = repository.tree_at(now.id(&live.tree?).ok()?).ok()?;
        has_same_folders_with(&before, &now, &[MANAGE]).ok()?.then_some(found)
    }

    fn timed(&mut self, name: &str, step: impl FnOnce(&Record) -> Result<()>) -> Result<()> {
        self.begin_step(name);
        let started = Instant::now();
        step(&self.record)?;
        self.record_step(name, started.elapsed().as_secs_f64());
        Ok(())
    }

    /// The project's own script takes the place of the env, install and build steps. It finds the
    /// env that would be used again; what env the release has when the script has ended is what it
    /// runs in.
    fn custom_command(
        &mut self,
        context: &StepContext<'_>,
        plan: &mut Plan,
        command: &Sourced<String>,
    ) -> Result<()> {
        let id = self.record.id;
        // The env that is right already is there from the start. Others the script asks for, by
        // `nyala step env`.
        let linked = match plan.env.decision {
            Decision::Copy { .. } => env_steps::make_env(context, plan)?,
            _ => None,
        };
        let temporary = self.site.temporary(id);
        disk::create_dir_all(&temporary)?;
        let environment = custom::environment(
            build_steps::confined(context),
            self.site,
            &self.record,
            &plan.build.settings,
            linked,
            &temporary,
        )?;
        self.begin_step("build");
        let step =
            console::step(format_args!("Running deployment command: {}", escaped(&command.value)));
        custom::run(command, &self.site.release(id), environment, context.limits.clone())?;
        self.record_step("build", step.done());
        env_references::check_after_commands(context)?;

        let env = self.site.env_of_release(id);
        // `nyala step env` made its own decision when it ran, and left it here.
        let decided = disk::read(self.site.step_decision(id)).ok();
        let decided = decided.and_then(|bytes| serde_json::from_slice::<EnvRecord>(&bytes).ok());
        let reasons = vec![
            "the project's own command takes the place of the env, install and build steps"
                .to_owned(),
        ];
        self.record.env = Some(match decided {
            Some(decided) => EnvRecord { id: env, ..decided },
            None => EnvRecord { id: env, decision: "custom".to_owned(), reasons },
        });
        // Whoever finds this release live after a crash has to know which env it needs.
        self.site.save(&self.record)
    }
}
