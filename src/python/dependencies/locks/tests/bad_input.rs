//! What is wrong with a lock is said before anything is built, in every reader.

use super::super::{Chosen, Lock, LockError, Manifests, ResolvedSet};
use super::{environment, read_frozen};

mod malformed;

/// A small lock of each kind, with a package of each kind of source that the kind has.
const LOCKS: [(Lock, &str); 5] = [
    (
        Lock::Uv,
        r#"version = 1
revision = 3
requires-python = ">=3.9"

[[package]]
name = "site"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "grass" }, { name = "lib" }, { name = "vcs" }]

[package.dev-dependencies]
dev = [{ name = "grass" }]

[[package]]
name = "grass"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://example.org/grass-1.0-py3-none-any.whl", hash = "sha256:00" }]

[[package]]
name = "lib"
version = "0"
source = { directory = "lib" }

[[package]]
name = "vcs"
version = "0"
source = { git = "https://example.org/r?rev=x#0123456789012345678901234567890123456789" }
"#,
    ),
    (
        Lock::Poetry,
        r#"[[package]]
name = "grass"
version = "1.0"
python-versions = ">=3.9"
groups = ["main", "dev"]
files = [{file = "grass-1.0-py3-none-any.whl", hash = "sha256:00"}]

[[package]]
name = "lib"
version = "0"
python-versions = "*"
groups = ["main"]
[package.source]
type = "directory"
url = "lib"

[[package]]
name = "vcs"
version = "0"
python-versions = "*"
groups = ["main"]
[package.source]
type = "git"
url = "https://example.org/r"
reference = "x"
resolved_reference = "0123456789012345678901234567890123456789"

[metadata]
lock-version = "2.1"
python-versions = ">=3.9"
"#,
    ),
    (
        Lock::Pdm,
        r#"[metadata]
groups = ["default", "dev"]
strategy = ["inherit_metadata"]
lock_version = "4.5.0"
[[metadata.targets]]
requires_python = ">=3.9"

[[package]]
name = "grass"
version = "1.0"
groups = ["default", "dev"]
files = [{file = "grass-1.0-py3-none-any.whl", hash = "sha256:00"}]

[[package]]
name = "lib"
version = "0"
groups = ["default"]
path = "lib"

[[package]]
name = "vcs"
version = "0"
groups = ["default"]
git = "https://example.org/r"
revision = "0123456789012345678901234567890123456789"
"#,
    ),
    (
        Lock::Pylock,
        r#"lock-version = "1.0"
created-by = "x"
requires-python = ">=3.9"
dependency-groups = ["dev"]

[[packages]]
name = "grass"
version = "1.0"
[[packages.wheels]]
url = "https://files.pythonhosted.org/grass-1.0-py3-none-any.whl"
hashes = { sha256 = "00" }

[[packages]]
name = "lib"
[packages.directory]
path = "lib"

[[packages]]
name = "vcs"
[packages.vcs]
type = "git"
url = "https://example.org/r"
commit-id = "0123456789012345678901234567890123456789"
"#,
    ),
    (
        Lock::Pipfile,
        r#"{
    "_meta": {"pipfile-spec": 6, "requires": {}, "sources": []},
    "default": {
        "grass": {"version": "==1.0", "hashes": ["sha256:00"]},
        "lib": {"path": "lib"},
        "vcs": {
            "git": "https://example.org/r",
            "ref": "0123456789012345678901234567890123456789"
        }
    },
    "dev": {}
}"#,
    ),
];

fn read(lock: Lock, text: &str, groups: &[&str], python: &str) -> Result<ResolvedSet, LockError> {
    let pyproject = "[project]\nname = 'site'\n[tool.poetry.group.dev.dependencies]\nx = '*'\n";
    read_frozen(lock, text, pyproject, groups, python)
}

/// Every lock with `from` replaced by `to`, where it has that.
fn errors(from: &str, to: &str) -> Vec<(Lock, String)> {
    let with = LOCKS.iter().filter(|(_, text)| text.contains(from));
    with.map(|(lock, text)| {
        let changed = text.replace(from, to);
        let error = read(*lock, &changed, &["dev"], "3.12.1").expect_err(&changed).to_string();
        (*lock, error)
    })
    .collect()
}

