//! `nyala wait`: how a deployment ended, for scripts.

use crate::support::{Running, Site};

#[test]
fn the_exit_code_of_wait_is_the_result() {
    let site = Site::new();
    site.nyala(&["wait"]).assert_failed(2, "no deployments yet");
    let project = site.project();
    let one = project.write("page", "1").commit("One");
    project.push().assert_success();
    site.nyala(&["wait"]).assert_success();
    site.nyala(&["wait", "1"]).assert_success();
    site.nyala(&["wait", &one[..10]]).assert_success();

    let two = project.custom_script("exit 7").commit("Two");
    project.push().assert_failed_with("status 7");
    assert_eq!(site.nyala(&["wait"]).status.code(), Some(1));
    let ran = site.nyala(&["wait", &two]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(
        ran.stdout.starts_with("deployment 2 failed: ") && ran.stdout.contains("status 7"),
        "{ran:?}"
    );
    site.nyala(&["wait", &one]).assert_success();

    project.write("page", "3").push_with(&["-o", "skip-deploy"]);
    for never in [project.head().as_str(), "main", "nonsense", "-o"] {
        let ran = site.nyala(&["wait", "--", never]);
        ran.assert_failed(2, "was never deployed");
    }
    site.nyala(&["wait", "99"]).assert_failed(2, "there is no deployment 99");
    site.nyala(&["wait", "--nonsense"]).assert_failed(2, "--nonsense");
}

#[test]
fn wait_returns_when_the_deployment_ends() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    let push = project.custom_script(&format!("{}exit 7", gate.shell())).push_in_background();
    gate.wait_until_reached();
    let commit = project.head();
    let mut by_commit = Running::start(site.nyala_command().args(["wait", &commit]));
    let by_default = Running::start(site.nyala_command().args(["wait"]));
    assert!(by_commit.is_running());
    gate.open();
    assert_eq!(by_commit.wait().status.code(), Some(1));
    assert_eq!(by_default.wait().status.code(), Some(1));
    push.wait().assert_failed_with("status 7");
}

#[test]
fn wait_fails_for_a_superseded_deployment() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    let first = project.custom_script(&gate.shell()).push_in_background();
    gate.wait_until_reached();
    let second = project.write("page", "2").push_in_background();
    crate::support::wait_until("the second push is recorded", || site.has_record(2));
    let third = project.write("page", "3").push_in_background();
    crate::support::wait_until("the third push is recorded", || site.has_record(3));
    gate.open();
    for push in [first, second, third] {
        assert!(push.wait().accepted);
    }
    let ran = site.nyala(&["wait", "2"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(ran.stdout.contains("superseded by deployment 3"), "{ran:?}");
    site.nyala(&["wait", "3"]).assert_success();
}
