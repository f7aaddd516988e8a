//! A standing folder that is updated forward.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use git2::ObjectFormat;

use super::repo::{FILE, FOLDER, LINK, PROGRAM, Repo, SUBMODULE, Standing, mode, named};

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

/// Lets the clock of the file system advance, so that what was written before is settled.
fn settle() {
    std::thread::sleep(Duration::from_millis(30));
}

pub(super) fn standing(repo: &Repo) -> Standing<'_> {
    let standing = repo.standing(tree(repo, "one"));
    settle();
    standing
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

#[test]
fn the_same_tree_again_writes_nothing() {
    let repo = Repo::new();
    let mut standing = standing(&repo);
    let updated = standing.bring(standing.tree);
    assert_eq!((updated.written, updated.removed, updated.repaired), (0, 0, 0));
    assert_eq!(updated.touched.as_deref(), Some([].as_slice()));
}

#[test]
fn one_file_changed_is_the_only_one_written() {
    let repo = Repo::new();
    let mut standing = standing(&repo);
    let kept = standing.folder().join("app/deep/other");
    let before = inode(&kept);
    let updated = standing.bring(tree(&repo, "two"));
    assert_eq!((updated.written, updated.removed, updated.repaired), (1, 0, 0));
    assert_eq!(updated.touched.unwrap(), [named(b""), named(b"changing")]);
    assert_eq!(inode(&kept), before);

    // And back, from the manifest that was written now, whether what it says is settled or not.
    let updated = standing.bring(tree(&repo, "one"));
    assert_eq!((updated.written, updated.removed, updated.repaired), (1, 0, 0));
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
            repo.standing(tree(from)).bring(tree(to));
        }
    }
}

#[test]
fn renames_that_change_only_the_case_are_followed() {
    let repo = Repo::new();
    let mut standing =
        repo.standing(repo.tree_of(&[(FILE, "Readme", b"x"), (FILE, "Lib/a", b"1")]));
    standing.bring(repo.tree_of(&[(FILE, "README", b"x"), (FILE, "lib/a", b"1")]));
    standing.bring(repo.tree_of(&[
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
            repo.standing(from).bring(to);
        }
    }
    let mut standing = repo.standing(trees[0]);
    let updated = standing.bring(trees[1]);
    // The three texts, and the attributes themselves.
    assert_eq!((updated.written, updated.repaired), (4, 0));
}

#[test]
fn what_somebody_changed_is_repaired() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 14] = [
        ("written into", |root| fs::write(root.join("app/deep/other"), "3").unwrap()),
        ("written into, its time set back", |root| {
            let path = root.join("app/deep/other");
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            fs::write(&path, "3").unwrap();
            fs::File::open(&path).unwrap().set_modified(modified).unwrap();
        }),
        ("longer", |root| fs::write(root.join("requirements.txt"), "flask\ndjango\n").unwrap()),
        ("deleted", |root| fs::remove_file(root.join("manage.py")).unwrap()),
        ("executable", |root| {
            fs::set_permissions(root.join("app/__init__.py"), Permissions::from_mode(0o755))
                .unwrap();
        }),
        ("unreadable", |root| {
            fs::set_permissions(root.join("app/__init__.py"), Permissions::from_mode(0o000))
                .unwrap();
        }),
        ("a folder's mode", |root| {
            fs::set_permissions(root.join("app/deep"), Permissions::from_mode(0o777)).unwrap();
        }),
        ("another link", |root| {
            fs::remove_file(root.join("link")).unwrap();
            symlink("app/deeq", root.join("link")).unwrap();
        }),
        ("a file for a folder", |root| {
            fs::remove_dir_all(root.join("app/deep")).unwrap();
            fs::write(root.join("app/deep"), "").unwrap();
        }),
        ("a folder for a file", |root| {
            fs::remove_file(root.join("manage.py")).unwrap();
            fs::create_dir_all(root.join("manage.py/and/more")).unwrap();
        }),
        ("a folder renamed", |root| {
            fs::rename(root.join("app/deep"), root.join("app/deeper")).unwrap();
        }),
        ("two folders exchanged", |root| {
            fs::rename(root.join("app/deep/er"), root.join("er")).unwrap();
            fs::rename(root.join("app/deep"), root.join("app/er")).unwrap();
            fs::rename(root.join("er"), root.join("app/deep")).unwrap();
        }),
        ("something in a submodule", |root| fs::write(root.join("vendor/x/setup.py"), "").unwrap()),
        ("all gone", |root| {
            for entry in fs::read_dir(root).unwrap() {
                let path = entry.unwrap().path();
                let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
            }
        }),
    ];
    for (what, change) in changes {
        let repo = Repo::new();
        let mut standing = standing(&repo);
        change(&standing.folder());
        let updated = standing.bring(standing.tree);
        assert!(updated.repaired > 0, "{what}");
        assert_eq!(updated.removed, 0, "{what}");
        assert_eq!(mode(&standing.folder().join("app/deep")), 0o755);
        assert_eq!(mode(&standing.folder().join("app/__init__.py")), 0o644);

        change(&standing.folder());
        standing.bring(tree(&repo, "two"));
    }
}

