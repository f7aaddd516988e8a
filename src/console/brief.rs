//! What a person who waits for a deployment reads of its log: all that explains what happens, and
//! the end of what went wrong. The log itself keeps every line, and `nyala build-log` prints it.
//!
//! It is made of the log's bytes alone, so that everybody who follows a log reads the same,
//! whenever they begin.
//!
//! - Details, which the log marks by a blank at the end of the line, are left out. Nobody sees that
//!   mark, and no child can make it: the blanks at the end of its lines are removed.
//! - Of what a step prints, the beginning and the end are shown, and how many lines are between.
//! - pip's `Requirement already satisfied` lines are counted.
//! - That a silent command still runs is left out: another line says how long its step has taken.

use std::collections::VecDeque;

use super::log::{DETAIL, STEP};
use super::{DONE_IN, INDENT};

/// How many lines of a step are shown as they come.
const FIRST: usize = 20;
/// How many of its last lines are shown when it failed, and when it did not.
const LAST_OF_FAILED: usize = 20;
const LAST: usize = 5;
/// The longest line that is kept for the end, in bytes.
const LONGEST: usize = 4096;

const SATISFIED: &str = "Requirement already satisfied: ";
const STILL_RUNNING: &str = "... still running: ";

/// Turns the lines of a log into those that are shown.
#[derive(Debug, Default)]
pub(super) struct Brief {
    /// How to see the whole log, for the lines that are left out: `nyala build-log 7`.
    whole: String,
    step: Option<Step>,
    /// The time that all steps before the current one took, as the log says it, in seconds.
    seconds_before: f64,
}

/// What the lines since a step's title come to.
#[derive(Debug, Default)]
struct Step {
    title: String,
    /// Whether lines with an indent belong to what the step prints, and not to a warning in it.
    prints: bool,
    shown: usize,
    left_out: usize,
    satisfied: usize,
    last: VecDeque<Vec<u8>>,
}

impl Brief {
    pub(super) fn new(whole: String) -> Self {
        Self { whole, ..Self::default() }
    }

    /// The title of the step that runs, and the seconds that those before it took.
    pub(super) fn step(&self) -> Option<(&str, f64)> {
        self.step.as_ref().map(|step| (step.title.as_str(), self.seconds_before))
    }

    /// Takes whole lines, and gives those to show.
    pub(super) fn lines(&mut self, lines: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(lines.len().min(1 << 16));
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            self.line(line, &mut shown);
        }
        shown
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let is_detail = text.ends_with(DETAIL.as_bytes());
        if let Some(title) = text.strip_prefix(STEP.as_bytes()) {
            self.end_step(false, out);
            let title = String::from_utf8_lossy(title).trim_end().to_owned();
            self.step = Some(Step { title, prints: true, ..Step::default() });
            if !is_detail {
                out.extend_from_slice(line);
            }
        } else if let Some(said) = text.strip_prefix(INDENT.as_bytes()) {
            if let Some(seconds) = seconds(said) {
                self.end_step(false, out);
                self.seconds_before += seconds;
            }
            match &mut self.step {
                _ if is_detail => {}
                Some(step) if step.prints => step.print(said, line, out),
                _ => out.extend_from_slice(line),
            }
        } else if text.is_empty() {
            // An empty line of a child.
            match &mut self.step {
                Some(step) if step.prints && step.shown == 0 => {}
                Some(step) if step.prints => step.print(text, line, out),
                _ => out.extend_from_slice(line),
            }
        } else {
            let is_error = text.starts_with(b"error: ");
            if is_error || text.starts_with(b"success: ") {
                self.end_step(is_error, out);
            } else if let Some(step) = &mut self.step {
                step.prints = false;
            }
            out.extend_from_slice(line);
        }
    }

    fn end_step(&mut self, failed: bool, out: &mut Vec<u8>) {
        if let Some(step) = self.step.take() {
            step.end(failed, &self.whole, out);
        }
    }
}

impl Step {
    fn print(&mut self, said: &[u8], line: &[u8], out: &mut Vec<u8>) {
        if said.trim_ascii_start().starts_with(SATISFIED.as_bytes()) {
            self.satisfied += 1;
        } else if said.starts_with(STILL_RUNNING.as_bytes()) {
            // Whoever waits is told by [`super::watch`].
        } else if self.shown < FIRST {
            self.shown += 1;
            out.extend_from_slice(line);
        } else {
            if self.last.len() == LAST_OF_FAILED {
                self.last.pop_front();
                self.left_out += 1;
            }
            let kept = if line.len() > LONGEST { cut(line) } else { line.to_vec() };
            self.last.push_back(kept);
        }
    }

    fn end(mut self, failed: bool, whole: &str, out: &mut Vec<u8>) {
        // The last lines of a step that failed say why.
        if self.satisfied > 0 && !failed {
            let plural = if self.satisfied == 1 { "" } else { "s" };
            let line =
                format!("{INDENT}{} requirement{plural} already satisfied.\n", self.satisfied);
            out.extend_from_slice(line.as_bytes());
        }
        // A line that says that a few are left out would be no shorter than they are.
        if !failed && self.left_out + self.last.len() > 2 * LAST {
            let more = self.last.len() - LAST;
            self.left_out += more;
            self.last.drain(..more);
        }
        if self.left_out > 0 {
            let line = format!("{INDENT}... {} more lines: {whole}\n", self.left_out);
            out.extend_from_slice(line.as_bytes());
        }
        self.last.iter().for_each(|line| out.extend_from_slice(line));
    }
}

