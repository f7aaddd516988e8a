//! `watch`: a release that does not stay well gives way to the one before, by itself.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Project, RunningPush, Server, Site, wait_until};

/// The time that no test waits for: it ends earlier, or not at all.
const LONG: &str = "watch = '1h'";

fn page(project: &Project<'_>, page: &str) {
    let text = include_str!("fixtures/server.py");
    project.write("server.py", text.replace("@PAGE@", page));
    project.write("Procfile", "web: python3 server.py\nworker: sleep 600\n");
}

/// A site whose first release is live, and whose second one is being watched.
fn watched(settings: &str) -> (Site, Server, RunningPush) {
    let (site, server) = Site::served(settings);
    let push = watch_second(&site);
    (site, server, push)
}

fn watch_second(site: &Site) -> RunningPush {
    let project = site.project();
    page(&project, "one");
    project.push().assert_success();
    page(&project, "two");
    let push = project.push_in_background();
    wait_until("visitors have the second", || site.get("/").body == "two 2 shop\n");
    push
}

/// Whether the processes of a release run, and no others.
fn runs_alone(site: &Site, release: u64) -> bool {
    let processes = site.nyala(&["ps", "--json"]).json();
    let processes = processes.as_array().unwrap();
    processes.len() == 2 && processes.iter().all(|it| it["release"] == release)
}

/// The first release is back, whole, and the second one is gone.
fn assert_back(site: &Site) {
    assert_eq!((site.live_id(), site.get("/").body.as_str()), (Some(1), "one 1 shop\n"));
    assert!(!site.path.join("releases/2").exists());
    wait_until("the first runs alone", || runs_alone(site, 1));
    site.nyala(&["rollback"]).assert_failed(1, "no release before 1");
}

#[test]
fn too_many_errors_bring_the_release_before_back() {
    let (site, _server, push) = watched(LONG);
    // One error is not many.
    assert_eq!(site.get("/fail").status, 500);
    for _ in 0..20 {
        assert_eq!(site.get("/").status, 200);
    }
    // What the application has written is not lost with it.
    fs::write(site.path.join("releases/2/upload"), "precious").unwrap();
    wait_until("visitors have the first again", || {
        site.get("/fail");
        site.get("/").body == "one 1 shop\n"
    });
    let push = push.wait();
    push.assert_failed_with("release 2 failed while it was watched: ")
        .assert_says("Watching it for 1 h; release 1 stays ready meanwhile")
        .assert_says("answers were 5xx")
        .assert_says("deployment 1 is still live");
    assert_back(&site);
    assert_eq!(site.record(2)["status"], "failed");
    assert_eq!(fs::read_to_string(site.path.join("kept/2/upload")).unwrap(), "precious");
}

#[test]
fn a_web_process_that_dies_brings_the_release_before_back() {
    let (site, _server, push) = watched(LONG);
    site.get("/exit");
    push.wait().assert_failed_with("release 2 failed while it was watched: web exited with 3");
    assert_back(&site);
}

#[test]
fn a_release_that_gets_sick_brings_the_release_before_back() {
    let (site, _server, push) = watched(LONG);
    fs::write(site.path.join("releases/2/sick"), "").unwrap();
    push.wait()
        .assert_failed_with("release 2 became unhealthy")
        .assert_says("answered: 503 Service Unavailable");
    assert_back(&site);
}

#[test]
fn a_release_that_stays_well_is_kept() {
    let (site, _server) = Site::served("watch = '1s'");
    let push = watch_second(&site);
    push.wait().assert_success().assert_says("Watching it for 1 s");
    assert_eq!(site.get("/").body, "two 2 shop\n");
    wait_until("the second runs alone", || runs_alone(&site, 2));
    // Whoever goes back does not want the other one again.
    let ran = site.nyala(&["rollback"]);
    assert!(!ran.assert_success().stdout.contains("Watching"), "{ran:#?}");
}

#[test]
fn a_deployment_that_is_cancelled_while_it_is_watched_goes_back() {
    let (site, _server, push) = watched(LONG);
    site.nyala(&["cancel"]).assert_success();
    push.wait().assert_says("deployment 1 is still live");
    assert_back(&site);
    assert_eq!(site.record(2)["status"], "interrupted");
}

#[test]
fn the_branch_of_a_strict_site_moves_when_its_release_stayed_well() {
    let site = Site::with(&["--strict"]);
    let _server = site.serve_on_a_socket(LONG);
    let push = watch_second(&site);
    let before = site.record(1)["commit"].as_str().unwrap().to_owned();
    site.get("/exit");
    assert!(!push.wait().accepted);
    assert_back(&site);
    let tip = site.sandbox.git(&site.repository, &["rev-parse", "refs/heads/main"]);
    assert_eq!(tip.trim(), before);
}

/// Kills the worker of the second deployment.
fn kill_worker(site: &Site) {
    let command = format!("worker\0--deployment\x002\0--site\0{}\0", site.path.display());
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut pids = pids.filter(|pid| {
        let found = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        found.contains(&command)
    });
    let pid = Pid::from_raw(pids.next().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn a_release_whose_worker_was_killed_is_watched_to_the_end() {
    let (site, _server, push) = watched(LONG);
    kill_worker(&site);
    push.wait();
    site.get("/exit");
    wait_until("visitors have the first again", || site.get("/").body == "one 1 shop\n");
    wait_until("it is live again", || site.live_id() == Some(1));
    site.nyala(&["doctor", "--fix"]).assert_success();
    assert_eq!(site.record(2)["status"], "interrupted");
    wait_until("the first runs alone", || runs_alone(&site, 1));
}

#[test]
fn a_serve_that_ends_while_it_watches_leaves_the_new_release() {
    let (site, server, push) = watched(LONG);
    server.stop();
    push.wait().assert_success();
    assert_eq!(site.live_id(), Some(2));
    let _server = site.serve();
    wait_until("it answers", || site.get("/").body == "two 2 shop\n");
}
