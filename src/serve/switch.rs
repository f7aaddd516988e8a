//! Starts the application of a release, and lets visitors have it once it is well.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};

use super::address::Reserved;
use super::backend::Backend;
use super::error;
use super::health::{PATIENCE, Question};
use super::process::Process;
use super::release::Release;
use super::served::Served;
use super::spec::Spec;
use crate::build::custom::in_env;
use crate::console::mask;
use crate::process::Environment;
use crate::processes::{CONCURRENCY, DEFAULTS, RELEASE, WEB};
use crate::site::record::ProcessesRecord;
use crate::site::settings::Run;
use crate::site::{DeploymentId, no_deployment};
use crate::user_error::UserError;
use crate::worker::programs;

/// The pause between two health checks grows from one to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long one question may take although the time is nearly over.
const SHORTEST_QUESTION: Duration = Duration::from_secs(1);

/// A release whose application is started, and what its other processes will be. Dropped before
/// visitors have it, it is ended: whoever asked for it may be gone at any moment.
pub(super) struct Prepared {
    site: Rc<Served>,
    release: Rc<Release>,
    others: Vec<Spec>,
    pub(super) run: Run,
    /// The address that these settings want.
    address: Option<Reserved>,
    /// Whether visitors have it, or it was ended.
    is_settled: bool,
}

impl Prepared {
    /// The site gets the settings with which it was started, and listens where they say.
    pub(super) fn take_over(&mut self) {
        if let Some(address) = self.address.take() {
            self.site.take_over(self.run.clone(), address);
        }
    }

    /// Visitors get it: it is not ended when this is dropped.
    pub(super) fn settle(mut self) -> (Rc<Release>, Vec<Spec>, Run) {
        self.is_settled = true;
        (Rc::clone(&self.release), std::mem::take(&mut self.others), self.run.clone())
    }

    /// Ends it, and returns when it has ended.
    pub(super) async fn give_up(mut self) {
        self.is_settled = true;
        self.site.end(&self.release).await;
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.is_settled {
            let (site, release) = (Rc::clone(&self.site), Rc::clone(&self.release));
            spawn_local(async move { site.end(&release).await });
        }
    }
}

impl Served {
    /// What is live starts, and takes requests as soon as it can: nobody waits to be told.
    ///
    /// Where it cannot be known what is to run, visitors get 503 at the address that the site had,
    /// and it is tried again: see [`Served::start_once_it_can`].
    pub(super) fn start_live(self: &Rc<Self>) {
        let Err(error) = self.try_to_start_live() else {
            self.not_started.take();
            return;
        };
        let error = UserError::of(&error);
        if self.not_started.borrow().as_ref() != Some(&error) {
            self.say(&error);
        }
        *self.not_started.borrow_mut() = Some(error);
    }

    /// Starts what is live, if it could not be started before.
    pub(super) fn start_once_it_can(self: &Rc<Self>) {
        let Ok(_turn) = self.turn.try_lock() else { return };
        if self.not_started.borrow().is_some() {
            self.start_live();
        }
    }

    fn try_to_start_live(self: &Rc<Self>) -> Result<()> {
        let run = match self.site.settings() {
            Ok(settings) => settings.run,
            Err(error) => {
                self.listen_as_before();
                return Err(error);
            }
        };
        // Where it could not listen, that is tried again once it can: `Served::listen_once_free`.
        let is_tried = self.not_listening().is_some() && *self.run() == run;
        if !is_tried && let Err(error) = self.set_run(run.clone()) {
            self.say(UserError::of(&error));
        }
        self.read_maintenance()?;
        if let Some(stopped) = self.site.stopped()? {
            self.say(format_args!("not started: it has been stopped {}", stopped.in_words()));
            return Ok(());
        }
        let Some(live) = self.site.live()? else {
            self.say("nothing is live yet; the first push starts it");
            return Ok(());
        };
        let prepared = self.start_web(live, run)?;
        self.give_to(prepared);
        Ok(())
    }

