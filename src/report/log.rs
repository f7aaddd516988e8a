//! A log with its steps folded, and what went wrong open.

use maud::{Markup, html};

use super::text::{LINE, Plain, seconds};
use crate::console::{self, INDENT, STEP};

/// The words that begin a line which stands out, and their classes in the style.
const WORDS: [(&str, &str); 4] =
    [("error: ", "e"), ("warning: ", "w"), ("hint: ", "h"), ("success: ", "s")];

/// A step of a log, or what is between two.
#[derive(Debug, Default, PartialEq)]
struct Part<'l> {
    /// `None` for what is shown without being unfolded.
    title: Option<&'l str>,
    seconds: Option<f64>,
    lines: Vec<&'l str>,
    failed: bool,
}

/// Shows a log, of which at most about `longest` bytes. `command` prints all of it.
pub(super) fn shown(log: &str, longest: usize, command: &str) -> Markup {
    let log = shortened(log, longest, command);
    html! {
        @for part in parts(&log) {
            @match part.title {
                Some(title) if part.lines.is_empty() => p.step { (head(title, part.seconds)) },
                Some(title) => details.step open[part.failed] {
                    summary { (head(title, part.seconds)) }
                    (lines(&part.lines))
                },
                None => (lines(&part.lines)),
            }
        }
    }
}

fn head(title: &str, took: Option<f64>) -> Markup {
    html! {
        (Plain::new(title))
        @if let Some(took) = took.filter(|took| *took >= 0.005) { " " small { (seconds(took)) } }
    }
}

fn lines(lines: &[&str]) -> Markup {
    html! {
        pre {
            @for line in lines {
                @match WORDS.iter().find(|(word, _)| line.starts_with(word)) {
                    Some((_, class)) => b.(class) { (Plain::new(line)) },
                    None => (Plain::new(line.strip_prefix(INDENT).unwrap_or(line))),
                }
                "\n"
            }
        }
    }
}

fn parts(log: &str) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for line in log.lines().map(str::trim_end) {
        let is_new = line.starts_with(STEP);
        let is_error = line.starts_with("error: ");
        // What is not indented belongs to no step; what follows it, indented, explains it.
        let is_outside = !is_new && !line.is_empty() && !line.starts_with(' ');
        if is_error && let Some(step) = parts.last_mut().filter(|part| part.title.is_some()) {
            step.failed = true;
        }
        if is_new {
            let title = line.strip_prefix(STEP);
            parts.push(Part { title, ..Part::default() });
            continue;
        }
        let ends_step = is_outside && parts.last().is_some_and(|part| part.title.is_some());
        if ends_step || parts.is_empty() {
            parts.push(Part::default());
        }
        let Some(part) = parts.last_mut() else { continue };
        match seconds_of(line) {
            Some(seconds) if part.title.is_some() => {
                part.seconds = Some(seconds);
                parts.push(Part::default());
            }
            _ => part.lines.push(line),
        }
    }
    parts.retain(|part| part.title.is_some() || part.lines.iter().any(|line| !line.is_empty()));
    parts
}

fn seconds_of(line: &str) -> Option<f64> {
    console::seconds_of_step(line.strip_prefix(INDENT)?.as_bytes())
}

/// The beginning and the end of a log that is too long: how it ended is worth more.
fn shortened(log: &str, longest: usize, command: &str) -> String {
    // A line is cut when it is shown, so that it costs no more here.
    let cost = |line: &str| line.len().min(LINE) + 1;
    if log.lines().map(cost).sum::<usize>() <= longest {
        return log.to_owned();
    }
    let lines: Vec<_> = log.lines().collect();
    let fitting = |room: usize, lines: &mut dyn Iterator<Item = &&str>| {
        let mut left = room;
        let fits = |line: &&&str| {
            let fits = cost(line) <= left;
            left = left.saturating_sub(cost(line));
            fits
        };
        lines.take_while(fits).count()
    };
    let first = fitting(longest / 3, &mut lines.iter());
    let last = fitting(longest - longest / 3, &mut lines[first..].iter().rev());
    let left_out = lines.len() - first - last;
    let note = format!("{INDENT}... {left_out} lines left out: {command}");
    let shown = lines[..first].iter().copied().chain([note.as_str()]);
    shown.chain(lines[lines.len() - last..].iter().copied()).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "       Deployment 5: 1a2b3c4
-----> Plan 
       There is no runtime.txt. 
       Done in 0.01 s. 
       Found compatible virtual environment.
-----> Pip install requirements.
       ERROR: No matching distribution
error: pip exited with status 1
       output: ERROR
error: deployment 5 failed
";

    #[test]
    fn steps_are_folded_and_the_one_that_failed_is_open() {
        let titles: Vec<_> = parts(LOG)
            .iter()
            .map(|part| (part.title.unwrap_or_default().to_owned(), part.lines.len(), part.failed))
            .collect();
        let expected = [
            ("", 1, false),
            ("Plan", 1, false),
            ("", 1, false),
            ("Pip install requirements.", 1, true),
            ("", 3, false),
        ];
        assert_eq!(
            titles,
            expected.map(|(title, lines, failed)| (title.to_owned(), lines, failed))
        );
        let html = shown(LOG, 10_000, "nyala build-log 5").into_string();
        assert_eq!(html.matches("<details class=\"step\" open>").count(), 1, "{html}");
        assert!(html.contains("<b class=\"e\">error: deployment 5 failed</b>"), "{html}");
        assert!(html.contains("Plan <small>0.01 s</small>"), "{html}");
    }

    #[test]
    fn of_a_long_log_the_beginning_and_the_end_are_shown() {
        let lines: Vec<_> = (1..=9000).map(|line| format!("       line {line}\n")).collect();
        let log = lines.concat();
        let html = shown(&log, 2000, "nyala build-log 5").into_string();
        assert!(html.len() < 2500, "{}", html.len());
        assert!(html.contains("line 1\n") && html.contains("line 9000\n"), "{html}");
        assert!(html.contains(" lines left out: nyala build-log 5\n"), "{html}");
    }

    #[test]
    fn hostile_lines_stay_text() {
        let log = format!(
            "-----> </summary><script>x</script>\n       </pre><script>y</script>\n       {}\n",
            "z".repeat(1 << 20)
        );
        let html = shown(&log, 4000, "").into_string();
        assert!(!html.contains("<script"), "{html}");
        assert!(html.len() < 4000, "{}", html.len());
    }
}
