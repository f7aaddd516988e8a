//! Notes on commits, and nyala's own refs. Concurrent writers never lose a note.
//!
//! `git notes append` reads the notes, adds one, and then sets the ref without checking whether it
//! has moved meanwhile: of two concurrent writers, one is lost. Here libgit2 writes the objects,
//! and the ref moves only from where it was seen; otherwise the notes are read again.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use git2::{ObjectType, Oid, Signature, Tree};

use super::{Repository, error, git, run};
use crate::user_error::Explain;

/// How often the notes are read again after another writer was faster.
const TRIES: usize = 50;

/// How long to wait for a locked ref each time.
const LOCKED: Duration = Duration::from_millis(5);

/// Text for the note of a commit, and another ref that moves together with the notes.
#[derive(Clone, Copy, Debug)]
pub struct Note<'a> {
    /// The ref of the notes, such as `refs/notes/deployments`.
    pub notes: &'a str,
    /// The full id of the commit that the note is on.
    pub commit: &'a str,
    pub text: &'a str,
    /// A ref and the full id that it is to name, whatever it named before.
    pub ref_to_set: Option<(&'a str, &'a str)>,
}

/// Appends the text to the note, after an empty line when there is one already. A git child is
/// needed only for the first note, and where refs are not in files.
///
/// `flush` is called when the objects are written, and before a ref names them: a ref that outlives
/// a loss of power with an object that does not would break the repository.
pub fn append(
    repository: &Repository,
    note: &Note<'_>,
    flush: &dyn Fn() -> Result<()>,
) -> Result<()> {
    let objects = repository.objects();
    let mut refused = None;
    for _ in 0..TRIES {
        let old = tip(repository, note.notes)?;
        let parent = match &old {
            Some(id) => {
                let oid = Oid::from_str_ext(id, objects.object_format())?;
                Some(
                    objects
                        .find_commit(oid)
                        .with_context(|| format!("{} is no commit", note.notes))?,
                )
            }
            None => None,
        };
        let tree = parent.as_ref().map(git2::Commit::tree).transpose()?;
        let tree = objects.find_tree(insert(
            objects,
            tree.as_ref(),
            note.commit,
            note.text,
            Depth::Root,
        )?)?;
        let author = Signature::now("nyala", "nyala@localhost")?;
        let parents: Vec<_> = parent.iter().collect();
        let new =
            objects.commit(None, &author, &author, "Notes added by nyala", &tree, &parents)?;
        flush()?;
        let moved = match parent.as_ref().map(git2::Commit::id) {
            Some(old) if has_files(objects)? => set_files(objects, note, new, old),
            _ => set(repository.path(), note, &new.to_string(), old.as_deref()),
        };
        match moved {
            Ok(()) => return Ok(()),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| error::cannot_move(note.notes).into()))
}

/// The id that a ref points to; `None` if there is no such ref. libgit2 answers without a child,
/// unless refs are not in files.
fn tip(repository: &Repository, name: &str) -> Result<Option<String>> {
    let objects = repository.objects();
    if !has_files(objects)? {
        return Ok(
            run(git(repository.path()).args(["rev-parse", "--verify", "--quiet", name])).ok()
        );
    }
    match objects.refname_to_id(name) {
        Ok(id) => Ok(Some(id.to_string())),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{name} cannot be read")),
    }
}

/// Whether refs are in files, which libgit2 can read and write.
fn has_files(objects: &git2::Repository) -> Result<bool> {
    let format = objects.config()?.get_string("extensions.refstorage");
    Ok(!format.is_ok_and(|format| format != "files"))
}

/// Moves the ref of the notes from where it was seen, without a child. Another writer holds the
/// lock of a ref only for a moment.
fn set_files(objects: &git2::Repository, note: &Note<'_>, new: Oid, old: Oid) -> Result<()> {
    let waited = |error: git2::Error| {
        if error.code() == git2::ErrorCode::Locked {
            thread::sleep(LOCKED);
        }
        error
    };
    objects
        .reference_matching(note.notes, new, true, old, "nyala")
        .map_err(waited)
        .explain(|| error::cannot_move(note.notes))?;
    let Some((name, id)) = note.ref_to_set else { return Ok(()) };
    let id = Oid::from_str_ext(id, objects.object_format())?;
    let mut moved = objects.reference(name, id, true, "nyala");
    for _ in 0..TRIES {
        if moved.as_ref().is_err_and(|error| error.code() == git2::ErrorCode::Locked) {
            thread::sleep(LOCKED);
            moved = objects.reference(name, id, true, "nyala");
        }
    }
    moved.map(|_| ()).explain(|| error::cannot_move(name))
}

