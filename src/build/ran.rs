//! What tells the commands that ran in an env from other ones: their text, and the scripts and
//! settings that they name.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::mem;

use anyhow::Result;
use git2::Oid;
use sha2::{Digest, Sha256};

use super::BuildPlan;
use crate::console::mask::names_secret;
use crate::git::{CommitTree, Entry, Kind};
use crate::hex::hex;
use crate::python::dependencies::joined;
use crate::python::env::marker::RanCommand;
use crate::site::AppSettings;
use crate::text::url::without_credentials;

/// How many words of a command and its scripts are looked at, and in how many folders.
const WORDS: usize = 4000;
const FOLDERS: usize = 32;

/// The largest script that is searched for the names of others, in bytes.
const LARGEST: usize = 256 << 10;

/// Files that a program runs although no command names them.
const IMPLIED: [(&str, &[&str]); 16] = [
    ("bun", &["package.json"]),
    ("doit", &["dodo.py"]),
    ("fab", &["fabfile.py"]),
    ("inv", &["tasks.py"]),
    ("invoke", &["tasks.py"]),
    ("just", &["justfile", "Justfile"]),
    ("make", &["GNUmakefile", "makefile", "Makefile"]),
    ("nox", &["noxfile.py"]),
    ("npm", &["package.json"]),
    ("pnpm", &["package.json"]),
    ("poe", &["pyproject.toml", "poe_tasks.toml"]),
    ("rake", &["rakefile", "Rakefile"]),
    ("scons", &["SConstruct"]),
    ("task", &["Taskfile.yml", "Taskfile.yaml"]),
    ("tox", &["tox.ini"]),
    ("yarn", &["package.json"]),
];

/// What visitors get, and nothing that a command installs.
const OF_PAGES: [&str; 14] = [
    "css", "gif", "html", "ico", "jpeg", "jpg", "js", "map", "md", "png", "svg", "webp", "woff",
    "woff2",
];

/// The commands of a project that run in its env, as the env's marker has them.
///
/// A script counts with its bytes, and so do the scripts and other files of the tree that it names:
/// from the top of the tree, from its own folder, or from a folder that is named as well. Of a
/// folder, the scripts right in it count; of a pattern, the files that fit it. What a command reads
/// from elsewhere cannot be known.
///
/// So do the variables that it or one of these files names, but not tokens and passwords: they say
/// who asks for a package, and not for which.
pub fn commands_in_env(
    tree: &CommitTree<'_>,
    build: &BuildPlan,
    app_settings: &AppSettings,
) -> Result<Vec<RanCommand>> {
    let of_file =
        build.settings.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let variables = of_file.chain(app_settings.iter()).filter(|(name, _)| !names_secret(name));
    let variables: BTreeMap<_, _> = variables.collect();
    let instead = build.settings.command.iter();
    let instead =
        instead.map(|said| (said.value.as_str(), format!("the command ({})", said.source)));
    let after = build.post_build.iter().map(|own| {
        let name = own.file.map_or_else(|| format!("a command ({})", own.by), str::to_owned);
        (own.command.as_str(), name)
    });
    instead
        .chain(after)
        .map(|(command, name)| {
            let Named { digest, words } = named(tree, command)?;
            let named = variables.iter().filter(|(name, _)| words.contains(**name));
            let settings = named.map(|(name, value)| ((*name).to_owned(), short_digest(value)));
            Ok(RanCommand { name, digest, settings: settings.collect() })
        })
        .collect()
}

/// Enough to see that a value has changed.
fn short_digest(value: &str) -> String {
    hex(&Sha256::digest(without_credentials(value))[..4])
}

/// A command with all that it names.
struct Named {
    /// Of its text and of the files.
    digest: String,
    /// What may be the name of a variable.
    words: BTreeSet<String>,
}

fn named(tree: &CommitTree<'_>, command: &str) -> Result<Named> {
    let mut search =
        Search { tree, folders: BTreeMap::new(), words: BTreeSet::new(), ahead: vec![] };
    search.add_folder("")?;
    search.add_words(command);
    let (mut found, mut words) = (BTreeMap::new(), names(command));
    while let Some((folder, word)) = search.ahead.pop() {
        for (path, oid) in search.files(&folder, &word)? {
            if found.insert(path.clone(), oid).is_some() || !may_name(&path) {
                continue;
            }
            let text = tree.file(&path, LARGEST).ok().flatten().unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            words.append(&mut names(&text));
            if is_script(&path) {
                search.add_folder(folder_of(&path))?;
                search.add_words(&text);
            }
        }
    }
    let mut hash = Sha256::new();
    hash.update(command);
    for (path, oid) in found {
        hash.update(format!("\0{path}\0{oid}"));
    }
    Ok(Named { digest: hex(&hash.finalize()), words })
}

