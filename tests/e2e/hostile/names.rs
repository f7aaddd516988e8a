//! Entries that git would not check out, and unusual names.

use std::fs;

use super::{FILE, FOLDER, GITLINK, LINK, PROGRAM, Target};

#[test]
fn entries_that_git_would_not_check_out_are_refused() {
    let target = Target::new();
    let site = &target.site;
    let attacker = target.attacker();
    let file = attacker.blob("evil");
    let outside = attacker.blob(target.precious.name(""));
    let folder = attacker.tree(&[(FILE, b"file", &file)]);
    let one = |mode, name: &[u8], id: &str| attacker.tree(&[(mode, name, id)]);
    let two = |first, second: &str, [one, two]: [&str; 2]| {
        attacker.tree(&[(first, b"twice", one), (second, b"twice", two)])
    };
    let long = [b'n'; 4096];
    let not_a_name = "cannot be written: its name ";
    let twice = "the tree has two entries with that name";
    let trees = [
        (one(FOLDER, b".", &folder), not_a_name),
        (one(FOLDER, b"..", &folder), not_a_name),
        (one(FILE, b"..", &file), not_a_name),
        (one(LINK, b"..", &outside), not_a_name),
        (one(GITLINK, b"..", &file), not_a_name),
        (one(FOLDER, b".git", &folder), not_a_name),
        (one(LINK, b".git", &outside), not_a_name),
        (one(GITLINK, b".git", &file), not_a_name),
        (one(FOLDER, b".GIT", &folder), not_a_name),
        (one(FOLDER, b"git~1", &folder), not_a_name),
        (one(FOLDER, b".git ", &folder), not_a_name),
        (one(FOLDER, b".git.", &folder), not_a_name),
        (one(FOLDER, ".g\u{200c}it".as_bytes(), &folder), not_a_name),
        (one(FILE, b"a/b", &file), not_a_name),
        (one(FILE, b"../../../precious/file", &file), not_a_name),
        (one(FILE, target.precious.name("file").as_bytes(), &file), not_a_name),
        (one(FOLDER, b"sub", &one(FOLDER, b"..", &folder)), "\"sub/..\""),
        (two(LINK, FOLDER, [&outside, &folder]), twice),
        (two(FOLDER, LINK, [&folder, &outside]), twice),
        (two(LINK, FILE, [&outside, &file]), twice),
        (two(FILE, PROGRAM, [&file, &file]), twice),
        (two(LINK, GITLINK, [&outside, &file]), twice),
        (one(LINK, b".gitmodules", &outside), "git does not allow a link with that name"),
    ];
    // git itself refuses them, unless it is configured not to.
    site.sandbox.git(&site.repository, &["config", "receive.fsckObjects", "true"]);
    for (tree, _) in &trees {
        let push = attacker.push(tree);
        assert!(!push.accepted && push.stderr.contains("unpacker error"), "{}", push.stderr);
    }
    site.sandbox.git(&site.repository, &["config", "receive.fsckObjects", "false"]);
    for (tree, why) in &trees {
        attacker.assert_refused(tree, why);
    }
    attacker.assert_refused(&one(FILE, &long, &file), "(4096 bytes)");
    attacker.assert_refused(
        &one(FOLDER, &long[..256], &folder),
        "a name of 256 bytes; file systems allow 255",
    );
    attacker.done("names that are refused");
}

#[test]
fn odd_but_valid_names_are_deployed() {
    let target = Target::new();
    let attacker = target.attacker();
    let file = attacker.blob("content");
    let folder = attacker.tree(&[(FILE, b"file", &file)]);
    // Two that differ only in case, the longest possible one, and names that a shell would expand;
    // unsorted.
    let names: [&[u8]; 9] = [
        b"a",
        b"A",
        &[b'n'; 255],
        b"-rf",
        b"$(touch ran)",
        b"--help",
        b"...",
        b"\xff\xfe",
        b"back\\slash",
    ];
    let mut entries: Vec<_> = names.iter().map(|name| (FILE, *name, file.as_str())).collect();
    entries.push((FOLDER, b"B", &folder));
    entries.push((FOLDER, b"b", &folder));
    attacker.push(&attacker.tree(&entries)).assert_success();
    assert!(target.site.live_log().contains("11 files, 2 folders"));
    let wwwroot = target.site.path.join("wwwroot");
    assert_eq!(fs::read_dir(wwwroot.join(".")).unwrap().count(), 11);
    attacker.done("names that are kept");
}
