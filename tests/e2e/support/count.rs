//! Counts the cases that the tests try, for the report of `scripts/test`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Reports how many cases a test tried. `scripts/test` adds them up.
pub(crate) fn count(what: &str, cases: usize) {
    eprintln!("{what}: {cases} cases");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cases.txt");
    let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(format!("{cases}\t{what}\n").as_bytes()).unwrap();
}
