//! What is wrong with what is live, for `nyala status` and `nyala doctor`.

use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};

use super::error;
use super::health::{PATIENCE, Question};
use super::process::Process;
use super::served::Served;
use crate::control::{ProcessState, Trouble, TroubleKind};
use crate::user_error::UserError;

/// A process that was started anew so often, and lately, ends again and again.
const RESTARTS: u32 = 3;
const LATELY: SignedDuration = SignedDuration::from_mins(1);

impl Served {
    /// What is wrong. `ask` also has the application asked whether it is healthy.
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
        for process in live.processes() {
            if restarts_in_a_loop(&process.state()) {
                troubles.push(trouble(TroubleKind::Restarts, error::restarts(&process)));
            } else if process.spec.port.is_some() {
                let sick = self.unhealthy(&process, ask).await;
                troubles.extend(sick.map(|it| trouble(TroubleKind::Unhealthy, it)));
            }
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
    async fn unhealthy(&self, process: &Process, ask: bool) -> Option<UserError> {
        let age = process.state().since.map(|since| Timestamp::now().duration_since(since));
        let is_starting = age.is_none_or(|age| age.unsigned_abs() < self.run().health_timeout);
        if !process.accepts() && is_starting {
            return None;
        }
        let question = Question::of(&self.run(), process);
        let answer = if !process.accepts() {
            Err(error::NO_CONNECTIONS.to_owned())
        } else if ask {
            question.ask(PATIENCE).await
        } else {
            return None;
        };
        let is_well = answer.as_ref().is_ok_and(|status| question.is_good(*status));
        (!is_well).then(|| error::unwell(&process.spec, &question, &answer, process.recent()))
    }
}

fn restarts_in_a_loop(process: &ProcessState) -> bool {
    let is_new = |since: Timestamp| Timestamp::now().duration_since(since) < LATELY;
    process.restarts >= RESTARTS && process.since.is_none_or(is_new)
}
