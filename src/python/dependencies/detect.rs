//! Whether a commit is a Python project, and where its dependencies are declared.

use anyhow::Result;

use super::locks::Lock;
use super::source::Source;
use super::tree::{Entry, Tree};

const REQUIREMENTS: &str = "requirements.txt";
/// Names that only a Python project has at its top.
const NAMES: [&str; 15] = [
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "Pipfile",
    "runtime.txt",
    ".python-version",
    "manage.py",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pylock.toml",
    "requirements.in",
    "pixi.lock",
    "pixi.toml",
];

/// What the top folder of a tree shows. It needs an env when it has either a source or Python
/// files; with Python files alone, nothing is installed, and the log says so. With neither, the
/// release is a plain copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detected {
    /// The source that is installed. Something of its name is there; [`Source::read`] says whether
    /// it is a file.
    pub source: Option<Source>,
    /// The lock files at the top, in the order in which they count.
    pub locks: Vec<Lock>,
    /// The Python project files at the top, sorted.
    pub python_files: Vec<String>,
}

impl Detected {
    /// Whether the site needs an env at all.
    pub fn is_python(&self) -> bool {
        self.source.is_some() || !self.python_files.is_empty()
    }
}

/// Looks at the top folder of `tree`. Subfolders don't count, because many websites keep Python
/// scripts in one.
pub fn detect(tree: &impl Tree) -> Result<Detected> {
    let mut detected = Detected::default();
    for (name, entry) in tree.list("")? {
        if name == REQUIREMENTS {
            detected.source = Some(Source::RequirementsTxt { path: name });
            continue;
        }
        detected.locks.extend(Lock::named(&name));
        if matches!(entry, Entry::File { .. } | Entry::Link { .. })
            && (NAMES.contains(&name.as_str()) || has_python_ending(&name))
        {
            detected.python_files.push(name);
        }
    }
    detected.python_files.sort();
    detected.locks.sort();
    Ok(detected)
}

fn has_python_ending(name: &str) -> bool {
    name.strip_suffix(".py").is_some_and(|stem| !stem.is_empty())
}