    /// Starts the application of a release beside what is live, and returns when it is healthy.
    /// Fails when it ends or does not become healthy in time; then nothing of it runs any more.
    pub(super) async fn prepare(
        self: &Rc<Self>,
        id: DeploymentId,
        say: &dyn Fn(String),
    ) -> Result<Prepared> {
        let run = self.site.settings()?.run;
        // An address that cannot be had stops a deployment before anything is started.
        let address = self.reserve(run.listen.as_ref())?;
        let mut prepared = self.start_web(id, run)?;
        prepared.address = Some(address);
        let web = prepared.release.web();
        if let Some(first) = web.first() {
            let times =
                if web.len() > 1 { format!(" ({} times)", web.len()) } else { String::new() };
            let command = first.process.spec.command.lines().collect::<Vec<_>>().join(" ");
            say(format!("web: {command}{times}"));
        }
        for backend in web {
            if let Err(error) = self.check(&prepared.run, &backend.process, say).await {
                prepared.give_up().await;
                return Err(error);
            }
        }
        Ok(prepared)
    }

    /// Lets visitors have a release, ends the one before, and then starts its other processes.
    pub(super) fn give_to(self: &Rc<Self>, prepared: Prepared) {
        let (release, others, _) = prepared.settle();
        *release.to_come.borrow_mut() = Some(others);
        release.keep();
        let before = self.give_visitors_to(&release);
        if let Some(before) = &before {
            self.leaves(before);
        }
        let site = Rc::clone(self);
        spawn_local(async move {
            if let Some(before) = before {
                site.end_leaving(&before).await;
            }
            site.start_those_to_come(&release).await;
        });
    }

    /// Starts the other processes of a release that is live once those of all releases before have
    /// ended: there are never two of a kind.
    pub(super) async fn start_those_to_come(&self, release: &Rc<Release>) {
        let has_others = |it: &Rc<Release>| !it.others.borrow().is_empty();
        // A newer one may come meanwhile.
        while self.is_live(release) && self.leaving.borrow().iter().any(has_others) {
            self.changed.notified().await;
        }
        if self.is_live(release) {
            let others = release.to_come.take().unwrap_or_default();
            self.start_others(release, others);
        }
    }

    pub(super) fn start_others(&self, release: &Release, others: Vec<Spec>) {
        let started = others.into_iter().map(|spec| self.start_to_keep(spec));
        release.others.borrow_mut().extend(started);
    }

    /// Starts the other processes of a release again that were ended.
    pub(super) fn start_others_of(&self, release: &Release, run: &Run) {
        match self.specs(release.id, run) {
            Ok((_, others)) => self.start_others(release, others),
            Err(error) => self.say(UserError::of(&error)),
        }
    }

    /// Starts the processes of what is live anew, with the settings as they are now. `web` is
    /// switched as to another release: a process that is not healthy changes nothing.
    pub(super) async fn restart(
        self: &Rc<Self>,
        name: Option<&str>,
        say: &dyn Fn(String),
    ) -> Result<()> {
        let _turn = self.take_turn(say).await;
        if self.is_stopped()? {
            bail!(error::is_stopped());
        }
        let Some(live) = self.live() else { bail!(error::nothing_runs()) };
        if let Some(name) = name
            && live.processes().iter().all(|process| !process.spec.is_called(name))
        {
            let is_to_come = |others: &Vec<Spec>| others.iter().any(|it| it.is_called(name));
            if live.to_come.borrow().as_ref().is_some_and(is_to_come) {
                say(format!("{name} starts once the release before has ended."));
                return Ok(());
            }
            bail!(error::no_process(name));
        }
        // All web processes are switched at once.
        let is_web = |name: &&str| name.split(':').next() == Some(WEB);
        let Some(name) = name.filter(|name| !is_web(name)) else {
            let mut prepared = self.prepare(live.id, say).await?;
            prepared.take_over();
            self.give_to(prepared);
            return Ok(());
        };
        let (_, others) = self.specs(live.id, &self.site.settings()?.run)?;
        let before: Vec<_> =
            live.others.borrow_mut().extract_if(.., |it| it.spec.is_called(name)).collect();
        self.end_part(&live, Vec::new(), before).await;
        let again = others.into_iter().filter(|spec| spec.is_called(name));
        live.others.borrow_mut().extend(again.map(|spec| self.start_to_keep(spec)));
        Ok(())
    }

    fn start_web(self: &Rc<Self>, id: DeploymentId, run: Run) -> Result<Prepared> {
        let (web, others) = self.specs(id, &run)?;
        let web = web.into_iter().map(|spec| Backend::new(self.start(spec))).collect();
        let (site, release) = (Rc::clone(self), Release::new(id, web));
        Ok(Prepared { site, release, others, run, address: None, is_settled: false })
    }

