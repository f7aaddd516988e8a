//! How long an API server that does not answer is waited for.

use std::time::{Duration, Instant};

/// How long it may be away by default: it is started anew, or another one takes over.
pub(super) const AWAY: Duration = Duration::from_mins(1);

/// It may be away several times while something long goes on, each time for as long as `limit`.
pub(super) struct Patience {
    limit: Duration,
    away_since: Option<Instant>,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Patience {
        Patience { limit, away_since: None }
    }

    /// Whether to try again what has failed now.
    pub(super) fn is_left(&mut self, now: Instant) -> bool {
        now.duration_since(*self.away_since.get_or_insert(now)) < self.limit
    }

    /// Notes that it answers; gives since when it has not.
    pub(super) fn answered(&mut self) -> Option<Instant> {
        self.away_since.take()
    }

    pub(super) fn is_away(&self) -> bool {
        self.away_since.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_that_the_cluster_is_away_is_waited_for() {
        let (second, now) = (Duration::from_secs(1), Instant::now());
        let mut patience = Patience::new(5 * second);
        assert!(patience.is_left(now + 100 * second), "however long it took until it failed");
        assert!(patience.is_left(now + 104 * second));
        assert!(!patience.is_left(now + 105 * second));
        assert_eq!(patience.answered(), Some(now + 100 * second));
        assert!(patience.is_left(now + 106 * second));
    }
}
