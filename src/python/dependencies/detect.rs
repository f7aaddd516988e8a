//! Whether a commit is a Python project, and where its dependencies are declared.

use anyhow::Result;

use super::source::Source;
use super::tree::{Entry, Tree};

const REQUIREMENTS: &str = "requirements.txt";
/// Names that only a Python project has at its top.
const NAMES: [&str; 9] = [
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "Pipfile",
    "runtime.txt",
    ".python-version",
    "manage.py",
    "poetry.lock",
    "uv.lock",
];

/// What the top folder of a tree shows. It needs an env when it has either a source or Python
/// files; with Python files alone, nothing is installed, and the log says so. With neither, the
/// release is a plain copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detected {
    /// The source that is installed. Something of its name is there; [`Source::read`] says whether
    /// it is a file.
    pub source: Option<Source>,
    /// A name that was perhaps meant for it (`Requirements.txt`), when there is none; for a hint.
    pub lookalike: Option<String>,
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
        } else if matches!(entry, Entry::File { .. } | Entry::Link { .. }) {
            if is_lookalike(&name) {
                detected.lookalike = Some(name);
            } else if NAMES.contains(&name.as_str()) || has_python_ending(&name) {
                detected.python_files.push(name);
            }
        }
    }
    if detected.source.is_some() {
        detected.lookalike = None;
    }
    detected.python_files.sort();
    Ok(detected)
}

fn is_lookalike(name: &str) -> bool {
    let name = name.to_lowercase();
    matches!(
        name.as_str(),
        "requirements.txt"
            | "requirement.txt"
            | "requirements.txt.txt"
            | "requirements"
            | "reqs.txt"
    )
}

fn has_python_ending(name: &str) -> bool {
    name.strip_suffix(".py").is_some_and(|stem| !stem.is_empty())
}
