//! Random histories: a folder that is updated is always what a new export would be.

use std::collections::BTreeMap;
use std::io::Write;

use git2::Oid;
use proptest::prelude::*;

use super::repo::{FILE, LINK, PROGRAM, Repo, SUBMODULE};

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

/// All trees of a history, made by one git.
fn build(repo: &Repo, trees: &[Tree]) -> Vec<Oid> {
    let mut stream = Vec::new();
    for tree in trees {
        stream.extend_from_slice(
            b"commit refs/heads/made\ncommitter T <t@example.org> 1700000000 +0000\ndata 0\n\
              deleteall\n",
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
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_folder_that_is_updated_is_what_a_new_export_is(
        trees in prop::collection::vec(tree(), 2..8),
    ) {
        let repo = Repo::new();
        let trees = build(&repo, &trees);
        let mut standing = repo.standing(trees[0]);
        for tree in &trees[1..] {
            standing.update(*tree);
        }
    }

    #[test]
    fn a_random_tree_is_exported_as_git_checks_it_out(tree in tree()) {
        let repo = Repo::new();
        repo.assert_like_git(build(&repo, &[tree])[0]);
    }
}
