//! Starts the application of a release, and lets visitors have it once it is well.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};

use super::backend::Backend;
use super::error;
use super::health::Question;
use super::port;
use super::process::{Process, Spec};
use super::release::Release;
use super::served::Served;
use crate::build::custom::in_env;
use crate::console::mask;
use crate::process::Environment;
use crate::processes::{RELEASE, WEB};
use crate::site::settings::Run;
use crate::site::{DeploymentId, no_deployment};
use crate::user_error::UserError;

/// The pause between two health checks grows from one to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a process gets for the number of its workers, unless an app setting says it.
const CONCURRENCY: &str = "WEB_CONCURRENCY";

/// A release whose application is started, and what its other processes will be. Dropped before
/// visitors have it, it is ended: whoever asked for it may be gone at any moment.
pub(super) struct Prepared {
    site: Rc<Served>,
    release: Rc<Release>,
    others: Vec<Spec>,
    pub(super) run: Run,
    /// Whether visitors have it, or it was ended.
    is_settled: bool,
}

impl Prepared {
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
    pub(super) fn start_live(self: &Rc<Self>) -> Result<()> {
        let run = self.site.settings()?.run;
        self.read_maintenance()?;
        let Some(live) = self.site.live()? else {
            self.say("nothing is live yet; the first push starts it");
            return self.set_run(run);
        };
        if let Some(stopped) = self.site.stopped()? {
            self.say(format_args!("not started: it has been stopped {}", stopped.in_words()));
            return self.set_run(run);
        }
        let prepared = self.start_web(live, run)?;
        let listening = self.set_run(prepared.run.clone());
        self.give_to(prepared);
        listening
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
        self.set_run(Run { listen: run.listen.clone(), ..(*self.run()).clone() })?;
        let prepared = self.start_web(id, run)?;
        let web = prepared.release.web();
        if let Some(first) = web.first() {
            let times =
                if web.len() > 1 { format!(" ({} times)", web.len()) } else { String::new() };
            say(format!("web: {}{times}", first.process.spec.command));
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
        let before = self.give_visitors_to(&release);
        if let Some(before) = &before {
            self.leaves(before);
        }
        let site = Rc::clone(self);
        spawn_local(async move {
            if let Some(before) = before {
                site.end_leaving(&before).await;
            }
            // A newer one may have come meanwhile.
            if site.is_live(&release) {
                site.start_others(&release, others);
            }
        });
    }

    pub(super) fn start_others(&self, release: &Release, others: Vec<Spec>) {
        let started = others.into_iter().map(|spec| self.start(spec));
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
        let _turn = self.turn.lock().await;
        if self.is_stopped()? {
            bail!(error::is_stopped());
        }
        let Some(live) = self.live() else { bail!(error::nothing_runs()) };
        if let Some(name) = name
            && live.processes().iter().all(|process| process.spec.name != name)
        {
            bail!(error::no_process(name));
        }
        let Some(name) = name.filter(|name| *name != WEB) else {
            let prepared = self.prepare(live.id, say).await?;
            self.set_run(prepared.run.clone())?;
            self.give_to(prepared);
            return Ok(());
        };
        let (_, others) = self.specs(live.id, &self.site.settings()?.run)?;
        let before: Vec<_> =
            live.others.borrow_mut().extract_if(.., |it| it.spec.name == name).collect();
        for process in before {
            process.stop(self.run().grace).await;
        }
        let again = others.into_iter().filter(|spec| spec.name == name);
        live.others.borrow_mut().extend(again.map(|spec| self.start(spec)));
        Ok(())
    }

    fn start_web(self: &Rc<Self>, id: DeploymentId, run: Run) -> Result<Prepared> {
        let (web, others) = self.specs(id, &run)?;
        let web = web.into_iter().map(|spec| Backend::new(self.start(spec))).collect();
        let (site, release) = (Rc::clone(self), Release::new(id, web));
        Ok(Prepared { site, release, others, run, is_settled: false })
    }

    /// How the processes of a release are started: what answers requests, and the others.
    pub(super) fn specs(&self, id: DeploymentId, run: &Run) -> Result<(Vec<Spec>, Vec<Spec>)> {
        let record = self.site.record(id)?.ok_or_else(|| no_deployment(id))?;
        let app_settings = self.site.app_settings()?;
        mask::know(app_settings.secrets());
        // By number, and not by the link that moves.
        let folder = self.site.release(id);
        let concurrency =
            std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let environment = Environment::clean()
            .set(CONCURRENCY, concurrency.to_string())
            .with_app_settings(app_settings.iter());
        let environment = in_env(environment, &folder);
        let spec = |name: &str, number: u32, command: &str, port: Option<u16>| Spec {
            name: name.to_owned(),
            number,
            release: id,
            command: command.to_owned(),
            folder: folder.clone(),
            environment: environment.clone(),
            port,
            site: self.site.root().to_owned(),
        };
        let found = record.processes.filter(|_| run.listen.is_some());
        let mut commands = found.map(|found| found.commands).unwrap_or_default();
        commands.remove(RELEASE);
        let (mut web, mut others) = (Vec::new(), Vec::new());
        for (name, command) in &commands {
            for number in 1..=run.scale.get(name).copied().unwrap_or(1) {
                if name == WEB {
                    let port = port::free().context("no port of this machine is free")?;
                    web.push(spec(name, number, command, Some(port)));
                } else {
                    others.push(spec(name, number, command, None));
                }
            }
        }
        Ok((web, others))
    }

    pub(super) fn start(&self, spec: Spec) -> Rc<Process> {
        let log = self.log(&spec.name);
        Process::start(spec, log, Rc::clone(&self.changed))
    }

    /// Returns when a web process that was just started is healthy.
    pub(super) async fn check(&self, run: &Run, web: &Process, say: &dyn Fn(String)) -> Result<()> {
        let question = Question::of(run, web);
        let started = Instant::now();
        let deadline = started + run.health_timeout;
        let mut pause = FIRST_PAUSE;
        let mut answer = Err(error::NO_CONNECTIONS.to_owned());
        loop {
            if let Some(end) = web.last_end() {
                bail!(error::ended(&web.spec.command, &end, web.recent()));
            }
            if web.accepts() {
                answer = question.ask().await;
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
                bail!(error::unhealthy(&question, run.health_timeout, &answer, web.recent()));
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
