//! Each lock is read as its own tool reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{Chosen, Environment, Lock, Manifests, normalized};

fn environment(python: &str) -> Environment {
    Environment {
        python: python.parse().unwrap(),
        machine: "x86_64".into(),
        release: "6.1.0".into(),
        system_version: "#1".into(),
        extras: BTreeSet::new(),
        groups: BTreeSet::new(),
    }
}

/// `scripts/test-locks` fills the folder `NYALA_LOCKS`: CASE/KIND has a project, its lock, and in
/// `expected.json` what the tool itself prints for each Python and each choice.
#[test]
#[ignore = "needs the collection that scripts/test-locks makes"]
fn each_lock_is_read_as_its_own_tool_reads_it() {
    let folder = std::env::var_os("NYALA_LOCKS").expect("NYALA_LOCKS names the collection");
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        for lock in Lock::ALL {
            let path = case.join(lock.file_name());
            let expected = case.join(format!("{}.expected.json", lock.file_name()));
            let Ok(expected) = fs::read(&expected) else { continue };
            let expected: Vec<Expected> = serde_json::from_slice(&expected).unwrap();
            for expected in expected {
                *counted.entry(lock.file_name()).or_default() += 1;
                // Every project of the collection needs something.
                assert!(!expected.packages.is_empty(), "{}: nothing exported", path.display());
                if let Err(why) = expected.check(lock, &path) {
                    wrong.push(format!("{} {expected:?}\n  {why}", path.display()));
                }
            }
        }
    }
    eprintln!("{counted:#?}");
    assert!(wrong.is_empty(), "{}\n{} wrong", wrong[..wrong.len().min(20)].join("\n"), wrong.len());
}

#[derive(serde::Deserialize)]
struct Expected {
    python: String,
    groups: BTreeSet<String>,
    extras: BTreeSet<String>,
    /// `name==version`, or `name` for what has no version there; sorted.
    packages: BTreeSet<String>,
}

impl std::fmt::Debug for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "python {} groups {:?} extras {:?}", self.python, self.groups, self.extras)
    }
}

impl Expected {
    fn check(&self, lock: Lock, path: &Path) -> Result<(), String> {
        let text = fs::read_to_string(path).unwrap();
        // Not frozen: the lock has to be found fresh, too.
        let read = |name: &str| fs::read_to_string(path.with_file_name(name)).ok();
        let manifests = Manifests {
            pyproject: read("pyproject.toml").unwrap_or_default().parse().unwrap(),
            pipfile: read("Pipfile").map(|text| text.parse().unwrap()),
            frozen: false,
        };
        let chosen = Chosen {
            groups: self.groups.iter().map(|name| normalized(name)).collect(),
            extras: self.extras.iter().map(|name| normalized(name)).collect(),
        };
        let set = lock
            .read(&text, &manifests, &chosen, &environment(&self.python))
            .map_err(|error| error.to_string())?;
        let found: BTreeSet<String> = set
            .packages
            .iter()
            .filter(|package| !matches!(package.origin, super::Origin::Folder(_)))
            .map(|package| match &package.version {
                Some(version) => format!("{}=={version}", package.name),
                None => package.name.clone(),
            })
            .collect();
        let missing: Vec<_> = self.packages.difference(&found).collect();
        let more: Vec<_> = found.difference(&self.packages).collect();
        if missing.is_empty() && more.is_empty() {
            Ok(())
        } else {
            Err(format!("missing {missing:?}, too many {more:?}"))
        }
    }
}
