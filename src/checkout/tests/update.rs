//! A standing folder that is updated forward.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use git2::ObjectFormat;

use super::repo::{FILE, FOLDER, Item, LINK, PROGRAM, Repo, SUBMODULE, Standing, contents};
use crate::checkout::{Cancelled, export_unless};

/// A tree with some of everything, in which one file is different.
pub(super) fn tree(repo: &Repo, changing: &str) -> git2::Oid {
    repo.tree_of(&[
        (FILE, "changing", changing.as_bytes()),
        (FILE, "requirements.txt", b"flask\n"),
        (PROGRAM, "manage.py", b"#!/usr/bin/env python\n"),
        (FILE, "app/__init__.py", b""),
        (FILE, "app/deep/er/file", b"1"),
        (FILE, "app/deep/other", b"2"),
        (LINK, "link", b"app/deep"),
        (SUBMODULE, "vendor/x", b""),
    ])
}

pub(super) fn standing(repo: &Repo) -> Standing<'_> {
    repo.standing(tree(repo, "one"))
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

#[test]
fn the_same_tree_again_writes_nothing() {
    let repo = Repo::new();
    let mut standing = standing(&repo);
    let updated = standing.update(standing.tree);
    assert_eq!((updated.written, updated.removed), (0, 0));
}

#[test]
fn one_file_changed_is_the_only_one_written() {
    let repo = Repo::new();
    let mut standing = standing(&repo);
    let kept = standing.folder().join("app/deep/other");
    let before = inode(&kept);
    let updated = standing.update(tree(&repo, "two"));
    assert_eq!((updated.written, updated.removed), (1, 0));
    assert_eq!(inode(&kept), before);

    // And back.
    let updated = standing.update(tree(&repo, "one"));
    assert_eq!((updated.written, updated.removed), (1, 0));
}

#[test]
fn anything_can_become_anything_else() {
    let repo = Repo::new();
    let blob = repo.blob(b"x\n");
    let other = repo.blob(b"y\n");
    let inner =
        repo.tree(&[(FILE, b"file", blob), (FOLDER, b"sub", repo.tree(&[(FILE, b"f", other)]))]);
    let empty = repo.tree(&[]);
    let states = [
        None,
        Some((FILE, blob)),
        Some((FILE, other)),
        Some((PROGRAM, blob)),
        Some((LINK, blob)),
        Some((LINK, other)),
        Some((FOLDER, inner)),
        Some((FOLDER, empty)),
        Some((SUBMODULE, blob)),
    ];
    let tree = |state: Option<(&'static str, git2::Oid)>| {
        let own: Vec<_> = state.iter().map(|(mode, id)| (*mode, b"it".as_slice(), *id)).collect();
        let own = repo.tree(&own);
        repo.tree(&[(FILE, b"beside", blob), (FOLDER, b"in", own)])
    };
    for from in states {
        for to in states {
            repo.standing(tree(from)).update(tree(to));
        }
    }
}

#[test]
fn renames_that_change_only_the_case_are_followed() {
    let repo = Repo::new();
    let mut standing =
        repo.standing(repo.tree_of(&[(FILE, "Readme", b"x"), (FILE, "Lib/a", b"1")]));
    standing.update(repo.tree_of(&[(FILE, "README", b"x"), (FILE, "lib/a", b"1")]));
    standing.update(repo.tree_of(&[
        (FILE, "README", b"x"),
        (FILE, "readme", b"y"),
        (FILE, "LIB/A", b"1"),
    ]));
}

#[test]
fn attributes_that_change_convert_blobs_that_do_not() {
    let repo = Repo::new();
    let with = |attributes: &[(&'static str, &'static [u8])]| {
        let mut paths = vec![
            (FILE, "a.txt", b"one\ntwo\n".as_slice()),
            (FILE, "sub/b.txt", b"$Id$\n"),
            (FILE, "sub/deep/c.txt", b"x\n"),
            (FILE, "sub/deep/d.bin", b"x\n"),
            (LINK, "sub/deep/link", b"x\n"),
        ];
        paths.extend(attributes.iter().map(|(path, bytes)| (FILE, *path, *bytes)));
        repo.tree_of(&paths)
    };
    let trees = [
        with(&[]),
        with(&[(".gitattributes", b"*.txt eol=crlf\n")]),
        with(&[(".gitattributes", b"*.txt eol=crlf ident\n")]),
        with(&[(".gitattributes", b"[attr]dos eol=crlf\n*.txt dos\n")]),
        with(&[(".gitattributes", b"[attr]dos eol=lf\n*.txt dos\n")]),
        with(&[("sub/.gitattributes", b"*.txt ident\n")]),
        with(&[
            ("sub/deep/.gitattributes", b"* eol=crlf\n"),
            (".gitattributes", b"*.txt working-tree-encoding=UTF-16\n"),
        ]),
        with(&[("sub/deep/.gitattributes", b"*.txt !eol\n"), (".gitattributes", b"* eol=crlf\n")]),
    ];
    for from in trees {
        for to in trees {
            repo.standing(from).update(to);
        }
    }
    let mut standing = repo.standing(trees[0]);
    let updated = standing.update(trees[1]);
    // The three texts, and the attributes themselves.
    assert_eq!(updated.written, 4);
}