fn assert_all_say(from: &str, to: &str, locks: usize, says: &str) {
    let errors = errors(from, to);
    assert_eq!(errors.len(), locks, "{from} is in other locks: {errors:?}");
    for (lock, error) in errors {
        assert!(error.contains(says), "{lock:?}: {error}");
    }
}

#[test]
fn each_lock_is_good_as_it_is() {
    for (lock, text) in LOCKS {
        let set = read(lock, text, &["dev"], "3.12.1").unwrap();
        let names: Vec<_> = set.packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["grass", "lib", "vcs"], "{lock:?}");
    }
}

#[test]
fn an_unknown_version_is_named() {
    for (from, to, found) in [
        ("version = 1\n", "version = 2\n", "its version is 2"),
        ("lock-version = \"2.1\"", "lock-version = \"3.0\"", "its version is 3.0"),
        ("lock_version = \"4.5.0\"", "lock_version = \"5.0\"", "its version is 5.0"),
        ("lock-version = \"1.0\"", "lock-version = \"1.1\"", "its version is 1.1"),
        ("\"pipfile-spec\": 6", "\"pipfile-spec\": 7", "its version is pipfile-spec 7"),
    ] {
        assert_all_say(from, to, 1, found);
    }
}

#[test]
fn conflict_marks_and_what_is_cut_off_are_found_at_their_line() {
    for (lock, text) in LOCKS {
        let marked = text.replacen('\n', "\n<<<<<<< HEAD\n", 1);
        let error = read(lock, &marked, &[], "3.12.1").unwrap_err();
        assert_eq!(error, LockError::Conflict(2), "{lock:?}");
        for length in (1..text.len()).filter(|&length| text.is_char_boundary(length)) {
            // A part that ends between two packages may be whole in itself, except in JSON.
            if let Err(error) = read(lock, &text[..length], &[], "3.12.1") {
                assert!(!error.to_string().contains('\n'), "{lock:?}: {error}");
            } else {
                assert_ne!(lock, Lock::Pipfile);
            }
        }
        let (half, _) = text.split_at(text.find("0123").unwrap());
        let error = read(lock, half, &[], "3.12.1").unwrap_err().to_string();
        assert!(error.starts_with("it cannot be read: line "), "{lock:?}: {error}");
    }
}

#[test]
fn a_path_does_not_lead_out_of_the_tree() {
    for path in ["../lib", "/lib", "lib/../../x", "a/../../lib"] {
        for (from, locks) in
            [("directory = \"lib\"", 1), ("url = \"lib\"", 1), ("path = \"lib\"", 2)]
        {
            let to = from.replace("lib", path);
            assert_all_say(from, &to, locks, "which is outside the tree");
        }
        let to = format!("\"path\": \"{path}\"");
        assert_all_say("\"path\": \"lib\"", &to, 1, "which is outside the tree");
    }
}

#[test]
fn an_address_is_no_option_and_no_second_line() {
    for address in [
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=x",
        "ext::sh -c x",
        "x",
        "https://example.org/r --index-url=https://evil.example",
        "https://example.org/r\\n-r /etc/passwd",
    ] {
        assert_all_say("https://example.org/r", address, 5, "which is not an address");
    }
}

#[test]
fn a_branch_in_the_place_of_a_commit_is_not_locked() {
    let commit = "0123456789012345678901234567890123456789";
    for other in ["main", "0123456", "--upload-pack=x", ""] {
        for (lock, error) in errors(commit, other) {
            assert!(error.contains("vcs"), "{lock:?}: {error}");
        }
    }
}

#[test]
fn nothing_becomes_another_line_or_an_option_of_a_requirements_file() {
    for (from, to) in [
        ("\"grass\"", "\"grass --pre\""),
        ("\"grass\"", "\"--pre\""),
        ("\"1.0\"", "\"1.0 --pre\""),
        ("\"==1.0\"", "\"==1.0\\n--pre\""),
        ("sha256:00", "sha256:00 --pre"),
        ("sha256 = \"00\"", "sha256 = \"00\\n--pre\""),
        ("\"lib\" }", "\"lib --pre\" }"),
        ("path = \"lib\"", "path = \"lib #\""),
        ("?rev=x#", "?subdirectory=x%20--pre#"),
        ("/r\"\nrevision", "/r\"\nsubdirectory = \"x --pre\"\nrevision"),
    ] {
        let errors = errors(from, to);
        assert!(!errors.is_empty(), "{from}");
    }
}

