//! Cancelling deployments, and freezing a site.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use crate::support::{Running, Site, runs, wait_until};

/// Whether the process whose id is in this file is still running.
fn still_runs(pid_file: &Path) -> bool {
    runs(&fs::read_to_string(pid_file).unwrap())
}

#[test]
fn cancel_ends_a_deployment_and_everything_it_started() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let before = site.live_state();
    let gate = site.gate();
    let pids: Vec<_> =
        ["script", "child", "group"].iter().map(|name| site.sandbox.path(name)).collect();
    let [script, child, group] =
        [&pids[0], &pids[1], &pids[2]].map(|path| path.display().to_string());
    // One child in the script's group that ignores SIGTERM's first wave by being started late, one
    // in a group of its own.
    project.write("page", "2").custom_script(&format!(
        "echo $$ > '{script}'\nsleep 600 & echo $! > '{child}'\nset -m\n\
         sleep 600 & echo $! > '{group}'\nset +m\n{}",
        gate.shell()
    ));
    let push = project.push_in_background();
    gate.wait_until_reached();
    assert!(pids.iter().all(|pid| still_runs(pid)));

    let cancelled = site.nyala(&["cancel"]);
    assert!(
        cancelled
            .assert_success()
            .stdout
            .contains("Deployment 2 was cancelled; deployment 1 is still live")
    );
    for pid in &pids {
        assert!(!still_runs(pid), "{}", pid.display());
    }
    let push = push.wait();
    assert!(
        push.last_line().starts_with("error: deployment 2 was cancelled by "),
        "{}",
        push.stderr
    );
    assert!(push.last_line().ends_with("deployment 1 is still live"), "{}", push.stderr);
    let record = site.record(2);
    assert_eq!(record["status"], "interrupted");
    assert!(record["error"].as_str().unwrap().starts_with("cancelled by "));
    assert_eq!(site.live_state(), before);
    assert!(!site.path.join("releases/2").exists());

    project.remove(".deployment").push().assert_success();
    assert_eq!(site.live_file("page"), "2");
}

#[test]
fn cancelling_a_waiting_deployment_keeps_the_running_one() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    let first = project.custom_script(&gate.shell()).push_in_background();
    gate.wait_until_reached();
    let second = project.write("page", "2").push_in_background();
    site.wait_for_log(2, "waiting for it");
    site.nyala(&["cancel", "2"]).assert_success();
    let second = second.wait();
    assert!(
        second.last_line().starts_with("error: deployment 2 was cancelled by "),
        "{}",
        second.stderr
    );
    assert_eq!(site.record(2)["status"], "interrupted");

    gate.open();
    first.wait().assert_success();
    assert_eq!(site.live_id(), Some(1));
    assert_eq!(site.record(2)["status"], "interrupted");
}

#[test]
fn an_ended_or_missing_deployment_cannot_be_cancelled() {
    let site = Site::new();
    site.nyala(&["cancel"]).assert_failed(1, "no deployment is running or waiting");
    site.nyala(&["cancel", "7"]).assert_failed(1, "there is no deployment 7");
    site.project().write("page", "").push().assert_success();
    let ran = site.nyala(&["cancel", "1"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(ran.stdout.contains("had already ended: succeeded"), "{ran:#?}");
    assert_eq!(site.record(1)["status"], "succeeded");
}

#[test]
fn cancel_ends_pip_inside_a_script() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    project.local_package("pkg", "1.0", &gate.python());
    project
        .write("requirements.txt", "./pkg\n")
        .custom_script("nyala step env\nnyala step install");
    let push = project.push_in_background();
    gate.wait_until_reached();
    site.nyala(&["cancel", "1"]).assert_success();
    push.wait().assert_failed_with("deployment 1 was cancelled by");
    assert!(site.numbers("envs").is_empty());
    wait_until("no process names the site any more", || processes_naming(&site.path).is_empty());
}

/// The command lines of processes that name a path.
fn processes_naming(path: &Path) -> Vec<String> {
    let path = path.to_str().unwrap();
    let lines = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let line = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(path).then_some(line)
    });
    lines.collect()
}

