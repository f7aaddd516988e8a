//! Moves refs: all of them or none, and only from where they were last seen.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context, Result, bail};

use super::{RefUpdate, error, git};

use crate::user_error::Explain;

/// Refs that are locked, and known to be where they were seen. Dropped, they stay there.
///
/// It is a `git update-ref --stdin` (2.27 and later) that waits for `commit`, so that every format
/// of refs works, and the `reference-transaction` hook runs. When this process dies, git reaches
/// the end of its input and frees the locks.
#[derive(Debug)]
pub struct Prepared {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Prepared {
    /// Locks the refs. Fails with git's own words when one is not where it was seen, or cannot be
    /// moved.
    pub fn new(repository: &Path, updates: &[RefUpdate]) -> Result<Prepared> {
        let mut child = git(repository)
            // The release has been flushed to the disk; by default, git does not flush refs
            // (git-config(1), core.fsync).
            .args(["-c", "core.fsync=reference", "update-ref", "-m", "push", "--stdin", "-z"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A signal to this whole group must not leave locked refs behind: git removes its locks
            // itself.
            .process_group(0)
            .spawn()
            .explain(error::not_started)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("git update-ref has no pipes");
        };
        let mut prepared = Prepared { child, input: Some(input), output: BufReader::new(output) };
        let mut text = String::from("start\0");
        for update in updates {
            let RefUpdate { refname, old_oid, new_oid } = update;
            text.push_str(&if update.is_deletion() {
                format!("delete {refname}\0{old_oid}\0")
            } else {
                format!("update {refname}\0{new_oid}\0{old_oid}\0")
            });
        }
        text.push_str("prepare\0");
        prepared.say(&text, "prepare: ok")?;
        Ok(prepared)
    }

    /// Moves the refs.
    pub fn commit(mut self) -> Result<()> {
        self.say("commit\0", "commit: ok")
    }

    /// Sends commands to git. Fails with git's own words unless it gives the expected answer.
    fn say(&mut self, text: &str, expected: &str) -> Result<()> {
        let said =
            self.input.as_mut().is_some_and(|input| input.write_all(text.as_bytes()).is_ok());
        let mut line = String::new();
        while said && self.output.read_line(&mut line).context("git update-ref cannot be read")? > 0
        {
            if line.trim_end() == expected {
                return Ok(());
            }
            line.clear();
        }
        self.input = None;
        let mut complaint = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            let _ = stderr.read_to_string(&mut complaint);
        }
        let complaint = complaint.trim();
        let complaint = complaint.strip_prefix("fatal: ").unwrap_or(complaint);
        let complaint =
            ["prepare: ", "commit: "].iter().find_map(|start| complaint.strip_prefix(start));
        bail!("{}", complaint.unwrap_or("git update-ref ended early"))
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // At the end of its input, git aborts a transaction that was not committed.
        self.input = None;
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{bare_git, run};
    use super::*;

    fn repository() -> (tempfile::TempDir, String, String) {
        let folder = tempfile::tempdir().unwrap();
        run(bare_git().args(["init", "--quiet", "--bare"]).arg(folder.path())).unwrap();
        let commit = |message: &str| {
            let ids = ["-c", "user.name=A", "-c", "user.email=a@b", "commit-tree", "-m", message];
            let tree =
                run(git(folder.path()).args(["hash-object", "-t", "tree", "-w", "/dev/null"]))
                    .unwrap();
            run(git(folder.path()).args(ids).arg(tree)).unwrap()
        };
        let (one, two) = (commit("1"), commit("2"));
        (folder, one, two)
    }

    fn update(name: &str, old: &str, new: &str) -> RefUpdate {
        RefUpdate { refname: name.into(), old_oid: old.to_owned(), new_oid: new.to_owned() }
    }

    fn refs(repository: &Path) -> String {
        run(git(repository).args(["for-each-ref", "--format=%(refname)=%(objectname)"])).unwrap()
    }

    const NONE: &str = "0000000000000000000000000000000000000000";

    #[test]
    fn refs_move_together_at_the_commit_and_not_before() {
        let (folder, one, two) = repository();
        let path = folder.path();
        let made = [update("refs/heads/a", NONE, &one), update("refs/heads/\"$(x)", NONE, &one)];
        let prepared = Prepared::new(path, &made).unwrap();
        assert_eq!(refs(path), "");
        prepared.commit().unwrap();
        let moved = [update("refs/heads/a", &one, &two), update("refs/heads/\"$(x)", &one, NONE)];
        drop(Prepared::new(path, &moved).unwrap());
        assert_eq!(refs(path).lines().count(), 2, "dropped, it changes nothing and leaves no lock");
        Prepared::new(path, &moved).unwrap().commit().unwrap();
        assert_eq!(refs(path), format!("refs/heads/a={two}"));
    }

    #[test]
    fn a_ref_that_has_moved_is_not_moved() {
        let (folder, one, two) = repository();
        let path = folder.path();
        let change = |old, new| [update("refs/heads/a", old, new)];
        Prepared::new(path, &change(NONE, &one)).unwrap().commit().unwrap();
        for old in [NONE, two.as_str()] {
            let error = Prepared::new(path, &change(old, &two)).unwrap_err().to_string();
            assert!(error.contains("refs/heads/a"), "{error}");
        }
        assert_eq!(refs(path), format!("refs/heads/a={one}"));
    }
}
