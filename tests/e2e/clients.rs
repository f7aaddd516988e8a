//! Clients that are killed, stopped or slow: the deployment continues, and its log is complete.

use std::fs;

use crate::support::{Gate, Push, RunningPush, Site, wait_until};

const LINES: usize = 60_000;

/// Starts a push whose script waits at the gate and then prints several MB.
fn start(site: &Site, gate: &Gate) -> RunningPush {
    let project = site.project();
    let script = format!(
        "echo first\n{}seq 1 {LINES} | sed 's/$/ {}/'\necho last",
        gate.shell(),
        "-".repeat(60)
    );
    let push = project.custom_script(&script).push_in_background();
    gate.wait_until_reached();
    push
}

#[track_caller]
fn assert_ended_whole(site: &Site) {
    assert_eq!(site.ended(1)["status"], "succeeded");
    assert_eq!(site.live_id(), Some(1));
    wait_until("the log ends", || site.log(1).contains("\nsuccess: "));
    let log = site.log(1);
    for text in ["first\n", &format!(" {LINES} --"), "last\n"] {
        assert!(log.contains(text), "no {text:?}");
    }
    assert!(log.lines().last().unwrap().starts_with("success: "));
    assert_eq!(log.lines().filter(|line| line.ends_with("--")).count(), LINES);
}

#[test]
fn a_deployment_survives_the_client_being_killed() {
    let site = Site::new();
    let gate = site.gate();
    let push = start(&site, &gate);
    push.kill_client();
    gate.open();
    assert_ended_whole(&site);
}

#[test]
fn a_deployment_survives_the_client_and_the_hook_being_killed() {
    let site = Site::new();
    let gate = site.gate();
    let push = start(&site, &gate);
    push.kill_all();
    gate.open();
    assert_ended_whole(&site);
}

#[test]
fn a_stopped_client_does_not_block_the_deployment() {
    let site = Site::new();
    let gate = site.gate();
    let push = start(&site, &gate);
    push.stop_client();
    gate.open();
    assert_ended_whole(&site);
}

#[test]
fn a_patient_client_sees_the_beginning_and_the_end() {
    let site = Site::new();
    let gate = site.gate();
    let push = start(&site, &gate);
    gate.open();
    let push: Push = push.wait();
    push.assert_success();
    assert_ended_whole(&site);
    let seen = push.output.lines().filter(|line| line.ends_with("--"));
    assert!((10..100).contains(&seen.count()), "{}", push.output);
    push.assert_says(&format!(" {LINES} --")).assert_says(" more lines: nyala build-log 1");
}

#[test]
fn the_push_shows_the_log_without_its_details() {
    let site = Site::new();
    let project = site.python_project();
    let push = project.push();
    push.assert_success();
    let log = site.log(1);
    let stored: Vec<&str> = log.lines().filter(|line| !line.ends_with(' ')).collect();
    let shown: Vec<&str> = push.output.lines().collect();
    assert!(
        shown.windows(stored.len()).any(|window| window == stored),
        "shown: {shown:#?}\nstored: {stored:#?}"
    );
    assert!(log.contains("\n-----> Activate \n       wwwroot -> releases/1 \n"), "{log}");

    let unchanged = project.write("page", "").push();
    unchanged.assert_success().assert_says("Found compatible virtual environment.");
    assert!(unchanged.output.lines().count() <= 10, "{}", unchanged.output);
    let added = project.write("requirements.txt", "antelope==1.0\nacacia\n").push();
    added.assert_says("Environment: copy env 1").assert_says(" already satisfied.");
    assert!(site.log(3).contains("Requirement already satisfied: antelope==1.0"));
}

#[test]
fn every_line_of_a_log_has_a_form() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project.write("requirements.txt", "mirage\n");
    project.push().assert_failed_with("there-is-no-such-package");
    for line in [site.log(1), site.log(2)].iter().flat_map(|log| log.lines()) {
        let forms = ["-----> ", "       ", "error: ", "warning: ", "hint: ", "success: "];
        let known = line.is_empty() || forms.iter().any(|form| line.starts_with(form));
        assert!(known, "{line:?}");
    }
}

#[test]
fn the_last_line_is_the_result_and_what_is_live() {
    let site = Site::new();
    let project = site.project();
    project.custom_script("exit 1");
    let push = project.push();
    assert!(push.last_line().starts_with("error: deployment 1 failed: "));
    assert!(push.last_line().ends_with("nothing is live yet"), "{}", push.last_line());

    let push = project.remove(".deployment").push();
    assert!(push.last_line().starts_with("success: deployment 2 is live"));

    let push = project.custom_script("exit 1").push();
    assert!(push.last_line().starts_with("error: deployment 3 failed: "));
    assert!(push.last_line().ends_with("deployment 2 is still live"), "{}", push.last_line());
}

#[test]
fn control_characters_of_a_child_do_not_reach_the_terminal() {
    let site = Site::new();
    let project = site.project();
    project.custom_script(
        r"printf 'a\033[2Jb\000c\007d\n'; printf '10%%\r100%%\n'; printf 'no newline'",
    );
    let push = project.push();
    push.assert_success().assert_says("100%").assert_says("no newline");
    let log = fs::read(site.path.join("deployments/1/log.txt")).unwrap();
    let control = log.iter().find(|byte| byte.is_ascii_control() && **byte != b'\n');
    assert_eq!(control, None, "{}", String::from_utf8_lossy(&log));
}
