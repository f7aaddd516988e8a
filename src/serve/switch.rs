//! Starts the application of a release, and lets visitors have it once it is well.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};

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
        let Some(live) = self.site.live()? else {
            self.say("nothing is live yet; the first push starts it");
            return self.set_run(run);
        };
        if let Some(stopped) = self.site.stopped()? {
            self.say(format_args!("not started: it was stopped {}", stopped.in_words()));
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
        let prepared = self.start_web(id, run)?;
        if let Some(web) = &prepared.release.web {
            say(format!("web: {}", web.spec.command));
            if let Err(error) = self.check(&prepared, web, say).await {
                prepared.give_up().await;
                return Err(error);
            }
        }
        Ok(prepared)
    }

    /// Lets visitors have a release, ends the one before, and then starts its other processes.
    pub(super) fn give_to(self: &Rc<Self>, mut prepared: Prepared) {
        prepared.is_settled = true;
        let others = std::mem::take(&mut prepared.others);
        let (site, release) = (Rc::clone(self), Rc::clone(&prepared.release));
        self.switch_to(Rc::clone(&release), async move {
            // A newer one may have come meanwhile.
            let is_live = site.live().is_some_and(|live| Rc::ptr_eq(&live, &release));
            if is_live {
                let started = others.into_iter().map(|spec| site.start(spec));
                release.others.borrow_mut().extend(started);
            }
        });
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
        let web = web.map(|spec| self.start(spec));
        let (site, release) = (Rc::clone(self), Release::new(id, web));
        Ok(Prepared { site, release, others, run, is_settled: false })
    }

    /// How the processes of a release are started: what answers requests, and the others.
    fn specs(&self, id: DeploymentId, run: &Run) -> Result<(Option<Spec>, Vec<Spec>)> {
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
        let spec = |name: String, command: String, port: Option<u16>| Spec {
            name,
            release: id,
            command,
            folder: folder.clone(),
            environment: environment.clone(),
            port,
            site: self.site.root().to_owned(),
        };
        let found = record.processes.filter(|_| run.listen.is_some());
        let mut commands = found.map(|found| found.commands).unwrap_or_default();
        commands.remove(RELEASE);
        let web = match commands.remove(WEB) {
            Some(command) => {
                let port = port::free().context("no port of this machine is free")?;
                Some(spec(WEB.to_owned(), command, Some(port)))
            }
            None => None,
        };
        let others = commands.into_iter().map(|(name, command)| spec(name, command, None));
        Ok((web, others.collect()))
    }

    fn start(&self, spec: Spec) -> Rc<Process> {
        let log = self.log(&spec.name);
        Process::start(spec, log, Rc::clone(&self.changed))
    }

    async fn check(
        &self,
        prepared: &Prepared,
        web: &Rc<Process>,
        say: &dyn Fn(String),
    ) -> Result<()> {
        let run = &prepared.run;
        let path = run.health.clone().unwrap_or_else(|| "/".to_owned());
        let host = run.domains.first().cloned().unwrap_or_else(|| "localhost".to_owned());
        let port = web.spec.port.unwrap_or_default();
        let is_strict = run.health.is_some();
        let question = Question { port, path, host, is_strict };
        let started = Instant::now();
        let deadline = started + run.health_timeout;
        let mut pause = FIRST_PAUSE;
        let mut answer = Err("it does not take connections".to_owned());
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
async fn wait(changed: &Notify, pause: Duration, deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now());
    let _ = timeout(left.min(pause), changed.notified()).await;
    // A process that prints or ends all the time must not make this a busy loop.
    sleep(Duration::from_millis(5)).await;
}