#[test]
fn what_somebody_added_is_removed() {
    let repo = Repo::new();
    let mut standing = standing(&repo);
    let root = standing.folder();
    fs::create_dir_all(root.join("app/__pycache__")).unwrap();
    fs::write(root.join("app/__pycache__/x.pyc"), "x").unwrap();
    fs::write(root.join("app/deep/er/upload"), "x").unwrap();
    symlink(repo.precious(), root.join("env")).unwrap();
    symlink(repo.precious(), root.join("app/__pycache__/out")).unwrap();
    fs::create_dir_all(root.join("node_modules/a/b")).unwrap();
    fs::write(root.join("node_modules/a/b/c"), "x").unwrap();
    fs::set_permissions(root.join("node_modules/a/b"), Permissions::from_mode(0o555)).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, root.join("fifo"), rustix::fs::Mode::RWXU).unwrap();
    let updated = standing.bring(standing.tree);
    assert_eq!((updated.written, updated.removed, updated.repaired), (0, 0, 5));
}

#[test]
fn nothing_is_written_through_a_link_that_somebody_put_there() {
    let repo = Repo::new();
    let precious = repo.precious();
    let make = |text: &str| {
        repo.tree_of(&[(FILE, "a/file", text.as_bytes()), (FILE, "file", text.as_bytes())])
    };
    let mut standing = repo.standing(make("one"));
    settle();
    fs::remove_dir_all(standing.folder().join("a")).unwrap();
    symlink(&precious, standing.folder().join("a")).unwrap();
    fs::remove_file(standing.folder().join("file")).unwrap();
    symlink(precious.join("file"), standing.folder().join("file")).unwrap();
    standing.bring(make("two"));

    // A hard link is another name of the same file, which must not change under it.
    fs::remove_file(standing.folder().join("file")).unwrap();
    fs::hard_link(precious.join("file"), standing.folder().join("file")).unwrap();
    standing.bring(make("six"));
}

#[test]
fn a_change_right_after_the_export_is_noticed() {
    // Within one tick of the file system's clock, a file of the same size looks the same after it
    // was changed.
    for _ in 0..20 {
        let repo = Repo::new();
        let mut standing = repo.standing(tree(&repo, "one"));
        fs::write(standing.folder().join("changing"), "two").unwrap();
        fs::write(standing.folder().join("app/added"), "").unwrap();
        standing.bring(standing.tree);
        fs::write(standing.folder().join("changing"), "two").unwrap();
        standing.bring(standing.tree);
    }
}

#[test]
fn a_folder_that_was_renamed_is_brought_forward() {
    let repo = Repo::new();
    let mut standing = standing(&repo);
    let elsewhere = standing.folder().with_file_name("4");
    fs::rename(standing.folder(), &elsewhere).unwrap();
    fs::rename(&elsewhere, standing.folder()).unwrap();
    let updated = standing.bring(tree(&repo, "two"));
    assert_eq!((updated.written, updated.repaired), (1, 0));
}

