//! What a page shows, compared with what is printed: what differs from run to run and from machine
//! to machine is not compared, and `…` stands for whatever is left out.

use std::sync::LazyLock;

use regex::Regex;

/// What differs, and what is compared in its place. The order matters.
static VARIES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let pattern = |pattern: &str| Regex::new(pattern).unwrap();
    vec![
        (pattern(r"127\.0\.0\.1:\d+"), "ADDRESS"),
        (pattern(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?Z?"), "TIME"),
        (pattern(r"\b\d+ (second|minute|hour|day)s? ago\b|\b(just )?now\b"), "TIME"),
        (pattern(r"\b\d+(\.\d+)+\b"), "NUMBER"),
        (pattern(r"\b\d+(\.\d+)? (s|ms|bytes|kB|KiB|MB|MiB|GB|GiB|B)\b"), "AMOUNT"),
        (pattern(r"\bNUMBER (s|ms|bytes|kB|KiB|MB|MiB|GB|GiB|B)\b"), "AMOUNT"),
        (pattern(r"\b[0-9a-f]{40}\b|\b[0-9a-f]{7}\b"), "COMMIT"),
        (pattern(r"\[.*\((root-commit|\w+)\) "), "[main "),
        (pattern(r"\s+"), " "),
    ]
});

/// Whether the lines that a page shows are those that were printed.
pub(super) fn agree(shown: &[String], printed: &[String]) -> bool {
    match shown {
        [] => printed.is_empty(),
        [elision, rest @ ..] if is_elision(elision) => {
            (0..=printed.len()).any(|left_out| agree(rest, &printed[left_out..]))
        }
        [line, rest @ ..] => printed
            .split_first()
            .is_some_and(|(first, more)| same(line, first) && agree(rest, more)),
    }
}

fn is_elision(line: &str) -> bool {
    line.trim_start_matches("remote:").trim() == "…"
}

fn same(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (compared(shown), compared(printed));
    let parts: Vec<_> = shown.split('…').map(regex::escape).collect();
    Regex::new(&format!("^{}$", parts.join(".*"))).unwrap().is_match(&printed)
}

fn compared(line: &str) -> String {
    let line = line.trim_end().to_owned();
    VARIES.iter().fold(line, |line, (varies, as_)| varies.replace_all(&line, *as_).into_owned())
}

#[test]
fn what_varies_is_not_compared_and_all_else_is() {
    let agree = |shown: &[&str], printed: &[&str]| {
        let lines = |lines: &[&str]| lines.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        agree(&lines(shown), &lines(printed))
    };
    assert!(agree(&["live in 1.24 s: 0a1b2c3"], &["live in 17 ms: fedcba9   "]));
    assert!(agree(&["Python 3.12.1"], &["Python 3.13.0"]));
    assert!(agree(&["a", "…", "z"], &["a", "b", "c", "z"]));
    assert!(agree(&["remote: …", "z"], &["z"]));
    assert!(agree(&["success: …, in 3 s"], &["success: deployment 1 is live, in 2.5 s"]));
    assert!(!agree(&["deployment 1"], &["deployment 2"]));
    assert!(!agree(&["a", "z"], &["a", "b", "z"]));
    assert!(!agree(&["a"], &["a", "b"]));
    assert!(!agree(&["a", "…", "y"], &["a", "b", "z"]));
}
