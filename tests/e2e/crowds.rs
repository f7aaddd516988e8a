//! Many pushes, many sites, and commands in between.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::{Ends, Project, Running, RunningPush, Sandbox, Site};

const CROWD: u64 = 20;

/// git refuses a push while another one has locked the branch; people then push again.
fn push_until_accepted(project: &Project<'_>) {
    let accepted = || {
        let push = project.push_raw(&["--force", "nyala", "HEAD:refs/heads/main"]);
        assert!(push.accepted || push.stderr.contains("lock"), "{}", push.stderr);
        push.accepted
    };
    while !accepted() {}
}

#[test]
fn of_twenty_pushes_at_once_the_last_is_live() {
    let site = Site::with(&["--branch", "main"]);
    let taken = site.sandbox.path("one-at-a-time");
    let projects: Vec<_> = (1..=CROWD).map(|_| site.project()).collect();
    for (number, project) in projects.iter().enumerate() {
        let taken = taken.display();
        project
            .write("page", number.to_string())
            .custom_script(&format!("mkdir {taken}\nsleep 0.05\nrmdir {taken}"));
        project.commit("A push of many");
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let ends = Ends(&done);
        // Readers never see half a record.
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for id in site.numbers("deployments") {
                    assert_eq!(site.record(id)["id"], id);
                }
                assert!(site.nyala(&["list", "--json"]).json().is_array());
                assert!(site.nyala(&["status", "--json"]).json().is_object());
                if site.has_record(1) {
                    site.nyala(&["build-log"]).assert_success();
                }
            }
        });
        let pushes: Vec<_> =
            projects.iter().map(|project| scope.spawn(|| push_until_accepted(project))).collect();
        for push in pushes {
            push.join().unwrap();
        }
        drop(ends);
        reader.join().unwrap();
    });

    assert_eq!(site.numbers("deployments"), (1..=CROWD).collect::<Vec<_>>());
    for id in 1..=CROWD {
        let record = site.ended(id);
        if record["status"] == "superseded" {
            let by = record["superseded_by"].as_u64().unwrap();
            assert!(
                site.log(id).contains(&format!("superseded by deployment {by}")),
                "{}",
                site.log(id)
            );
        } else {
            assert_eq!(record["status"], "succeeded", "{}", site.log(id));
        }
    }
    assert_eq!(
        site.live()["commit"],
        site.sandbox.git(&site.repository, &["rev-parse", "main"]).as_str()
    );
    site.nyala(&["doctor"]).assert_success();
}

#[test]
fn rollbacks_and_gc_between_twenty_pushes_wait_for_their_turn() {
    let site = Site::with(&["--branch", "main"]);
    let first = site.project();
    for page in ["before", "back"] {
        first.write("page", page).push().assert_success();
    }
    let taken = site.sandbox.path("one-at-a-time");
    let script = format!("mkdir {0}\nsleep 0.05\nrmdir {0}", taken.display());
    let projects: Vec<_> = (1..=CROWD).map(|_| site.project()).collect();
    for (number, project) in projects.iter().enumerate() {
        project.write("page", number.to_string()).custom_script(&script).commit("A push of many");
    }
    let done = AtomicBool::new(false);
    let rollbacks = thread::scope(|scope| {
        let ends = Ends(&done);
        let gc = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                site.nyala(&["gc"]).assert_success();
                // The live release is complete, whatever was removed.
                site.live_file("page");
            }
        });
        let rollback = scope.spawn(|| {
            let mut said = Vec::new();
            while !done.load(Ordering::Relaxed) {
                said.push(site.nyala(&["rollback"]));
            }
            said
        });
        let pushes: Vec<_> =
            projects.iter().map(|project| scope.spawn(|| push_until_accepted(project))).collect();
        for push in pushes {
            push.join().unwrap();
        }
        drop(ends);
        gc.join().unwrap();
        rollback.join().unwrap()
    });

    let ids = site.numbers("deployments");
    let records: Vec<_> = ids.iter().map(|id| site.ended(*id)).collect();
    let of = |trigger: &str| records.iter().filter(|record| record["trigger"] == trigger).count();
    assert_eq!(of("push"), 2 + usize::try_from(CROWD).unwrap());
    for record in &records {
        let status = record["status"].as_str().unwrap();
        let id = record["id"].as_u64().unwrap();
        // While a rollback waited for its turn, its release may have been removed; then it says so.
        let is_late = record["trigger"] == "rollback" && site.log(id).contains("is no longer kept");
        assert!(matches!(status, "succeeded" | "superseded") || is_late, "{}", site.log(id));
    }
    for ran in rollbacks.iter().filter(|ran| !ran.status.success()) {
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let reasons =
            ["was superseded by deployment", "is no longer kept", "the live one, is kept"];
        assert!(reasons.iter().any(|reason| said.contains(reason)), "{ran:#?}");
    }
    // The last one to run is live.
    let last = records.iter().rev().find(|record| record["status"] == "succeeded").unwrap();
    let release = last["rolled_back_to"].as_u64().or(last["id"].as_u64());
    assert_eq!((site.live_id(), &site.live()["commit"]), (release, &last["commit"]));
    site.nyala(&["redeploy"]).assert_success();
    site.nyala(&["rollback"]).assert_success();
    site.nyala(&["redeploy"]).assert_success();
    assert_eq!(
        site.live()["commit"],
        site.sandbox.git(&site.repository, &["rev-parse", "main"]).as_str()
    );
    site.nyala(&["doctor"]).assert_success();
}