/// The seconds of a line that ends a step.
pub fn seconds(said: &[u8]) -> Option<f64> {
    let said = std::str::from_utf8(said.strip_prefix(DONE_IN.as_bytes())?).ok()?;
    said.trim_end().strip_suffix(" s.")?.parse().ok()
}

/// The beginning of a line that is too long to be kept, up to a whole character.
fn cut(line: &[u8]) -> Vec<u8> {
    let end = (0..=LONGEST).rev().find(|at| line[*at] & 0xc0 != 0x80).unwrap_or_default();
    [&line[..end], "…\n".as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn brief(log: &str) -> String {
        let mut brief = Brief::new("nyala build-log 7".to_owned());
        let whole = brief.lines(log.as_bytes());
        // However the bytes come, they come to the same.
        let mut brief = Brief::new("nyala build-log 7".to_owned());
        let pieces: Vec<_> =
            log.split_inclusive('\n').map(|line| brief.lines(line.as_bytes())).collect();
        assert_eq!(pieces.concat(), whole);
        String::from_utf8(whole).unwrap()
    }

    fn numbered(lines: usize) -> String {
        (1..=lines).fold(String::new(), |mut all, number| {
            writeln!(all, "       line {number}").unwrap();
            all
        })
    }

    #[test]
    fn details_are_left_out_and_satisfied_requirements_are_counted() {
        let log = "       Deployment 7: 1a2b3c4\n-----> Plan \n       There is no runtime.txt. \n\
                   \x20      Python 3.12\n       Done in 0.00 s. \n\
                   -----> Pip install requirements.\n       \
                   Requirement already satisfied: flask\n       Collecting gunicorn\n       \
                   Requirement already satisfied: click\n       \
                   ... still running: pip install (20 s)\n       Done in 1.00 s.\n\
                   success: deployment 7 is live\n";
        insta::assert_snapshot!(brief(log), @r"
               Deployment 7: 1a2b3c4
               Python 3.12
        -----> Pip install requirements.
               Collecting gunicorn
               2 requirements already satisfied.
               Done in 1.00 s.
        success: deployment 7 is live
        ");
    }

    #[test]
    fn nothing_stands_between_the_lines_of_a_step_that_failed_and_its_error() {
        let log = "-----> Install\n       Requirement already satisfied: flask\n       no\n\
                   error: failed\n";
        assert_eq!(brief(log), "-----> Install\n       no\nerror: failed\n");
    }

    #[test]
    fn of_a_long_step_the_beginning_and_the_end_are_shown() {
        let log =
            format!("-----> Build\n{}       Done in 2.00 s.\nsuccess: live\n", numbered(2000));
        let shown = brief(&log);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 1 + FIRST + 1 + LAST + 2, "{shown}");
        assert_eq!(lines[1 + FIRST], "       ... 1975 more lines: nyala build-log 7");
        assert_eq!(lines[lines.len() - 3], "       line 2000");
    }

    #[test]
    fn of_a_step_that_failed_more_of_the_end_is_shown() {
        let log = format!(
            "-----> Build\n{}error: no\n       fix it\n{}error: failed\n",
            numbered(2000),
            numbered(99)
        );
        let shown = brief(&log);
        assert!(
            shown.contains("... 1960 more lines: nyala build-log 7\n       line 1981\n"),
            "{shown}"
        );
        assert!(shown.ends_with(&format!(
            "line 2000\nerror: no\n       fix it\n{}error: failed\n",
            numbered(99)
        )));
    }

    #[test]
    fn a_few_lines_more_are_all_shown() {
        for lines in [FIRST, FIRST + 1, FIRST + 2 * LAST] {
            let log = format!("-----> Build\n{}success: live\n", numbered(lines));
            assert_eq!(brief(&log), log);
        }
    }

    #[test]
    fn a_child_that_prints_what_nyala_prints_hides_nothing_of_nyala() {
        let log = "-----> Build\n       -----> Plan\n       Done in 0.00 s.\n       error: mine\n\
                   warning: nyala's\n       more of it\n       Requirement already satisfied: x\n\
                   error: failed\n";
        assert_eq!(brief(log), log);
    }

    #[test]
    fn the_step_and_the_time_before_it_are_known() {
        let mut brief = Brief::default();
        brief.lines(b"-----> Plan \n       Done in 0.50 s. \n-----> Check out 1a2b3c4 \n");
        brief.lines(
            b"       Done in 1.25 s. \n-----> Pip install requirements.\n       Collecting\n",
        );
        assert_eq!(brief.step(), Some(("Pip install requirements.", 1.75)));
        brief.lines(b"error: failed\n");
        assert_eq!(brief.step(), None);
    }

    #[test]
    fn a_huge_line_that_is_kept_for_the_end_is_cut() {
        let log =
            format!("-----> Build\n{}       {}\nsuccess: x\n", numbered(FIRST), "é".repeat(9000));
        let shown = brief(&log);
        assert!(shown.len() < 6000 && shown.contains("é…\n"), "{}", shown.len());
    }
}
