//! What git itself checks before it moves a ref, for those that are moved here instead: the
//! settings `receive.deny*` and the `update` hook (git-config(1), githooks(5)).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::git::{RefUpdate, Refs, Repository, git, run};
use crate::process::is_executable;

/// What a repository lets happen to its refs.
pub(super) struct Rules<'a> {
    repository: &'a Repository,
    hooks: &'a Path,
    /// `receive.deny*`, by their names in lower case.
    settings: BTreeMap<String, String>,
}

impl<'a> Rules<'a> {
    pub(super) fn of(repository: &'a Repository, hooks: &'a Path) -> Rules<'a> {
        // Without any such setting git exits with 1.
        let list =
            run(git(repository.path()).args(["config", "-z", "--get-regexp", r"^receive\.deny"]));
        let list = list.unwrap_or_default();
        let settings = list.split('\0').filter(|entry| !entry.is_empty()).map(|entry| {
            let (key, value) = entry.split_once('\n').unwrap_or((entry, "true"));
            (key.to_lowercase(), value.trim().to_lowercase())
        });
        Rules { repository, hooks, settings: settings.collect() }
    }

    /// Why git would not move this ref, in its own words; `None` when it would.
    pub(super) fn refuse(&self, update: &RefUpdate) -> Result<Option<String>> {
        let why = match update.branch() {
            Some(_) if update.is_deletion() && self.is_set("receive.denydeletes") => {
                Some("deletion prohibited")
            }
            Some(branch)
                if update.is_deletion() && self.keeps_current() && self.is_current(branch) =>
            {
                Some("deletion of the current branch prohibited")
            }
            Some(_)
                if self.is_set("receive.denynonfastforwards") && !self.is_fast_forward(update) =>
            {
                Some("non-fast-forward")
            }
            _ if self.hook_declines(update)? => Some("hook declined"),
            _ => None,
        };
        Ok(why.map(ToOwned::to_owned))
    }

    fn is_set(&self, key: &str) -> bool {
        self.settings.get(key).is_some_and(|value| is_true(value))
    }

    /// `receive.denyDeleteCurrent`, which is on when it is not set.
    fn keeps_current(&self) -> bool {
        let value = self.settings.get("receive.denydeletecurrent");
        value.is_none_or(|value| is_true(value) || value == "refuse" || value == "updateinstead")
    }

    fn is_current(&self, branch: &str) -> bool {
        self.repository.head_branch().as_deref() == Some(branch)
    }

    fn is_fast_forward(&self, update: &RefUpdate) -> bool {
        update.is_deletion()
            || update.is_creation()
            || run(git(self.repository.path()).args([
                "merge-base",
                "--is-ancestor",
                &update.old_oid,
                &update.new_oid,
            ]))
            .is_ok()
    }

    /// Runs the `update` hook, in the environment that git gave to this one.
    fn hook_declines(&self, update: &RefUpdate) -> Result<bool> {
        let hook = self.hooks.join("update");
        if !is_executable(&hook) {
            return Ok(false);
        }
        // Standard output is git's alone here.
        let to_pusher =
            rustix::stdio::stderr().try_clone_to_owned().context("cannot write to the pusher")?;
        let status = Command::new(&hook)
            .args([update.refname.as_str(), &update.old_oid, &update.new_oid])
            .stdin(Stdio::null())
            .stdout(to_pusher)
            .status()
            .with_context(|| format!("the hook {} cannot be run", hook.display()))?;
        Ok(!status.success())
    }
}

/// As git reads a boolean: git-config(1), "Values".
fn is_true(value: &str) -> bool {
    matches!(value, "true" | "yes" | "on") || value.parse::<i64>().is_ok_and(|number| number != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_gits() {
        for yes in ["true", "yes", "on", "1", "-1"] {
            assert!(is_true(yes), "{yes}");
        }
        for no in ["false", "no", "off", "0", "", "ignore", "refuse"] {
            assert!(!is_true(no), "{no}");
        }
    }
}
