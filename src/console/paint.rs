//! The colours that the git client gives to the output of a hook, for commands.

use std::io::IsTerminal;
use std::os::fd::AsFd;

use anstyle::{AnsiColor, Style};

use super::terminal;

/// git's own words and styles (`color.remote`, in its sideband.c).
const KEYWORDS: [(&str, Style); 4] = [
    ("hint", AnsiColor::Yellow.on_default()),
    ("warning", AnsiColor::Yellow.on_default().bold()),
    ("success", AnsiColor::Green.on_default().bold()),
    ("error", AnsiColor::Red.on_default().bold()),
];

/// Whether `out` gets colours: a terminal does, unless its user has disabled them
/// (<https://no-color.org>); anything else, only when that is asked for by `CLICOLOR_FORCE`
/// (<https://bixense.com/clicolors/>).
pub fn wanted(out: impl AsFd) -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    let forced = set("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    forced || (out.as_fd().is_terminal() && !terminal::is_dumb())
}

/// Colours git's words where they begin a line and are followed by a colon.
pub fn lines(lines: &[u8]) -> Vec<u8> {
    let mut painted = Vec::with_capacity(lines.len() + 64);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let keyword = KEYWORDS.iter().find_map(|(word, style)| {
            let rest = line.strip_prefix(word.as_bytes())?;
            rest.starts_with(b":").then_some((word, style, rest))
        });
        match keyword {
            Some((word, style, rest)) => {
                painted.extend_from_slice(format!("{style}{word}{style:#}").as_bytes());
                painted.extend_from_slice(rest);
            }
            None => painted.extend_from_slice(line),
        }
    }
    painted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_at_the_start_of_a_line_is_coloured() {
        let plain = b"       error: indented\nerrors: none\nan error: no\n";
        assert_eq!(lines(plain), plain);
        assert_eq!(lines(b"hint: x"), b"\x1b[33mhint\x1b[0m: x");
    }
}
