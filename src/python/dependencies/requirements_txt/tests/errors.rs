//! What keeps pip from reading, and how it is said.

use insta::assert_snapshot;

use super::*;

#[test]
fn a_missing_file_names_the_line_that_wants_it() {
    assert_snapshot!(error(&MemoryTree::of(&[("requirements.txt", "flask\n-r base.txt")])), @"
    base.txt is not in the commit
    found: requirements.txt line 2: -r base.txt
    1. If it exists but is not tracked, add it: git add -f base.txt
    2. Or remove the line that names it
    3. Commit, and push again
    ");
    assert_snapshot!(error(&MemoryTree::of(&[("requirements.txt", "./lib")])), @"
    lib is not in the commit
    found: requirements.txt line 1: ./lib
    1. If it exists but is not tracked, add it: git add -f lib
    2. Or remove the line that names it
    3. Commit, and push again
    ");
    assert_snapshot!(error(&MemoryTree::default()), @"
    requirements.txt is not in the commit
    1. If it exists but is not tracked, add it: git add -f requirements.txt
    2. Or correct what names it: file under [dependencies] in nyala.toml, or the app setting CUSTOM_REQUIREMENTSTXT_PATH
    3. Commit, and push again
    ");
}

#[test]
fn what_is_no_file_is_said() {
    assert_snapshot!(error(&MemoryTree::of(&[("requirements.txt/a.txt", "")])), @"
    requirements.txt is a folder, not a requirements file
    1. Name a file that is tracked in this repository
    2. Commit, and push again
    ");
    let pointer = "version https://git-lfs.github.com/spec/v1\n";
    let tree = MemoryTree::of(&[("requirements.txt", pointer)]);
    assert_snapshot!(error(&tree), @"
    requirements.txt is kept in Git LFS, not a requirements file
    1. Name a file that is tracked in this repository
    2. Commit, and push again
    ");
    assert_snapshot!(
        error(&MemoryTree::of(&[("requirements.txt", "-r v/r.txt")]).submodule("v", "1")),
        @"
    v/r.txt is in a submodule that is not checked out, not a requirements file
    found: requirements.txt line 1: -r v/r.txt
    1. Name a file that is tracked in this repository
    2. Commit, and push again
    ");
}

#[test]
fn a_merge_that_was_not_finished_is_found_in_each_file() {
    let marked = "flask\n<<<<<<< HEAD\nsix==1.0\n=======\nsix==2.0\n>>>>>>> other\n";
    let tree = MemoryTree::of(&[("requirements.txt", "-c limits.txt\n"), ("limits.txt", marked)]);
    assert_snapshot!(error(&tree), @"
    limits.txt has merge conflict markers
    found: line 2
    Resolve the conflict, commit, and push again
    ");
}

#[test]
fn a_link_out_of_the_commit_is_not_followed() {
    assert_snapshot!(error(&MemoryTree::default().link("requirements.txt", "/etc/passwd")), @"
    requirements.txt is reached through a link that leaves the commit
    found: requirements.txt -> /etc/passwd
    1. Track the file itself, or link to a file that is tracked in this repository
    2. Commit, and push again
    ");
    assert_snapshot!(
        error(&MemoryTree::of(&[("requirements.txt", "-c d/c.txt")]).link("d", "../../precious")),
        @"
    d/c.txt is reached through a link that leaves the commit
    found: requirements.txt line 1: -c d/c.txt
    found: d -> ../../precious
    1. Track the file itself, or link to a file that is tracked in this repository
    2. Commit, and push again
    ");
    let circle = MemoryTree::default().link("requirements.txt", "a").link("a", "requirements.txt");
    assert_snapshot!(error(&circle), @"
    requirements.txt cannot be reached: its symbolic links form a loop
    Track the file itself instead of a link, commit, and push again
    ");
}

#[test]
fn a_file_outside_is_not_read_however_it_is_named() {
    assert_snapshot!(error(&MemoryTree::of(&[("requirements.txt", "flask\n-r ../base.txt")])), @"
    ../base.txt is outside the deployed folder, and nothing is read from there
    found: requirements.txt line 2: -r ../base.txt
    1. Commit a copy of the file inside the deployed folder, and name that
    2. Or remove the line that names it
    3. Commit, and push again
    ");
    for line in [
        "-r .././../x.txt",
        "-c /etc/passwd",
        "-c/etc/passwd",
        "--constraint=../../x.txt",
        "-r file:///etc/passwd",
        "-r FILE:/etc/passwd",
        "-r file://localhost/%65tc/passwd",
        "-r ${HOME}/x.txt",
        "--of-a-newer-pip x -r /etc/passwd",
    ] {
        let tree = MemoryTree::of(&[("requirements.txt", "-r a/b.txt"), ("a/b.txt", line)]);
        let home = |_: &str| Some("/root".to_owned());
        let error = closure(&tree, "requirements.txt", &home).unwrap_err().to_string();
        assert!(error.contains("is outside the deployed folder"), "{line}: {error}");
    }
    // A setting that is not set here may be set for pip.
    let unset = error(&MemoryTree::of(&[("requirements.txt", "-r ${X}"), ("${X}", "flask")]));
    assert!(unset.contains("${X} is not in the commit"), "{unset}");
    // To pip this is a path.
    let tree = MemoryTree::of(&[("requirements.txt", "-r ftp://passwd")]).link("ftp:", "/etc");
    assert!(error(&tree).contains("found: ftp: -> /etc"), "{}", error(&tree));
}

#[test]
fn a_circle_is_shown() {
    let tree = MemoryTree::of(&[
        ("requirements.txt", "-r a/b.txt"),
        ("a/b.txt", "-c ../requirements.txt"),
    ]);
    assert_snapshot!(error(&tree), @"
    requirements files include each other in a loop
    found: requirements.txt -> a/b.txt -> requirements.txt
    Remove one of these -r or -c lines, commit, and push again
    ");
}

#[test]
fn what_is_too_large_is_not_read() {
    let tree = MemoryTree::default().with("requirements.txt", "#".repeat(11 << 20));
    assert_snapshot!(error(&tree), @"
    requirements.txt is too large
    found: the requirements files have 11534336 bytes up to here
    allowed: 10485760 bytes
    Check that it is the right file, commit, and push again
    ");
    let chain = (0..200).fold(MemoryTree::of(&[("requirements.txt", "-r 0.txt")]), |tree, n| {
        tree.with(&format!("{n}.txt"), format!("-r {}.txt", n + 1))
    });
    assert_snapshot!(error(&chain), @"
    the requirements have more than 100 levels of -r
    found: the last one read is 99.txt
    Remove what is not needed, commit, and push again
    ");
}

#[test]
fn an_encoding_nobody_can_read_says_where() {
    struct Latin;
    impl Tree for Latin {
        fn entry(&self, path: &str) -> Result<Entry> {
            let id = String::new();
            Ok(if path.is_empty() { Entry::Folder { id } } else { Entry::File { id } })
        }
        fn list(&self, _: &str) -> Result<Vec<(String, Entry)>> {
            Ok(Vec::new())
        }
        fn size(&self, _: &str) -> Result<u64> {
            Ok(4)
        }
        fn read(&self, _: &str) -> Result<Vec<u8>> {
            Ok(b"# \xe9\n".to_vec())
        }
    }
    assert_snapshot!(closure(&Latin, "requirements.txt", &none).unwrap_err(), @"
    requirements.txt is not UTF-8: byte 0xe9 in line 1
    1. Save it as UTF-8, commit, and push again
    2. Or declare its encoding in its first line: # -*- coding: latin-1 -*-
    ");
}

#[test]
fn a_line_no_pip_reads_is_shown_without_its_secrets() {
    assert_snapshot!(
        error(&MemoryTree::of(&[("requirements.txt", "-i 'https://u:hunter2@h/\u{1b}[31m")])),
        @r"
    requirements.txt line 1 cannot be read: a quotation mark is not closed
    found: -i 'https://****@h/\u{1b}[31m
    Correct the line, commit, and push again
    ");
}

#[test]
fn an_object_that_cannot_be_read_is_an_error() {
    assert_eq!(error(&MemoryTree::of(&[("requirements.txt", "unreadable")])), "the object is gone");
}