#[test]
fn hostile_trees_are_refused_here_as_well() {
    let repo = Repo::new();
    let blob = repo.blob(b"x");
    let outside = repo.blob(repo.precious().as_os_str().as_encoded_bytes());
    let inner = repo.tree(&[(FILE, b"file", blob)]);
    for entries in [
        vec![(FILE, b".git".as_slice(), blob)],
        vec![(FILE, b"..", blob)],
        vec![(FOLDER, b"..", inner)],
        vec![(FOLDER, b"a/b", inner)],
        vec![(LINK, b"twice", outside), (FOLDER, b"twice", inner)],
        vec![(FOLDER, b"twice", inner), (LINK, b"twice", outside)],
        vec![(LINK, b"twice", outside), (FILE, b"twice", blob)],
    ] {
        let mut standing = standing(&repo);
        let text = standing.try_update(repo.tree(&entries)).unwrap_err().to_string();
        assert!(text.contains("cannot be written") || text.contains("two entries"), "{text}");
    }
    // Push 1 has a link, push 2 has a file below it.
    let mut standing = repo.standing(repo.tree(&[(LINK, b"link", outside)]));
    standing.update(repo.tree(&[(FOLDER, b"link", inner)]));
    standing.update(repo.tree(&[(LINK, b"link", outside)]));
}

#[test]
fn a_tree_of_a_sha256_repository_is_updated() {
    let repo = Repo::of(ObjectFormat::Sha256);
    let mut standing = standing(&repo);
    assert_eq!(standing.update(tree(&repo, "two")).written, 1);
}

#[test]
fn deep_trees_are_updated() {
    let repo = Repo::new();
    let make = |text: &str, depth: usize| {
        let mut tree = repo.tree(&[(FILE, b"bottom", repo.blob(text.as_bytes()))]);
        let file = repo.blob(b"x");
        for _ in 0..depth {
            tree = repo.tree(&[(FOLDER, b"d", tree), (FILE, b"file", file)]);
        }
        tree
    };
    let mut standing = repo.standing(make("one", 120));
    assert_eq!(standing.update(make("two", 120)).written, 1);
    standing.update(make("two", 60));
    standing.update(make("two", 110));
}

#[test]
fn large_folders_are_shared_and_updated() {
    let repo = Repo::new();
    let make = |different: usize, last: usize| {
        let names: Vec<String> = (0..last)
            .map(|n| format!("all/file{n}"))
            .chain((0..100).map(|n| format!("all/d{n}/f")))
            .collect();
        let paths: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(n, name)| {
                (FILE, name.as_str(), if n % 100 == different { b"y".as_slice() } else { b"x" })
            })
            .collect();
        repo.tree_of(&paths)
    };
    let mut standing = repo.standing(make(1, 500));
    assert_eq!(standing.update(make(2, 500)).written, 12);
    assert_eq!(standing.update(make(2, 600)).written, 100);
    assert_eq!(standing.update(make(2, 10)).removed, 590);
    // All of the files of one folder differ, and all threads write them.
    let all = |text: &'static [u8]| {
        let names: Vec<String> = (0..300).map(|n| format!("all/file{n}")).collect();
        let paths: Vec<_> = names.iter().map(|name| (FILE, name.as_str(), text)).collect();
        repo.tree_of(&paths)
    };
    standing.update(all(b"one"));
    assert_eq!(standing.update(all(b"two")).written, 300);
}

