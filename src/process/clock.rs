//! The limits of a running child, and when to check them. It knows no child, so that it can be
//! tested without one.

use std::time::{Duration, Instant};

use super::Limits;

/// A child that uses at least this part of one processor (1 %) is not idle. A child that only wakes
/// up to poll uses less.
const BUSY: u32 = 100;

/// The longest time between two heartbeats.
const LONGEST_GAP: Duration = Duration::from_mins(1);

/// The longest and the shortest time between two looks at the processor time, which is counted in
/// hundredths of a second.
const LOOK: Duration = Duration::from_secs(10);
const SHORTEST_LOOK: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Clock {
    limits: Limits,
    started: Instant,
    /// The last output or use of the processor.
    active: Instant,
    beat: Instant,
    gap: Duration,
    look: Instant,
    looked: Instant,
    used: Option<Duration>,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Say that it is still running, and for how long it has been.
    Heartbeat(Duration),
    /// Look up the processor time, and pass it to [`Clock::used`].
    MeasureUsage,
    StepLimit(Duration),
    IdleLimit(Duration),
}

impl Clock {
    pub(super) fn start(limits: &Limits, now: Instant) -> Self {
        let mut clock = Self {
            limits: limits.clone(),
            started: now,
            active: now,
            beat: now + limits.heartbeat,
            gap: limits.heartbeat,
            look: now,
            looked: now,
            used: None,
        };
        clock.look = clock.next_look(now);
        clock
    }

    /// Notes that the child has printed something; `line` if it was a whole line, which the log
    /// shows.
    pub(super) fn progress(&mut self, now: Instant, line: bool) {
        self.active = now;
        if line {
            self.gap = self.limits.heartbeat;
            self.beat = now + self.gap;
        }
    }

    /// Notes the processor time that the child and its descendants have used in all; `None` if it
    /// is unknown.
    pub(super) fn used(&mut self, now: Instant, total: Option<Duration>) {
        if let (Some(before), Some(total)) = (self.used, total) {
            let busy = (now - self.looked) / BUSY;
            if total.saturating_sub(before) > busy {
                self.active = now;
            }
        }
        self.used = total;
        self.looked = now;
        self.look = self.next_look(now);
    }

