//! Random histories with random meddling: a folder that is updated forward is always what a new
//! export would be.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use git2::Oid;
use proptest::prelude::*;

use super::repo::{FILE, LINK, PROGRAM, Repo, SUBMODULE, contents};

type Tree = BTreeMap<String, (&'static str, &'static [u8])>;

/// Few names, so that the same one is a file here and a folder there.
const NAMES: &[&str] = &["a", "b", "A", "c.txt", ".gitattributes"];

const CONTENTS: &[&[u8]] = &[
    b"",
    b"one\n",
    b"two\n",
    b"one\r\ntwo\n",
    b"$Id$\n",
    b"bin\0ary\n",
    // As attributes they mean something, and elsewhere they are as good as any text.
    b"* eol=crlf\n",
    b"*.txt ident\n",
    b"a -text\n* text=auto eol=crlf\n",
    b"[attr]m eol=crlf\nb m\n",
];

fn tree() -> impl Strategy<Value = Tree> {
    let name = prop::sample::select(NAMES);
    let path = prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    let mode = prop::sample::select(&[FILE, FILE, FILE, PROGRAM, LINK, SUBMODULE][..]);
    let content = prop::sample::select(CONTENTS);
    prop::collection::btree_map(path, (mode, content), 0..14).prop_map(|mut tree| {
        // What is a file cannot be a folder as well, and git has no link without a target.
        let paths: Vec<String> = tree.keys().cloned().collect();
        tree.retain(|path, (mode, content)| {
            let below = format!("{path}/");
            !paths.iter().any(|other| other.starts_with(&below))
                && !(*mode == LINK && (content.is_empty() || content.contains(&0)))
        });
        tree
    })
}

#[derive(Debug, Clone)]
enum Meddling {
    Write(&'static [u8]),
    Remove,
    Chmod(u32),
    Link,
    Folder,
    Rename,
    AddBeside,
}

fn meddling() -> impl Strategy<Value = (prop::sample::Index, Meddling)> {
    let what = prop_oneof![
        prop::sample::select(CONTENTS).prop_map(Meddling::Write),
        Just(Meddling::Remove),
        prop::sample::select(&[0o600, 0o644, 0o700, 0o755, 0o777][..]).prop_map(Meddling::Chmod),
        Just(Meddling::Link),
        Just(Meddling::Folder),
        Just(Meddling::Rename),
        Just(Meddling::AddBeside),
    ];
    (any::<prop::sample::Index>(), what)
}

/// What somebody does to a release. What is not possible is not done.
fn meddle(root: &Path, precious: &Path, which: prop::sample::Index, what: &Meddling) {
    let all: Vec<_> = contents(root).into_keys().collect();
    if all.is_empty() {
        return;
    }
    let path = root.join(which.get(&all));
    let gone = |path: &Path| {
        let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
    };
    match what {
        Meddling::Write(bytes) => {
            // Not through a link of the tree, which may lead anywhere.
            if path.symlink_metadata().unwrap().is_file() {
                let _ = fs::write(&path, bytes);
            }
        }
        Meddling::Remove => gone(&path),
        Meddling::Chmod(mode) => {
            if !path.is_symlink() {
                let _ = fs::set_permissions(&path, fs::Permissions::from_mode(*mode));
            }
        }
        Meddling::Link => {
            gone(&path);
            let _ = symlink(precious, &path);
        }
        Meddling::Folder => {
            gone(&path);
            let _ = fs::create_dir_all(path.join("a"));
            let _ = fs::write(path.join("a/b"), "mine");
        }
        Meddling::Rename => {
            let _ = fs::rename(&path, path.with_file_name("c.txt"));
        }
        Meddling::AddBeside => {
            let _ = fs::write(path.with_file_name("b"), "mine");
        }
    }
}

/// All trees of a history, made by one git.
fn build(repo: &Repo, trees: &[Tree]) -> Vec<Oid> {
    let mut stream = Vec::new();
    for tree in trees {
        stream.extend_from_slice(
            b"commit refs/heads/made\ncommitter T <t@example.org> 1700000000 +0000\ndata 0\ndeleteall\n",
        );
        for (path, (mode, bytes)) in tree {
            if *mode == SUBMODULE {
                writeln!(stream, "M {mode} {} {path}", "1".repeat(40)).unwrap();
            } else {
                writeln!(stream, "M {mode} inline {path}\ndata {}", bytes.len()).unwrap();
                stream.extend_from_slice(bytes);
                stream.push(b'\n');
            }
        }
    }
    stream.extend_from_slice(b"done\n");
    repo.git(&["fast-import", "--quiet", "--done", "--force"], &stream);
    let log = repo.git(&["log", "--reverse", "--format=%T", "made"], b"");
    str::from_utf8(&log).unwrap().lines().map(|id| Oid::from_str(id).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_folder_brought_forward_is_what_a_new_export_is(
        trees in prop::collection::vec(tree(), 2..6),
        changes in prop::collection::vec(prop::collection::vec(meddling(), 0..4), 5),
    ) {
        let repo = Repo::new();
        let trees = build(&repo, &trees);
        let mut standing = repo.standing(trees[0]);
        for (tree, changes) in trees[1..].iter().zip(&changes) {
            for (which, what) in changes {
                meddle(&standing.folder(), &repo.precious(), *which, what);
            }
            standing.bring(*tree);
        }
    }

    #[test]
    fn a_random_tree_is_exported_as_git_checks_it_out(tree in tree()) {
        let repo = Repo::new();
        repo.assert_like_git(build(&repo, &[tree])[0]);
    }
}