    /// How the processes of a release are started: what answers requests, and the others.
    pub(super) fn specs(&self, id: DeploymentId, run: &Run) -> Result<(Vec<Spec>, Vec<Spec>)> {
        let record = self.site.record(id)?.ok_or_else(|| no_deployment(id))?;
        // By number, and not by the link that moves.
        let folder = self.site.release(id);
        let environment = self.environment(&folder)?;
        let spec = |name: &str, number: u32, command: &str| Spec {
            name: name.to_owned(),
            number,
            release: id,
            command: command.to_owned(),
            folder: folder.clone(),
            environment: environment.clone(),
            is_web: name == WEB,
            site: self.site.root().to_owned(),
        };
        let found = record.processes.filter(|_| run.listen.is_some());
        let mut commands = found.map(|found| found.commands).unwrap_or_default();
        commands.remove(RELEASE);
        let (mut web, mut others) = (Vec::new(), Vec::new());
        for (name, command) in &commands {
            for number in 1..=run.scale.get(name).copied().unwrap_or(1) {
                let kind = if name == WEB { &mut web } else { &mut others };
                kind.push(spec(name, number, command));
            }
        }
        Ok((web, others))
    }

    /// What the processes of a release get.
    fn environment(&self, release: &Path) -> Result<Environment> {
        let app_settings = self.site.app_settings()?;
        mask::know(app_settings.secrets());
        let concurrency =
            std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let environment = DEFAULTS
            .iter()
            .fold(Environment::clean(), |it, (name, value)| it.set(*name, *value))
            .set(CONCURRENCY, concurrency.to_string())
            .with_app_settings(app_settings.iter());
        Ok(in_env(environment, release))
    }

    /// Fails when a release could not be started: the address of the site cannot be had, or the
    /// program of a command is not there.
    pub(super) fn check_start(
        self: &Rc<Self>,
        id: DeploymentId,
        found: &ProcessesRecord,
    ) -> Result<()> {
        drop(self.reserve(self.site.settings()?.run.listen.as_ref())?);
        let folder = self.site.release(id);
        let environment = self.environment(&folder)?;
        programs::check(&found.commands, &found.origin, &folder, &environment, programs::Run::Now)
    }

    pub(super) fn start(&self, spec: Spec) -> Rc<Process> {
        let log = self.log(&spec.name);
        Process::start(spec, log, Rc::clone(&self.changed))
    }

    fn start_to_keep(&self, spec: Spec) -> Rc<Process> {
        let process = self.start(spec);
        process.keep();
        process
    }

    /// Returns when a web process that was just started is healthy.
    pub(super) async fn check(&self, run: &Run, web: &Process, say: &dyn Fn(String)) -> Result<()> {
        let started = Instant::now();
        let deadline = started + run.health_timeout;
        let mut pause = FIRST_PAUSE;
        let mut answer = Err(error::NO_CONNECTIONS.to_owned());
        loop {
            let question = Question::of(run, web);
            if let Some(end) = web.last_end() {
                bail!(error::ended(&web.spec.command, &end, web.recent()));
            }
            if web.accepts() {
                let left = deadline.saturating_duration_since(Instant::now());
                answer = question.ask(left.clamp(SHORTEST_QUESTION, PATIENCE)).await;
                if let Ok(status) = answer
                    && question.is_good(status)
                {
                    let seconds = started.elapsed().as_secs_f64();
                    let path = &question.path;
                    say(format!("Healthy after {seconds:.2} s: GET {path} answers {status}"));
                    return Ok(());
                }
            }
            if Instant::now() >= deadline {
                let elsewhere = if web.accepts() { Vec::new() } else { web.addresses().await };
                let limit = run.health_timeout;
                bail!(error::unhealthy(&question, limit, &answer, web, &elsewhere));
            }
            wait(&self.changed, pause, deadline).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Until something changes, at most for so long.
pub(super) async fn wait(changed: &Notify, pause: Duration, deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now());
    let _ = timeout(left.min(pause), changed.notified()).await;
    // A process that prints or ends all the time must not make this a busy loop.
    sleep(Duration::from_millis(5)).await;
}
