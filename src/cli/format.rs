//! How commands print for people: colours and columns of a terminal, times as people say them.
//!
//! What is not a terminal gets exact times and nothing is cut, so that scripts can rely on it.

use std::io::{self, IsTerminal};

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::console::{paint, terminal};
use crate::site::Status;
use crate::text::{ago, fit};

#[derive(Clone, Debug)]
pub(super) struct Format {
    pub(super) coloured: bool,
    pub(super) is_terminal: bool,
    /// The columns of the terminal; `None` when nothing is to be cut.
    pub(super) columns: Option<usize>,
    pub(super) now: Timestamp,
    pub(super) zone: TimeZone,
}

impl Format {
    pub(super) fn of_stdout() -> Self {
        let out = io::stdout();
        Self {
            coloured: paint::wanted(&out),
            is_terminal: out.is_terminal(),
            columns: terminal::columns(&out),
            now: Timestamp::now(),
            zone: TimeZone::system(),
        }
    }

    pub(super) fn style(&self, style: Style) -> Style {
        if self.coloured { style } else { Style::new() }
    }

    /// A time: `3 minutes ago` for a terminal, else the exact one.
    pub(super) fn when(&self, time: Timestamp) -> String {
        if self.is_terminal { self.ago(time) } else { format!("{time:.0}") }
    }

    /// A time in the zone of this machine, exactly, and for a terminal how long ago that is.
    pub(super) fn local(&self, time: Timestamp) -> String {
        let exact = time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
        if self.is_terminal { format!("{exact} ({})", self.ago(time)) } else { exact }
    }

    fn ago(&self, time: Timestamp) -> String {
        ago(self.now.duration_since(time).as_secs())
    }

    /// A line that fits the terminal.
    pub(super) fn line(&self, text: &str) -> String {
        self.columns.map_or(text.to_owned(), |columns| fit(text, columns).into_owned())
    }

    /// The style of the word for a status.
    pub(super) fn status(&self, status: Status) -> Style {
        self.style(match status {
            Status::Succeeded => AnsiColor::Green.on_default(),
            Status::Failed | Status::Interrupted => AnsiColor::Red.on_default().bold(),
            Status::Pending | Status::Building => AnsiColor::Yellow.on_default(),
            Status::Superseded => Style::new().dimmed(),
        })
    }
}

#[cfg(test)]
impl Format {
    /// A terminal of so many columns, without colours, at noon of 2026-03-01 in UTC.
    pub(super) fn terminal(columns: usize) -> Self {
        Self { is_terminal: true, columns: Some(columns), ..Self::plain() }
    }

    /// No terminal.
    pub(super) fn plain() -> Self {
        Self {
            coloured: false,
            is_terminal: false,
            columns: None,
            now: "2026-03-01T12:00:00Z".parse().unwrap(),
            zone: TimeZone::UTC,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_gets_relative_times() {
        let time = "2026-03-01T11:57:00Z".parse().unwrap();
        assert_eq!(Format::terminal(80).when(time), "3 minutes ago");
        assert_eq!(Format::plain().when(time), "2026-03-01T11:57:00Z");
        let local = "2026-03-01 11:57:00 UTC";
        assert_eq!(Format::terminal(80).local(time), format!("{local} (3 minutes ago)"));
        assert_eq!(Format::plain().local(time), local);
    }
}
