//! Why a push is refused or not deployed, in words for people.

use std::path::Path;

use crate::disk::space::FileSystem;
use crate::setup::STRICT_HOOK;
use crate::site::DeploymentId;
use crate::text::{capitalized, shell_word};
use crate::user_error::{DEPLOY_AGAIN, UserError};

/// The first thing that a pusher has to know about any error of the hook. `live` says what is live.
pub(super) fn nothing_deployed(live: &str) -> UserError {
    UserError::new(format!("nothing was deployed; {live}"))
}

/// `suggestion` is the known option that the first one was meant to be.
pub(super) fn unknown_options(
    unknown: &[&str],
    suggestion: Option<&str>,
    known: &[String],
) -> UserError {
    let shown: Vec<_> =
        unknown.iter().map(|option| format!("`{}`", option.escape_debug())).collect();
    let s = if unknown.len() == 1 { "" } else { "s" };
    let error = UserError::new(format!("unknown push option{s} {}", shown.join(", ")))
        .labelled("allowed", known.join(", "));
    error.fixes(suggestion.map(|known| format!("Did you mean `{known}`?")))
}

/// The push came into `here`, whose hook is that of the repository `own` of `site`. `copy` is the
/// folder of a site that `here` is in, and `strict` whether `here` has the hook of a strict site.
pub(super) fn copied_hook(
    here: &Path,
    own: &Path,
    site: &Path,
    copy: Option<&Path>,
    strict: bool,
) -> UserError {
    let error = UserError::new("this repository has the hook of another repository")
        .found(format!("the push came into {}", here.display()))
        .found(format!(
            "its hook deploys to {}, whose repository is {}",
            site.display(),
            own.display()
        ));
    // Without its name, the command may well find the other site.
    let again = |site: &str| {
        if strict {
            return capitalized(DEPLOY_AGAIN);
        }
        format!("Deploy what was pushed there: nyala --site {site} redeploy")
    };
    if let Some(copy) = copy {
        let copy = shell_word(copy);
        return error
            .fix(format!("Make the copy a site of its own: nyala init {copy}"))
            .fix(again(&copy));
    }
    let hooks = here.join("hooks");
    let [post_receive, proc_receive] =
        ["post-receive", STRICT_HOOK].map(|name| shell_word(&hooks.join(name)));
    let here = shell_word(here);
    let remove = if strict {
        // Without its hook, git refuses every push that the setting sends to it.
        format!(
            "rm {post_receive} {proc_receive} && \
             git --git-dir {here} config --unset-all receive.procReceiveRefs"
        )
    } else {
        format!("rm {post_receive}")
    };
    error
        .fix(format!("Deploy it to a site of its own: nyala --site SITE install --force {here}"))
        .fix(again("SITE"))
        .fix(format!("Or remove the hook: {remove}"))
}

pub(super) fn bad_line(line: &str) -> UserError {
    UserError::new("a line of the hook's input is not `OLD NEW REF`")
        .found(line)
        .labelled("note", "git writes these lines")
        .fix("Deploy by hand: nyala redeploy REV")
}

pub(super) fn bad_id(id: &str) -> UserError {
    UserError::new("an id in the hook's input is not an object id")
        .found(id)
        .fix("Deploy by hand: nyala redeploy REV")
}

/// git speaks another language to the proc-receive hook than the one that nyala knows.
pub(super) fn unknown_version(version: &str) -> UserError {
    UserError::new("git speaks a version of the proc-receive protocol that nyala does not know")
        .found(version)
        .labelled("allowed", "version=1")
        .fix("Set strict = false in nyala.toml, and push again")
}

pub(super) fn not_utf8(refname: &str) -> UserError {
    let shown = refname.escape_debug();
    UserError::new(format!(
        "the name of {shown} is not UTF-8, so it cannot move together with a deployment"
    ))
    .fix("Push it separately, without --atomic")
}

pub(super) fn record_is_gone(id: DeploymentId) -> UserError {
    UserError::new(format!("the record of deployment {id} no longer exists"))
        .fix("See all deployments: nyala list")
}

pub(super) fn not_recorded(id: DeploymentId, system: &FileSystem) -> UserError {
    UserError::new(format!("deployment {id} could not be recorded: No space left on device"))
        .found(format!("{system} has {} free", system.free))
        .fix(format!("Free some space at {}, and {DEPLOY_AGAIN}", system.mounted_on.display()))
}

pub(super) fn worker_was_killed(id: DeploymentId) -> UserError {
    UserError::new(format!("the worker of deployment {id} was killed"))
        .fix(format!("On the server, run: nyala redeploy {id}"))
        .fix("Or, if strict = true, push again")
}

