//! What tells the commands that ran in an env from other ones: their text, and the scripts that
//! they name.

use std::collections::BTreeSet;

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::BuildPlan;
use crate::git::{CommitTree, Kind};
use crate::hex::hex;
use crate::python::env::marker::RanCommand;

/// How many words of a command and its scripts are looked at.
const WORDS: usize = 4000;

/// The largest script that is searched for the names of others, in bytes.
const LARGEST: usize = 256 << 10;

/// Files that a program runs although no command names them.
const IMPLIED: [(&str, &[&str]); 4] = [
    ("just", &["justfile", "Justfile"]),
    ("make", &["GNUmakefile", "makefile", "Makefile"]),
    ("nox", &["noxfile.py"]),
    ("tox", &["tox.ini"]),
];

/// The commands of a project that run in its env, as the env's marker has them.
///
/// A script counts with its bytes, and so do the scripts and other files of the tree that it names.
/// What a command reads from elsewhere cannot be known.
pub fn commands_in_env(tree: &CommitTree<'_>, build: &BuildPlan) -> Result<Vec<RanCommand>> {
    let instead = build.settings.command.iter();
    let instead =
        instead.map(|said| (said.value.as_str(), format!("the command ({})", said.source)));
    let after = build.post_build.iter().map(|own| {
        let name = own.file.map_or_else(|| format!("a command ({})", own.by), str::to_owned);
        (own.command.as_str(), name)
    });
    instead
        .chain(after)
        .map(|(command, name)| Ok(RanCommand { name, digest: digest(tree, command)? }))
        .collect()
}

fn digest(tree: &CommitTree<'_>, command: &str) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(command);
    let mut todo: Vec<String> = words(command);
    let mut seen = BTreeSet::new();
    while let Some(word) = todo.pop() {
        if seen.len() == WORDS {
            break;
        }
        if !seen.insert(word.clone()) {
            continue;
        }
        let implied = IMPLIED.iter().filter(|(program, _)| *program == word);
        todo.extend(implied.flat_map(|(_, files)| files.iter().map(ToString::to_string)));
        let Some(entry) = tree.entry(&word)?.filter(|entry| entry.kind == Kind::File) else {
            continue;
        };
        hash.update(format!("\0{word}\0{}", entry.oid));
        if is_script(&word)
            && let Ok(Some(bytes)) = tree.file(&word, LARGEST)
        {
            todo.extend(words(&String::from_utf8_lossy(&bytes)));
        }
    }
    Ok(hex(&hash.finalize()))
}

/// Whether a file is likely to run others. Of a Python module it is enough to know its own bytes:
/// nearly everything in a tree is named somewhere in such a module.
fn is_script(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    matches!(extension, None | Some("sh" | "bash" | "mk"))
}

/// What may be paths in a text, each without `./`. No path of the tree is left out for its case.
fn words(text: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || "_-./@+%,".contains(letter);
    text.split(|letter| !is_part(letter))
        .map(|word| word.trim_start_matches("./").trim_matches(['/', ',']))
        .filter(|word| !word.is_empty() && !word.split('/').any(|part| part == ".."))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_may_be_paths() {
        let text = "bash ./deploy.sh && . 'lib/common.sh'; x=../up python -m pip";
        let expected = ["bash", "deploy.sh", ".", "lib/common.sh", "x", "python", "-m", "pip"];
        assert_eq!(words(text), expected);
    }

    #[test]
    fn only_scripts_are_searched() {
        for path in ["bin/post_compile", "deploy.sh", "Makefile", "rules.mk"] {
            assert!(is_script(path), "{path}");
        }
        for path in ["manage.py", "requirements.txt", "logo.png"] {
            assert!(!is_script(path), "{path}");
        }
    }
}
