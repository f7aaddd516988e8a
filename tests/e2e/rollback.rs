//! `nyala rollback`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Site, wait_until};

#[test]
fn rollback_brings_back_code_and_env_together_without_building() {
    let site = Site::new();
    let project = site.python_project();
    project.write("page", "1").push().assert_success();
    project.write("page", "2").write("requirements.txt", "antelope==2.0\n").push().assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("2.0"));

    // Nothing can be built or fetched: pip finds no wheels, and there is no repository.
    site.sandbox.set_variable("PIP_FIND_LINKS", "/nowhere");
    let away = site.path.join("away.git");
    fs::rename(&site.repository, &away).unwrap();
    let ran = site.nyala(&["rollback"]);
    let log = &ran.assert_success().stdout;
    assert!(log.lines().last().unwrap().starts_with("success: release 1 is live again: "), "{log}");
    assert!(log.contains("hint: to undo this: nyala rollback 2"), "{log}");
    assert!(!log.contains("warning: "), "{log}");
    assert_eq!(site.live_id(), Some(1));
    assert_eq!(site.live_file("page"), "1");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));

    let record = site.shown(3);
    assert_eq!(record["trigger"], "rollback");
    assert_eq!(record["rolled_back_to"], 1);
    assert_eq!(record["status"], "succeeded");
    assert_eq!(record["live"], false);
    assert_eq!(record["commit"], site.record(1)["commit"]);
    assert_eq!(record["old_oid"], site.record(2)["commit"]);
    assert_eq!((&site.shown(1)["live"], &site.shown(2)["live"]), (&true.into(), &false.into()));
    let kept = site.log(3);
    let shown: Vec<_> = kept.lines().filter(|line| !line.ends_with(' ')).collect();
    assert_eq!(shown, log.lines().collect::<Vec<_>>());

    // Forward again: the number of a rollback means the release that it made live.
    site.nyala(&["rollback", "2"]).assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("2.0"));
    site.nyala(&["rollback", "3"]).assert_success();
    assert_eq!(site.live_id(), Some(1));
    fs::rename(&away, &site.repository).unwrap();
    site.sandbox.reset_variable("PIP_FIND_LINKS");

    // The next deployment starts from what is live: release 1 and env 1, which deployment 2
    // replaced.
    project.write("page", "3").write("requirements.txt", "antelope==1.0\n").push().assert_success();
    assert_eq!(site.live_id(), Some(6));
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
}

#[test]
fn what_was_rolled_back_to_is_kept_before_what_was_rolled_back_from() {
    let site = Site::new();
    let project = site.project();
    for page in 1..=3 {
        project.write("page", page.to_string()).push().assert_success();
    }
    site.nyala(&["rollback"]).assert_success();
    assert_eq!(site.live_id(), Some(2));
    site.nyala(&["rollback"]).assert_success();
    assert_eq!(site.live_id(), Some(1), "without a number it goes one further back");
    site.nyala(&["rollback"]).assert_failed(1, "no release before 1, the live one, is kept");

    // Number 5 rolled back to 1, number 4 to 2: release 3 is the oldest now.
    project.write("page", "6").push().assert_success();
    wait_until("release 3 is gone", || site.numbers("releases") == [1, 2, 6]);
    project.write("page", "7").push().assert_success();
    wait_until("release 2 is gone", || site.numbers("releases") == [1, 6, 7]);
}

/// Pruning comes after the answer to the push, so `nyala rollback` may come between the two.
#[test]
fn without_a_number_it_never_goes_to_a_release_that_is_about_to_be_pruned() {
    let site = Site::new();
    let project = site.project();
    for page in 1..=3 {
        project.write("page", page.to_string()).push().assert_success();
    }
    site.nyala(&["rollback", "1"]).assert_success();
    site.nyala(&["rollback", "3"]).assert_success();
    // Of 1, 2 and 3, the last two that were live are 1 and 3.
    site.configure("keep = 2");
    let ran = site.nyala(&["rollback", "--dry-run"]);
    assert!(ran.assert_success().stdout.contains("Release 1 would be live again"), "{ran:#?}");
    fs::write(site.path.join("nyala.toml"), "keep = 1\n").unwrap();
    site.nyala(&["rollback"]).assert_failed(1, "no release before 3, the live one, is kept");
}

