//! What holds for any requirements.

use proptest::prelude::*;

use super::super::text::{shown, without_credentials, without_secrets};
use super::super::*;
use super::decode::decode;
use super::options::statement;
use super::spec::Spec;
use super::tests::MemoryTree;
use super::*;

/// A piece of a line that means something, or anything.
fn piece() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "flask",
        "==1.0",
        " ",
        "-r ",
        "-c ",
        "a.txt",
        "b.txt",
        "-e ",
        "./lib",
        "../x",
        "/abs",
        "[x,y]",
        "[",
        "]",
        "; ",
        "os_name=='a'",
        " #",
        "#",
        "\\\n",
        "\n",
        "\r\n",
        "${A}",
        "${B",
        "--hash=sha256:00",
        "-i https://u:p@h/?q",
        "@",
        " @ ",
        "git+https://h/r",
        "git+git@h:r",
        "file:",
        "file:///%41",
        "'",
        "\"",
        "-f wheels",
        "--",
        "-",
        "%zz",
    ]);
    prop_oneof![
        4 => known.prop_map(str::to_owned),
        1 => "\\PC{0,4}",
        1 => any::<char>().prop_map(String::from),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat())
}

/// A tree that has most of what the lines name.
fn tree() -> impl Strategy<Value = MemoryTree> {
    (text(), text(), text()).prop_map(|(root, a, b)| {
        MemoryTree::of(&[("lib/setup.py", ""), ("wheels/a.whl", "")])
            .with("requirements.txt", root)
            .with("a.txt", a)
            .with("b.txt", b)
    })
}

fn read(tree: &MemoryTree) -> Option<Closure> {
    let setting = |name: &str| (name == "A").then(|| "-r b.txt".to_owned());
    closure(tree, "requirements.txt", &setting).map_err(|error| error.to_string()).ok()
}

proptest! {
    #[test]
    fn no_tree_makes_it_panic_and_nothing_raw_is_said(then in tree(), now in tree()) {
        let error = closure(&now, "requirements.txt", &|_| None).err();
        let error = error.map(|error| error.to_string());
        prop_assert!(!error.unwrap_or_default().contains(|c: char| c.is_control() && c != '\n'));
        if let (Some(then), Some(now)) = (read(&then), read(&now)) {
            for change in compare(then.record(), now.record()) {
                prop_assert!(!change.to_string().contains(char::is_control), "{change}");
            }
        }
    }

    #[test]
    fn of_equals_only_what_moves_is_left(tree in tree()) {
        if let (Some(then), Some(now)) = (read(&tree), read(&tree)) {
            prop_assert_eq!(then.fingerprint(), now.fingerprint());
            for change in compare(then.record(), now.record()) {
                let is_expected =
                    matches!(change, Change::Editable { .. } | Change::MutableReference(_));
                prop_assert!(is_expected, "{change}");
            }
        }
    }

    #[test]
    fn a_line_that_is_gone_always_wants_a_new_env(
        lines in prop::collection::btree_set("[a-z]{1,8}(==[0-9])?", 2..8),
        index: prop::sample::Index,
    ) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let gone = lines[index.index(lines.len())];
        let name = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
        let is_kept = |line: &&str| name(line) != name(gone);
        let kept: Vec<&str> = lines.iter().copied().filter(is_kept).collect();
        let read = |lines: &[&str]| {
            read(&MemoryTree::default().with("requirements.txt", lines.join("\n"))).unwrap()
        };
        let changes = compare(read(&lines).record(), read(&kept).record());
        prop_assert!(changes.iter().any(|change| change.env_action() == EnvAction::Create));
    }

    #[test]
    fn a_record_survives_json(tree in tree()) {
        if let Some(closure) = read(&tree) {
            let json = serde_json::to_string(closure.record()).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Recorded>(&json).unwrap(), closure.record());
        }
    }

    #[test]
    fn no_password_is_kept_or_said(
        password in "SECRET[^\\s\\\\${}]{0,8}",
        prefix in "(a @ |-i |-r |-f |git\\+)",
    ) {
        let line = format!("{prefix}https://user:{password}@host/path");
        prop_assert!(!without_secrets(&line).contains("SECRET"));
        let tree = MemoryTree::default().with("requirements.txt", line);
        match closure(&tree, "requirements.txt", &|_| None) {
            Err(error) => prop_assert!(!error.to_string().contains("SECRET"), "{error}"),
            Ok(closure) => {
                let record = serde_json::to_string(closure.record()).unwrap();
                prop_assert!(!record.contains("SECRET"), "{record}");
            }
        }
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes: Vec<u8>, line in text()) {
        let _ = decode(&bytes);
        let _ = statement(&line);
        let _ = Spec::parse(&line, false);
        let _ = Spec::parse(&line, true);
        let _ = without_secrets(&line);
        let _ = without_credentials(&line);
        prop_assert!(!shown(&line).contains(char::is_control));
    }
}
