//! The application of a release: what it runs, its release command, and the `nyala serve` that
//! starts it and lets visitors have it.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};

use anyhow::{Result, bail};

use super::StepContext;
use super::build_steps;
use super::deploy::Deployment;
use super::error;
use super::programs;
use crate::build::OwnCommand;
use crate::build::custom::in_env;
use crate::console;
use crate::control::{Answer, Control, Request};
use crate::disk;
use crate::git::Repository;
use crate::kubernetes::check_processes;
use crate::plan::Plan;
use crate::process::Environment;
use crate::processes::{self, Found, RELEASE, Release, WEB};
use crate::retention::warn_of_databases;
use crate::site::record::ProcessesRecord;
use crate::site::settings::Run;
use crate::site::{AppSettings, DeploymentId, Record, Settings};
use crate::text::escaped;

/// A release whose application runs and is healthy, and which visitors do not have yet. Dropped, it
/// is ended, unless `wwwroot` points to it by then.
pub(super) struct Started(Option<Control>);

impl Deployment<'_> {
    /// Finds out what the application runs, records it, and runs its release command. A site
    /// without an address is not run by nyala, unless it is in a cluster.
    pub(super) fn find_processes(
        &mut self,
        settings: &Settings,
        repository: &Repository,
        context: &StepContext<'_>,
        plan: &Plan,
    ) -> Result<()> {
        let run = &settings.run;
        let is_in_cluster = settings.runs_in_cluster();
        if run.listen.is_none() && settings.kubernetes.is_none() {
            return Ok(());
        }
        let tree = repository.tree_with_id(plan.tree)?;
        let programs = self.site.env_link(self.record.id).join("bin");
        let manage_folder = self.manage_folder(context, repository, plan)?;
        let release = Release {
            run,
            app_settings: context.app_settings,
            manage_folder: manage_folder.as_deref(),
            has_program: &|program| programs.join(program).exists(),
        };
        let found = match processes::find(&tree, &release)? {
            Found::Processes(found) => found,
            Found::None(why) if is_in_cluster || self.runs_now()? => {
                bail!(error::nothing_to_run(&why))
            }
            Found::None(why) => {
                let said = format!("Nothing is run: {why}.");
                // Whoever runs it in another way has read that once.
                if self.live_record()?.is_some_and(|live| live.processes.is_none()) {
                    console::detail(said);
                } else {
                    console::info(said);
                }
                return Ok(());
            }
        };
        if let Some(kubernetes) = &settings.kubernetes {
            check_processes(self.site, kubernetes, found.commands.keys())?;
        }
        if is_in_cluster {
            // Its programs are those of the image, and a Job runs its release command.
            self.record.processes = Some(found);
            return Ok(());
        }
        if !found.commands.contains_key(WEB) && self.answers_now()? {
            bail!(error::no_web_any_more(&found.origin));
        }
        self.check_programs(&found, context.app_settings)?;
        if let Some(command) = found.commands.get(RELEASE).filter(|_| run.listen.is_some()) {
            let own = OwnCommand { command: command.clone(), by: found.origin.clone(), file: None };
            self.begin_step("release");
            let (since, started) = (SystemTime::now(), Instant::now());
            build_steps::release_command(&own, context, &self.record, plan)?;
            self.record_step("release", started.elapsed().as_secs_f64());
            let id = self.record.id;
            if let Err(error) = warn_of_databases(id, &self.site.release(id), since, &tree) {
                tracing::debug!("databases in release {id}: {error:#}");
            }
        }
        self.record.processes = Some(found);
        Ok(())
    }

    /// Fails when a program is not there that would be started, or the site cannot have its
    /// address. The `nyala serve` that starts it says so: its `PATH` is another one than that of a
    /// push. The release command is run here.
    fn check_programs(&self, found: &ProcessesRecord, app_settings: &AppSettings) -> Result<()> {
        let release = self.site.release(self.record.id);
        let environment = Environment::clean().with_app_settings(app_settings.iter());
        let environment = in_env(environment, &release);
        let check =
            |commands, run| programs::check(commands, &found.origin, &release, &environment, run);
        let (own, started): (BTreeMap<_, _>, _) =
            found.commands.clone().into_iter().partition(|(name, _)| name == RELEASE);
        check(&own, programs::Run::Now)?;
        let Some(mut control) = Control::connect(self.site)? else {
            return check(&started, programs::Run::Later);
        };
        let found = ProcessesRecord { origin: found.origin.clone(), commands: started };
        let request = Request::Programs { release: self.record.id, found };
        control.ask(&request, &mut |_| {}).map(drop)
    }

    /// Whether visitors get the application of what is live: a push must not end it unasked.
    fn runs_now(&self) -> Result<bool> {
        let runs = self.live_record()?.is_some_and(|record| record.processes.is_some());
        Ok(runs && Control::connect(self.site)?.is_some())
    }

    /// Whether what is live has a process that answers visitors.
    fn answers_now(&self) -> Result<bool> {
        let found = self.live_record()?.and_then(|record| record.processes);
        let has_web = found.is_some_and(|found| found.commands.contains_key(WEB));
        Ok(has_web && self.runs_now()?)
    }

    /// The record of what is live.
    fn live_record(&self) -> Result<Option<Record>> {
        Ok(self.site.live()?.map(|live| self.site.record(live)).transpose()?.flatten())
    }

    /// Has the application of a release started and checked, beside what is live. Fails when it is
    /// not well; then nothing that visitors get has changed. Without a `nyala serve`, nothing is
    /// started, and the log says so.
    pub(super) fn start_application(
        &mut self,
        run: &Run,
        release: DeploymentId,
        found: Option<&ProcessesRecord>,
    ) -> Result<Started> {
        let Some(mut control) = Control::connect(self.site)? else {
            if let Some(found) = found.filter(|_| run.listen.is_some()) {
                console::info(format_args!(
                    "{} ({}) not started: no nyala serve serves this site.",
                    what(found),
                    found.origin
                ));
                console::hint(format_args!(
                    "to run it: nyala serve {}",
                    self.site.root().display()
                ));
            }
            return Ok(Started(None));
        };
        // `nyala serve` reads there what is to be started.
        if !self.site.save_unless_ended(&self.record)? {
            bail!(error::cancelled_before_it_started());
        }
        // What is run as before needs no words.
        let is_known = found.is_some()
            && self.live_record()?.is_some_and(|live| live.processes.as_ref() == found);
        // Where nothing is run, nyala serve gets to know that alone: it ends what ran before.
        if found.is_some() {
            self.begin_step("start");
        }
        let step = found.map(|found| {
            let step = console::step("Start");
            let from = format!("Processes from {}", escaped(&found.origin));
            if is_known {
                console::detail(from);
            } else {
                console::info(from);
            }
            if !found.commands.contains_key(WEB) {
                console::warning(error::no_web(&found.origin));
            }
            step
        });
        let command = format!("{WEB}: ");
        let mut say = |line: &str| {
            let line = escaped(line);
            if is_known && line.starts_with(&command) {
                console::detail(line);
            } else {
                console::info(line);
            }
        };
        disk::point("start: before");
        let answer = control.ask(&Request::Prepare { release }, &mut say)?;
        if answer == Answer::Stopped {
            let Some(step) = step else { return Ok(Started(None)) };
            console::info("Not started: the application is stopped.");
            console::hint("to start it: nyala start");
            self.step = None;
            step.done();
            return Ok(Started(None));
        }
        if answer != Answer::Ready {
            bail!(error::not_ready());
        }
        disk::point("start: healthy");
        if let Some(step) = step {
            self.record_step("start", step.quietly_done());
        }
        Ok(Started(Some(control)))
    }
}

