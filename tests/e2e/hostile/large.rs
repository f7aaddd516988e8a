//! Trees that are extremely deep or wide, or have very long paths.

use std::fmt::Write;
use std::fs;

use super::{Attacker, FILE, Target};
use crate::support::{Sandbox, Site};

/// A tree in which each of `levels` folders holds the next and a file.
fn nested(attacker: &Attacker<'_>, levels: usize, name: &str) -> String {
    let file = attacker.blob("x");
    let mut stream =
        "commit refs/heads/made\ncommitter T <t@example.org> 1700000000 +0000\ndata 0\n".to_owned();
    let mut path = String::new();
    for _ in 0..levels {
        writeln!(stream, "M {FILE} {file} {path}file").unwrap();
        path = format!("{path}{name}/");
    }
    writeln!(stream, "M {FILE} {file} {path}file\ndone").unwrap();
    let input = attacker.project.path.join(".git/stream");
    fs::write(&input, stream).unwrap();
    attacker.git_with_input(
        &["-c", "core.maxTreeDepth=4096", "fast-import", "--quiet", "--force", "--done"],
        &input,
    );
    attacker.project.git(&["rev-parse", "made^{tree}"])
}

#[test]
fn a_thousand_nested_folders_are_deployed_and_removed() {
    let target = Target::new();
    let site = &target.site;
    site.configure("keep = 1");
    let attacker = target.attacker();
    attacker.assert_refused(&nested(&attacker, 30, &"n".repeat(200)), "the system allows 4095");
    attacker.push(&nested(&attacker, 1000, "d")).assert_success();
    assert!(site.live_log().contains("1001 files, 1000 folders"));
    assert!(site.path.join("wwwroot").join("d/".repeat(1000)).join("file").is_file());
    // They are taken out, and what is left of them is brought forward.
    for page in ["two", "three"] {
        attacker.push(&attacker.tree_of(&[(FILE, "page", page)])).assert_success();
        assert_eq!(site.live_file("page"), page);
    }
    attacker.done("depth");
}

#[test]
fn two_hundred_thousand_entries_are_deployed() {
    let sandbox = Sandbox::in_memory(env!("CARGO_BIN_EXE_nyala").into());
    let target = Target::of(Site::in_sandbox(sandbox, "site", &[]));
    let attacker = target.attacker();
    let empty = attacker.blob("");
    let names: Vec<String> = (0..200_000).map(|number| format!("{number:06}")).collect();
    let entries: Vec<_> =
        names.iter().map(|name| (FILE, name.as_bytes(), empty.as_str())).collect();
    attacker.push(&attacker.tree(&entries)).assert_success();
    assert!(target.site.live_log().contains("200000 files, 0 folders, 0 bytes"));
    assert_eq!(fs::read_dir(target.site.path.join("wwwroot/.")).unwrap().count(), 200_000);
    attacker.push(&attacker.tree(&[(FILE, b"page", &empty)])).assert_success();
    attacker.done("width");
}

#[test]
fn attributes_that_would_fill_the_memory_are_refused() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    project.write(".gitattributes", "*.txt text\n".repeat(100_001)).write("a.txt", "");
    project.push().assert_failed_with("\".gitattributes\" is too long");
    project.write(".gitattributes", "*.txt text\n\n".repeat(100_000)).push().assert_success();
}
