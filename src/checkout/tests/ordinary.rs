//! Trees that people have.

use std::fs;
use std::process::Command;

use git2::ObjectFormat;

use super::repo::{FILE, FOLDER, LINK, PROGRAM, Repo, SUBMODULE, contents, mode, named};
use crate::checkout::Exported;

#[test]
fn files_programs_links_and_folders_are_like_gits() {
    let repo = Repo::new();
    let tree = repo.tree_of(&[
        (FILE, "requirements.txt", b"flask\n"),
        (PROGRAM, "manage.py", b"#!/usr/bin/env python\n"),
        (FILE, "app/__init__.py", b""),
        (FILE, "app/deep/er/still/x", b"1"),
        (LINK, "current", b"app/deep"),
        (LINK, "dangling", b"/nowhere/at all"),
        (FILE, "with space/é你", &[0, 255, 10, 13, 10]),
    ]);
    let exported = repo.assert_like_git(tree);
    assert_eq!((exported.files, exported.links, exported.folders), (5, 2, 5));
    assert_eq!(exported.bytes, 6 + 22 + 1 + 5);
    assert!(exported.submodules.is_empty());
}

#[test]
fn an_empty_tree_writes_nothing() {
    let repo = Repo::new();
    let (into, exported) = repo.export(repo.tree(&[]));
    assert!(contents(into.path()).is_empty());
    assert_eq!(exported, Exported::default());
}

#[test]
fn an_empty_folder_in_a_tree_is_made() {
    let repo = Repo::new();
    let empty = repo.tree(&[]);
    let (into, exported) = repo.export(repo.tree(&[(FOLDER, b"empty", empty)]));
    assert!(into.path().join("empty").is_dir());
    assert_eq!(exported.folders, 1);
}

#[test]
fn a_subtree_can_be_exported_alone() {
    let repo = Repo::new();
    let inner = repo.tree(&[(FILE, b"x", repo.blob(b"inner"))]);
    repo.tree(&[(FOLDER, b"sub", inner)]);
    let (into, _) = repo.export(inner);
    assert_eq!(fs::read(into.path().join("x")).unwrap(), b"inner");
}

#[test]
fn names_that_are_not_utf8_are_written_as_they_are() {
    let repo = Repo::new();
    let blob = repo.blob(b"x");
    let inner = repo.tree(&[(FILE, b"\xff\xfe \x01", blob)]);
    let tree = repo.tree(&[(FILE, b"caf\xe9", blob), (FOLDER, b"d\xe9", inner)]);
    repo.assert_like_git(tree);
    let (into, _) = repo.export(tree);
    assert!(into.path().join(named(b"d\xe9/\xff\xfe \x01")).is_file());
}

#[test]
fn a_sha256_repository_works() {
    let repo = Repo::of(ObjectFormat::Sha256);
    let tree = repo.tree_of(&[
        (FILE, ".gitattributes", b"*.id ident\n"),
        (FILE, "a.id", b"$Id$\n"),
        (PROGRAM, "sub/run", b"x"),
        (SUBMODULE, "sub/module", b""),
    ]);
    repo.assert_like_git(tree);
}

#[test]
fn a_repository_with_reftable_works() {
    let repo = Repo::new();
    fs::remove_dir_all(repo.path()).unwrap();
    if repo.try_git(&["init", "-q", "--bare", "--ref-format=reftable", "."], b"").is_err() {
        // git before 2.45. The end-to-end tests list it among what they skipped.
        return;
    }
    let (into, _) = repo.export(repo.tree_of(&[(FILE, "a", b"x")]));
    assert_eq!(fs::read(into.path().join("a")).unwrap(), b"x");
}

#[test]
fn packed_deltas_are_read_like_loose_objects() {
    let repo = Repo::new();
    let long: Vec<String> = (0..2000).map(|line| format!("line {line}\n")).collect();
    let versions: Vec<Vec<u8>> = (0..30)
        .map(|version| {
            let mut lines = long.clone();
            lines[version * 7] = format!("changed {version}\n");
            lines.concat().into_bytes()
        })
        .collect();
    let names: Vec<String> =
        (0..30).map(|version| format!("d{}/f{version}", version % 4)).collect();
    let paths: Vec<_> = names
        .iter()
        .zip(&versions)
        .map(|(name, bytes)| (FILE, name.as_str(), bytes.as_slice()))
        .collect();
    let tree = repo.tree_of(&paths);
    repo.git(&["repack", "-adfq"], b"");
    repo.assert_like_git(tree);
}

