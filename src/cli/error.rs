//! What commands refuse, in words for people. What a command's own room refuses is there.

use std::path::Path;

use crate::process::NotStarted;
use crate::site::DeploymentId;
use crate::text::excerpt;
use crate::user_error::{DEPLOY_AGAIN, UserError};

const REPLACE_IT: &str = "Replace it: nyala script --force";
const SEE_RELEASES: &str = "See which releases are kept: nyala list";

pub(super) fn nothing_live() -> UserError {
    UserError::new("nothing is live yet").fix("Deploy: git push REMOTE HEAD:main")
}

pub(super) fn needed_in_cluster(id: DeploymentId) -> UserError {
    UserError::new(format!("deployment {id} is needed to undo a rollout that has failed"))
        .fix("Restore the cluster first: nyala doctor --fix")
}

/// No `nyala serve` serves the site.
pub(super) fn not_served(site: &Path) -> UserError {
    UserError::new("the application is not running: no nyala serve serves this site")
        .fix(format!("Run it: nyala serve {}", site.display()))
}

pub(super) fn no_folder(folder: &Path) -> UserError {
    UserError::new(format!("the folder {} cannot be found", folder.display()))
        .fix("Name a site, or a folder that contains sites")
}

/// This user cannot see whether there is a site.
pub(super) fn closed_folder(folder: &Path) -> UserError {
    UserError::new(format!("{} cannot be read; it may be a site", folder.display()))
        .fix("To see it, act as its owner or root")
}

/// `known` are the processes that have printed something.
pub(super) fn no_logs(process: &str, known: &[String]) -> UserError {
    let error = UserError::new(format!("no process {} has run", process.escape_debug()));
    if known.is_empty() {
        return error.fix("See what runs: nyala ps");
    }
    error.labelled("allowed", known.join(", "))
}

pub(super) fn cannot_run(program: &str, live: DeploymentId, why: &NotStarted) -> UserError {
    UserError::new(format!("{} cannot be run in release {live}: {why}", program.escape_debug()))
        .fix("Write a program of the environment or the machine, or a path in the release")
}

/// There is no tip of a deploy branch. `command` takes a revision in its place.
pub(super) fn nothing_pushed(command: &str) -> UserError {
    UserError::new("nothing was pushed yet")
        .fix("Push first: git push REMOTE HEAD:main")
        .fix(format!("Or if the repository has commits already: {command} REV"))
}

pub(super) fn no_deployments() -> UserError {
    UserError::new("no deployments yet")
        .fix("Deploy: git push REMOTE HEAD:main")
        .fix("Or if the repository has commits already: nyala redeploy REV")
}

/// `what` is neither a deployment nor a commit of one.
pub(super) fn never_deployed(what: &str) -> UserError {
    UserError::new(format!("{} was never deployed", what.escape_debug()))
        .fix("See all deployments: nyala list")
        .fix("Or deploy a commit: nyala redeploy COMMIT")
}

/// `live` says what is live.
pub(super) fn nothing_to_cancel(live: &str) -> UserError {
    UserError::new(format!("no deployment is running or waiting; {live}"))
        .fix("See how the last ones ended: nyala list")
}

/// Somebody has deleted the deployment that is waited for.
pub(super) fn record_is_gone(id: DeploymentId) -> UserError {
    UserError::new(format!("the record of deployment {id} no longer exists"))
        .fix("See all deployments: nyala list")
}

/// `reason` says who froze deployments, when, and why.
pub(super) fn frozen(reason: &str) -> UserError {
    UserError::new(format!("deployments are frozen {reason}")).fix("Resume them: nyala unfreeze")
}

pub(super) fn no_reason() -> UserError {
    UserError::usage("a reason is required")
        .fix("Give one: nyala freeze \"the database is being moved\"")
}

pub(super) fn never_live(id: DeploymentId, status: &str) -> UserError {
    UserError::new(format!("deployment {id} was never live: its status is {status}"))
        .fix(SEE_RELEASES)
}

pub(super) fn nothing_before(live: DeploymentId) -> UserError {
    UserError::new(format!("no release before {live}, the live one, is kept")).fix(SEE_RELEASES)
}

pub(super) fn has_command(file: &Path, command: &str) -> UserError {
    UserError::new(format!("{} already has a command", file.display()))
        .found(command.escape_debug().to_string())
        .fix(REPLACE_IT)
}

