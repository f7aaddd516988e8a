//! Trees that somebody made on purpose.

use std::fs;

use git2::Oid;

use super::repo::{FILE, FOLDER, LINK, Repo, SUBMODULE, contents};

#[test]
fn names_that_git_would_not_check_out_are_refused_escaped() {
    let repo = Repo::new();
    let blob = repo.blob(b"x");
    let inner = repo.tree(&[(FILE, b"config", blob)]);
    let names: [&[u8]; 12] = [
        b"",
        b".",
        b"..",
        b".git",
        b".GIT",
        b"git~1",
        b".git ",
        b".git.",
        b"a/b",
        b"/etc",
        b"../x",
        b".g\xe2\x80\x8cit",
    ];
    for name in names {
        for (mode, id) in [(FILE, blob), (FOLDER, inner), (LINK, blob), (SUBMODULE, blob)] {
            let text = repo.export_error(repo.tree(&[(mode, name, id)]));
            assert!(text.contains("cannot be written: its name "), "{name:?}: {text}");
            let text =
                repo.export_error(repo.tree(&[(FOLDER, b"sub", repo.tree(&[(mode, name, id)]))]));
            assert!(text.contains("\"sub/"), "{name:?}: {text}");
        }
    }
}

#[test]
fn two_entries_of_one_name_are_an_error_and_nothing_is_written_through_a_link() {
    let repo = Repo::new();
    let blob = repo.blob(b"evil");
    let outside = repo.blob(repo.precious().as_os_str().as_encoded_bytes());
    let inner = repo.tree(&[(FILE, b"file", blob)]);
    let pairs = [
        [(LINK, outside), (FOLDER, inner)],
        [(FOLDER, inner), (LINK, outside)],
        [(LINK, outside), (FILE, blob)],
        [(FILE, blob), (LINK, outside)],
        [(FILE, blob), (FILE, blob)],
        [(FOLDER, inner), (FOLDER, inner)],
        [(LINK, outside), (SUBMODULE, blob)],
        [(SUBMODULE, blob), (LINK, outside)],
    ];
    for pair in pairs {
        let entries = pair.map(|(mode, id)| (mode, b"twice".as_slice(), id));
        let text = repo.export_error(repo.tree(&entries));
        assert!(
            text.contains("\"twice\"") && text.contains("two entries with that name"),
            "{text}"
        );
    }
}

#[test]
fn a_link_to_a_folder_outside_is_only_a_link() {
    let repo = Repo::new();
    let outside = repo.blob(repo.precious().as_os_str().as_encoded_bytes());
    let up = repo.blob(b"../precious/file");
    let (into, exported) =
        repo.export(repo.tree(&[(LINK, b"env", outside), (LINK, b"requirements.txt", up)]));
    assert_eq!(exported.links, 2);
    assert_eq!(fs::read_link(into.path().join("env")).unwrap(), repo.precious());
}

#[test]
fn a_link_named_gitmodules_is_refused() {
    let repo = Repo::new();
    let text = repo.export_error(repo.tree(&[(LINK, b".gitmodules", repo.blob(b"/etc/passwd"))]));
    assert!(text.contains("git does not allow a link with that name"), "{text}");
}

#[test]
fn links_without_a_possible_target_are_an_error() {
    let repo = Repo::new();
    for target in [b"".as_slice(), b"a\0b", &[b'x'; 5000]] {
        let text = repo.export_error(repo.tree(&[(LINK, b"link", repo.blob(target))]));
        assert!(text.contains("cannot make the link \"link\""), "{text}");
    }
}