#[test]
fn a_submodule_is_an_empty_folder_and_reported() {
    let repo = Repo::new();
    let tree = repo.tree_of(&[
        (
            FILE,
            ".gitmodules",
            b"[submodule \"x\"]\n\tpath = vendor/x\n\turl = --upload-pack=touch /tmp/no\n",
        ),
        (SUBMODULE, "vendor/x", b""),
        (SUBMODULE, "a", b""),
    ]);
    let (into, exported) = repo.export(tree);
    assert_eq!(exported.submodules, [named(b"a"), named(b"vendor/x")]);
    assert_eq!(exported.folders, 1);
    assert_eq!(fs::read_dir(into.path().join("vendor/x")).unwrap().count(), 0);
    assert_eq!(mode(&into.path().join("vendor/x")), 0o755);
}

#[test]
fn there_are_only_four_modes() {
    let repo = Repo::new();
    let blob = repo.blob(b"x");
    let tree = repo.tree(&[
        ("100664", b"group-writable", blob),
        ("100600", b"private", blob),
        ("104755", b"setuid", blob),
        ("101777", b"sticky", blob),
        (FOLDER, b"sub", repo.tree(&[])),
    ]);
    let (into, _) = repo.export(tree);
    let modes = ["group-writable", "private", "setuid", "sticky", "sub"]
        .map(|name| mode(&into.path().join(name)));
    assert_eq!(modes, [0o644, 0o644, 0o755, 0o755, 0o755]);
}

#[test]
fn the_umask_does_not_matter() {
    for umask in ["000", "022", "027", "077"] {
        // The umask is the whole process's, so the tests that run beside this one must not see it.
        let output = Command::new("sh")
            .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
            .arg(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "checkout::tests::ordinary::under_this_umask"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{umask}: {text}");
    }
}

#[test]
#[ignore = "run by the_umask_does_not_matter"]
fn under_this_umask() {
    // What git and the harness make is theirs; only the export runs under the umask.
    let umask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let repo = Repo::new();
    let tree = repo.tree_of(&[(FILE, "a/file", b"x"), (PROGRAM, "a/program", b"x")]);
    let into = tempfile::tempdir().unwrap();
    rustix::process::umask(umask);
    crate::checkout::export(&repo.open(), tree, into.path()).unwrap();
    let modes = ["a", "a/file", "a/program"].map(|name| mode(&into.path().join(name)));
    assert_eq!(modes, [0o755, 0o644, 0o755]);
}

#[test]
fn many_files_in_one_folder_and_many_folders_are_all_written() {
    let repo = Repo::new();
    let names: Vec<String> = (0..700)
        .map(|n| format!("all/file{n}"))
        .chain((0..300).map(|n| format!("in{}/d{n}/file", n % 7)))
        .collect();
    let paths: Vec<_> = names.iter().map(|name| (FILE, name.as_str(), name.as_bytes())).collect();
    let exported = repo.assert_like_git(repo.tree_of(&paths));
    assert_eq!((exported.files, exported.folders), (1000, 1 + 7 + 300));
}

#[test]
fn the_bare_repository_is_not_touched() {
    let repo = Repo::new();
    let tree = repo.tree_of(&[(FILE, "a", b"x"), (FILE, "b/c", b"y")]);
    let before = contents(&repo.path());
    repo.export(tree);
    assert!(before == contents(&repo.path()));
}

#[test]
fn configuration_and_attributes_of_the_server_are_ignored() {
    let repo = Repo::new();
    let tree = repo.tree_of(&[(FILE, "a.txt", b"one\ntwo\n")]);
    repo.git(&["config", "core.autocrlf", "true"], b"");
    fs::create_dir_all(repo.path().join("info")).unwrap();
    fs::write(repo.path().join("info/attributes"), "* eol=crlf\n").unwrap();
    let (into, _) = repo.export(tree);
    assert_eq!(fs::read(into.path().join("a.txt")).unwrap(), b"one\ntwo\n");
}
