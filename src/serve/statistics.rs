//! What is counted of requests: a few numbers for each process, and the last minutes of a site. It
//! takes the same memory however many requests come.

use std::iter::Sum;
use std::time::Duration;

use hyper::StatusCode;

use crate::control::{LastMinutes, TIMES};

/// How long the last minutes are: so many slots of so many seconds.
const SLOTS: usize = 10;
const SLOT: u64 = 30;

/// Times are counted in microseconds: exactly below 8, and in eight steps from each power of two to
/// the next above that, so that what is told of them is at most 6 % off. The last step is for all
/// that takes longer than half an hour.
const STEPS: usize = 8;
const STEP_BITS: u32 = 3;
const COUNTERS: usize = 29 * STEPS;

/// What a process has answered since it was started with its release.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Totals {
    /// The answers by the first digit of their status, from 1 to 5.
    pub(super) answers: [u64; 5],
    /// How many of them began within so much time; see [`TIMES`]. Those that took longer are in
    /// none.
    pub(super) within: [u64; TIMES.len()],
    /// The sum of all times until an answer began.
    pub(super) time: Duration,
}

impl Totals {
    pub(super) fn count(&mut self, status: StatusCode, time: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5);
        self.answers[class - 1] += 1;
        if let Some(at) = TIMES.iter().position(|limit| time <= *limit) {
            self.within[at] += 1;
        }
        self.time += time;
    }

    pub(super) fn all(&self) -> u64 {
        self.answers.iter().sum()
    }

    pub(super) fn errors(&self) -> u64 {
        self.answers[4]
    }
}

impl Sum for Totals {
    fn sum<I: Iterator<Item = Totals>>(all: I) -> Totals {
        all.fold(Totals::default(), |mut sum, more| {
            sum.answers.iter_mut().zip(more.answers).for_each(|(sum, more)| *sum += more);
            sum.within.iter_mut().zip(more.within).for_each(|(sum, more)| *sum += more);
            sum.time += more.time;
            sum
        })
    }
}

/// What a site has answered in the last minutes.
#[derive(Debug, Default)]
pub(super) struct Recent {
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    /// How many slots of time came before it.
    number: u64,
    answers: u64,
    errors: u64,
    times: [u32; COUNTERS],
}

impl Recent {
    /// Counts an answer; `now` is since any fixed moment.
    pub(super) fn count(&mut self, now: Duration, status: StatusCode, time: Duration) {
        let number = now.as_secs() / SLOT;
        if self.slots.last().is_none_or(|slot| slot.number != number) {
            self.slots.retain(|slot| slot.number + SLOTS as u64 > number);
            self.slots.push(Slot { number, answers: 0, errors: 0, times: [0; COUNTERS] });
        }
        let Some(slot) = self.slots.last_mut() else { return };
        slot.answers += 1;
        slot.errors += u64::from(status.is_server_error());
        slot.times[counter(time)] += 1;
    }

    /// What is known at `now` of the time since `start`, as far as it is kept.
    pub(super) fn last_minutes(&self, start: Duration, now: Duration) -> LastMinutes {
        let first = (now.as_secs() / SLOT).saturating_sub(SLOTS as u64 - 1);
        let since = Duration::from_secs(first * SLOT).max(start);
        let slots = || self.slots.iter().filter(|slot| slot.number >= first);
        let answers: u64 = slots().map(|slot| slot.answers).sum();
        let mut times = [0; COUNTERS];
        for slot in slots() {
            times.iter_mut().zip(slot.times).for_each(|(sum, more)| *sum += u64::from(more));
        }
        LastMinutes {
            seconds: now.saturating_sub(since).as_secs_f64(),
            answers,
            errors: slots().map(|slot| slot.errors).sum(),
            median: quantile(&times, answers.div_ceil(2)),
            percentile_99: quantile(&times, (answers * 99).div_ceil(100)),
        }
    }
}

/// Where a time is counted.
fn counter(time: Duration) -> usize {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let shift = micros.max(1).ilog2().saturating_sub(STEP_BITS);
    let step = usize::try_from(micros >> shift).unwrap_or(usize::MAX);
    (shift as usize * STEPS + step).min(COUNTERS - 1)
}

/// The time that the so manieth of all took, in seconds, in the middle of its step; `None` when
/// there is none.
fn quantile(times: &[u64; COUNTERS], rank: u64) -> Option<f64> {
    let mut seen = 0;
    let at = times.iter().position(|count| {
        seen += count;
        rank > 0 && seen >= rank
    })?;
    let shift = (at / STEPS).saturating_sub(1);
    let width = f64::from(1_u32 << shift);
    let step = f64::from(u8::try_from(at - shift * STEPS).unwrap_or(u8::MAX));
    Some((step + 0.5) * width / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_closely_enough() {
        for micros in [1, 7, 8, 100, 999, 5_000, 123_456, 30_000_000, 1_700_000_000] {
            let mut times = [0; COUNTERS];
            times[counter(Duration::from_micros(micros))] += 1;
            let told = quantile(&times, 1).unwrap() * 1e6;
            let wanted = Duration::from_micros(micros).as_secs_f64() * 1e6;
            let off = (told - wanted).abs() - 0.5;
            assert!(off <= 0.0 || off / wanted < 0.0626, "{micros} is told as {told}");
        }
        assert_eq!(counter(Duration::MAX), COUNTERS - 1);
        assert!((0..100_000).is_sorted_by_key(|it| counter(Duration::from_micros(it))));
    }

    #[test]
    fn the_last_minutes_are_what_came_in_them() {
        let (start, ok) = (Duration::from_secs(1000), StatusCode::OK);
        let mut recent = Recent::default();
        assert_eq!(recent.last_minutes(start, start).median, None);
        for number in 0..100 {
            let time = Duration::from_millis(if number < 90 { 10 } else { 1000 });
            let status = if number < 5 { StatusCode::BAD_GATEWAY } else { ok };
            recent.count(start + Duration::from_secs(number), status, time);
        }
        let told = recent.last_minutes(start, start + Duration::from_secs(100));
        assert_eq!((told.answers, told.errors), (100, 5));
        assert!((told.seconds - 100.0).abs() < 1e-9, "{told:?}");
        assert!((0.009..0.011).contains(&told.median.unwrap()), "{told:?}");
        assert!((0.93..1.07).contains(&told.percentile_99.unwrap()), "{told:?}");
        // What is older is forgotten, also where nothing new comes.
        let later = recent.last_minutes(start, start + Duration::from_secs(1000));
        assert_eq!((later.answers, later.median), (0, None));
        assert!((270.0..=300.0).contains(&later.seconds), "{later:?}");
        for number in 0..10_000 {
            recent.count(start + Duration::from_secs(number), ok, Duration::ZERO);
        }
        assert!(recent.slots.len() <= SLOTS);
    }

    #[test]
    fn totals_are_by_status_and_time() {
        let mut totals = Totals::default();
        totals.count(StatusCode::OK, Duration::from_millis(3));
        totals.count(StatusCode::NOT_FOUND, Duration::from_millis(30));
        totals.count(StatusCode::BAD_GATEWAY, Duration::from_mins(1));
        assert_eq!(totals.answers, [0, 1, 0, 1, 1]);
        assert_eq!(totals.within.iter().sum::<u64>(), 2);
        assert_eq!(totals.time, Duration::from_millis(60_033));
        assert_eq!([totals.clone(), totals].into_iter().sum::<Totals>().all(), 6);
    }
}