#[test]
fn a_release_that_is_no_longer_kept_is_redeployed() {
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let first = project.head();
    project.write("page", "2").push().assert_success();
    wait_until("release 1 is gone", || site.numbers("releases") == [2]);
    let ran = site.nyala(&["rollback", "1"]);
    let said = &ran.assert_success().stdout;
    assert!(said.contains("release 1 is no longer kept, so its commit"), "{said}");
    assert_eq!(site.live_id(), Some(3));
    assert_eq!(site.live_file("page"), "1");
    assert_eq!(site.live()["commit"], first.as_str());
    assert_eq!(site.live()["trigger"], "redeploy");
}

#[test]
fn a_release_without_its_env_is_redeployed() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project.remove("requirements.txt").push().assert_success();
    fs::remove_dir_all(site.path.join("envs/1")).unwrap();
    let ran = site.nyala(&["rollback"]);
    let said = &ran.assert_success().stdout;
    let fact = "env 1, which release 1 was built with, is damaged: its folder is gone";
    assert!(said.contains(fact), "{said}");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
}

/// What `doctor` calls damaged, a rollback does not make live.
#[test]
fn a_release_whose_env_is_damaged_is_redeployed() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project.remove("requirements.txt").push().assert_success();
    let dry = site.nyala(&["rollback", "--dry-run"]);
    let said = "Release 1 would be live again: ";
    assert!(dry.assert_success().stdout.starts_with(said), "{dry:?}");
    fs::remove_dir_all(site.path.join("envs/1/lib").join(packages(&site)).join("antelope"))
        .unwrap();
    let said = "damaged: antelope was deleted from its site-packages";
    assert!(site.nyala(&["doctor"]).stdout.contains(said));
    let dry = site.nyala(&["rollback", "-n"]);
    assert!(dry.assert_success().stdout.contains(said), "{dry:?}");
    assert!(dry.stdout.contains("would be redeployed: nyala plan "), "{dry:?}");
    assert_eq!((site.live_id(), site.numbers("deployments")), (Some(2), vec![1, 2]));
    let ran = site.nyala(&["rollback"]);
    assert!(ran.assert_success().stdout.contains(said), "{ran:?}");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));

    // The live release itself, too: its site was moved, and its scripts name the old path.
    let moved = site.sandbox.path("moved");
    fs::rename(&site.path, &moved).unwrap();
    let rollback = ["--site", moved.to_str().unwrap(), "rollback", "3"];
    let dry = site.sandbox.nyala(&[&rollback[..], &["--dry-run"]].concat());
    assert!(dry.assert_success().stdout.contains("is damaged: it was made at "), "{dry:?}");
    site.sandbox.nyala(&rollback).assert_success();
    assert_eq!(fs::read_link(moved.join("wwwroot")).unwrap().to_str(), Some("releases/4"));
    assert_eq!(fs::read_link(moved.join("wwwroot/env")).unwrap().to_str(), Some("../../envs/4"));
}

/// `python3.12/site-packages`
fn packages(site: &Site) -> String {
    let folders = fs::read_dir(site.path.join("envs/1/lib")).unwrap();
    let name = folders.map(|it| it.unwrap().file_name().into_string().unwrap());
    format!("{}/site-packages", name.into_iter().find(|it| it.starts_with("python")).unwrap())
}