pub(super) fn script_exists(script: &Path) -> UserError {
    UserError::new(format!("{} already exists", script.display())).fix(REPLACE_IT)
}

/// `command` takes a folder.
pub(super) fn not_a_folder(path: &Path, command: &str) -> UserError {
    UserError::usage(format!("{} is not a folder", path.display()))
        .fix(format!("Name a folder: {command} FOLDER"))
}

pub(super) fn no_env() -> UserError {
    UserError::new("the release has no env to install into")
        .fix("Call `nyala step env` before `nyala step install`")
}

pub(super) fn not_in_a_deployment() -> UserError {
    UserError::new("`nyala step` only works inside a deployment")
        .fix("Call it from the command in .deployment: [config] command = bash deploy.sh")
}

pub(super) fn no_work_tree() -> UserError {
    UserError::new("this is not a git work tree").fix("Create one: git init")
}

pub(super) fn no_site_named(repository: &Path) -> UserError {
    UserError::usage("no site was named")
        .fix(format!("Name it: nyala install {} --site SITE", repository.display()))
}

pub(super) fn no_setting(name: &str) -> UserError {
    UserError::new(format!("there is no app setting {}", name.escape_debug()))
        .fix("See the names of those there are: nyala config list")
}

/// `why` the application does not run with app settings that were changed.
pub(super) fn settings_not_taken(why: &anyhow::Error) -> UserError {
    let UserError { fact, found, .. } = UserError::of(why);
    UserError { found, ..UserError::new(format!("nothing was changed: {fact}")) }
        .labelled("note", "what ran before goes on, with the settings that it had")
        .fix("Correct the value, and set it again")
        .fix("Or change it for the next deployment alone: nyala config set --no-restart NAME=value")
}

pub(super) fn no_value() -> UserError {
    UserError::usage("an app setting has no value").fix("Give it one: nyala config set NAME=value")
}

pub(super) fn not_a_python_version(version: &str) -> UserError {
    UserError::usage(format!("{} is not a version of Python", excerpt(version)))
        .fix("Write it like 3.12 or 3.12.4")
}

pub(super) fn cannot_read_deployment_file() -> UserError {
    UserError::new("the .deployment of the live commit cannot be read")
}

/// `finding` is the name of what `doctor` found.
pub(super) fn not_fixed(finding: &str) -> UserError {
    UserError::new(format!("{finding} could not be fixed"))
}

pub(super) fn cannot_print(why: &str) -> UserError {
    UserError::new(format!("cannot write to standard output: {why}"))
}

pub(super) fn nothing_deployed() -> UserError {
    UserError::new("nothing was deployed")
}