#[test]
fn a_late_hook_does_not_undo_a_newer_push() {
    let site = Site::with(&["--branch", "main"]);
    let project = site.project();
    project.write("page", "1").push().assert_success();
    // The hook of the second push is delayed before it starts nyala.
    let gate = site.gate();
    let hook = site.repository.join("hooks/post-receive");
    let ours = fs::read_to_string(&hook).unwrap();
    let late = format!(
        "#!/bin/sh\nif mkdir '{}' 2>/dev/null; then\n{}fi\n",
        site.sandbox.path("first").display(),
        gate.shell()
    );
    fs::write(&hook, ours.replace("#!/bin/sh\n", &late)).unwrap();
    let second = project.write("page", "2").push_in_background();
    gate.wait_until_reached();
    project.write("page", "3").push().assert_success();
    assert_eq!(site.live_id(), Some(2));
    gate.open();
    let second = second.wait();
    assert!(second.last_line().contains("superseded by deployment 2"), "{}", second.stderr);
    assert_eq!(site.record(3)["status"], "superseded");
    assert_eq!(site.record(3)["superseded_by"], 2);
    assert!(site.log(3).contains("superseded by deployment 2"));
    assert_eq!(site.live_file("page"), "3");

    // Pushing the same commit again is a new push.
    let before = project.git(&["rev-parse", "HEAD~1"]);
    for commit in [&before, &project.head()] {
        project
            .push_raw(&["--force", "nyala", &format!("{commit}:refs/heads/main")])
            .assert_success();
    }
    assert_eq!(site.live_file("page"), "3");
    assert_eq!(site.live_id(), Some(5));
}

#[test]
fn twenty_sites_deploy_at_once() {
    let sandbox = Sandbox::new();
    let sites: Vec<_> = (1..=CROWD).map(|number| sandbox.path(&format!("site-{number}"))).collect();
    for path in &sites {
        sandbox.nyala(&["init", path.to_str().unwrap()]).assert_success();
    }
    let tree = sandbox.path("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("page"), "here").unwrap();
    sandbox.git(&tree, &["init", "--quiet"]);
    sandbox.git(&tree, &["add", "."]);
    sandbox.git(
        &tree,
        &[
            "-c",
            "user.name=Ada",
            "-c",
            "user.email=a@b",
            "commit",
            "--quiet",
            "--message",
            "A page",
        ],
    );
    let push = |path: &std::path::PathBuf| {
        let mut push = sandbox.command("git");
        push.current_dir(&tree)
            .arg("push")
            .arg(path.join("repository.git"))
            .arg("HEAD:refs/heads/main");
        RunningPush::new(Running::start(&mut push))
    };
    let pushes: Vec<_> = sites.iter().map(push).collect();
    for push in pushes {
        push.wait().assert_success();
    }
    for path in sites {
        assert_eq!(fs::read_to_string(path.join("wwwroot/page")).unwrap(), "here");
    }
}