#[test]
fn pointers_and_submodules_are_known_of_what_was_not_written() {
    let repo = Repo::new();
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n",
        "ab".repeat(32)
    );
    let make = |paths: &[(&'static str, &str, &[u8])]| repo.tree_of(paths);
    let mut standing = repo.standing(make(&[
        (FILE, "a/large", pointer.as_bytes()),
        (FILE, "b/large", pointer.as_bytes()),
        (FILE, "page", b"1"),
        (SUBMODULE, "b/lib", b""),
        (SUBMODULE, "lib", b""),
    ]));
    let updated = standing.update(make(&[
        (FILE, "a/large", pointer.as_bytes()),
        (FILE, "b/large", pointer.as_bytes()),
        (FILE, "page", b"2"),
        (SUBMODULE, "b/lib", b""),
        (SUBMODULE, "lib", b""),
    ]));
    assert_eq!(updated.written, 1);
    assert_eq!(updated.exported.pointers, ["a/large", "b/large"].map(PathBuf::from));
    assert_eq!(updated.exported.submodules, ["b/lib", "lib"].map(PathBuf::from));
    let updated = standing.update(make(&[
        (FILE, "a/large", b"small"),
        (FILE, "new", pointer.as_bytes()),
        (SUBMODULE, "lib", b""),
    ]));
    assert_eq!(updated.exported.pointers, ["new"].map(PathBuf::from));
    assert_eq!(updated.exported.submodules, ["lib"].map(PathBuf::from));
}

#[test]
fn files_with_a_filter_are_known_of_what_was_not_written() {
    let repo = Repo::new();
    let attributes = b"*.key filter=git-crypt\n*.bin filter=lfs\n*.plain -filter\n";
    let make = |page: &[u8], below: &[u8]| {
        repo.tree_of(&[
            (FILE, ".gitattributes", attributes),
            (FILE, "a.bin", b"1"),
            (FILE, "a.key", b"1"),
            (FILE, "a.plain", b"1"),
            (FILE, "deep/down/.gitattributes", below),
            (FILE, "deep/down/b.txt", b"1"),
            (FILE, "page", page),
        ])
    };
    let mut standing = repo.standing(make(b"1", b"*.txt filter=other\n"));
    let updated = standing.update(make(b"2", b"*.txt filter=other\n"));
    assert_eq!(updated.written, 1);
    assert_eq!(updated.exported.unfiltered, ["a.key", "deep/down/b.txt"].map(PathBuf::from));
    let updated = standing.update(make(b"2", b""));
    assert_eq!(updated.exported.unfiltered, ["a.key"].map(PathBuf::from));
}

#[test]
fn what_is_not_as_it_was_written_is_an_error() {
    type Change = fn(&Path, &Path);
    let changes: [(&str, Change); 5] = [
        ("a file that has to go is gone", |root, _| {
            fs::remove_file(root.join("changing")).unwrap();
        }),
        ("a folder in its place", |root, _| {
            fs::remove_file(root.join("changing")).unwrap();
            fs::create_dir(root.join("changing")).unwrap();
        }),
        ("something more in a folder that has to go", |root, _| {
            fs::write(root.join("app/deep/more"), "").unwrap();
        }),
        ("a link in place of a folder", |root, precious| {
            fs::remove_dir_all(root.join("app")).unwrap();
            symlink(precious, root.join("app")).unwrap();
        }),
        ("all is gone", |root, _| fs::remove_dir_all(root).unwrap()),
    ];
    for (what, change) in changes {
        let repo = Repo::new();
        let mut standing = standing(&repo);
        change(&standing.folder(), &repo.precious());
        let smaller = repo.tree_of(&[(FILE, "changing", b"two"), (FILE, "app/__init__.py", b"")]);
        assert!(standing.try_update(smaller).is_err(), "{what}");
    }
}

#[test]
fn nothing_is_written_through_a_link_that_somebody_put_there() {
    let repo = Repo::new();
    let make = |text: &str| repo.tree_of(&[(FILE, "file", text.as_bytes())]);
    let mut standing = repo.standing(make("one"));
    let file = standing.folder().join("file");
    fs::remove_file(&file).unwrap();
    symlink(repo.precious().join("file"), &file).unwrap();
    // `try_update` sees to it that what is precious is as it was.
    let _ = standing.try_update(make("two"));
    let mut standing = repo.standing(make("one"));
    let file = standing.folder().join("file");
    fs::remove_file(&file).unwrap();
    fs::hard_link(repo.precious().join("file"), &file).unwrap();
    let _ = standing.try_update(make("two"));
}

#[test]
fn an_object_that_is_missing_is_an_error() {
    let repo = Repo::new();
    let missing = git2::Oid::from_str(&"12".repeat(20)).unwrap();
    let broken = repo.tree(&[(FILE, b"changing", repo.blob(b"half")), (FILE, b"zz", missing)]);
    assert!(standing(&repo).try_update(broken).is_err());
    assert!(standing(&repo).try_update(missing).is_err());
    let mut standing = standing(&repo);
    let right = standing.tree;
    standing.tree = missing;
    assert!(standing.try_update(right).is_err());
}

#[test]
fn an_export_that_is_of_no_use_any_more_is_given_up() {
    let repo = Repo::new();
    let files: Vec<String> = (0..500).map(|n| format!("d{}/file{n}", n % 7)).collect();
    let paths: Vec<_> = files.iter().map(|name| (FILE, name.as_str(), b"x".as_slice())).collect();
    let tree = repo.tree_of(&paths);
    let into = tempfile::tempdir().unwrap();
    let asked = AtomicU64::new(0);
    let is_cancelled = || asked.fetch_add(1, Ordering::Relaxed) >= 100;
    let error = export_unless(&repo.open(), tree, into.path(), &is_cancelled).unwrap_err();
    assert!(error.is::<Cancelled>(), "{error:#}");
    let written = contents(into.path()).into_values();
    assert_eq!(written.filter(|item| matches!(item, Item::File { .. })).count(), 100);
}