#[test]
fn wheels_for_other_machines_alone_are_refused() {
    for tag in ["cp312-cp312-win_amd64", "cp312-cp312-macosx_11_0_arm64"] {
        // A Pipfile.lock does not say which files there are.
        assert_all_say("py3-none-any", tag, 4, "has files for other machines only");
    }
    for (lock, text) in LOCKS {
        let text = text.replace("py3-none-any", "cp312-cp312-manylinux_2_17_x86_64");
        read(lock, &text, &[], "3.12.1").unwrap();
    }
}

#[test]
fn another_python_and_another_name_are_refused() {
    for (lock, text) in LOCKS.into_iter().filter(|(lock, _)| *lock != Lock::Pipfile) {
        let error = read(lock, text, &[], "3.8.18").unwrap_err().to_string();
        assert_eq!(error, "it is for Python >=3.9, and this environment has 3.8.18", "{lock:?}");
    }
    for (lock, text) in LOCKS {
        let error = read(lock, text, &["dve"], "3.12.1").unwrap_err().to_string();
        assert_eq!(error, "there is no group dve (did you mean dev?)", "{lock:?}");
        let error = read(lock, text, &["production"], "3.12.1").unwrap_err().to_string();
        assert_eq!(error, "there is no group production (there is dev)", "{lock:?}");
    }
}

#[test]
fn two_packages_of_one_name_are_named_with_their_versions() {
    for (lock, text) in LOCKS {
        let start = match lock {
            Lock::Pylock => "[[packages]]\nname = \"grass\"",
            Lock::Uv | Lock::Poetry | Lock::Pdm => "[[package]]\nname = \"grass\"",
            // In JSON, the second of one key is the one that counts.
            Lock::Pipfile => continue,
        };
        let at = text.find(start).unwrap();
        let end = text[at..].find("\n\n[[").unwrap() + at + 2;
        let mut twice = text.to_owned();
        twice.insert_str(at, &text[at..end].replace("\"1.0\"", "\"2.0\""));
        let error = read(lock, &twice, &[], "3.12.1").unwrap_err().to_string();
        assert_eq!(error, "it has grass twice for one Python: 1.0 and 2.0", "{lock:?}");
    }
}

#[test]
fn a_source_that_is_not_known_is_named() {
    for (from, to) in [
        ("{ directory = \"lib\" }", "{ bzr = \"lib\" }"),
        ("type = \"directory\"", "type = \"bzr\""),
        ("path = \"lib\"", "bzr = \"lib\""),
        ("\"path\": \"lib\"", "\"bzr\": \"lib\""),
        ("type = \"git\"", "type = \"bzr\""),
    ] {
        let errors = errors(from, to);
        assert!(!errors.is_empty(), "{from}");
        for (lock, error) in errors {
            assert!(error.contains("bzr"), "{lock:?}: {error}");
        }
    }
}

#[test]
fn the_workspace_member_that_is_missing_is_named() {
    let text = LOCKS[0].1.replace(
        "requires-python",
        "[manifest]\nmembers = [\"site\", \"other\"]\n[options]\nrequires-python",
    );
    let manifests = Manifests { frozen: true, ..Manifests::default() };
    let error =
        Lock::Uv.read(&text, &manifests, &Chosen::default(), &environment("3.12.1")).unwrap_err();
    assert_eq!(error.to_string(), "it needs other, and has no such package");
    let gone = LOCKS[0].1.replace("name = \"site\"", "name = \"else\"");
    let error = read(Lock::Uv, &gone, &[], "3.12.1").unwrap_err();
    assert_eq!(error.to_string(), "it needs site, and has no such package");
}

#[test]
fn extras_that_conflict_are_not_installed_together() {
    let text = LOCKS[0].1.replace(
        "\n[[package]]\nname = \"site\"",
        "\nconflicts = [[{ package = \"site\", group = \"dev\" }, \
         { package = \"site\", group = \"gpu\" }]]\n\n[[package]]\nname = \"site\"",
    );
    let text = text.replace("dev = [", "gpu = []\ndev = [");
    read(Lock::Uv, &text, &["dev"], "3.12.1").unwrap();
    let error = read(Lock::Uv, &text, &["dev", "gpu"], "3.12.1").unwrap_err();
    assert_eq!(
        error.to_string(),
        "it says that group dev and group gpu cannot be installed together"
    );
}
