//! Each lock is read as its own tool reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::{Captures, Regex};
use sha2::{Digest, Sha256};

use super::super::requirements_txt::tests::MemoryTree;
use super::super::workspace::workspace;
use super::{
    Chosen, Environment, Lock, LockError, Manifests, Origin, Package, ResolvedSet, Workspace,
};
use crate::hex::hex;

mod bad_input;
mod choice;
mod folders;
mod whole;

pub(super) fn environment(python: &str) -> Environment {
    Environment {
        python: python.parse().unwrap(),
        machine: "x86_64".into(),
        release: "6.1.0".into(),
        system_version: "#1".into(),
        extras: BTreeSet::new(),
        groups: BTreeSet::new(),
    }
}

/// A lock with whole digests in the place of short ones, which are easier to read in tests.
pub(super) fn with_whole_hashes(lock: &str) -> String {
    let short = Regex::new(r#"(sha256(?::|"?\s*[=:]\s*['"]))([0-9a-f]{1,63})\b"#).unwrap();
    let whole = |found: &Captures<'_>| format!("{}{:0<64}", &found[1], &found[2]);
    short.replace_all(lock, whole).into_owned()
}

/// Reads a lock whether or not it belongs to its manifest, which is another question.
fn read_frozen(
    lock: Lock,
    text: &str,
    pyproject: &str,
    groups: &[&str],
    python: &str,
) -> Result<ResolvedSet, LockError> {
    let groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
    let manifests =
        Manifests { pyproject: pyproject.parse().unwrap(), frozen: true, ..Manifests::default() };
    let text = with_whole_hashes(text);
    lock.read(&text, &manifests, &Chosen::new(&groups, &[]), &environment(python))
}

/// `scripts/test-locks` fills the folder `NYALA_LOCKS`: each folder in it has a project, its lock,
/// and in `LOCK.expected.json` what the tool itself prints for each Python and each choice.
#[test]
#[ignore = "needs the collection that scripts/test-locks makes"]
fn each_lock_is_read_as_its_own_tool_reads_it() {
    let folder = std::env::var_os("NYALA_LOCKS").expect("NYALA_LOCKS names the collection");
    // Of each kind: locks, sets that were compared, locks whose manifest was compared, and sets of
    // which a lock that is too old lacks something.
    let mut counted: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        for lock in Lock::ALL {
            let path = case.join(lock.file_name());
            let expected = case.join(format!("{}.expected.json", lock.file_name()));
            let Ok(expected) = fs::read(&expected) else { continue };
            let Exported { change, fresh, cases } = serde_json::from_slice(&expected).unwrap();
            let [locks, sets, manifests, incomplete] = counted.entry(lock.file_name()).or_default();
            *locks += 1;
            *sets += cases.iter().filter(|case| case.packages.is_some() || case.refused).count();
            for expected in &cases {
                // Of a lock that is too old, tools leave out what it lacks; here that is an error.
                let read = expected.read(lock, &path, true);
                if fresh == Some(false)
                    && let Err(LockError::Missing { .. } | LockError::NoSuch { .. }) = read
                {
                    *incomplete += 1;
                    continue;
                }
                if let Err(why) = expected.check(read) {
                    wrong.push(format!("{} {expected:?}\n  {why}", path.display()));
                }
            }
            if let (Some(fresh), Some(first)) = (fresh, cases.first()) {
                *manifests += 1;
                let why = first.read(lock, &path, false).err();
                let why = why.filter(|why| {
                    use LockError::{Gone, Missing, Stale, Unstated};
                    matches!(why, Stale { .. } | Unstated { .. } | Gone { .. } | Missing { .. })
                });
                if why.is_none() != fresh {
                    let path = path.display();
                    wrong.push(format!("{path} {change:?} fresh: {fresh}, found {why:?}"));
                }
            }
        }
    }
    for (name, [locks, sets, manifests, incomplete]) in counted {
        eprintln!(
            "{name}: {locks} locks, {sets} sets ({incomplete} incomplete), \
             {manifests} compared with their manifest"
        );
    }
    eprintln!("{}", wrong.join("\n"));
    assert!(wrong.is_empty(), "{} wrong", wrong.len());
}

