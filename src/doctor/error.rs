//! What can be wrong with a site, in words for people.

use std::fmt::Display;
use std::path::Path;

use super::and_more;
use crate::disk::space::{DiskUsage, FileSystem};
use crate::disk::{Obstacle, Why};
use crate::retention::Stuck;
use crate::site::record::NotifyFailure;
use crate::site::{DeploymentId, EnvId};
use crate::text::shell_word;
use crate::user_error::UserError;

const RECOVER: &str = "Clean up after it: nyala doctor --fix";
const REDEPLOY: &str = "nyala redeploy";

/// `fact` says how it cannot be read.
pub(super) fn unreadable_record(fact: &str, folder: &Path) -> UserError {
    UserError::new(fact).fix(format!("rm -r {}", folder.display()))
}

/// Its worker was killed, or the cluster did not answer when it was to be undone.
pub(super) fn rollout_cut_short() -> UserError {
    UserError::new("a rollout was cut short: the cluster may have some of what is not live")
        .fix("Restore it: nyala doctor --fix")
}

pub(super) fn worker_is_dead(id: DeploymentId, status: &str) -> UserError {
    UserError::new(format!("deployment {id} is {status}, but its worker is dead")).fix(RECOVER)
}

/// `holder` says what is mounted.
pub(super) fn is_mounted(what: &str, holder: &dyn Display, fix: String) -> UserError {
    UserError::new(format!("{what} can never be removed: {holder}")).fix(fix)
}

pub(super) fn is_protected(folder: &Path) -> UserError {
    let shown = folder.display();
    UserError::new(format!("nobody can change {shown}: chattr has protected it, as lsattr shows"))
        .fix(format!("chattr -i -a {}", shell_word(folder)))
}

/// `owner` is that of the site.
pub(super) fn cannot_be_removed(stuck: &Stuck, owner: u32) -> UserError {
    let Stuck { what, path, obstacle: Obstacle { path: first, why } } = stuck;
    let (first, path) = (first.display(), shell_word(path));
    let (why, allow) = match why {
        Why::Protected => (
            format!("chattr has protected {first}, as lsattr shows"),
            format!("chattr -R -f -i -a {path}"),
        ),
        Why::Foreign(user) => {
            (format!("only user {user} can remove {first}"), format!("chown -R -h {owner} {path}"))
        }
    };
    UserError::new(format!("{what} can never be removed: {why}")).fix(format!("{allow}; nyala gc"))
}

/// `more` are left over beside it.
pub(super) fn left_over(first: &Path, more: usize) -> UserError {
    UserError::new(format!(
        "{}{} is not needed by any kept release",
        first.display(),
        and_more(more)
    ))
    .fix(RECOVER)
}

pub(super) fn notify_failed(id: DeploymentId, failure: &NotifyFailure) -> UserError {
    UserError::new(format!("after deployment {id}, {failure}"))
        .fix(format!("see nyala build-log {id}, fix it, and deploy again: nyala redeploy"))
}

pub(super) fn release_is_gone(release: &Path) -> UserError {
    let release = release.display();
    UserError::new(format!("wwwroot points to {release}, which does not exist: nothing is served"))
        .fix(REDEPLOY)
}

/// A link in the live release, and where it should lead.
pub(super) fn link_leads_elsewhere(link: &Path, meant: &Path) -> UserError {
    UserError::new(format!("{} does not lead to {}", link.display(), meant.display())).fix(REDEPLOY)
}

pub(super) fn nothing_is_live(wwwroot: &Path, newest: DeploymentId) -> UserError {
    UserError::new(format!("nothing is live: {} is gone", wwwroot.display()))
        .fix(format!("nyala rollback {newest}"))
}

pub(super) fn env_is_unlinked(id: DeploymentId, env: EnvId, is_live: bool) -> UserError {
    UserError::new(format!("the link from release {id} to env {env} is missing"))
        .fix(rebuild(id, is_live))
}

/// `fact` says what is wrong with the env of a release.
pub(super) fn env_is_damaged(
    env: EnvId,
    fact: &str,
    release: DeploymentId,
    is_live: bool,
) -> UserError {
    UserError::new(format!("env {env} is damaged: {fact}")).fix(rebuild(release, is_live))
}

fn rebuild(id: DeploymentId, is_live: bool) -> String {
    if is_live {
        REDEPLOY.to_owned()
    } else {
        format!("nothing, unless you want to roll back to release {id}: nyala redeploy {id}")
    }
}

/// `install` is the command that writes the hook.
pub(super) fn no_hook(hook: &Path, install: &str) -> UserError {
    UserError::new(format!("{} does not exist", hook.display())).fix(install)
}

pub(super) fn foreign_hook(hook: &Path, install: &str) -> UserError {
    UserError::new(format!("{} is not nyala's hook", hook.display()))
        .fix(format!("{install} (the other hook is kept, and still runs)"))
}

