//! The pause before something that has ended is started again.

use std::time::Duration;

/// It doubles from one end to the other, and begins anew after what has lived for long.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);
const LONG_LIFE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Pause(Duration);

impl Pause {
    /// The pause after something that has lived for so long.
    pub(super) fn after(&mut self, life: Duration) -> Duration {
        let is_first = self.0.is_zero() || life >= LONG_LIFE;
        self.0 = if is_first { FIRST } else { (self.0 * 2).min(LONGEST) };
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_until_something_lives_for_long() {
        let mut pause = Pause::default();
        let short = Duration::from_secs(1);
        let pauses: Vec<_> = (0..10).map(|_| pause.after(short).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
        assert_eq!(pause.after(LONG_LIFE), FIRST);
    }
}
