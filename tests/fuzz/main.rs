//! What has to hold for any bytes that nyala reads, tried with the fuzzer's corpus and with
//! thousands of inputs made from it.
//!
//! The same inputs each time: this finds what has been broken, and the fuzzer (fuzz/README.md) what
//! nobody has thought of.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is all that is asked"
)]
#![allow(clippy::disallowed_methods, reason = "tests may change the disk as they like")]
#![allow(clippy::disallowed_macros, reason = "the harness of the tests reads what they print")]

#[allow(unreachable_pub, reason = "it is a crate of its own for the fuzzer")]
#[path = "../../fuzz/src/lib.rs"]
mod checks;
#[path = "../e2e/support/count.rs"]
mod count;
mod mutate;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use checks::{TARGETS, Target};
use count::count;
use mutate::{Mutator, words};
use rustix::time::{ClockId, clock_gettime};

/// How many inputs are made for each target.
const MADE: usize = 3000;

/// How many bytes a long input has.
const LONG: usize = 60_000;

/// What takes less of a processor's time is not worth a second look.
const NOTICEABLE: Duration = Duration::from_millis(50);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The files of a target's corpus, always in the same order.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = folder().join("corpus").join(target.name);
    let files: BTreeSet<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn dictionary(target: &Target) -> Vec<Vec<u8>> {
    words(&fs::read_to_string(folder().join(format!("dictionaries/{}.dict", target.name))).unwrap())
}

/// Tries one input. One that fails is kept, for the fuzzer and its corpus.
fn try_it(target: &Target, input: &[u8]) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.check)(input))) else { return };
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", target.name));
    fs::write(&file, input).unwrap();
    eprintln!("that was for {:?}, which is in {}", String::from_utf8_lossy(input), file.display());
    resume_unwind(panic)
}

fn any_input(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let corpus = corpus(target);
    for input in &corpus {
        try_it(target, input);
    }
    let mut mutator = Mutator::new(&corpus, dictionary(target));
    for _ in 0..MADE {
        try_it(target, &mutator.next());
    }
    count(&format!("input: {name}"), corpus.len() + MADE);
}

fn long_inputs(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    for piece in
        corpus(target).into_iter().chain(dictionary(target)).filter(|piece| !piece.is_empty())
    {
        let again_and_again = |length: usize| -> Duration {
            let input: Vec<u8> = piece.iter().copied().cycle().take(length).collect();
            let before = processor_time();
            try_it(target, &input);
            processor_time().saturating_sub(before)
        };
        let long = again_and_again(LONG);
        if long < NOTICEABLE {
            continue;
        }
        // What is four times as long takes four times as long; sixteen times, where each byte is
        // compared with each other.
        let short = again_and_again(LONG / 4).max(again_and_again(LONG / 4));
        let long = long.min(again_and_again(LONG));
        let shown = String::from_utf8_lossy(&piece);
        assert!(
            long < short * 9,
            "{long:?} and, for a fourth of it, {short:?}: {shown:?}, again and again"
        );
    }
}

/// What this thread has had of a processor, whatever else the machine does.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// Two tests for each target.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        mod holds_for_any {
            $(#[test] fn $name() { super::any_input(stringify!($name)); })*
        }
        mod is_quick_about_a_long {
            $(#[test] fn $name() { super::long_inputs(stringify!($name)); })*
        }
        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

tests! {
    deployment_file,
    log,
    nyala_toml,
    pdm_lock,
    pipfile_lock,
    poetry_lock,
    proc_receive,
    pylock,
    pyproject,
    python_version,
    records,
    refs,
    requirements,
    runtime_txt,
    settings_env,
    uv_lock,
}

#[test]
fn every_target_is_tested_here_and_known_to_the_fuzzer() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, TESTED);
    let manifest: toml::Table =
        fs::read_to_string(folder().join("Cargo.toml")).unwrap().parse().unwrap();
    let programs =
        manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap());
    assert_eq!(programs.collect::<Vec<_>>(), names);
    for target in TARGETS {
        let program =
            fs::read_to_string(folder().join(format!("targets/{}.rs", target.name))).unwrap();
        assert!(
            program.contains(&format!("nyala_fuzz::{}::check(data)", target.name)),
            "{program}"
        );
        assert!(corpus(target).len() >= 5, "{} has a small corpus", target.name);
    }
}

/// Otherwise only the errors of the parser are tried.
#[test]
fn the_records_and_markers_of_the_corpus_can_be_read() {
    let read = |name: &str| fs::read(folder().join("corpus/records").join(name)).unwrap();
    for name in ["marker", "marker_27", "marker_rc"] {
        serde_json::from_slice::<nyala::python::env::Marker>(&read(name)).unwrap();
    }
    for name in ["failed", "interrupted", "pending", "rollback", "succeeded", "superseded"] {
        serde_json::from_slice::<nyala::site::Record>(&read(name)).unwrap();
    }
    for name in ["retired", "retired_by_hand"] {
        serde_json::from_slice::<nyala::python::env::marker::Retired>(&read(name)).unwrap();
    }
}