impl Started {
    /// Whether there is an application that waits for visitors.
    pub(super) fn is_running(&self) -> bool {
        self.0.is_some()
    }

    /// `wwwroot` points to the release: lets visitors have it. A `nyala serve` that has ended
    /// meanwhile starts what is live when it is started again.
    ///
    /// With `watch`, waits while it is watched as long as the settings say. Fails when it did not
    /// stay well; `wwwroot` and visitors are back then at the release before.
    pub(super) fn switch(self, watch: bool) -> Result<()> {
        let Some(mut control) = self.0 else { return Ok(()) };
        disk::point("switch: before");
        match control.switch(watch, &mut |line| console::info(escaped(line))) {
            Ok(Answer::Back(sick)) => bail!(sick),
            Ok(_) => {}
            Err(error) => console::warning(error::not_switched().because(&error)),
        }
        disk::point("switch: after");
        Ok(())
    }
}

/// `web` or `web and 2 others`, for a sentence.
fn what(found: &ProcessesRecord) -> String {
    let mut names: Vec<_> = found.commands.keys().filter(|name| *name != RELEASE).collect();
    names.sort_by_key(|name| *name != WEB);
    let names: Vec<_> = names.into_iter().map(String::as_str).collect();
    match names[..] {
        [] => "Nothing".to_owned(),
        [one] => one.to_owned(),
        [first, ref others @ ..] => format!("{first} and {}", others.join(", ")),
    }
}