#[test]
fn control_characters_are_written_as_names_and_shown_escaped() {
    let repo = Repo::new();
    let name = b"\x1b]0;title\x07\r\nerror: x";
    let blob = repo.blob(b"x");
    let (into, _) = repo.export(repo.tree(&[(FILE, name, blob)]));
    assert_eq!(contents(into.path()).len(), 1);

    let text = repo.export_error(repo.tree(&[(FILE, name, blob), (FILE, name, blob)]));
    assert!(text.contains(r#""\u{1b}]0;title\u{7}\r\nerror: x""#), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn a_name_of_4096_bytes_is_a_clear_error() {
    let repo = Repo::new();
    let blob = repo.blob(b"x");
    let text = repo.export_error(repo.tree(&[(FILE, &[b'n'; 300], blob)]));
    assert!(text.contains("a name of 300 bytes; file systems allow 255"), "{text}");
    let text = repo.export_error(repo.tree(&[(FILE, &[b'n'; 4096], blob)]));
    assert!(text.contains("is too long") && text.len() < 600, "{text}");
    let text = repo.export_error(repo.tree(&[(FOLDER, &[b'n'; 300], repo.tree(&[]))]));
    assert!(text.contains("a name of 300 bytes"), "{text}");
}

/// A tree in which each folder holds the next, a second folder and a file, so that the walk comes
/// back to every one.
fn nested(repo: &Repo, depth: usize, name: &[u8]) -> Oid {
    let blob = repo.blob(b"x");
    let leaf = repo.tree(&[(FILE, b"file", blob)]);
    // One git for all of them: its trees are made from marks.
    let mut stream =
        b"commit refs/heads/made\ncommitter T <t@example.org> 1700000000 +0000\ndata 0\n".to_vec();
    for level in 0..depth {
        let above = [name, b"/"].concat().repeat(level);
        for (mode, id, last) in [("040000", leaf, "z"), (FILE, blob, "file")] {
            stream.extend_from_slice(format!("M {mode} {id} ").as_bytes());
            stream.extend_from_slice(&above);
            stream.extend_from_slice(last.as_bytes());
            stream.push(b'\n');
        }
    }
    stream.extend_from_slice(b"done\n");
    repo.git(&["-c", "core.maxTreeDepth=4096", "fast-import", "--quiet", "--done"], &stream);
    let id = repo.git(&["rev-parse", "made^{tree}"], b"");
    Oid::from_str(str::from_utf8(&id).unwrap().trim()).unwrap()
}

#[test]
fn a_tree_of_a_thousand_levels_is_written() {
    let repo = Repo::new();
    let (into, exported) = repo.export(nested(&repo, 1000, b"d"));
    assert_eq!((exported.files, exported.folders), (2000, 999 + 1000));
    let deepest = into.path().join("d/".repeat(999));
    assert!(deepest.join("z/file").is_file());
    assert!(deepest.join("file").is_file());
    assert!(into.path().join("d/d/d/z/file").is_file());
}

#[test]
fn a_deeper_tree_is_a_clear_error() {
    let repo = Repo::new();
    let text = repo.export_error(nested(&repo, 1100, b"d"));
    assert!(text.contains("deeper than 1024 folders"), "{text}");
}

#[test]
fn a_path_longer_than_the_system_allows_is_a_clear_error() {
    let repo = Repo::new();
    let text = repo.export_error(nested(&repo, 30, &[b'n'; 200]));
    assert!(text.contains("the system allows 4095"), "{text}");
}

#[test]
fn malformed_trees_and_wrong_objects_are_errors() {
    let repo = Repo::new();
    let blob = repo.blob(b"x");
    let tree = repo.tree(&[]);
    let missing = Oid::from_str(&"12".repeat(20)).unwrap();
    for (entry, expected) in [
        ((FILE, b"a".as_slice(), tree), "where the tree has a blob"),
        ((LINK, b"a", tree), "where the tree has a blob"),
        ((FOLDER, b"a", blob), "where the tree has a tree"),
        ((FILE, b"a", missing), "cannot read the blob 1212"),
        ((FOLDER, b"a", missing), "cannot read the tree 1212"),
        (("70644", b"a", blob), "which git does not know"),
        (("x", b"a", blob), "not a number"),
    ] {
        let text = repo.export_error(repo.tree(&[entry]));
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_folder_that_is_not_empty_is_not_written_over() {
    let repo = Repo::new();
    let tree = repo.tree(&[(FILE, b"a", repo.blob(b"new"))]);
    let into = tempfile::tempdir().unwrap();
    fs::write(into.path().join("a"), "old").unwrap();
    assert!(crate::checkout::export(&repo.open(), tree, into.path()).is_err());
    assert_eq!(fs::read(into.path().join("a")).unwrap(), b"old");
}

#[test]
fn a_link_whose_target_is_too_long_says_so() {
    let repo = Repo::new();
    let target = repo.blob(&[b'a'; 4096]);
    let text = repo.export_error(repo.tree(&[(LINK, b"link", target)]));
    assert!(text.contains("make the link \"link\""), "{text}");
    assert!(text.contains("a target of 4096 bytes; the system allows 4095"), "{text}");
}
