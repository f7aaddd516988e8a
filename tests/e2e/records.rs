//! `deployments/N/deployment.json` is the public record.

use crate::support::{Site, newest_python};

#[test]
fn a_record_says_everything_about_its_deployment() {
    let site = Site::new();
    let project = site.python_project();
    project.write("runtime.txt", newest_python().runtime());
    let commit = project.commit("Say \"hello\"\n\nAnd more.");
    project.push().assert_success();
    let record = site.shown(1);
    assert_eq!(record["id"], 1);
    assert_eq!(record["status"], "succeeded");
    assert_eq!(record["live"], true);
    assert_eq!(record["commit"], commit.as_str());
    assert!(record["message"].as_str().unwrap().starts_with("Say \"hello\""));
    assert_eq!(record["author"], "Ada Lovelace <ada@example.org>");
    assert_eq!(record["trigger"], "push");
    assert_eq!(record["refname"], "refs/heads/main");
    assert_eq!(record["old_oid"], "0".repeat(40));
    assert_eq!(record["new_oid"], commit.as_str());
    assert_eq!(record["python"]["version"], newest_python().to_string());
    assert_eq!(record["env"]["id"], 1);
    assert!(!record["env"]["reasons"].as_array().unwrap().is_empty());
    assert!(record["error"].is_null());
    assert!(record["superseded_by"].is_null());
    let steps = record["steps"].as_array().unwrap();
    assert!(!steps.is_empty());
    for step in steps {
        assert!(step["name"].is_string() && step["seconds"].as_f64().unwrap() >= 0.0);
    }
}

#[test]
fn times_are_in_utc_and_in_order() {
    let site = Site::new();
    site.project().write("page", "").push().assert_success();
    let record = site.record(1);
    let times: Vec<jiff::Timestamp> = ["created_at", "started_at", "ended_at"]
        .iter()
        .map(|name| {
            let text = record[name].as_str().unwrap();
            assert!(text.ends_with('Z'), "{text}");
            text.parse().unwrap()
        })
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn only_one_record_is_live() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    project.write("page", "2").push().assert_success();
    assert_eq!(site.shown(1)["live"], false);
    assert_eq!(site.shown(2)["live"], true);
}

#[test]
fn the_record_of_a_failure_says_why() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project.write("requirements.txt", "mirage\n");
    project.push().assert_failed_with("there-is-no-such-package");
    let record = site.shown(2);
    assert_eq!(record["status"], "failed");
    assert_eq!(record["live"], false);
    assert!(!record["error"].as_str().unwrap().is_empty());
    assert_eq!(site.shown(1)["live"], true);
}

#[test]
fn a_hostile_message_is_recorded_and_shown_escaped() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "");
    project.git(&["config", "user.name", "Ada \u{1b}[31m"]);
    project.commit("Clear \u{1b}[2J the \u{7} screen");
    let push = project.push();
    push.assert_success();
    assert!(!push.stderr.contains('\u{1b}'), "{}", push.stderr.escape_debug());
    for arguments in [["list"], ["status"], ["build-log"]] {
        let ran = site.nyala(&arguments);
        assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout.escape_debug());
    }
    assert!(site.record(1)["message"].as_str().unwrap().contains("screen"));
}

#[test]
fn a_damaged_record_hides_no_other_and_stops_no_push() {
    let site = Site::new();
    let project = site.project();
    for page in ["1", "2", "3"] {
        project.write("page", page).push().assert_success();
    }
    std::fs::write(site.path.join("deployments/2/deployment.json"), "{\"id\": \"two\"}\n").unwrap();
    let listed = site.nyala(&["list"]);
    listed.assert_success();
    let numbers: Vec<_> =
        listed.stdout.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(numbers, ["3", "1"], "{}", listed.stdout);
    assert!(listed.stderr.contains("warning: "), "{}", listed.stderr);
    assert!(listed.stderr.contains("deployments/2/deployment.json is not a record"));
    assert!(site.nyala(&["status"]).stdout.contains("Live:"));
    assert!(site.nyala(&["show"]).stdout.contains('3'));
    project.write("page", "4").push().assert_success();
    assert_eq!(site.live_file("page"), "4");
    site.nyala(&["rollback", "3"]).assert_success();
    assert_eq!(site.live_file("page"), "3");
}
