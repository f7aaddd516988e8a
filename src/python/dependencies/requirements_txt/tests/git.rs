//! The tree of a real repository.

use git2::{Oid, Repository};

use super::*;
use crate::git::CommitTree;

/// Commits the index of a new repository and gives its tree to `check`.
fn in_git(
    fill: impl Fn(&Repository, &mut dyn FnMut(&str, u32, Oid)),
    check: impl Fn(&CommitTree<'_>),
) {
    let folder = tempfile::tempdir().unwrap();
    let repository = Repository::init_bare(folder.path()).unwrap();
    let mut index = git2::Index::new().unwrap();
    fill(&repository, &mut |path, mode, id| {
        let time = git2::IndexTime::new(0, 0);
        let entry = git2::IndexEntry {
            ctime: time,
            mtime: time,
            dev: 0,
            ino: 0,
            mode,
            uid: 0,
            gid: 0,
            file_size: 0,
            id,
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_vec(),
        };
        index.add(&entry).unwrap();
    });
    let tree = index.write_tree_to(&repository).unwrap();
    check(&CommitTree::new(&repository, tree).unwrap());
}

#[test]
fn what_pip_will_read_is_read() {
    in_git(
        |repository, add| {
            let blob = |text: &str| repository.blob(text.as_bytes()).unwrap();
            add(
                ".gitattributes",
                0o100_644,
                blob("*.txt ident\n/requirements.txt -ident working-tree-encoding=UTF-16LE-BOM\n"),
            );
            add("requirements.txt", 0o100_644, blob("-r deploy/r.txt\ncafé\n"));
            add("deploy/.gitattributes", 0o100_644, blob("r.txt eol=crlf\n"));
            add("deploy/r.txt", 0o120_000, blob("real.txt"));
            add("deploy/real.txt", 0o100_644, blob("flask\n-r $Id$\n"));
        },
        |tree| {
            assert!(tree.written("requirements.txt").unwrap().starts_with(b"\xff\xfe-\0r\0"));
            let error = closure(tree, "requirements.txt", &none).unwrap_err().to_string();
            assert!(
                error.starts_with(
                    "deploy/$Id: is not in the commit\nfound: deploy/r.txt line 2: -r $Id: "
                ),
                "{error}"
            );
            for wrong in ["deploy", "deploy/r.txt", "deploy/nothing", "nowhere/r.txt"] {
                assert!(tree.written(wrong).is_err(), "{wrong}");
            }
        },
    );
}

#[test]
fn a_tree_of_git_is_read_by_its_objects() {
    in_git(
        |repository, add| {
            let blob = |text: &str| repository.blob(text.as_bytes()).unwrap();
            add("requirements.txt", 0o120_000, blob("deploy/r.txt"));
            add("deploy/r.txt", 0o100_644, blob("flask"));
            add("deploy/out", 0o120_000, blob("/etc"));
            add("run.sh", 0o100_755, blob("#!"));
            add("vendor/lib", 0o160_000, blob("no commit"));
        },
        |tree| {
            let found = closure(tree, "requirements.txt", &none).unwrap();
            assert_eq!(texts(&found), ["flask"]);
            assert!(matches!(Tree::entry(tree, "").unwrap(), Entry::Folder { .. }));
            assert!(matches!(Tree::entry(tree, "run.sh").unwrap(), Entry::File { .. }));
            assert!(matches!(Tree::entry(tree, "vendor/lib").unwrap(), Entry::Submodule { .. }));
            for missing in ["nothing", "run.sh/x", "deploy/out/passwd", "a\0b", "vendor/lib/x"] {
                assert_eq!(Tree::entry(tree, missing).unwrap(), Entry::Missing, "{missing}");
            }
            assert!(matches!(
                resolve(tree, "deploy/out/passwd").unwrap(),
                Resolved::Outside { link: Some(_) }
            ));
            assert!(matches!(
                resolve(tree, "deploy/../deploy/./r.txt").unwrap(),
                Resolved::File { .. }
            ));
            assert_eq!(resolve(tree, "deploy/../../x").unwrap(), Resolved::Outside { link: None });
            let names: Vec<_> =
                Tree::list(tree, "").unwrap().into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["deploy", "requirements.txt", "run.sh", "vendor"]);
            assert!(Tree::read(tree, "nonsense").is_err());
        },
    );
}
