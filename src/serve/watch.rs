//! A release that has just gone live is watched. The one before stays ready meanwhile, so that
//! going back is one pointer, too.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::Instant;

use super::error;
use super::health::{PATIENCE, Question};
use super::release::Release;
use super::served::Served;
use super::switch::{Prepared, wait};
use crate::activate;
use crate::control::share_of;
use crate::site::settings::Run;
use crate::user_error::UserError;

/// The pause between two health checks.
const PAUSE: Duration = Duration::from_millis(500);

/// So many bad answers to them in a row are not chance.
const BAD: u32 = 3;

/// How many answers of 5xx count at least, and by how much their share has to be above twice the
/// share that the release before had.
const ERRORS: u64 = 5;
const SHARE: f64 = 0.1;

impl Served {
    /// Lets visitors have a release, and watches it. When it does not stay well, or `go_back`
    /// returns, visitors and `wwwroot` are back at the one before, and the reason is returned.
    pub(super) async fn give_and_watch(
        self: &Rc<Self>,
        prepared: Prepared,
        before: Rc<Release>,
        go_back: impl Future<Output = ()>,
    ) -> Option<UserError> {
        let (release, others, run) = prepared.settle();
        let share = self.last_minutes().share_of_errors();
        *release.to_come.borrow_mut() = Some(others);
        self.give_visitors_to(&release);
        self.leaves(&before);
        let workers =
            spawn_local(Rc::clone(self).hand_over(Rc::clone(&before), Rc::clone(&release)));
        let sick = tokio::select! {
            sick = self.until_sick(&release, &run, share) => sick,
            () = go_back => Some(error::asked_to_go_back()),
            // Then everything ends, and what the link says is started again.
            () = self.closing() => return None,
        };
        let Some(sick) = sick else {
            release.keep();
            let site = Rc::clone(self);
            spawn_local(async move {
                let _ = workers.await;
                site.end_leaving(&before).await;
            });
            return None;
        };
        before.come_back();
        self.give_visitors_to(&before);
        self.has_left(&before);
        self.leaves(&release);
        self.say(format_args!("visitors are back at release {}: {}", before.id, sick.fact));
        if self.site.live().is_ok_and(|live| live == Some(release.id))
            && let Err(error) = activate::link(&self.site, before.id)
        {
            self.say(UserError::of(&error));
        }
        let were_ended = workers.await.unwrap_or_default();
        self.end_leaving(&release).await;
        if were_ended {
            self.start_others_of(&before, &run);
        }
        Some(sick)
    }

    /// Ends the other processes of a release once it has answered everything, and starts those of
    /// the next one. Says whether it came to that: it may have got visitors again meanwhile.
    async fn hand_over(self: Rc<Self>, before: Rc<Release>, release: Rc<Release>) -> bool {
        let grace = self.run().grace;
        before.drain(grace).await;
        if !self.is_live(&release) {
            return false;
        }
        before.stop_others(super::STOP_PATIENCE.max(grace)).await;
        self.changed.notify_waiters();
        self.start_those_to_come(&release).await;
        true
    }

    /// Why a release is not well, as soon as it is not; `None` when the time is over, and it is
    /// well. `share` is that of 5xx before it went live.
    async fn until_sick(&self, release: &Rc<Release>, run: &Run, share: f64) -> Option<UserError> {
        let deadline = Instant::now() + run.watch;
        let mut bad = 0;
        loop {
            let mut is_well = true;
            for backend in release.web() {
                let process = &backend.process;
                let question = Question::of(run, process);
                let answer = question.ask(PATIENCE).await;
                if let Some(end) = process.last_end() {
                    return Some(error::died(release.id, process, &end));
                }
                if question.is_good_answer(&answer) {
                    continue;
                }
                is_well = false;
                if bad + 1 >= BAD {
                    return Some(error::sick(release.id, &question, &answer, process.recent()));
                }
            }
            bad = if is_well { 0 } else { bad + 1 };
            let totals = release.totals();
            let (errors, all) = (totals.errors(), totals.all());
            if errors >= ERRORS && share_of(errors, all) >= SHARE + 2.0 * share {
                return Some(error::too_many_errors(release.id, errors, all, share));
            }
            if is_well && Instant::now() >= deadline {
                return None;
            }
            wait(&self.changed, PAUSE, Instant::now() + PAUSE).await;
        }
    }
}
