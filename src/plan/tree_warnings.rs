//! What a tree has that is most likely a mistake: files whose names are nearly those that nyala
//! reads, and virtual environments of somebody's own machine.

use std::path::Path;

use anyhow::Result;

use crate::git::{CommitTree, Kind};
use crate::site::SETTINGS_FILE;
use crate::text::excerpt;

/// What virtual environments are called where people work. `env` is nyala's own, and is an error
/// elsewhere.
const ENVS: [&str; 6] = [".env", ".venv", ".virtualenv", "ENV", "venv", "virtualenv"];

/// What each virtual environment has: the one file by Python, the other by the oldest virtualenv.
const OF_ENVS: [&str; 3] = ["pyvenv.cfg", "bin/activate", "Scripts/activate"];

/// The names of files that decide what a deployment does. Those of lock files are left to their
/// tools, which write them.
const READ: [&str; 9] = [
    ".deployment",
    ".python-version",
    ".skipDjango",
    ".skipPythonDeployment",
    "Pipfile",
    "manage.py",
    "pyproject.toml",
    "requirements.txt",
    "runtime.txt",
];

/// Those that people write by hand, for which one wrong letter is looked for as well.
const BY_HAND: [&str; 2] = [".python-version", "runtime.txt"];

/// Each a sentence that says how to correct it. `trees` are that of the application and that of the
/// commit, and `settings` is the file on the server.
pub(super) fn warnings(trees: [&CommitTree<'_>; 2], settings: &Path) -> Result<Vec<String>> {
    let [tree, _] = trees;
    let entries = tree.list("")?;
    let mut warnings = Vec::new();
    for tree in trees {
        if tree.entry(SETTINGS_FILE)?.is_some_and(|entry| entry.kind == Kind::File) {
            warnings.push(settings_in_the_commit(settings));
            break;
        }
    }
    for (name, entry) in &entries {
        if entry.kind == Kind::File
            && let Some(meant) = meant(name)
            && !entries.iter().any(|(other, _)| other == meant)
        {
            warnings.push(misnamed(name, meant));
        }
        if entry.kind == Kind::Folder && ENVS.contains(&name.as_str()) {
            for file in OF_ENVS {
                if tree.entry(&format!("{name}/{file}"))?.is_some() {
                    warnings.push(committed_env(name));
                    break;
                }
            }
        }
    }
    Ok(warnings)
}

/// The name that somebody meant by another one; `None` when it is right, or too far away.
fn meant(name: &str) -> Option<&'static str> {
    let plain = |name: &str| name.trim().to_lowercase().replace('_', "-");
    let given = plain(name);
    let without_ending = given.strip_suffix(".txt");
    let by_hand = |known: &&str| {
        let known = plain(known);
        without_ending == Some(known.as_str()) || strsim::damerau_levenshtein(&given, &known) == 1
    };
    if READ.contains(&name) {
        return None;
    }
    let same = READ.into_iter().find(|known| plain(known) == given);
    // Another case of this one is an error of its own.
    let same = same.filter(|known| *known != "requirements.txt" || name.trim() == *known);
    same.or_else(|| BY_HAND.into_iter().find(by_hand))
}

fn settings_in_the_commit(settings: &Path) -> String {
    format!(
        "{SETTINGS_FILE} in the commit is not read: the settings of this site are in {}, on the \
         server",
        settings.display()
    )
}

fn misnamed(name: &str, meant: &str) -> String {
    let quoted = shlex::try_quote(name).unwrap_or_default();
    format!(
        "\"{}\" is not read: the name is not {meant}. To rename it: git mv {quoted} {meant}",
        excerpt(name)
    )
}

fn committed_env(name: &str) -> String {
    format!(
        "the tree tracks {name}, a virtual environment, which is not used: an environment works \
         only where it was made. To remove it from the repository: git rm -r --cached {name} && \
         echo /{name}/ >> .gitignore"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_right_is_found() {
        for (name, wanted) in [
            (".python-version ", ".python-version"),
            ("python-version", ".python-version"),
            (".python_version", ".python-version"),
            (".python-version.txt", ".python-version"),
            ("Runtime.txt", "runtime.txt"),
            ("runtime.txt.txt", "runtime.txt"),
            ("runtimes.txt", "runtime.txt"),
            ("pipfile", "Pipfile"),
            ("requirements.txt ", "requirements.txt"),
            (".skipdjango", ".skipDjango"),
        ] {
            assert_eq!(meant(name), Some(wanted), "{name}");
        }
        for name in
            ["runtime.txt", "time.txt", "Requirements.txt", "app.py", "runtime", "version", ""]
        {
            assert_eq!(meant(name), None, "{name}");
        }
    }

    #[test]
    fn each_warning_has_its_command() {
        assert_eq!(
            misnamed(".python-version ", ".python-version"),
            "\".python-version \" is not read: the name is not .python-version. \
             To rename it: git mv '.python-version ' .python-version"
        );
        assert_eq!(
            committed_env(".venv"),
            "the tree tracks .venv, a virtual environment, which is not used: an environment works \
             only where it was made. To remove it from the repository: git rm -r --cached .venv && \
             echo /.venv/ >> .gitignore"
        );
    }
}
