//! Whether a commit is a Python project, and where its requirements are.

use anyhow::Result;

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

/// What the top folder of a commit says. An env is made when either is there; with Python files and
/// no requirements, nothing is installed into it, and the log says so. With neither it is a plain
/// copy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// The file whose requirements are installed. Something of that name is there; whether it is a
    /// file, [`super::closure`] says.
    pub requirements: Option<String>,
    /// A name that was perhaps meant for it (`Requirements.txt`), when there is none; for a hint.
    pub lookalike: Option<String>,
    /// The Python project files at the top, sorted.
    pub python_files: Vec<String>,
}

impl Project {
    /// Whether the site needs an env at all.
    pub fn is_python(&self) -> bool {
        self.requirements.is_some() || !self.python_files.is_empty()
    }
}

/// Looks at the top folder of `tree`; what folders hold does not count, a website may well have
/// Python scripts in one.
pub fn project(tree: &impl Tree) -> Result<Project> {
    let mut project = Project::default();
    for (name, entry) in tree.list("")? {
        if name == REQUIREMENTS {
            project.requirements = Some(name);
        } else if matches!(entry, Entry::File { .. } | Entry::Link { .. }) {
            if is_lookalike(&name) {
                project.lookalike = Some(name);
            } else if NAMES.contains(&name.as_str()) || has_python_ending(&name) {
                project.python_files.push(name);
            }
        }
    }
    if project.requirements.is_some() {
        project.lookalike = None;
    }
    project.python_files.sort();
    Ok(project)
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