/// What may be the name of a variable in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A search for what words name. Each word is looked up in each folder.
struct Search<'a> {
    tree: &'a CommitTree<'a>,
    /// With the names in each.
    folders: BTreeMap<String, BTreeSet<String>>,
    words: BTreeSet<String>,
    /// What is still to be looked up: a folder and a word.
    ahead: Vec<(String, String)>,
}

impl Search<'_> {
    fn add_folder(&mut self, folder: &str) -> Result<()> {
        if self.folders.len() < FOLDERS && !self.folders.contains_key(folder) {
            let names = self.tree.list(folder)?.into_iter().map(|(name, _)| name).collect();
            self.folders.insert(folder.to_owned(), names);
            self.ahead.extend(self.words.iter().map(|word| (folder.to_owned(), word.clone())));
        }
        Ok(())
    }

    fn add_words(&mut self, text: &str) {
        let words = words(text);
        let before = iter::once("").chain(words.iter().map(String::as_str));
        for (word, before) in words.iter().zip(before) {
            let implied = IMPLIED.iter().filter(|(program, _)| program == word);
            let implied = implied.flat_map(|(_, files)| files.iter().map(ToString::to_string));
            let module = if before == "-m" { Some(word.as_str()) } else { word.strip_prefix("-m") };
            let module = module.into_iter().flat_map(files_of_module);
            for word in implied.chain(module).chain([word.clone()]) {
                if self.words.len() < WORDS && self.words.insert(word.clone()) {
                    let folders = self.folders.keys();
                    self.ahead.extend(folders.map(|folder| (folder.clone(), word.clone())));
                }
            }
        }
    }

    /// The files of the tree that a word names in a folder.
    fn files(&mut self, folder: &str, word: &str) -> Result<Vec<(String, Oid)>> {
        if word.contains(['*', '?']) {
            return self.fitting(folder, word);
        }
        let first = word.split('/').next().unwrap_or_default();
        if first != ".." && !self.folders.get(folder).is_some_and(|names| names.contains(first)) {
            return Ok(Vec::new());
        }
        let Some(path) = joined(folder, word) else { return Ok(Vec::new()) };
        match self.tree.entry(&path)? {
            Some(Entry { kind: Kind::File, oid }) => Ok(vec![(path, oid)]),
            Some(Entry { kind: Kind::Folder, .. }) if !path.is_empty() => {
                self.add_folder(&path)?;
                let is_script = |(name, _): &(String, Oid)| is_script(name);
                Ok(self.files_in(&path)?.into_iter().filter(is_script).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The files of a folder that fit a pattern. What stands between two signs of a pattern is not
    /// looked at.
    fn fitting(&self, folder: &str, pattern: &str) -> Result<Vec<(String, Oid)>> {
        let (within, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
        let signs = ['*', '?'];
        let start = name.split(signs).next().unwrap_or_default();
        let end = name.rsplit(signs).next().unwrap_or_default();
        // A sign alone is no pattern of paths: `case $1 in *)`.
        if within.contains(signs) || within.is_empty() && end.is_empty() {
            return Ok(Vec::new());
        }
        let Some(within) = joined(folder, within) else { return Ok(Vec::new()) };
        let fits = |(path, _): &(String, Oid)| {
            let name = name_of(path);
            name.starts_with(start) && name.ends_with(end) && !is_of_pages(name)
        };
        Ok(self.files_in(&within)?.into_iter().filter(fits).collect())
    }

    /// The files right in a folder, with their paths.
    fn files_in(&self, folder: &str) -> Result<Vec<(String, Oid)>> {
        let files = self.tree.list(folder)?.into_iter();
        let files = files.filter(|(_, entry)| entry.kind == Kind::File);
        Ok(files.filter_map(|(name, entry)| Some((joined(folder, &name)?, entry.oid))).collect())
    }
}

/// What `python -m` runs of a module.
fn files_of_module(name: &str) -> [String; 2] {
    let path = name.replace('.', "/");
    [format!("{path}.py"), format!("{path}/__main__.py")]
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn extension(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, extension)| extension)
}

fn is_of_pages(name: &str) -> bool {
    extension(name).is_some_and(|extension| OF_PAGES.contains(&extension))
}

/// Whether a file is likely to run others. Of a Python module it is enough to know its own bytes:
/// nearly everything in a tree is named somewhere in such a module.
fn is_script(path: &str) -> bool {
    matches!(extension(name_of(path)), None | Some("sh" | "bash" | "mk"))
}

/// Whether a file is looked at for the names of variables.
fn may_name(path: &str) -> bool {
    is_script(path) || extension(name_of(path)) == Some("py")
}

/// What may be paths or patterns of paths in a text, each without `./`. What a variable stands for
/// is not known: where a path begins with it, the rest counts, and else it is a pattern. No path of
/// the tree is left out for its case.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_variable = letter == '$'
            && letters.next_if(|next| next.is_alphanumeric() || "{_@".contains(*next)).is_some();
        if is_variable {
            while letters.next_if(|next| next.is_alphanumeric() || *next == '_').is_some() {}
            word.push('*');
            // `${NAME:-path}`
            if letters.next_if_eq(&':').is_some() && letters.next_if_eq(&'-').is_some() {
                words.push(mem::take(&mut word));
            }
        } else if letter.is_alphanumeric() || "_-./@+%,*?".contains(letter) {
            word.push(letter);
        } else {
            words.push(mem::take(&mut word));
        }
    }
    words.push(word);
    words
        .iter()
        .map(|word| word.trim_start_matches("*/").trim_start_matches("./").trim_matches(['/', ',']))
        .filter(|word| !word.trim_matches('*').is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::tree_of;

    #[test]
    fn words_are_what_may_be_paths() {
        let text = "bash ./deploy.sh && . 'lib/common.sh'; x=../up python -m pip";
        let expected = ["bash", "deploy.sh", ".", "lib/common.sh", "x", "../up", "python"];
        assert_eq!(words(text)[..7], expected);
        for (text, word) in [
            (". \"$(dirname \"$0\")/lib.sh\"", "lib.sh"),
            (". $HERE/lib.sh", "lib.sh"),
            (". \"${HERE}/lib.sh\"", "lib.sh"),
            ("sh ${SCRIPT:-bin/run.sh}", "bin/run.sh"),
            ("sh bin/$name.sh", "bin/*.sh"),
            ("for f in bin/post.d/*.sh; do", "bin/post.d/*.sh"),
        ] {
            assert!(words(text).iter().any(|it| it == word), "{text}: {:?}", words(text));
        }
    }

    /// Whether a command counts a file, which holds this at first.
    fn counts(command: &str, files: &[(&str, &str)], changed: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let objects = git2::Repository::init_bare(folder.path()).unwrap();
        let digest_of = |changed: Option<&str>| {
            let files: Vec<_> = files
                .iter()
                .map(|(path, text)| (*path, if changed == Some(path) { "other" } else { *text }))
                .collect();
            let tree = tree_of(&objects, &files);
            named(&CommitTree::new(&objects, tree).unwrap(), command).unwrap().digest
        };
        digest_of(None) != digest_of(Some(changed))
    }

    #[test]
    fn what_a_script_names_is_found_where_the_script_would_look_for_it() {
        let here = ". \"$(dirname \"$0\")/lib.sh\"";
        for (script, file) in [
            (here, "bin/lib.sh"),
            (". \"$HERE/../tools/lib.sh\"", "tools/lib.sh"),
            ("cd tools; . ./more.sh", "tools/more.sh"),
            ("run-parts tools", "tools/10-first"),
            ("for f in bin/post.d/*.sh; do sh $f; done", "bin/post.d/10.sh"),
            ("for f in tools/*; do python $f; done", "tools/setup.py"),
            ("sh tools/build-$NAME.sh", "tools/build-x.sh"),
            ("cd web && npm run build", "web/package.json"),
            ("fab install", "fabfile.py"),
            ("python -m tools.prepare", "tools/prepare.py"),
            ("python3 -mtools", "tools/__main__.py"),
        ] {
            let files = [("bin/post_compile", script), (file, "true")];
            assert!(counts("bin/post_compile", &files, file), "{script}");
        }
        for (script, file) in [
            ("cd web && npm run build", "web/src/page.js"),
            ("cd app; python -m flask", "app/views.py"),
            ("case $1 in *) true;; esac", "app.py"),
            ("gzip static/*", "static/page.css"),
        ] {
            let files = [("bin/post_compile", script), (file, "1")];
            assert!(!counts("bin/post_compile", &files, file), "{script}");
        }
    }

    #[test]
    fn a_command_names_what_its_scripts_name() {
        let folder = tempfile::tempdir().unwrap();
        let objects = git2::Repository::init_bare(folder.path()).unwrap();
        let files = [("a.sh", "python tools/b.py"), ("tools/b.py", "environ['IN_PYTHON']")];
        let tree = tree_of(&objects, &files);
        let tree = CommitTree::new(&objects, tree).unwrap();
        let Named { words, .. } = named(&tree, "sh a.sh \"${IN_COMMAND}\"").unwrap();
        for word in ["IN_COMMAND", "IN_PYTHON"] {
            assert!(words.contains(word), "{words:?}");
        }
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
