//! What ends a deployment before anything is installed, or keeps a command from the queue, in words
//! for people.

use std::path::Path;

use crate::disk::space::{DiskUsage, FileSystem, free_space};
use crate::setup;
use crate::site::DeploymentId;
use crate::text::capitalized;
use crate::user_error::{DEPLOY_AGAIN, UserError};

/// `branch` is not where the pusher saw it.
pub(super) fn has_moved(branch: &str) -> UserError {
    UserError::new(format!("{} has moved since this push began", branch.escape_debug()))
        .found("another push came first")
        .fix("Merge it, and push again: git pull && git push")
}

pub(super) fn live_but_not_moved() -> UserError {
    UserError::new("the release is live, but its push could not be completed")
        .fix("Push again: the next deployment moves the branch")
}

/// `short` names what runs out: room, or files.
pub(super) fn no_room(short: &str, system: &FileSystem, needed: &DiskUsage) -> UserError {
    UserError::new(format!("there is not enough {short} left for this deployment"))
        .found(format!(
            "{system} has {} free, and the last deployment like it took {needed}",
            system.free
        ))
        .fix(free_space(system))
}

pub(super) fn cancelled_before_it_started() -> UserError {
    UserError::new("it was cancelled before it started")
}

/// `why` says what was looked for.
pub(super) fn nothing_in_image() -> UserError {
    UserError::new("the release has no process to run")
        .fix("Write a Procfile with a line such as: web: gunicorn app:app --bind 127.0.0.1:$PORT")
}

/// A release is live in the cluster, and what it replaced is not all gone.
pub(super) fn rollout_not_settled() -> UserError {
    UserError::new("what only the release before had is still in the cluster")
        .fix("Nothing: the next deployment removes it")
}

pub(super) fn cluster_not_brought_back() -> UserError {
    UserError::new("the cluster may be running parts of a deployment that is not live")
        .fix("Restore it once the cluster answers: nyala doctor --fix")
}

/// `why` may say what to do, after a semicolon.
pub(super) fn nothing_to_run(why: &str) -> UserError {
    let (why, what) = why.split_once("; ").unwrap_or((why, SAY_WHAT_TO_RUN));
    let what = capitalized(what);
    UserError::new("the live release runs an application, and the new one has nothing to run")
        .found(why)
        .fix(what)
        .fix("Or remove listen from nyala.toml, so that nothing is run")
}

const SAY_WHAT_TO_RUN: &str =
    "say what to run in a Procfile, or under [run.processes] in nyala.toml";

/// `nyala serve` gave the release up, because its deployment seemed to have ended.
pub(super) fn not_ready() -> UserError {
    UserError::new("nyala serve did not start the application")
        .fix(format!("See what it printed, and {DEPLOY_AGAIN}"))
}

/// The link has moved, and visitors are still given to the release before.
pub(super) fn not_switched() -> UserError {
    UserError::new("the release is live, but nyala serve has not switched to it")
}

/// What the application runs does not answer requests.
pub(super) fn no_web(origin: &str) -> UserError {
    without_web("no process is called web, so visitors get 503", origin)
}

/// A push must not take from visitors what they have.
pub(super) fn no_web_any_more(origin: &str) -> UserError {
    let fact = "the live release answers visitors, and the new one has no process called web";
    without_web(fact, origin)
}

fn without_web(fact: &str, origin: &str) -> UserError {
    UserError::new(fact)
        .found(format!("the processes are from {origin}"))
        .fix(
            "Call the one that answers requests web, for example: \
             web: gunicorn --bind 127.0.0.1:$PORT app:app",
        )
        .fix("Or, if there are no visitors, remove listen from nyala.toml")
}

pub(super) fn cancelled() -> UserError {
    UserError::new("it was cancelled")
}

/// `obstacle` says why the release cannot be made live again as it is.
pub(super) fn cannot_go_back(release: DeploymentId, obstacle: &str) -> UserError {
    UserError::new(obstacle).fix(format!("Deploy its commit again: nyala redeploy {release}"))
}

/// An `env/` that came with the tree, and that `fact` makes useless.
pub(super) fn committed_env(fact: &str) -> UserError {
    UserError::new(format!("the env/ that the tree tracks cannot be used: {fact}"))
        .labelled(
            "note",
            "an environment works only on the machine and at the path it was made for",
        )
        .fix("Let nyala create it: git rm -r --cached env")
        .fix("Keep it out of the tree: echo /env/ >> .gitignore && git add .gitignore")
        .fix("Commit: git commit -m 'Leave env to the server', and push again")
}

