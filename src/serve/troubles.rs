//! What runs, and what is wrong with it: for `nyala ps`, `nyala status` and `nyala doctor`.

use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::spawn_local;

use super::error;
use super::health::{PATIENCE, Question};
use super::process::Process;
use super::served::Served;
use crate::control::{ProcessState, Running, Trouble, TroubleKind};
use crate::user_error::UserError;

/// A process that was started anew so often, and lately, ends again and again.
const RESTARTS: u32 = 3;
const LATELY: SignedDuration = SignedDuration::from_mins(1);

/// How long a process may take to answer whoever only looks. They wait 10 s for all that runs.
const A_MOMENT: Duration = Duration::from_secs(5);

impl Served {
    /// The state of everything that runs. What visitors have is asked now whether it is healthy,
    /// all at once: one that hangs still takes connections. Nobody asks while nobody wants to know.
    pub(super) async fn states(&self) -> Running {
        let live = self.live().map_or_else(Vec::new, |live| live.processes());
        let asked = live.into_iter().map(|process| {
            let question = process.accepts().then(|| Question::of(&self.run(), &process));
            spawn_local(async move {
                let is_well = match question {
                    Some(question) => question.is_good_answer(&question.ask(A_MOMENT).await),
                    None => false,
                };
                let state = process.state();
                ProcessState { healthy: state.healthy.map(|accepts| accepts && is_well), ..state }
            })
        });
        let asked: Vec<_> = asked.collect();
        let mut live = Vec::new();
        for state in asked {
            live.extend(state.await);
        }
        // One that is to end is neither healthy nor sick.
        let unasked = |process: &Rc<Process>| ProcessState { healthy: None, ..process.state() };
        let leaving = self.processes_leaving().iter().map(unasked).collect();
        let listening = self.listening.borrow().as_ref().map(|it| it.listen.to_string());
        Running { live, leaving, listening, not_listening: self.not_listening() }
    }

    /// What is wrong. The application is asked whether it is healthy; with `ask`, it has more time
    /// to answer.
    pub(super) async fn troubles(self: &Rc<Self>, ask: bool) -> Vec<Trouble> {
        let trouble = |kind, error| Trouble { kind, error };
        self.try_to_listen();
        let not_listening = self.not_listening();
        let mut troubles: Vec<_> = not_listening
            .into_iter()
            .map(|error| trouble(TroubleKind::NotListening, error))
            .collect();
        let Some(live) = self.live() else {
            let why = self.not_started.borrow().clone().or_else(|| self.not_running());
            troubles.extend(why.map(|it| trouble(TroubleKind::NotRunning, it)));
            return troubles;
        };
        let patience = if ask { PATIENCE } else { A_MOMENT };
        let mut asked = Vec::new();
        for process in live.processes() {
            if restarts_in_a_loop(&process.state()) {
                troubles.push(trouble(TroubleKind::Restarts, error::restarts(&process)));
            } else if process.spec.is_web {
                let site = Rc::clone(self);
                asked.push(spawn_local(async move { site.unhealthy(&process, patience).await }));
            }
        }
        for sick in asked {
            let sick = sick.await.ok().flatten();
            troubles.extend(sick.map(|it| trouble(TroubleKind::Unhealthy, it)));
        }
        troubles
    }

    /// Why nothing of what is live runs; `None` when nothing is to run.
    fn not_running(&self) -> Option<UserError> {
        let live = self.site.live().ok().flatten()?;
        let is_to_run = self.run().listen.is_some()
            && self.site.stopped().is_ok_and(|stopped| stopped.is_none())
            && self.site.record(live).ok().flatten()?.processes.is_some();
        is_to_run.then(|| error::not_running(live))
    }

    /// One that is starting still has its time.
    async fn unhealthy(&self, process: &Process, patience: Duration) -> Option<UserError> {
        let age = process.state().since.map(|since| Timestamp::now().duration_since(since));
        let is_starting = age.is_none_or(|age| age.unsigned_abs() < self.run().health_timeout);
        if !process.accepts() && is_starting {
            return None;
        }
        let question = Question::of(&self.run(), process);
        let answer = if process.accepts() {
            question.ask(patience).await
        } else {
            Err(error::NO_CONNECTIONS.to_owned())
        };
        (!question.is_good_answer(&answer))
            .then(|| error::unwell(&process.spec, &question, &answer, process.recent()))
    }
}

fn restarts_in_a_loop(process: &ProcessState) -> bool {
    let is_new = |since: Timestamp| Timestamp::now().duration_since(since) < LATELY;
    process.restarts >= RESTARTS && process.since.is_none_or(is_new)
}