/// What a tool said of one lock.
#[derive(serde::Deserialize)]
struct Exported {
    /// What mutate.py changed in the manifest.
    #[serde(default)]
    change: Vec<String>,
    /// Whether the lock belongs to its manifest, where its tool can tell without a new resolution.
    fresh: Option<bool>,
    cases: Vec<Expected>,
}

#[derive(serde::Deserialize)]
struct Expected {
    python: String,
    groups: Vec<String>,
    extras: Vec<String>,
    /// `name==version` with a digest of the hashes, `name@commit`, or `name` for what has no
    /// version there; sorted, without what is in the project's own folder. `None` where only the
    /// manifest is compared.
    #[serde(default)]
    packages: Option<BTreeSet<String>>,
    /// Whether the tool refuses this choice.
    #[serde(default)]
    refused: bool,
}

impl std::fmt::Debug for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "python {} groups {:?} extras {:?}", self.python, self.groups, self.extras)
    }
}

impl Expected {
    fn check(&self, read: Result<ResolvedSet, LockError>) -> Result<(), String> {
        let set = match read {
            Ok(_) if self.refused => return Err("its own tool refuses this choice".to_owned()),
            Err(_) if self.refused => return Ok(()),
            read => read.map_err(|error| error.to_string())?,
        };
        let Some(packages) = &self.packages else { return Ok(()) };
        let found: BTreeSet<String> = set.packages.iter().filter_map(as_exported).collect();
        let missing: Vec<_> = packages.difference(&found).collect();
        let more: Vec<_> = found.difference(packages).collect();
        if missing.is_empty() && more.is_empty() {
            Ok(())
        } else {
            Err(format!("missing {missing:?}, too many {more:?}"))
        }
    }

    fn read(&self, lock: Lock, path: &Path, frozen: bool) -> Result<ResolvedSet, LockError> {
        let text = fs::read_to_string(path).unwrap();
        let read = |name: &str| fs::read_to_string(path.with_file_name(name)).ok();
        let pyproject = read("pyproject.toml").unwrap_or_default().parse().unwrap();
        let manifests = Manifests {
            workspace: workspace_at(path, &text, &pyproject),
            pyproject,
            pipfile: read("Pipfile").map(|text| text.parse().unwrap()),
            frozen,
            above: 0,
            uv_toml: read("uv.toml").map(|text| text.parse().unwrap()),
            has_other_indexes: false,
            indexes_of_site: Vec::new(),
            of_site: BTreeMap::new(),
        };
        let chosen = Chosen::new(&self.groups, &self.extras);
        lock.read(&text, &manifests, &chosen, &environment(&self.python))
    }
}

/// What of the workspace of a uv.lock lies beside it.
fn workspace_at(lock: &Path, text: &str, pyproject: &toml::Table) -> Workspace {
    let top = lock.parent().unwrap();
    let mut tree = MemoryTree::default();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(top).unwrap().to_str().unwrap();
            let is_read = path.ends_with("pyproject.toml");
            let text = if is_read { fs::read_to_string(&path).unwrap() } else { String::new() };
            tree = tree.with(name, text);
        }
    }
    workspace(&tree, 0, text, pyproject).unwrap()
}

/// A package as `scripts/locks.d/export.py` writes it; `None` for what is in the tree.
fn as_exported(package: &Package) -> Option<String> {
    let Package { name, version, origin, hashes, lacks: _, is_built: _ } = package;
    let version = match origin {
        Origin::Folder(_) | Origin::File(_) => return None,
        Origin::Git { commit, .. } => return Some(format!("{name}@{commit}")),
        Origin::Url { .. } => return Some(name.clone()),
        Origin::Index(_) => version.as_ref().map(|version| format!("=={version}")),
    };
    let hashes: Vec<_> = hashes.iter().map(String::as_str).collect();
    let digest = match hashes.as_slice() {
        [] => String::new(),
        hashes => format!(" {}", &hex(&Sha256::digest(hashes.join(" ")))[..12]),
    };
    Some(format!("{name}{}{digest}", version.unwrap_or_default()))
}