/// An env that would run the code of another release. `who` made it, and `found` are the files.
pub(super) fn references_elsewhere(who: &str, found: &[String]) -> UserError {
    let fact = format!("{who} made an environment that leads to code outside of this release");
    found
        .iter()
        .fold(UserError::new(fact), UserError::found)
        .fix("In a requirements file, write a path inside the tree: `.` or `-e ./package`")
        .fix("In a command, install from the new release: pip install \"$DEPLOYMENT_TARGET\"")
}

/// `own` was itself started by a command that `first` ran.
pub(super) fn chain(own: DeploymentId, first: DeploymentId) -> UserError {
    UserError::new(format!("deployment {own} may not start another deployment"))
        .found(format!(
            "deployment {first} has started it; deployments that start each other would never end"
        ))
        .fix("See what went wrong with both: nyala list")
}

/// `own` runs the command that would wait for `what`.
pub(super) fn waits_for_itself(own: DeploymentId, what: &str) -> UserError {
    UserError::new(format!("deployment {own} runs this command, and cannot wait for {what}"))
        .fix(format!("Call it when deployment {own} has ended"))
}

pub(super) fn cancelled_by(who: &str) -> UserError {
    UserError::new(format!("cancelled by {who}"))
}

pub(super) fn cancelled_while_it_waited(who: &str) -> UserError {
    UserError::new(format!("cancelled by {who} before it started"))
}

pub(super) fn worker_was_killed(was_live: bool) -> UserError {
    let was_live = if was_live { "; its release had gone live" } else { "" };
    UserError::new(format!("its worker was killed{was_live}"))
}

pub(super) fn env_not_created() -> UserError {
    UserError::new("the virtual environment could not be created")
}

/// What follows is a warning: the new release is live.
pub(super) fn old_releases_not_removed() -> UserError {
    UserError::new("the new release is live, but old ones could not be removed")
}

pub(super) fn leftovers_not_removed() -> UserError {
    UserError::new("not all leftovers could be removed")
}

/// The report of the site could not be written. The deployment is what it is.
pub(super) fn report_not_written() -> UserError {
    UserError::new("the report could not be updated")
}

pub(super) fn note_not_written() -> UserError {
    UserError::new("the note on this deployment could not be written")
}

/// `named` is the site to which pushes to the repository are deployed.
pub(super) fn repository_of_another_site(
    repository: &Path,
    named: &Path,
    site: &Path,
) -> UserError {
    let (shown, named) = (repository.display(), named.display());
    UserError::new(format!("pushes to {shown} are deployed to another site, {named}"))
        .fixes(setup::own_repository(repository, site))
}

pub(super) fn push_not_completed(id: DeploymentId) -> UserError {
    UserError::new(format!("the push of deployment {id}, which is live, could not be completed"))
}

