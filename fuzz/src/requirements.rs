//! The closure of requirements, and what changed between two of them.
//!
//! The input is requirements.txt and what else is in its tree, see [`super::tree`].

use std::collections::BTreeSet;

use nyala::python::dependencies::requirements_txt::{Closure, closure};
use nyala::python::dependencies::{Change, EnvAction, Line, Recorded, compare};

use super::text::assert_fit_to_be_shown;
use super::tree::{MemoryTree, trees};

/// An error may show a circle of a hundred files.
const LONGEST: usize = 256 * 1024;

/// The value of an app setting that lines read with `${TOKEN}`.
const TOKEN: &str = "V4lue0fTheSetting";

/// A password where a URL has it in its credentials, and a word like any other elsewhere.
const PASSWORD: &str = "Pa55w0rd";

pub fn check(data: &[u8]) {
    let (now, then) = trees(data, "requirements.txt");
    let now_read = read_and_look(data, &now);
    let then_read = then.and_then(|then| read_and_look(data, &then));
    if let (Some(now), Some(then)) = (now_read, then_read) {
        let changes = compare(then.record(), now.record());
        assert_fit(data, &changes);
        assert_nothing_is_overlooked(then.record(), now.record(), &changes);
    }
}

fn read_and_look(data: &[u8], tree: &MemoryTree) -> Option<Closure> {
    let read = |tree: &MemoryTree| {
        let setting = |name: &str| (name == "TOKEN").then(|| TOKEN.to_owned());
        closure(tree, "requirements.txt", &setting)
    };
    let crlf = tree.with_crlf().map(|tree| read(&tree));
    match read(tree) {
        Ok(closure) => {
            assert_is_right(data, &closure);
            let changes = compare(closure.record(), closure.record());
            assert!(changes.iter().all(|change| matches!(
                change,
                Change::Editable { .. } | Change::MutableReference(_)
            )));
            assert_fit(data, &changes);
            if let Some(crlf) = crlf {
                let crlf = crlf.expect("CRLF is as good as LF");
                assert_eq!(crlf.record().lines, closure.record().lines);
                assert_eq!(crlf.record().mutable_references, closure.record().mutable_references);
            }
            Some(closure)
        }
        Err(error) => {
            let error = error.to_string();
            assert_fit_to_be_shown(&error, LONGEST);
            assert_without_secrets(data, &error);
            if let Some(crlf) = crlf {
                assert_eq!(crlf.expect_err("CRLF is as bad as LF").to_string(), error);
            }
            None
        }
    }
}

fn assert_is_right(data: &[u8], closure: &Closure) {
    let record = closure.record();
    assert!(
        closure.fingerprint().len() == 64
            && closure.fingerprint().bytes().all(|byte| byte.is_ascii_hexdigit())
    );
    assert!(closure.files.iter().any(|file| file.path == "requirements.txt"));
    assert!(record.lines.iter().all(|line| line.number > 0));
    assert!(closure.variables.is_sorted());
    let json = serde_json::to_string(record).expect("it can be written");
    assert_eq!(&serde_json::from_str::<Recorded>(&json).expect("it can be read"), record);
    assert_without_secrets(data, &json);
}

fn assert_fit(data: &[u8], changes: &[Change]) {
    let said: Vec<String> = changes.iter().map(ToString::to_string).collect();
    for change in &said {
        assert_fit_to_be_shown(change, LONGEST);
        assert!(!change.contains('\n'), "{change:?}");
    }
    assert_without_secrets(data, &said.join("\n"));
}

pub(super) fn assert_without_secrets(data: &[u8], said: &str) {
    let text = String::from_utf8_lossy(data);
    let without_urls = text.replace(&format!("://user:{PASSWORD}@"), "");
    for (secret, given) in [(TOKEN, text.as_ref()), (PASSWORD, &without_urls)] {
        assert!(stands_openly(secret, given) || !said.contains(secret), "{said:?}");
    }
}

/// Whether a text has a word that nobody could take for a secret: perhaps broken into lines, or in
/// another encoding.
fn stands_openly(word: &str, text: &str) -> bool {
    let letters: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    letters.contains(word)
}

/// An env that is used again has to be what it would be if it were made now; one that is copied,
/// too, but for what pip adds. This says so once more, from the lines alone.
fn assert_nothing_is_overlooked(then: &Recorded, now: &Recorded, changes: &[Change]) {
    if changes.iter().any(|change| change.env_action() == EnvAction::Create) {
        return;
    }
    let meanings = |record: &Recorded| -> BTreeSet<String> {
        let meaning = |Line {
                           role,
                           key,
                           extras,
                           version,
                           source,
                           hashes,
                           options,
                           editable,
                           digest,
                           ..
                       }: &Line| {
            format!(
                "{role:?} {key} {extras:?} {version} {source:?} {hashes:?} {options:?} {editable} \
                 {digest:?}"
            )
        };
        record.lines.iter().map(meaning).collect()
    };
    let keys = |record: &Recorded| -> BTreeSet<String> {
        record.lines.iter().map(|line| format!("{:?} {}", line.role, line.key)).collect()
    };
    assert!(keys(then).is_subset(&keys(now)), "something is gone: {changes:?}");
    if changes.is_empty() {
        assert_eq!(meanings(then), meanings(now));
        assert_eq!(then.found, now.found);
    }
}
