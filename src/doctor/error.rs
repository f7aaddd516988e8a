//! What can be wrong with a site, in words for people.

use std::fmt::Display;
use std::path::Path;

use super::and_more;
use crate::disk::space::{DiskUsage, FileSystem};
use crate::site::record::NotifyFailure;
use crate::site::{DeploymentId, EnvId};
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

pub(super) fn other_site(named: &Path, site: &Path, install: &str) -> UserError {
    UserError::new(format!("the hook deploys to {}, not to {}", named.display(), site.display()))
        .fix(install)
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
mod tests {
    use super::*;
    use crate::site::record::NotifyKind;

    const ID: fn(u64) -> DeploymentId = DeploymentId::of;

    fn paths() -> (&'static Path, &'static Path) {
        (Path::new("/srv/shop"), Path::new("/srv/shop/repository.git"))
    }

    #[test]
    fn what_a_dead_worker_leaves_is_put_right() {
        let (site, _) = paths();
        insta::assert_snapshot!(unreadable_record("EOF", &site.join("deployments/7")), @"
        EOF
        rm -r /srv/shop/deployments/7
        ");
        insta::assert_snapshot!(worker_is_dead(ID(7), "building"), @"
        deployment 7 is building, but its worker is dead
        Clean up after it: nyala doctor --fix
        ");
        insta::assert_snapshot!(left_over(&site.join("envs/7"), 2), @"
        /srv/shop/envs/7 (and 2 more) is not needed by any kept release
        Clean up after it: nyala doctor --fix
        ");
        let mount = "/srv/shop/releases/7/media is mounted";
        insta::assert_snapshot!(is_mounted("release 7", &mount, "umount it".to_owned()), @"
        release 7 can never be removed: /srv/shop/releases/7/media is mounted
        umount it
        ");
        let failure = NotifyFailure {
            kind: NotifyKind::Action,
            name: "10-restart".to_owned(),
            error: "it exited with 1".to_owned(),
        };
        insta::assert_snapshot!(notify_failed(ID(7), &failure), @"
        after deployment 7, the action 10-restart failed: it exited with 1
        see nyala build-log 7, fix it, and deploy again: nyala redeploy
        ");
    }

    #[test]
    fn what_is_wrong_with_what_is_live_is_rebuilt() {
        let (site, _) = paths();
        insta::assert_snapshot!(release_is_gone(&site.join("releases/7")), @"
        wwwroot points to /srv/shop/releases/7, which does not exist: nothing is served
        nyala redeploy
        ");
        let (link, env) = (site.join("releases/7/env"), site.join("envs/5"));
        insta::assert_snapshot!(link_leads_elsewhere(&link, &env), @"
        /srv/shop/releases/7/env does not lead to /srv/shop/envs/5
        nyala redeploy
        ");
        insta::assert_snapshot!(nothing_is_live(&site.join("wwwroot"), ID(6)), @"
        nothing is live: /srv/shop/wwwroot is gone
        nyala rollback 6
        ");
        insta::assert_snapshot!(env_is_unlinked(ID(7), ID(5).into(), true), @"
        the link from release 7 to env 5 is missing
        nyala redeploy
        ");
        insta::assert_snapshot!(env_is_damaged(ID(5).into(), "it has no python", ID(6), false), @"
        env 5 is damaged: it has no python
        nothing, unless you want to roll back to release 6: nyala redeploy 6
        ");
    }

    #[test]
    fn a_hook_that_does_not_run_is_installed_again() {
        let (site, repository) = paths();
        let hook = &repository.join("hooks/post-receive");
        let install = "nyala install /srv/shop/repository.git --site /srv/shop";
        insta::assert_snapshot!(no_hook(hook, install), @"
        /srv/shop/repository.git/hooks/post-receive does not exist
        nyala install /srv/shop/repository.git --site /srv/shop
        ");
        insta::assert_snapshot!(foreign_hook(hook, install), @"
        /srv/shop/repository.git/hooks/post-receive is not nyala's hook
        nyala install /srv/shop/repository.git --site /srv/shop (the other hook is kept, and still runs)
        ");
        insta::assert_snapshot!(hook_is_not_executable(hook, install), @"
        /srv/shop/repository.git/hooks/post-receive is not executable, so git does not run it
        nyala install /srv/shop/repository.git --site /srv/shop
        ");
        insta::assert_snapshot!(no_strict_hook(hook, install), @"
        strict = true, but /srv/shop/repository.git/hooks/post-receive is missing or not executable
        nyala install /srv/shop/repository.git --site /srv/shop
        ");
        insta::assert_snapshot!(no_binary(Path::new("/opt/nyala"), install), @"
        the hook runs /opt/nyala, which is missing or not executable
        nyala install /srv/shop/repository.git --site /srv/shop
        ");
        insta::assert_snapshot!(other_site(Path::new("/srv/blog"), site, install), @"
        the hook deploys to /srv/blog, not to /srv/shop
        nyala install /srv/shop/repository.git --site /srv/shop
        ");
        let elsewhere = Path::new("/etc/hooks");
        insta::assert_snapshot!(other_hooks_path(elsewhere, true, install.to_owned()), @"
        the hook never runs: core.hooksPath in the repository's configuration sends git to /etc/hooks
        nyala install /srv/shop/repository.git --site /srv/shop
        ");
        insta::assert_snapshot!(other_hooks_path(elsewhere, false, install.to_owned()), @"
        the hook never runs: core.hooksPath in the user's or machine's configuration sends git to /etc/hooks
        nyala install /srv/shop/repository.git --site /srv/shop
        ");
    }

    #[test]
    fn whose_files_these_are_and_who_reads_them_is_said() {
        let (site, _) = paths();
        insta::assert_snapshot!(not_writable(site, 1000), @"
        you cannot write to /srv/shop: it belongs to user 1000
        run this and push as user 1000
        ");
        insta::assert_snapshot!(foreign_file(&site.join("lock"), 0, 1000, site), @"
        /srv/shop/lock does not belong to user 1000, the owner of the site
        chown -R -h 1000 /srv/shop
        ");
        insta::assert_snapshot!(readable_by_others(&site.join("settings.env"), 1), @"
        /srv/shop/settings.env (and 1 more) can be read by other users
        chmod 600 /srv/shop/settings.env
        ");
    }

    #[test]
    fn what_the_machine_and_the_repository_lack_is_named() {
        let (site, repository) = paths();
        insta::assert_snapshot!(unreadable_freeze("EOF", &site.join("frozen.json")), @"
        EOF
        rm /srv/shop/frozen.json
        ");
        insta::assert_snapshot!(uv_is_missing(), @r#"
        nyala.toml has installer = "uv", but uv is not installed; the next deployment downloads it
        nyala uv install
        "#);
        insta::assert_snapshot!(little_space_on(site, "2 MB", "the file system at /srv"), @"
        /srv/shop has only 2 MB left on the file system at /srv
        free some space, or keep fewer releases: keep = 1 in /srv/shop/nyala.toml
        ");
        insta::assert_snapshot!(no_repository("it is gone", &site.join("nyala.toml")), @r#"
        it is gone
        restore it, or set repository = "…" in /srv/shop/nyala.toml
        "#);
        insta::assert_snapshot!(dubious_ownership(repository), @r#"
        git refuses /srv/shop/repository.git ("dubious ownership"): it belongs to another user
        run this and push as its owner; or change its owner: chown -R "$(id -un)" /srv/shop/repository.git; or trust it: git config --global --add safe.directory /srv/shop/repository.git
        "#);
        insta::assert_snapshot!(push_options_are_off(repository), @"
        /srv/shop/repository.git does not accept push options, so `git push -o …` fails
        git --git-dir /srv/shop/repository.git config receive.advertisePushOptions true
        ");
    }

    #[test]
    fn what_is_not_fixed_says_who_fixes_it() {
        let fixes = ["Stop the application".to_owned(), "Run this again".to_owned()];
        insta::assert_snapshot!(left_to_you(&fixes), @"
        nyala does not fix this by itself
        1. Stop the application
        2. Run this again
        ");
        insta::assert_snapshot!(deployment_is_running(), @"
        a deployment is running, and cleans up when it ends
        Watch it: nyala build-log --follow
        ");
    }
}
