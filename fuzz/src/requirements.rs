//! The closure of requirements, and what changed between two of them.
//!
//! The input is requirements.txt; a line `%%% PATH` begins another file of the same tree, `%%%>
//! PATH` a link, whose target follows, and `%%%% THEN` the tree that an env was made from before.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use anyhow::Result;
use nyala::python::dependencies::requirements_txt::{Closure, closure};
use nyala::python::dependencies::{Asks, Change, Entry, Line, Recorded, Tree, compare};

use super::text::{assert_fit_to_be_shown, with_crlf};

/// An error may show a circle of a hundred files.
const LONGEST: usize = 256 * 1024;

/// The value of an app setting that lines read with `${TOKEN}`.
const TOKEN: &str = "V4lue0fTheSetting";

/// A password where a URL has it in its credentials, and a word like any other elsewhere.
const PASSWORD: &str = "Pa55w0rd";

pub fn check(data: &[u8]) {
    let (now, then) = trees(data);
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
            assert!(
                changes
                    .iter()
                    .all(|change| matches!(change, Change::Editable { .. } | Change::Moving(_)))
            );
            assert_fit(data, &changes);
            if let Some(crlf) = crlf {
                let crlf = crlf.expect("CRLF is as good as LF");
                assert_eq!(crlf.record().lines, closure.record().lines);
                assert_eq!(crlf.record().moving, closure.record().moving);
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

fn assert_without_secrets(data: &[u8], said: &str) {
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
    if changes.iter().any(|change| change.asks() == Asks::Create) {
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

/// A tree in memory.
#[derive(Clone, Debug, Default)]
struct MemoryTree {
    entries: BTreeMap<String, Entry>,
    /// What files and links have in them, by their ids.
    contents: BTreeMap<String, Vec<u8>>,
}

fn trees(data: &[u8]) -> (MemoryTree, Option<MemoryTree>) {
    let mut trees = vec![MemoryTree::fixed()];
    let mut path = "requirements.txt".to_owned();
    let mut link = false;
    let mut content: Vec<&[u8]> = Vec::new();
    for line in data.split(|byte| *byte == b'\n').map(Some).chain([None]) {
        let heading = line.and_then(|line| line.strip_prefix(b"%%%"));
        if let Some(line) = line
            && heading.is_none()
        {
            content.push(line);
            continue;
        }
        trees.last_mut().expect("there is one").add(&path, &content.join(b"\n".as_slice()), link);
        content.clear();
        let heading = String::from_utf8_lossy(heading.unwrap_or_default()).into_owned();
        if heading.starts_with('%') && trees.len() == 1 {
            trees.push(MemoryTree::fixed());
            "requirements.txt".clone_into(&mut path);
        } else {
            link = heading.starts_with('>');
            heading.trim_start_matches('>').trim().clone_into(&mut path);
        }
    }
    let then = trees.drain(1..).next();
    (trees.remove(0), then)
}

impl MemoryTree {
    /// What every tree has, so that lines can name it.
    fn fixed() -> MemoryTree {
        let mut tree = MemoryTree::default();
        tree.add("lib/setup.py", b"", false);
        tree.add("wheels/a-1-py3-none-any.whl", b"", false);
        tree.entries.insert("vendor".to_owned(), Entry::Submodule { id: "0".repeat(40) });
        tree
    }

    /// Adds a file. Where a name is taken as a folder already, or a folder's name as a file, it is
    /// left out.
    fn add(&mut self, path: &str, content: &[u8], link: bool) {
        let legal = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
        let taken = |other: &String| {
            other.starts_with(&format!("{path}/")) || path.starts_with(&format!("{other}/"))
        };
        if path.split('/').all(legal) && !self.entries.keys().any(taken) {
            let id = self.store(content.to_vec());
            self.entries.insert(
                path.to_owned(),
                if link { Entry::Link { id } } else { Entry::File { id } },
            );
        }
    }

    fn store(&mut self, content: Vec<u8>) -> String {
        let id =
            format!("{:016x}", BuildHasherDefault::<DefaultHasher>::default().hash_one(&content));
        self.contents.insert(id.clone(), content);
        id
    }

    /// The same tree, but for the ends of lines; `None` when there is a CR or what is no UTF-8.
    fn with_crlf(&self) -> Option<MemoryTree> {
        let mut changed = self.clone();
        for entry in changed.entries.clone() {
            if let (path, Entry::File { id }) = entry {
                let content = with_crlf(&self.contents[&id])
                    .filter(|content| std::str::from_utf8(content).is_ok())?;
                let id = changed.store(content);
                changed.entries.insert(path, Entry::File { id });
            }
        }
        Some(changed)
    }
}

impl Tree for MemoryTree {
    fn entry(&self, path: &str) -> Result<Entry> {
        if let Some(entry) = self.entries.get(path) {
            return Ok(entry.clone());
        }
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let inside = || self.entries.iter().filter(|(path, _)| path.starts_with(&below));
        let missing = inside().next().is_none() && !path.is_empty();
        Ok(if missing {
            Entry::Missing
        } else {
            Entry::Folder { id: format!("{path} {}", inside().count()) }
        })
    }

    fn list(&self, path: &str) -> Result<Vec<(String, Entry)>> {
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let names =
            self.entries.keys().filter_map(|path| path.strip_prefix(&below)?.split('/').next());
        let names: BTreeSet<&str> = names.collect();
        names
            .into_iter()
            .map(|name| Ok((name.to_owned(), self.entry(&format!("{below}{name}"))?)))
            .collect()
    }

    fn size(&self, id: &str) -> Result<u64> {
        Ok(self.contents[id].len() as u64)
    }

    fn read(&self, id: &str) -> Result<Vec<u8>> {
        Ok(self.contents[id].clone())
    }
}
