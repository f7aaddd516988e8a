//! What only git itself can answer or change.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::{RefName, Repository, error};
use crate::disk;
use crate::process::hide_git_variables;
use crate::user_error::Explain;

/// A git child for this repository, without input, and without the `GIT_*` variables of the hook
/// that may be running.
///
/// The repository is always named: a hook's `GIT_DIR` is `.`, which would be another repository
/// after a change of folder. It is named on purpose, so it is safe whoever owns it
/// (git-config(1), `safe.directory`).
pub fn git(repository: &Path) -> Command {
    let mut command = bare_git();
    let mut safe = std::ffi::OsString::from("safe.directory=");
    safe.push(repository);
    command.arg("-c").arg(safe).arg("--git-dir").arg(repository);
    command
}

/// A git child for no repository.
pub fn bare_git() -> Command {
    let mut command = Command::new("git");
    hide_git_variables(&mut command);
    command.stdin(Stdio::null());
    command
}

/// Runs a git child to its end, and returns its output without spaces at the end.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.output().explain(error::not_started)?;
    if !output.status.success() {
        bail!(error::failed(command, &output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// The refs of a repository, whatever their format.
pub trait Refs {
    /// The full id of the commit that a revision names (`main`, `HEAD~2`, `1a2b3c4`).
    fn resolve(&self, revision: &str) -> Result<String>;
    /// The full id that a full ref name (`refs/heads/main`) points to now; `None` when it cannot be
    /// read.
    fn tip(&self, refname: &RefName) -> Option<String>;
    /// The branch that HEAD names, without `refs/heads/`; `None` when HEAD is detached.
    fn head_branch(&self) -> Option<String>;
    /// Points HEAD to a branch.
    fn set_head(&self, branch: &str) -> Result<()>;
}

impl Refs for Repository {
    fn tip(&self, refname: &RefName) -> Option<String> {
        // A branch that was just pushed is a file of its own, unless the refs have another format.
        let is_id = |text: &str| {
            [40, 64].contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_hexdigit())
        };
        let loose = disk::read_to_string(self.path().join(refname.as_str())).ok();
        if let Some(id) = loose.as_deref().map(str::trim_end).filter(|text| is_id(text)) {
            return Some(id.to_owned());
        }
        run(git(self.path()).args([
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            refname.as_str(),
        ]))
        .ok()
    }

    fn resolve(&self, revision: &str) -> Result<String> {
        let commit = format!("{revision}^{{commit}}");
        run(git(self.path())
            .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
            .arg(commit))
        .map_err(|_| {
            let has_refs = run(git(self.path()).args(["for-each-ref", "--count=1"]));
            error::no_revision(self.path(), revision, has_refs.is_ok_and(|it| it.is_empty())).into()
        })
    }

    fn head_branch(&self) -> Option<String> {
        let name = run(git(self.path()).args(["symbolic-ref", "--quiet", RefName::HEAD])).ok()?;
        RefName::from(name.as_str()).branch().map(ToOwned::to_owned)
    }

    fn set_head(&self, branch: &str) -> Result<()> {
        let target = RefName::of_branch(branch);
        run(git(self.path()).args(["symbolic-ref", RefName::HEAD, target.as_str()])).map(drop)
    }
}