#[test]
fn what_is_kept_can_be_brought_back_when_nothing_is_live() {
    let site = Site::new();
    assert!(site.nyala(&["status"]).assert_success().stdout.contains("nothing yet"));
    let project = site.project();
    for page in 1..=3 {
        project.write("page", page.to_string()).push().assert_success();
    }
    fs::remove_file(site.path.join("wwwroot")).unwrap();
    let kept = "nothing; releases 1, 2 and 3 are kept: nyala rollback 3";
    let status = site.nyala(&["status"]);
    assert!(status.assert_success().stdout.contains(kept), "{status:?}");
    let json: serde_json::Value =
        serde_json::from_str(&site.nyala(&["status", "--json"]).stdout).unwrap();
    assert_eq!((&json["live"], &json["kept"]), (&().into(), &serde_json::json!([1, 2, 3])));
    let push = project.custom_script("exit 1").push();
    push.assert_failed_with("nothing is live; releases 1, 2 and 3 are kept: nyala rollback 3");
    let doctor = site.nyala(&["doctor", "--json"]);
    let findings: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
    assert_eq!(findings[0]["id"], "nothing-live", "{findings}");
    assert_eq!(findings[0]["fix"], "nyala rollback 3");
    site.nyala(&["rollback"]).assert_success();
    assert_eq!((site.live_id(), site.live_file("page")), (Some(3), "3".to_owned()));
    fs::remove_file(site.path.join("wwwroot")).unwrap();
    site.nyala(&["rollback", "1"]).assert_success();
    assert_eq!((site.live_id(), site.live_file("page")), (Some(1), "1".to_owned()));
}

#[test]
fn a_rollback_runs_actions_and_updates_the_refs() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let first = project.head();
    project.write("page", "2").push().assert_success();
    fs::create_dir(site.path.join("actions")).unwrap();
    let action = site.path.join("actions/restart");
    fs::write(&action, "#!/bin/sh\necho \"restarted with $(cat wwwroot/page), $SCM_COMMIT_ID\"\n")
        .unwrap();
    fs::set_permissions(&action, PermissionsExt::from_mode(0o755)).unwrap();
    let ran = site.nyala(&["rollback"]);
    let log = &ran.assert_success().stdout;
    assert!(log.contains(&format!("restarted with 1, {first}")), "{log}");
    wait_until("the ref points to the live commit", || {
        let live = ["rev-parse", "--verify", "--quiet", "refs/deployments/live"];
        site.sandbox.git(&site.repository, &live) == first
    });
    let notes = site.sandbox.git(&site.repository, &["notes", "--ref=deployments", "show", &first]);
    assert_eq!(notes.matches("Deployment 3: ").count(), 1, "{notes}");
    assert!(notes.contains("| success: release 1 is live again"), "{notes}");
}

#[test]
fn a_deployment_that_was_never_live_cannot_be_rolled_back_to() {
    let site = Site::new();
    site.nyala(&["rollback"]).assert_failed(1, "nothing is live yet");
    let project = site.project();
    project.write("page", "1").push().assert_success();
    project.custom_script("exit 1").push();
    site.nyala(&["rollback", "2"])
        .assert_failed(1, "deployment 2 was never live: its status is failed");
    site.nyala(&["rollback", "9"]).assert_failed(1, "there is no deployment 9");
    let ran = site.nyala(&["rollback", "1"]);
    assert_eq!(ran.assert_success().stdout, "Release 1 is already live.\n");
    assert_eq!(site.numbers("deployments"), [1, 2]);
}

#[test]
fn a_rollback_waits_for_a_running_deployment() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    project.write("page", "2").push().assert_success();
    let gate = site.gate();
    let push = project.custom_script(&gate.shell()).push_in_background();
    gate.wait_until_reached();
    let rollback = crate::support::Running::start(site.nyala_command().args(["rollback", "1"]));
    site.wait_for_log(4, "waiting for it");
    assert_eq!(site.live_id(), Some(2));
    gate.open();
    rollback.wait().assert_success();
    push.wait().assert_success();
    assert_eq!(site.live_id(), Some(1));
}
