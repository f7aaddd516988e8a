//! `git push -o`, and `[skip deploy]` in a commit's message.

use crate::support::Site;

#[test]
fn an_unknown_push_option_deploys_nothing_and_lists_the_known_ones() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let push = project.write("page", "2").push_with(&["-o", "rebuild_env"]);
    push.assert_failed_with("unknown push option `rebuild_env`");
    push.assert_says("Did you mean `rebuild-env`?")
        .assert_says("allowed: dry-run, installer=pip, installer=uv, rebuild-env, skip-deploy");
    assert!(push.last_line().contains("deployment 1 is still live"), "{}", push.stderr);
    assert_eq!(site.numbers("deployments"), [1]);

    // The branch has moved, so redeploy makes it live.
    site.nyala(&["redeploy"]).assert_success();
    assert_eq!(site.live_file("page"), "2");
}

#[test]
fn skip_deploy_moves_the_branch_and_deploys_nothing() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let push = project.write("page", "2").push_with(&["-o", "skip-deploy"]);
    push.assert_deployed_nothing("the push asked for it (skip-deploy)")
        .assert_says("nyala redeploy");

    project.write("page", "3").commit("Change it\n\nNot yet: [Skip deploy]");
    project.push().assert_deployed_nothing("its commit message says [skip deploy]");
    assert_eq!(site.live_file("page"), "1");
    assert_eq!(site.numbers("deployments"), [1]);

    // Only the message of the tip counts.
    project.write("page", "4").push().assert_success();
    assert_eq!(site.live_file("page"), "4");
}

#[test]
fn dry_run_prints_the_plan_and_deploys_nothing() {
    let site = Site::new();
    let project = site.python_project();
    let push = project.push_with(&["-o", "dry-run", "-o", "rebuild-env"]);
    assert!(push.accepted, "{}", push.stderr);
    push.assert_says("(dry-run: nothing is deployed)").assert_says("Environment: create");
    assert!(site.numbers("deployments").is_empty());
    assert_eq!(site.live_id(), None);

    let push = project.write("runtime.txt", "python-9.9\n").push_with(&["-o", "dry-run"]);
    push.assert_failed_with("Python 9.9 is not on this machine").assert_says("nothing was tried");
    assert!(site.numbers("deployments").is_empty());
}

#[test]
fn no_secret_is_in_the_plan_that_a_dry_run_prints() {
    let site = Site::new();
    site.set("TOKEN", "hunter22");
    let project = site.python_project();
    project.write(".deployment", "[config]\ncommand = deploy --token hunter22\n");
    let push = project.push_with(&["-o", "dry-run"]);
    push.assert_says("deploy --token ****").assert_does_not_say("hunter22");
}