/// The hook of `repository` names a site that is not there. `has_moved` says whether the branch
/// has.
pub(super) fn site_is_gone(site: &Path, repository: &Path, has_moved: bool) -> UserError {
    let then = if has_moved {
        "Then deploy what was pushed: nyala --site NEW_FOLDER redeploy".to_owned()
    } else {
        format!("Then {DEPLOY_AGAIN}")
    };
    UserError::new(format!("there is no site at {}", site.display()))
        .fix(format!(
            "If the site was moved, run on the server: nyala install {} --site NEW_FOLDER",
            repository.display()
        ))
        .fix(then)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: fn(u64) -> DeploymentId = DeploymentId::of;

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        insta::assert_snapshot!(no_folder(Path::new("/srv/sites")), @"
        the folder /srv/sites cannot be found
        Name a site, or a folder that contains sites
        ");
        insta::assert_snapshot!(closed_folder(Path::new("/srv/shop")), @"
        /srv/shop cannot be read; it may be a site
        To see it, act as its owner or root
        ");
    }

    #[test]
    fn commands_about_deployments_say_what_there_is() {
        insta::assert_snapshot!(nothing_live(), @"
        nothing is live yet
        Deploy: git push REMOTE HEAD:main
        ");
        insta::assert_snapshot!(nothing_pushed("nyala plan"), @"
        nothing was pushed yet
        1. Push first: git push REMOTE HEAD:main
        2. Or if the repository has commits already: nyala plan REV
        ");
        insta::assert_snapshot!(no_deployments(), @"
        no deployments yet
        1. Deploy: git push REMOTE HEAD:main
        2. Or if the repository has commits already: nyala redeploy REV
        ");
        insta::assert_snapshot!(never_deployed("mian\n"), @r"
        mian\n was never deployed
        1. See all deployments: nyala list
        2. Or deploy a commit: nyala redeploy COMMIT
        ");
        insta::assert_snapshot!(nothing_to_cancel("deployment 7 is still live"), @"
        no deployment is running or waiting; deployment 7 is still live
        See how the last ones ended: nyala list
        ");
        insta::assert_snapshot!(record_is_gone(ID(7)), @"
        the record of deployment 7 no longer exists
        See all deployments: nyala list
        ");
        insta::assert_snapshot!(frozen("since 12:00 by ada: the database is being moved"), @"
        deployments are frozen since 12:00 by ada: the database is being moved
        Resume them: nyala unfreeze
        ");
        insta::assert_snapshot!(no_reason(), @r#"
        a reason is required
        Give one: nyala freeze "the database is being moved"
        "#);
        insta::assert_snapshot!(never_live(ID(7), "failed"), @"
        deployment 7 was never live: its status is failed
        See which releases are kept: nyala list
        ");
        insta::assert_snapshot!(nothing_before(ID(7)), @"
        no release before 7, the live one, is kept
        See which releases are kept: nyala list
        ");
    }

    #[test]
    fn commands_for_projects_say_what_to_do_first() {
        insta::assert_snapshot!(has_command(Path::new(".deployment"), "make"), @"
        .deployment already has a command
        found: make
        Replace it: nyala script --force
        ");
        insta::assert_snapshot!(script_exists(Path::new("deploy.sh")), @"
        deploy.sh already exists
        Replace it: nyala script --force
        ");
        insta::assert_snapshot!(not_a_folder(Path::new("app.py"), "nyala script"), @"
        app.py is not a folder
        Name a folder: nyala script FOLDER
        ");
        insta::assert_snapshot!(no_env(), @"
        the release has no env to install into
        Call `nyala step env` before `nyala step install`
        ");
        insta::assert_snapshot!(not_in_a_deployment(), @"
        `nyala step` only works inside a deployment
        Call it from the command in .deployment: [config] command = bash deploy.sh
        ");
        insta::assert_snapshot!(no_work_tree(), @"
        this is not a git work tree
        Create one: git init
        ");
        insta::assert_snapshot!(no_site_named(Path::new("/srv/shop.git")), @"
        no site was named
        Name it: nyala install /srv/shop.git --site SITE
        ");
    }

    #[test]
    fn wrong_values_on_the_command_line_say_what_is_right() {
        let why = UserError::new("the application did not start: gunicorn exited with 3")
            .labelled("output", "KeyError: 'A'")
            .fix("Fix what it printed, commit, and push again");
        insta::assert_snapshot!(settings_not_taken(&why.into()), @"
        nothing was changed: the application did not start: gunicorn exited with 3
        output: KeyError: 'A'
        note: what ran before goes on, with the settings that it had
        1. Correct the value, and set it again
        2. Or change it for the next deployment alone: nyala config set --no-restart NAME=value
        ");
        insta::assert_snapshot!(no_value(), @"
        an app setting has no value
        Give it one: nyala config set NAME=value
        ");
        insta::assert_snapshot!(no_setting("DEUBG"), @"
        there is no app setting DEUBG
        See the names of those there are: nyala config list
        ");
        insta::assert_snapshot!(not_a_python_version("three"), @"
        three is not a version of Python
        Write it like 3.12 or 3.12.4
        ");
    }

    #[test]
    fn what_a_command_could_not_do_is_a_fact() {
        insta::assert_snapshot!(
            cannot_read_deployment_file(),
            @"the .deployment of the live commit cannot be read"
        );
        insta::assert_snapshot!(not_fixed("hook-missing"), @"hook-missing could not be fixed");
        insta::assert_snapshot!(
            cannot_print("No space left on device"),
            @"cannot write to standard output: No space left on device"
        );
        insta::assert_snapshot!(nothing_deployed(), @"nothing was deployed");
        let (site, repository) = (Path::new("/srv/shop"), Path::new("/srv/r.git"));
        insta::assert_snapshot!(site_is_gone(site, repository, true), @"
        there is no site at /srv/shop
        1. If the site was moved, run on the server: nyala install /srv/r.git --site NEW_FOLDER
        2. Then deploy what was pushed: nyala --site NEW_FOLDER redeploy
        ");
        insta::assert_snapshot!(site_is_gone(site, repository, false), @"
        there is no site at /srv/shop
        1. If the site was moved, run on the server: nyala install /srv/r.git --site NEW_FOLDER
        2. Then deploy again
        ");
    }
}