#[test]
fn a_frozen_site_deploys_the_newest_push_when_it_is_unfrozen() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    site.nyala(&["freeze", "the database is being moved."]).assert_success();
    for page in ["2", "3"] {
        let push = project.write("page", page).push();
        push.assert_failed_with(": the database is being moved; deployment 1 is still live");
    }
    assert_eq!(site.numbers("deployments"), [1]);
    assert_eq!(site.sandbox.git(&site.repository, &["rev-parse", "main"]), project.head());
    site.nyala(&["redeploy"]).assert_failed(1, "the database is being moved");
    assert!(site.nyala(&["status"]).stdout.contains("the database is being moved"));
    assert_eq!(
        site.nyala(&["status", "--json"]).json()["frozen"]["reason"],
        "the database is being moved."
    );

    let thawed = site.nyala(&["unfreeze"]);
    assert!(thawed.assert_success().stdout.contains("2 pushes were held back"), "{thawed:#?}");
    assert_eq!(site.live_id(), Some(2));
    assert_eq!(site.live_file("page"), "3");
    assert_eq!(site.record(2)["trigger"], "push");
    project.write("page", "4").push().assert_success();
    assert!(site.nyala(&["unfreeze"]).assert_success().stdout.contains("are not frozen"));
}

#[test]
fn a_frozen_strict_site_refuses_the_push_and_the_branch_stays() {
    let site = Site::with(&["--strict"]);
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let before = project.head();
    site.nyala(&["freeze", "not now."]).assert_success();
    let push = project.write("page", "2").push();
    assert!(
        !push.accepted && push.output.contains(": not now. Nothing was deployed"),
        "{}",
        push.stderr
    );
    assert_eq!(site.sandbox.git(&site.repository, &["rev-parse", "main"]), before);
    site.nyala(&["unfreeze"]).assert_success();
    project.push().assert_success();
    assert_eq!(site.live_file("page"), "2");

    fs::remove_file(site.repository.join("hooks/proc-receive")).unwrap();
    assert!(site.nyala(&["doctor"]).stdout.contains("[strict-hook]"));
    site.nyala(&["doctor", "--fix"]).assert_success();
}

#[test]
fn running_deployments_continue_during_a_freeze() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    let push = project.custom_script(&gate.shell()).push_in_background();
    gate.wait_until_reached();
    let frozen = site.nyala(&["freeze", "wait \u{1b}[2J for it"]);
    assert!(
        frozen
            .assert_success()
            .stdout
            .contains("Deployment 1 started before the freeze and continues"),
        "{frozen:#?}"
    );
    gate.open();
    push.wait().assert_success();
    let held = project.remove(".deployment").push();
    held.assert_failed_with("was not deployed");
    assert!(!held.stderr.contains('\u{1b}'), "{}", held.stderr.escape_debug());
    site.nyala(&["unfreeze", "--no-deploy"]).assert_success();
    assert_eq!(site.live_id(), Some(1));
    site.nyala(&["freeze", " "]).assert_failed(2, "a reason is required");
    Running::start(site.nyala_command().args(["redeploy"])).wait().assert_success();
    assert_eq!(site.live_id(), Some(2));
}

/// Like a stopped terminal, or a pager that waits for its user.
#[test]
fn unfreeze_deploys_even_if_nobody_reads_its_output() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    site.nyala(&["freeze", "not now"]).assert_success();
    project.write("page", "2").push();
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(&vec![b' '; 64 << 10]).unwrap();
    let unfreeze = Running::start_with_output(site.nyala_command().arg("unfreeze"), writer);
    wait_until("the held push is live", || site.live_id() == Some(2));
    drop(reader);
    unfreeze.wait().assert_success();
}
