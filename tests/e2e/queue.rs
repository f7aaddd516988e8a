//! One deployment at a time, the newest wins, and a dead worker does not block the site.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::{Ends, Site, wait_until};

#[test]
fn pushes_during_a_deployment_wait_and_the_newest_wins() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    project.write("page", "1");
    let first = project.custom_script(&gate.shell()).push_in_background();
    gate.wait_until_reached();
    let second = project.write("page", "2").push_in_background();
    wait_until("the second push is recorded", || site.has_record(2));
    let third = project.write("page", "3").push_in_background();
    wait_until("the third push is recorded", || site.has_record(3));
    assert_eq!(site.record(3)["status"], "pending");
    gate.open();

    first.wait().assert_success();
    let second = second.wait();
    assert!(second.accepted);
    second.assert_says("superseded").assert_says("3");
    third.wait().assert_success();
    assert_eq!(site.record(1)["status"], "succeeded");
    assert_eq!(site.record(2)["status"], "superseded");
    assert_eq!(site.record(2)["superseded_by"], 3);
    assert_eq!(site.live_id(), Some(3));
    assert_eq!(site.live_file("page"), "3");
}

#[test]
fn a_killed_worker_is_recorded_as_interrupted_and_the_next_push_deploys() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let before = site.live_state();

    let gate = site.gate();
    let push = project.custom_script(&gate.shell_of_worker()).push_in_background();
    gate.wait_until_reached();
    gate.kill_worker();
    // The hook notices, and the push returns.
    assert!(push.wait().accepted);
    gate.open();
    assert_eq!(site.live_state(), before);

    project.remove(".deployment").write("app.py", "").push().assert_success();
    assert_eq!(site.record(2)["status"], "interrupted");
    assert_eq!(site.live_id(), Some(3));
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
    wait_until("leftovers are removed", || !site.path.join("releases/2").exists());
}

#[test]
fn wwwroot_points_to_a_complete_release_at_every_moment() {
    let site = Site::new();
    let project = site.project();
    project.write("a", "0").write("z", "0").push().assert_success();
    let done = AtomicBool::new(false);
    let wwwroot = site.path.join("wwwroot");
    thread::scope(|scope| {
        let ends = Ends(&done);
        let reader = scope.spawn(|| {
            let mut reads = 0_u64;
            while !done.load(Ordering::Relaxed) {
                // Resolved once, as a web server does for a request.
                let release = wwwroot.canonicalize().unwrap();
                let a = fs::read_to_string(release.join("a")).unwrap();
                let z = fs::read_to_string(release.join("z")).unwrap();
                assert_eq!(a, z);
                reads += 1;
            }
            reads
        });
        for page in ["1", "2"] {
            project.write("a", page).write("z", page).push().assert_success();
        }
        drop(ends);
        assert!(reader.join().unwrap() > 0);
    });
}

#[test]
fn two_sites_deploy_at_the_same_time() {
    let (first, second) = (Site::new(), Site::new());
    let gate = first.gate();
    let waiting = first.project();
    let waiting = waiting.custom_script(&gate.shell()).push_in_background();
    gate.wait_until_reached();
    second.project().write("page", "").push().assert_success();
    gate.open();
    waiting.wait().assert_success();
}

#[test]
fn ten_pushes_at_once_end_with_the_last_one_live() {
    let site = Site::with(&["--branch", "main"]);
    let project = site.project();
    project.write("page", "0").push().assert_success();
    let mut pushes = Vec::new();
    for number in 1..=10_u64 {
        project.write("page", number.to_string());
        pushes.push(project.push_in_background());
        // One after another: git would refuse an early push as not a fast-forward.
        wait_until("the push is recorded", || site.has_record(number + 1));
    }
    for push in pushes {
        assert!(push.wait().accepted);
    }
    assert_eq!(site.live_file("page"), "10");
    for id in 1..=11 {
        let record = site.record(id);
        match record["status"].as_str().unwrap() {
            "succeeded" => {}
            "superseded" => assert!(record["superseded_by"].as_u64().unwrap() > id),
            other => panic!("{id} is {other}"),
        }
    }
}
