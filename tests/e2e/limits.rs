//! Time limits: for a step, and for silence.

use std::fs;

use crate::support::{Site, runs, wait_until};

#[test]
fn a_step_that_takes_too_long_is_ended_even_if_it_ignores_signals() {
    let site = Site::new();
    site.configure("step_timeout = 2");
    let pids = site.sandbox.path("pids");
    let script = format!(
        "trap '' TERM\n(trap '' TERM; while :; do sleep 1; echo on and on; done) &\n\
         echo $! $$ > {}\nwhile :; do sleep 1; done",
        pids.display()
    );
    let push = site.project().custom_script(&script).push();
    push.assert_failed_with("was stopped: it was still running after 2 s")
        .assert_says("bash deploy.sh")
        .assert_says("raise step_timeout in nyala.toml");
    for pid in fs::read_to_string(pids).unwrap().split_whitespace() {
        wait_until("the process has ended", || !runs(pid));
    }
    assert_eq!(site.record(1)["status"], "failed");
    assert!(site.record(1)["error"].as_str().unwrap().contains("step_timeout"));
}

#[test]
fn a_silent_step_is_ended_but_a_busy_one_is_not() {
    let site = Site::new();
    site.configure("idle_timeout = 2");
    let project = site.project();
    // Silent for longer than the limit, but busy.
    let busy = "timeout 5 sh -c 'while :; do :; done' || true\n(sleep 600 &)";
    project.custom_script(busy).push().assert_success();
    let push = project.custom_script("echo before\nsleep 600").push();
    push.assert_failed_with("was stopped: no output and no CPU time for 2 s")
        .assert_says("before")
        .assert_says("raise idle_timeout in nyala.toml")
        .assert_says("deployment 1 is still live");
}

#[test]
fn a_pip_that_hangs_is_ended_with_its_own_children() {
    let site = Site::new();
    site.configure("idle_timeout = 4");
    let pid = site.sandbox.path("pid");
    let project = site.project();
    let build = format!(
        "    import os, time\n    open('{}', 'w').write(str(os.getpid()))\n    time.sleep(600)\n",
        pid.display()
    );
    project.local_package("pkg", "1.0", &build).write("requirements.txt", "./pkg\n");
    let push = project.push();
    push.assert_failed_with("pip install was stopped")
        .assert_says("idle_timeout")
        .assert_says("nothing is live yet");
    let pid = fs::read_to_string(pid).unwrap();
    wait_until("the build has ended", || !runs(&pid));
    assert!(site.numbers("envs").is_empty());
}