/// Moves the ref of the notes from where it was seen, whatever the format of refs is.
fn set(repository: &Path, note: &Note<'_>, new: &str, old: Option<&str>) -> Result<()> {
    let zeros = "0".repeat(new.len());
    let mut text = format!("update {}\0{new}\0{}\0", note.notes, old.unwrap_or(&zeros));
    if let Some((name, id)) = note.ref_to_set {
        text.push_str(&format!("update {name}\0{id}\0\0"));
    }
    let mut child = git(repository)
        // The notes are nyala's own: no hook of the repository runs for them.
        .args([
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.fsync=reference",
            "update-ref",
            "-m",
            "nyala",
            "--stdin",
            "-z",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .explain(error::not_started)?;
    if let Some(mut input) = child.stdin.take() {
        // If git reads only a part of it, it says why.
        let _ = input.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().context("git update-ref was lost")?;
    if !output.status.success() {
        bail!(error::cannot_move(note.notes).found(String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Root,
    Below,
}

/// The tree of the notes with the text added. Notes are files named by the commit's id, in folders
/// of two digits as deep as git found useful; where there is none yet for this commit, it goes one
/// folder deep.
fn insert(
    objects: &git2::Repository,
    tree: Option<&Tree<'_>>,
    name: &str,
    text: &str,
    depth: Depth,
) -> Result<Oid> {
    let mut builder = objects.treebuilder(tree)?;
    let there = tree
        .and_then(|tree| tree.get_name(name))
        .filter(|entry| entry.kind() == Some(ObjectType::Blob));
    let (folder, rest) = name.split_at(2);
    if there.is_none() && (depth == Depth::Root || has_folder(tree, folder)) {
        let inner = match tree.and_then(|tree| tree.get_name(folder)) {
            Some(entry) if entry.kind() == Some(ObjectType::Tree) => {
                Some(objects.find_tree(entry.id())?)
            }
            _ => None,
        };
        builder.insert(
            folder,
            insert(objects, inner.as_ref(), rest, text, Depth::Below)?,
            0o040_000,
        )?;
    } else {
        let mut content = match &there {
            Some(entry) => objects.find_blob(entry.id())?.content().to_owned(),
            None => Vec::new(),
        };
        if !content.is_empty() {
            content.extend_from_slice(if content.ends_with(b"\n") { b"\n" } else { b"\n\n" });
        }
        content.extend_from_slice(text.as_bytes());
        builder.insert(name, objects.blob(&content)?, 0o100_644)?;
    }
    Ok(builder.write()?)
}

fn has_folder(tree: Option<&Tree<'_>>, name: &str) -> bool {
    tree.and_then(|tree| tree.get_name(name))
        .is_some_and(|entry| entry.kind() == Some(ObjectType::Tree))
}

#[cfg(test)]
mod tests {
    use super::super::{bare_git, run};
    use super::*;

    const NOTES: &str = "refs/notes/deployments";

    struct Repo {
        folder: tempfile::TempDir,
        commits: Vec<String>,
    }

    impl Repo {
        fn new(format: &str, commits: usize) -> Repo {
            let folder = tempfile::tempdir().unwrap();
            run(bare_git().args(["init", "--quiet", "--bare", format]).arg(folder.path())).unwrap();
            let repo = Repo { folder, commits: Vec::new() };
            let tree = repo.git(&["hash-object", "-t", "tree", "-w", "/dev/null"]);
            let commits = (0..commits)
                .map(|number| repo.git(&["commit-tree", "-m", &number.to_string(), &tree]));
            Repo { commits: commits.collect(), ..repo }
        }

        fn git(&self, words: &[&str]) -> String {
            run(git(self.folder.path())
                .args(["-c", "user.name=A", "-c", "user.email=a@b"])
                .args(words))
            .unwrap()
        }

        fn append(&self, commit: usize, text: &str, ref_to_set: Option<(&str, &str)>) {
            let repository = Repository::open(self.folder.path()).unwrap();
            let note = Note { notes: NOTES, commit: &self.commits[commit], text, ref_to_set };
            append(&repository, &note, &|| Ok(())).unwrap();
        }

        fn note(&self, commit: usize) -> String {
            self.git(&["notes", "--ref=deployments", "show", &self.commits[commit]])
        }
    }

    #[test]
    fn git_reads_what_was_appended_and_the_other_ref_moves() {
        for format in ["--object-format=sha1", "--object-format=sha256"] {
            let repo = Repo::new(format, 2);
            repo.append(0, "one\n", Some(("refs/deployments/live", &repo.commits[0])));
            repo.append(0, "two\n", Some(("refs/deployments/live", &repo.commits[1])));
            repo.append(1, "other\n", None);
            assert_eq!((repo.note(0).as_str(), repo.note(1).as_str()), ("one\n\ntwo", "other"));
            assert_eq!(repo.git(&["rev-parse", "refs/deployments/live"]), repo.commits[1]);
            repo.git(&["fsck", "--strict"]);
        }
    }

    #[test]
    fn notes_that_git_wrote_are_appended_to() {
        let repo = Repo::new("--object-format=sha1", 2);
        repo.git(&["notes", "--ref=deployments", "add", "-m", "by hand", &repo.commits[0]]);
        repo.append(0, "by nyala", None);
        repo.append(1, "by nyala", None);
        repo.git(&["notes", "--ref=deployments", "append", "-m", "by hand", &repo.commits[1]]);
        assert_eq!(repo.note(0), "by hand\n\nby nyala");
        // git puts what it likes between the two.
        let note = repo.note(1);
        assert!(note.starts_with("by nyala\n") && note.ends_with("by hand"), "{note}");
    }

    #[test]
    fn concurrent_writers_never_lose_a_note() {
        let repo = Repo::new("--object-format=sha1", 4);
        thread::scope(|scope| {
            for writer in 0..4_usize {
                let repo = &repo;
                scope.spawn(move || {
                    for number in 0..5 {
                        repo.append((writer + number) % 4, &format!("{writer}.{number}\n"), None);
                    }
                });
            }
        });
        let all: String = (0..4).map(|commit| repo.note(commit) + "\n").collect();
        for writer in 0..4 {
            for number in 0..5 {
                assert!(
                    all.contains(&format!("{writer}.{number}")),
                    "{writer}.{number} is not in\n{all}"
                );
            }
        }
    }
}
