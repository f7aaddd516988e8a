//! Which pushes are deployed, and what the output says about the others.

use crate::support::Site;

#[test]
fn the_first_branch_ever_pushed_becomes_the_deploy_branch_and_head_follows() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "1").commit("One");
    project.push_refs(&["HEAD:refs/heads/trunk"]).assert_success();
    let head = site.sandbox.git(&site.repository, &["symbolic-ref", "HEAD"]);
    assert_eq!(head, "refs/heads/trunk");

    project.write("index.html", "2");
    project.push().assert_deployed_nothing("HEAD:trunk");
    assert_eq!(site.live_file("index.html"), "1");
}

#[test]
fn pushing_another_branch_deploys_nothing_and_says_what_to_type() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "live").push().assert_success();
    project.write("index.html", "not yet").commit("Not yet");
    let push = project.push_refs(&["HEAD:refs/heads/feature"]);
    push.assert_deployed_nothing("feature").assert_says("HEAD:main");
    assert_eq!(site.live_file("index.html"), "live");
    assert!(!site.has_record(2));
}

#[test]
fn a_tag_deploys_nothing() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "live").push().assert_success();
    project.git(&["tag", "v1"]);
    project.push_refs(&["refs/tags/v1"]).assert_deployed_nothing("v1");
    assert!(!site.has_record(2));
}

#[test]
fn a_tag_is_not_a_branch_even_if_it_is_pushed_first() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "live").commit("One");
    project.git(&["tag", "v1"]);
    project.push_refs(&["refs/tags/v1"]).assert_deployed_nothing("v1");
    project.push().assert_success();
}

#[test]
fn deleting_another_branch_deploys_nothing() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "live").push().assert_success();
    project.push_refs(&["HEAD:refs/heads/feature"]);
    project.push_refs(&[":refs/heads/feature"]).assert_deployed_nothing("feature");
}

#[test]
fn deleting_the_deploy_branch_leaves_the_site_up() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "live").push().assert_success();
    let before = site.live_state();
    site.sandbox.git(&site.repository, &["config", "receive.denyDeleteCurrent", "ignore"]);
    project.push_refs(&[":refs/heads/main"]).assert_deployed_nothing("main");
    assert_eq!(site.live_state(), before);

    project.write("index.html", "again").push().assert_success();
    assert_eq!(site.live_file("index.html"), "again");
}

#[test]
fn several_refs_in_one_push_make_one_deployment() {
    let site = Site::with(&["--branch", "main"]);
    let project = site.project();
    project.write("index.html", "live").commit("One");
    project.git(&["tag", "v1"]);
    let push = project.push_refs(&[
        "HEAD:refs/heads/feature",
        "HEAD:refs/heads/main",
        "refs/tags/v1",
        "HEAD:refs/heads/zebra",
    ]);
    push.assert_success();
    for name in ["feature", "v1", "zebra"] {
        push.assert_says(name);
    }
    assert_eq!(site.numbers("deployments"), [1]);
    assert_eq!(site.live()["refname"], "refs/heads/main");
}

#[test]
fn a_force_push_deploys_the_rewritten_history() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "1").push().assert_success();
    let old = project.head();
    project.write("index.html", "2");
    project.git(&["commit", "--quiet", "--all", "--amend", "-m", "Rewritten"]);
    project.push_with(&["--force"]).assert_success();
    let record = site.live();
    assert_eq!(site.live_file("index.html"), "2");
    assert_eq!(record["old_oid"], old.as_str());
    assert_eq!(record["new_oid"], project.head().as_str());
}

#[test]
fn going_back_to_an_older_commit_deploys_it() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "1").push().assert_success();
    project.write("index.html", "2").write("new", "").push();
    project.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    project.push_with(&["--force"]).assert_success();
    assert_eq!(site.live_file("index.html"), "1");
    assert!(!site.path.join("wwwroot/new").exists());
}

#[test]
fn any_legal_ref_name_can_be_the_deploy_branch() {
    for name in [
        "$(touch${IFS}x)",
        "`id`",
        "a'b\"c",
        "-x",
        "feature/deep/er",
        "\u{fc}ml\u{e4}ut",
        "semi;colon&",
        "main.lock.d",
    ] {
        let site = Site::new();
        let project = site.project();
        project.write("index.html", name).commit("One");
        let refname = format!("refs/heads/{name}");
        project.push_refs(&[&format!("HEAD:{refname}")]).assert_success();
        assert_eq!(site.live()["refname"], refname.as_str());
        assert_eq!(site.live_file("index.html"), name);
        for folder in [&site.path, &site.repository, &site.path.join("wwwroot")] {
            assert!(!folder.join("x").exists());
        }
    }
}

#[test]
fn an_odd_branch_name_runs_nothing() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "live").push().assert_success();
    project
        .push_refs(&["HEAD:refs/heads/$(touch${IFS}x)"])
        .assert_deployed_nothing("$(touch${IFS}x)");
    assert!(!site.repository.join("x").exists());
}

#[test]
fn a_push_of_the_same_commit_to_a_new_branch_does_not_deploy_it_again() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "live").push().assert_success();
    project.push_refs(&["HEAD:refs/heads/copy"]);
    assert_eq!(site.numbers("deployments"), [1]);
}

#[test]
fn a_branch_that_points_to_a_tagged_object_is_read_as_its_commit() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "live").commit("One");
    project.git(&["tag", "-a", "-m", "A tag of its own", "v1"]);
    project.push_refs(&["v1^{commit}:refs/heads/main"]).assert_success();
    assert_eq!(site.live()["commit"], project.head().as_str());
}