pub(super) fn hook_is_not_executable(hook: &Path, install: &str) -> UserError {
    UserError::new(format!("{} is not executable, so git does not run it", hook.display()))
        .fix(install)
}

pub(super) fn no_strict_hook(hook: &Path, install: &str) -> UserError {
    let hook = hook.display();
    UserError::new(format!("strict = true, but {hook} is missing or not executable")).fix(install)
}

pub(super) fn no_binary(binary: &Path, install: &str) -> UserError {
    let binary = binary.display();
    UserError::new(format!("the hook runs {binary}, which is missing or not executable"))
        .fix(install)
}

pub(super) fn other_site(named: &Path, site: &Path) -> UserError {
    UserError::new(format!("the hook deploys to {}, not to {}", named.display(), site.display()))
}

/// `is_local` says whose configuration it is: the repository's own, or one for all repositories.
pub(super) fn other_hooks_path(folder: &Path, is_local: bool, fix: String) -> UserError {
    let whose = if is_local { "repository's" } else { "user's or machine's" };
    UserError::new(format!(
        "the hook never runs: core.hooksPath in the {whose} configuration sends git to {}",
        folder.display()
    ))
    .fix(fix)
}

pub(super) fn not_writable(site: &Path, owner: u32) -> UserError {
    UserError::new(format!("you cannot write to {}: it belongs to user {owner}", site.display()))
        .fix(format!("run this and push as user {owner}"))
}

pub(super) fn read_only(site: &Path, system: &FileSystem) -> UserError {
    read_only_on(site, &system.to_string(), &system.mounted_on)
}

fn read_only_on(site: &Path, system: &str, mounted_on: &Path) -> UserError {
    UserError::new(format!("nobody can write to {}: {system} is read-only", site.display()))
        .fix(format!("mount -o remount,rw {}", shell_word(mounted_on)))
}

/// `top` is the folder to give to the owner: that of the site, or one in a repository elsewhere.
pub(super) fn foreign_file(first: &Path, more: usize, owner: u32, top: &Path) -> UserError {
    UserError::new(format!(
        "{}{} does not belong to user {owner}, the owner of the site",
        first.display(),
        and_more(more)
    ))
    .fix(format!("chown -R -h {owner} {}", top.display()))
}

pub(super) fn readable_by_others(first: &Path, more: usize) -> UserError {
    let (first, more) = (first.display(), and_more(more));
    UserError::new(format!("{first}{more} can be read by other users"))
        .fix(format!("chmod 600 {first}"))
}

/// `fact` says what is wrong with the file that says why deployments are frozen.
pub(super) fn unreadable_freeze(fact: &str, file: &Path) -> UserError {
    UserError::new(fact).fix(format!("rm {}", file.display()))
}

pub(super) fn uv_is_missing() -> UserError {
    UserError::new(
        "nyala.toml has installer = \"uv\", but uv is not installed; \
         the next deployment downloads it",
    )
    .fix("nyala uv install")
}

pub(super) fn little_space(site: &Path, free: &DiskUsage, system: &FileSystem) -> UserError {
    little_space_on(site, &free.to_string(), &system.to_string())
}

fn little_space_on(site: &Path, free: &str, system: &str) -> UserError {
    let site = site.display();
    UserError::new(format!("{site} has only {free} left on {system}"))
        .fix(format!("free some space, or keep fewer releases: keep = 1 in {site}/nyala.toml"))
}

/// `fact` says why the repository cannot be opened.
pub(super) fn no_repository(fact: &str, settings: &Path) -> UserError {
    UserError::new(fact)
        .fix(format!("restore it, or set repository = \"…\" in {}", settings.display()))
}

pub(super) fn dubious_ownership(repository: &Path) -> UserError {
    let shown = repository.display();
    UserError::new(format!(
        "git refuses {shown} (\"dubious ownership\"): it belongs to another user"
    ))
    .fix(format!(
        "run this and push as its owner; \
         or change its owner: chown -R \"$(id -un)\" {shown}; \
         or trust it: git config --global --add safe.directory {shown}"
    ))
}

pub(super) fn push_options_are_off(repository: &Path) -> UserError {
    let shown = repository.display();
    UserError::new(format!("{shown} does not accept push options, so `git push -o …` fails"))
        .fix(format!("git --git-dir {shown} config receive.advertisePushOptions true"))
}

/// `fixes` are what a person can do about the finding.
pub(super) fn left_to_you(fixes: &[String]) -> UserError {
    UserError::new("nyala does not fix this by itself").fixes(fixes)
}

pub(super) fn deployment_is_running() -> UserError {
    UserError::new("a deployment is running, and cleans up when it ends")
        .fix("Watch it: nyala build-log --follow")
}

#[cfg(test)]
mod tests;
