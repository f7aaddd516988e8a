//! Says where a deployment is while its log has nothing to show: which step, how long it has been
//! running, how long it took before.

use std::time::{Duration, Instant};

use super::follow::{Follower, Place};
use super::{INDENT, terminal};
use crate::text::fit;

/// How long nothing may be shown before a line says where the deployment is; each further one
/// comes after twice as long, up to [`LONGEST`].
const FIRST: Duration = Duration::from_secs(15);
const LONGEST: Duration = Duration::from_mins(1);

/// How often the last line of a terminal is drawn again.
const REDRAW: Duration = Duration::from_secs(1);

/// Goes to the beginning of the terminal's line, and empties it.
const CLEAR: &str = "\r\u{1b}[K";

pub(super) struct Watch<'a> {
    place: Place<'a>,
    /// The columns of a terminal in which the line is drawn again in its place.
    in_place: Option<usize>,
    is_drawn: bool,
    /// Whether nobody has been told anything yet: a person who follows a deployment that already
    /// runs is told at once.
    is_new: bool,
    due: Instant,
    gap: Duration,
}

impl<'a> Watch<'a> {
    /// `columns` are those of the terminal, if it is one.
    pub(super) fn new(place: Place<'a>, follower: Follower, columns: Option<usize>) -> Self {
        let is_person = matches!(follower, Follower::Person { .. });
        let in_place = columns.filter(|_| is_person && !terminal::is_dumb());
        let due = Instant::now() + FIRST;
        Self { place, in_place, is_drawn: false, is_new: is_person, due, gap: FIRST }
    }

    /// Lines are about to be shown. Gives what has to be printed before them.
    pub(super) fn lines_come(&mut self) -> Option<&'static str> {
        self.gap = FIRST;
        self.due = Instant::now() + if self.in_place.is_some() { REDRAW } else { FIRST };
        std::mem::take(&mut self.is_drawn).then_some(CLEAR)
    }

    /// What to print now, if anything. `step` is the title of the one that runs, and the seconds
    /// before it.
    pub(super) fn text(&mut self, step: Option<(&str, f64)>, now: Instant) -> Option<String> {
        if now < self.due && !std::mem::take(&mut self.is_new) {
            return None;
        }
        let (title, before) = step?;
        let text = (self.place)(title, before);
        if let Some(columns) = self.in_place {
            self.due = now + REDRAW;
            let text = format!("{INDENT}{}", text?);
            self.is_drawn = true;
            Some(format!("{CLEAR}{}", fit(&text, columns.saturating_sub(1))))
        } else {
            self.due = now + self.gap;
            self.gap = (self.gap * 2).min(LONGEST);
            Some(format!("{INDENT}... {}\n", text?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERSON: Follower = Follower::Person { coloured: false };

    fn said(title: &str, before: f64) -> Option<String> {
        (before < 9.0).then(|| format!("{title}: {before} s"))
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds) + Duration::from_millis(1)
    }

    #[test]
    fn lines_come_ever_more_rarely() {
        let mut watch = Watch::new(&said, Follower::Client, None);
        let start = Instant::now();
        let mut seconds = Vec::new();
        for second in 0..120 {
            if let Some(text) = watch.text(Some(("pip", 2.0)), after(start, second)) {
                assert_eq!(text, "       ... pip: 2 s\n");
                seconds.push(second);
            }
        }
        assert_eq!(seconds, [15, 30, 60]);
        assert_eq!(watch.lines_come(), None);
    }

    #[test]
    fn a_person_who_comes_later_is_told_at_once() {
        let mut watch = Watch::new(&said, PERSON, None);
        let now = Instant::now();
        assert!(watch.text(Some(("pip", 2.0)), now).is_some());
        assert_eq!(watch.text(Some(("pip", 2.0)), now), None);
        let mut watch = Watch::new(&said, PERSON, None);
        assert_eq!(watch.text(None, now), None);
        assert_eq!(watch.text(Some(("pip", 2.0)), now), None);
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let mut watch = Watch::new(&said, Follower::Client, None);
        assert_eq!(watch.text(Some(("pip", 9.0)), after(Instant::now(), 20)), None);
    }
}