#[test]
fn large_folders_are_shared_and_brought_forward() {
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
    settle();
    assert_eq!(standing.bring(standing.tree).repaired, 0);
    assert_eq!(standing.bring(make(2, 500)).written, 12);
    settle();
    fs::write(standing.folder().join("all/file77"), "z").unwrap();
    fs::remove_file(standing.folder().join("all/file78")).unwrap();
    assert_eq!(standing.bring(standing.tree).repaired, 2);
    assert_eq!(standing.bring(make(2, 600)).written, 100);
    assert_eq!(standing.bring(make(2, 10)).removed, 590);
}

#[test]
fn a_failure_on_the_way_can_be_repeated() {
    let repo = Repo::new();
    let blob = repo.blob(b"x");
    let missing = git2::Oid::from_str(&"12".repeat(20)).unwrap();
    let broken = repo.tree(&[
        (FILE, b"aa", blob),
        (FILE, b"changing", repo.blob(b"half")),
        (FOLDER, b"link", repo.tree(&[(FILE, b"new", blob)])),
        (FILE, b"zz", missing),
    ]);
    let mut standing = standing(&repo);
    assert!(standing.try_bring(broken).is_err());
    standing.bring(standing.tree);
    assert!(standing.try_bring(broken).is_err());
    standing.bring(tree(&repo, "two"));
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
        let text = format!("{:#}", standing.try_bring(repo.tree(&entries)).unwrap_err());
        assert!(text.contains("cannot be written") || text.contains("two entries"), "{text}");
    }
    // Push 1 has a link, push 2 has a file below it.
    let mut standing = repo.standing(repo.tree(&[(LINK, b"link", outside)]));
    standing.bring(repo.tree(&[(FOLDER, b"link", inner)]));
    standing.bring(repo.tree(&[(LINK, b"link", outside)]));
}

#[test]
fn whoever_wants_to_save_something_is_told_before_it_goes() {
    let repo = Repo::new();
    let mut standing = standing(&repo);
    let folder = standing.folder();
    fs::write(folder.join("app/deep/other"), "in place").unwrap();
    fs::write(folder.join("app/new"), "a new file").unwrap();
    fs::create_dir_all(folder.join("uploads/deep")).unwrap();
    fs::write(folder.join("vendor/x/inside"), "in a submodule").unwrap();
    let told = Mutex::new(Vec::new());
    let aside = tempfile::tempdir_in(folder.parent().unwrap().parent().unwrap()).unwrap();
    standing.bring_with(tree(&repo, "two"), &|path| {
        let mut told = told.lock().unwrap();
        // Moved away or not, what is wanted comes in its place.
        fs::rename(folder.join(path), aside.path().join(told.len().to_string())).unwrap();
        told.push(path.to_owned());
        Ok(())
    });
    let mut told = told.into_inner().unwrap();
    told.sort();
    assert_eq!(
        told,
        ["app/deep/other", "app/new", "changing", "uploads", "vendor/x/inside"].map(PathBuf::from)
    );
}

#[test]
fn what_cannot_be_saved_stays() {
    let repo = Repo::new();
    let mut standing = standing(&repo);
    let file = standing.folder().join("app/new");
    fs::write(&file, "rows").unwrap();
    let text = format!(
        "{:#}",
        standing.try_bring_with(standing.tree, &|_| anyhow::bail!("no room")).unwrap_err()
    );
    assert_eq!((text.as_str(), fs::read_to_string(&file).unwrap().as_str()), ("no room", "rows"));
}

#[test]
fn a_sha256_repository_is_brought_forward() {
    let repo = Repo::of(ObjectFormat::Sha256);
    let mut standing = standing(&repo);
    assert_eq!(standing.bring(tree(&repo, "two")).written, 1);
}

#[test]
fn deep_trees_are_brought_forward() {
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
    settle();
    assert_eq!(standing.bring(make("two", 120)).written, 1);
    standing.bring(make("two", 60));
    standing.bring(make("two", 110));
}