/// `setting` is `strict = true` or `strict = false`, which another hook would follow.
pub(super) fn cannot_follow(setting: &str) -> UserError {
    UserError::new(format!("{setting} in nyala.toml cannot be applied"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_that_asks_for_something_unknown_says_what_there_is() {
        let known = ["dry-run".to_owned(), "rebuild-env".to_owned()];
        insta::assert_snapshot!(unknown_options(&["ci.skip"], None, &known), @"
        unknown push option `ci.skip`
        allowed: dry-run, rebuild-env
        ");
        let two = ["rebuild_env", "\u{1b}[2J"];
        insta::assert_snapshot!(unknown_options(&two, Some("rebuild-env"), &known), @r"
        unknown push options `rebuild_env`, `\u{1b}[2J`
        allowed: dry-run, rebuild-env
        Did you mean `rebuild-env`?
        ");
    }

    #[test]
    fn a_hook_in_the_wrong_repository_says_how_to_go_on() {
        let (here, own) = (Path::new("/srv/copy/repository.git"), Path::new("/srv/shop.git"));
        let site = Path::new("/srv/shop");
        insta::assert_snapshot!(copied_hook(here, own, site, None, false), @"
        this repository has the hook of another repository
        found: the push came into /srv/copy/repository.git
        found: its hook deploys to /srv/shop, whose repository is /srv/shop.git
        1. Deploy it to a site of its own: nyala --site SITE install --force /srv/copy/repository.git
        2. Deploy what was pushed there: nyala --site SITE redeploy
        3. Or remove the hook: rm /srv/copy/repository.git/hooks/post-receive
        ");
        insta::assert_snapshot!(copied_hook(here, own, site, None, true), @"
        this repository has the hook of another repository
        found: the push came into /srv/copy/repository.git
        found: its hook deploys to /srv/shop, whose repository is /srv/shop.git
        1. Deploy it to a site of its own: nyala --site SITE install --force /srv/copy/repository.git
        2. Deploy again
        3. Or remove the hook: rm /srv/copy/repository.git/hooks/post-receive /srv/copy/repository.git/hooks/proc-receive && git --git-dir /srv/copy/repository.git config --unset-all receive.procReceiveRefs
        ");
        insta::assert_snapshot!(copied_hook(here, own, site, here.parent(), true), @"
        this repository has the hook of another repository
        found: the push came into /srv/copy/repository.git
        found: its hook deploys to /srv/shop, whose repository is /srv/shop.git
        1. Make the copy a site of its own: nyala init /srv/copy
        2. Deploy again
        ");
    }

    #[test]
    fn what_git_sends_is_shown_when_it_makes_no_sense() {
        insta::assert_snapshot!(bad_line("1a2b"), @"
        a line of the hook's input is not `OLD NEW REF`
        found: 1a2b
        note: git writes these lines
        Deploy by hand: nyala redeploy REV
        ");
        insta::assert_snapshot!(bad_id("1a2b"), @"
        an id in the hook's input is not an object id
        found: 1a2b
        Deploy by hand: nyala redeploy REV
        ");
        insta::assert_snapshot!(unknown_version("version=2"), @"
        git speaks a version of the proc-receive protocol that nyala does not know
        found: version=2
        allowed: version=1
        Set strict = false in nyala.toml, and push again
        ");
        insta::assert_snapshot!(not_utf8("refs/heads/caf\u{fffd}"), @"
        the name of refs/heads/caf� is not UTF-8, so it cannot move together with a deployment
        Push it separately, without --atomic
        ");
    }

    #[test]
    fn a_deployment_without_an_end_says_what_is_live() {
        let id = DeploymentId::of(8);
        let live = "deployment 7 is still live";
        insta::assert_snapshot!(
            nothing_deployed(live),
            @"nothing was deployed; deployment 7 is still live"
        );
        insta::assert_snapshot!(record_is_gone(id), @"
        the record of deployment 8 no longer exists
        See all deployments: nyala list
        ");
        insta::assert_snapshot!(worker_was_killed(id), @"
        the worker of deployment 8 was killed
        1. On the server, run: nyala redeploy 8
        2. Or, if strict = true, push again
        ");
        let system = FileSystem::of(Path::new("/")).unwrap();
        let free = format!("{system} has {} free", system.free);
        let error = not_recorded(id, &system).to_string().replace(&free, "/ has 0 free");
        insta::assert_snapshot!(error, @"
        deployment 8 could not be recorded: No space left on device
        found: / has 0 free
        Free some space at /, and deploy again
        ");
    }

    #[test]
    fn a_setting_that_cannot_be_applied_says_why() {
        let why = anyhow::anyhow!("cannot write /srv/r.git/hooks");
        insta::assert_snapshot!(
            cannot_follow("strict = true").because(&why),
            @"strict = true in nyala.toml cannot be applied: cannot write /srv/r.git/hooks"
        );
    }
}
