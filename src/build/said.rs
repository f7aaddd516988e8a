//! The lines of a command's output that explain why it failed.

use std::collections::VecDeque;

use crate::text::excerpt;

/// How many lines that name an error are repeated, the first ones, and how many at the end.
const ERRORS: usize = 6;
const LAST: usize = 3;

/// What has been heard of a command.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// How many lines there were.
    count: usize,
    /// With their numbers.
    errors: Vec<(usize, String)>,
    last: VecDeque<(usize, String)>,
}

impl Said {
    pub(super) fn line(&mut self, line: &str) {
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        self.count += 1;
        if self.errors.len() < ERRORS && names_an_error(line) {
            self.errors.push((self.count, excerpt(line)));
        }
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back((self.count, excerpt(line)));
    }

    /// The lines to repeat, in their order: those that name an error, and the last ones. An
    /// ellipsis stands for lines between them.
    pub(super) fn finish(self) -> Vec<String> {
        let mut numbered = self.errors;
        numbered.extend(self.last);
        numbered.sort_unstable();
        numbered.dedup();
        let mut lines = Vec::new();
        let mut before = None;
        for (number, line) in numbered {
            if before.is_some_and(|before| number > before + 1) {
                lines.push("…".to_owned());
            }
            before = Some(number);
            lines.push(line);
        }
        lines
    }
}

/// Whether a line looks like an error of a compiler, a linker or make.
fn names_an_error(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let names = ["error:", "error ", "err!", "fatal:", "fatal error", "undefined reference"];
    names.iter().any(|name| line.contains(name)) && !line.contains("warning:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish<'l>(lines: impl IntoIterator<Item = &'l str>) -> Vec<String> {
        let mut said = Said::default();
        lines.into_iter().for_each(|line| said.line(line));
        said.finish()
    }

    #[test]
    fn errors_in_a_long_output_are_found_wherever_they_are() {
        let warnings = "a.c:1: warning: unused [-Werror: no]\n".repeat(1000);
        let output =
            format!("{warnings}b.c:9:1: error: expected ';'\n{warnings}make: *** [b.o]\n\n");
        let lines = finish(output.lines());
        assert_eq!(lines[0], "b.c:9:1: error: expected ';'");
        assert_eq!(lines.last().unwrap(), "make: *** [b.o]");
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn the_lines_are_in_their_order() {
        let output = ["ERROR in x", "1", "2", "3", "make: *** [all] Error 2"];
        assert_eq!(finish(output), ["ERROR in x", "…", "2", "3", "make: *** [all] Error 2"]);
    }

    #[test]
    fn the_last_lines_are_said_once() {
        assert_eq!(finish(["one", "ValueError: no"]), ["one", "ValueError: no"]);
        assert_eq!(finish([""]), Vec::<String>::new());
    }
}