    /// Returns one thing that is due. Each heartbeat is due once.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        if let Some(limit) = self.limits.step
            && self.started.checked_add(limit).is_some_and(|end| now >= end)
        {
            return Due::StepLimit(limit);
        }
        // The last look is what counts, not the time: on a machine that is so busy that the next
        // look is due at once, the limit would never be.
        if let Some(limit) = self.limits.idle
            && self.idle_until().is_some_and(|end| self.looked >= end)
        {
            return Due::IdleLimit(limit);
        }
        if self.limits.idle.is_some() && now >= self.look {
            return Due::MeasureUsage;
        }
        if now >= self.beat {
            self.gap = (self.gap * 2).min(LONGEST_GAP.max(self.limits.heartbeat));
            self.beat = now + self.gap;
            return Due::Heartbeat(now - self.started);
        }
        Due::Nothing
    }

    /// How long until something is due.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        // A limit that no clock can represent is no limit.
        let step = self.limits.step.and_then(|limit| self.started.checked_add(limit));
        [step, Some(self.beat), self.limits.idle.map(|_| self.look)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.beat)
            .saturating_duration_since(now)
    }

    /// When a child that stays idle reaches its limit.
    fn idle_until(&self) -> Option<Instant> {
        self.limits.idle.and_then(|limit| self.active.checked_add(limit))
    }

    fn next_look(&self, now: Instant) -> Instant {
        let wanted = self.limits.idle.map_or(LOOK, |idle| idle / 10);
        let next = now + wanted.clamp(SHORTEST_LOOK, LOOK);
        self.idle_until().filter(|end| *end > now).map_or(next, |end| next.min(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn clock(step: Option<u32>, idle: Option<u32>, now: Instant) -> Clock {
        let limits = Limits {
            step: step.map(|seconds| SECOND * seconds),
            idle: idle.map(|seconds| SECOND * seconds),
            heartbeat: SECOND * 10,
        };
        Clock::start(&limits, now)
    }

    /// What is due in each of `seconds` seconds without output.
    fn quiet(clock: &mut Clock, start: Instant, seconds: u32, busy: Duration) -> Vec<(u32, Due)> {
        let mut seen = Vec::new();
        for second in 1..=seconds {
            let now = start + SECOND * second;
            loop {
                match clock.due(now) {
                    Due::Nothing => break,
                    Due::MeasureUsage => clock.used(now, Some(busy * second)),
                    limit @ (Due::StepLimit(_) | Due::IdleLimit(_)) => {
                        seen.push((second, limit));
                        return seen;
                    }
                    heartbeat @ Due::Heartbeat(_) => seen.push((second, heartbeat)),
                }
            }
        }
        seen
    }

    #[test]
    fn heartbeats_become_rarer_the_longer_it_is_quiet() {
        let now = Instant::now();
        let mut clock = clock(None, None, now);
        let at: Vec<u32> = quiet(&mut clock, now, 260, Duration::ZERO)
            .into_iter()
            .map(|(second, _)| second)
            .collect();
        assert_eq!(at, [10, 30, 70, 130, 190, 250]);
    }

    #[test]
    fn an_enormous_limit_is_no_limit() {
        let now = Instant::now();
        let limits =
            Limits { step: Some(Duration::MAX), idle: Some(Duration::MAX), heartbeat: SECOND * 10 };
        let mut clock = Clock::start(&limits, now);
        assert_eq!(clock.pause(now), SECOND * 10);
        assert_eq!(clock.due(now), Due::Nothing);
    }

    #[test]
    fn a_line_delays_the_heartbeat_and_half_a_line_does_not() {
        let now = Instant::now();
        let mut clock = clock(None, None, now);
        clock.progress(now + SECOND * 9, true);
        assert_eq!(clock.due(now + SECOND * 18), Due::Nothing);
        clock.progress(now + SECOND * 18, false);
        assert_eq!(clock.due(now + SECOND * 19), Due::Heartbeat(SECOND * 19));
    }

    #[test]
    fn an_idle_child_reaches_the_idle_limit_and_a_busy_one_the_step_limit() {
        let now = Instant::now();
        let last = |busy| {
            let mut clock = clock(Some(1800), Some(600), now);
            quiet(&mut clock, now, 2000, busy).pop()
        };
        let idle = Some((600, Due::IdleLimit(SECOND * 600)));
        assert_eq!(last(Duration::ZERO), idle);
        assert_eq!(last(Duration::from_millis(1)), idle);
        let step = Some((1800, Due::StepLimit(SECOND * 1800)));
        assert_eq!(last(Duration::from_millis(100)), step);
    }

    #[test]
    fn an_idle_child_reaches_its_limit_although_each_look_takes_longer_than_the_time_to_the_next() {
        let mut now = Instant::now();
        let mut clock = clock(None, Some(10), now);
        let last = now + SECOND * 60;
        let limit = loop {
            let due = clock.due(now);
            let before_the_look = now;
            now += SECOND * 5;
            match due {
                Due::MeasureUsage => clock.used(before_the_look, Some(SECOND)),
                limit @ Due::IdleLimit(_) => break limit,
                _ => {}
            }
            assert!(now < last, "it is never reached");
        };
        assert_eq!(limit, Due::IdleLimit(SECOND * 10));
    }

    #[test]
    fn a_pause_ends_when_the_next_thing_is_due() {
        let now = Instant::now();
        assert_eq!(clock(None, None, now).pause(now), SECOND * 10);
        assert_eq!(clock(Some(3), None, now).pause(now), SECOND * 3);
        assert_eq!(clock(None, Some(20), now).pause(now), SECOND * 2);
        assert_eq!(clock(Some(3), None, now).pause(now + SECOND * 4), Duration::ZERO);
    }
}