/// Of a rollback, whose settings are broken.
pub(super) fn nobody_is_notified() -> UserError {
    UserError::new("no actions run and no webhooks are sent")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_that_came_late_says_how_to_go_on() {
        insta::assert_snapshot!(has_moved("main"), @"
        main has moved since this push began
        found: another push came first
        Merge it, and push again: git pull && git push
        ");
        insta::assert_snapshot!(live_but_not_moved(), @"
        the release is live, but its push could not be completed
        Push again: the next deployment moves the branch
        ");
    }

    #[test]
    fn a_full_disk_names_what_is_needed() {
        let system = FileSystem::of(Path::new("/")).unwrap();
        let needed = DiskUsage { bytes: 2_000_000, inodes: 120 };
        let error = no_room("room", &system, &needed).to_string();
        let free = format!("{system} has {} free", system.free);
        insta::assert_snapshot!(error.replace(&free, "/ has 1 MB free"), @"
        there is not enough room left for this deployment
        found: / has 1 MB free, and the last deployment like it took 2.0 MB and 120 inodes
        Free some space at /, and deploy again; `keep` in nyala.toml sets how many releases are kept
        ");
    }

    #[test]
    fn an_env_that_cannot_be_used_says_why() {
        insta::assert_snapshot!(
            committed_env("it has Python 3.11.4"),
            @"
        the env/ that the tree tracks cannot be used: it has Python 3.11.4
        note: an environment works only on the machine and at the path it was made for
        1. Let nyala create it: git rm -r --cached env
        2. Keep it out of the tree: echo /env/ >> .gitignore && git add .gitignore
        3. Commit: git commit -m 'Leave env to the server', and push again
        ");
        let references = ["bin/x names /srv/shop/releases/3".to_owned()];
        insta::assert_snapshot!(references_elsewhere("the requirements", &references), @r#"
        the requirements made an environment that leads to code outside of this release
        found: bin/x names /srv/shop/releases/3
        1. In a requirements file, write a path inside the tree: `.` or `-e ./package`
        2. In a command, install from the new release: pip install "$DEPLOYMENT_TARGET"
        "#);
    }

    #[test]
    fn what_the_queue_refuses_says_why() {
        let of = DeploymentId::of;
        insta::assert_snapshot!(cancelled(), @"it was cancelled");
        insta::assert_snapshot!(
            cancelled_before_it_started(),
            @"it was cancelled before it started"
        );
        insta::assert_snapshot!(cannot_go_back(of(3), "release 3 is no longer kept"), @"
        release 3 is no longer kept
        Deploy its commit again: nyala redeploy 3
        ");
        insta::assert_snapshot!(chain(of(8), of(7)), @"
        deployment 8 may not start another deployment
        found: deployment 7 has started it; deployments that start each other would never end
        See what went wrong with both: nyala list
        ");
        insta::assert_snapshot!(waits_for_itself(of(8), "another deployment"), @"
        deployment 8 runs this command, and cannot wait for another deployment
        Call it when deployment 8 has ended
        ");
    }

    #[test]
    fn what_is_recorded_of_a_deployment_that_was_ended_says_by_whom() {
        insta::assert_snapshot!(cancelled_by("ann"), @"cancelled by ann");
        insta::assert_snapshot!(
            cancelled_while_it_waited("ann"),
            @"cancelled by ann before it started"
        );
        insta::assert_snapshot!(worker_was_killed(false), @"its worker was killed");
        insta::assert_snapshot!(
            worker_was_killed(true),
            @"its worker was killed; its release had gone live"
        );
    }

    #[test]
    fn what_failed_beside_the_deployment_is_a_fact() {
        let why = anyhow::anyhow!("no space left");
        insta::assert_snapshot!(
            env_not_created().because(&why),
            @"the virtual environment could not be created: no space left"
        );
        insta::assert_snapshot!(
            old_releases_not_removed().because(&why),
            @"the new release is live, but old ones could not be removed: no space left"
        );
        insta::assert_snapshot!(
            leftovers_not_removed().because(&why),
            @"not all leftovers could be removed: no space left"
        );
        insta::assert_snapshot!(
            note_not_written().because(&why),
            @"the note on this deployment could not be written: no space left"
        );
        let (repository, named) = (Path::new("/srv/shop.git"), Path::new("/srv/shop"));
        let other = repository_of_another_site(repository, named, Path::new("/srv/staging"));
        insta::assert_snapshot!(note_not_written().because(&other.into()), @r#"
        the note on this deployment could not be written: pushes to /srv/shop.git are deployed to another site, /srv/shop
        1. For a repository of its own, copy this one: git clone --bare /srv/shop.git /srv/staging/repository.git
        2. Set repository = "repository.git" in /srv/staging/nyala.toml
        3. Install the hook: nyala install /srv/staging/repository.git --site /srv/staging
        "#);
        insta::assert_snapshot!(
            nobody_is_notified().because(&why),
            @"no actions run and no webhooks are sent: no space left"
        );
        insta::assert_snapshot!(
            push_not_completed(DeploymentId::of(3)).because(&why),
            @"the push of deployment 3, which is live, could not be completed: no space left"
        );
        let fact = no_web_any_more("the Procfile").fact;
        assert!(fact.ends_with("the new one has no process called web"), "{fact}");
        insta::assert_snapshot!(no_web("the Procfile"), @r"
        no process is called web, so visitors get 503
        found: the processes are from the Procfile
        1. Call the one that answers requests web, for example: web: gunicorn --bind 127.0.0.1:$PORT app:app
        2. Or, if there are no visitors, remove listen from nyala.toml
        ");
    }
}
