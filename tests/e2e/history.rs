//! Inspecting, comparing and deleting deployments.

use std::fs;

use crate::support::Site;

#[test]
fn list_shows_live_and_kept_releases() {
    let site = Site::new();
    let nothing = site.nyala(&["list"]);
    assert!(nothing.assert_success().stdout.starts_with("No deployments yet."));
    let project = site.project();
    project.write("page", "1").commit("The first");
    project.push().assert_success();
    project.write("page", "2").push().assert_success();
    site.nyala(&["rollback"]).assert_success();
    let list = site.nyala(&["list"]);
    let lines: Vec<_> = list.assert_success().stdout.lines().collect();
    let has = |line: usize, words: [&str; 4]| words.iter().all(|word| lines[line].contains(word));
    assert!(has(0, ["ID", "STATUS", "RELEASE", "TITLE"]), "{lines:#?}");
    assert!(has(1, ["3", "succeeded", "-> 1", "The first"]), "{lines:#?}");
    assert!(has(2, ["2", "succeeded", "kept", "Change"]), "{lines:#?}");
    assert!(has(3, ["1", "succeeded", "live", "The first"]), "{lines:#?}");
    assert!(!list.stdout.contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn show_prints_the_details_of_a_deployment() {
    let site = Site::new();
    site.nyala(&["show"]).assert_failed(1, "no deployments yet");
    let project = site.project();
    project.write("page", "1").commit("The first");
    project.push().assert_success();
    project.custom_script("exit 3").push();
    let shown = site.nyala(&["show", "1"]);
    for fact in [
        "Status    succeeded",
        "The first",
        "Ada Lovelace",
        "live, in",
        "push of main",
        "nyala build-log 1",
        "Took",
    ] {
        assert!(shown.assert_success().stdout.contains(fact), "no {fact:?} in {}", shown.stdout);
    }
    let failed = site.nyala(&["show"]);
    for fact in ["Status    failed", "it was never live", "Error", "bash deploy.sh"] {
        assert!(failed.assert_success().stdout.contains(fact), "no {fact:?} in {}", failed.stdout);
    }
    let mut record = site.record(2);
    assert!(record["live"].is_null(), "a record cannot know for how long it is true");
    record["live"] = false.into();
    assert_eq!(site.shown(2), record);
    site.nyala(&["show", "7"]).assert_failed(1, "there is no deployment 7");
}

#[test]
fn diff_shows_commits_requirements_and_python() {
    let site = Site::new();
    let project = site.python_project();
    project.commit("The first");
    project.push().assert_success();
    project.write("requirements.txt", "antelope==2.0\n").write("page", "").commit("The second");
    project.push().assert_success();

    let diff = site.nyala(&["diff", "1"]);
    let diff = &diff.assert_success().stdout;
    assert!(diff.contains("From 1 (") && diff.contains("to 2 ("), "{diff}");
    assert!(
        diff.lines().any(|line| line.starts_with("  + ") && line.ends_with("The second")),
        "{diff}"
    );
    assert!(diff.contains("2 files changed"), "{diff}");
    assert!(diff.contains("antelope==1.0") && diff.contains("antelope==2.0"), "{diff}");
    assert!(diff.contains("Env:\n  env 1 -> env 2"), "{diff}");

    let back = site.nyala(&["diff", "2", "1", "--json"]).json();
    assert_eq!(back["new_commits"].as_array().unwrap().len(), 0);
    assert!(back["gone_commits"][0].as_str().unwrap().ends_with("The second"));
    assert_eq!(back["python"]["from"], back["python"]["to"]);

    let same = site.nyala(&["diff", "1", "1"]);
    assert_eq!(same.assert_success().stdout.matches("  unchanged").count(), 3);
    site.nyala(&["diff", "1", "9"]).assert_failed(1, "there is no deployment 9");
}

#[test]
fn delete_removes_everything_but_the_number() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project.write("requirements.txt", "antelope==2.0\n").push().assert_success();
    site.nyala(&["rollback"]).assert_success();

    site.nyala(&["delete", "2", "1"]).assert_failed(1, "release 1 is live");
    assert_eq!(site.numbers("deployments"), [1, 2, 3], "nothing was deleted");
    site.nyala(&["delete", "9"]).assert_failed(1, "there is no deployment 9");

    let ran = site.nyala(&["delete", "2", "3"]);
    let said = &ran.assert_success().stdout;
    for what in [
        "release 2:",
        "env 2:",
        "record and log of deployment 2:",
        "record and log of deployment 3:",
        "Freed",
    ] {
        assert!(said.contains(what), "no {what:?} in {said}");
    }
    assert_eq!(site.numbers("deployments"), [1]);
    assert_eq!((site.numbers("releases"), site.numbers("envs")), (vec![1], vec![1]));
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));

    project.push_refs(&["HEAD:refs/heads/other"]);
    site.nyala(&["redeploy", "other"]).assert_success();
    assert_eq!(site.live_id(), Some(4), "numbers are never given again");
    site.nyala(&["delete", "1"]).assert_success();
    assert_eq!((site.numbers("deployments"), site.live_id()), (vec![4], Some(4)));
}

#[test]
fn a_running_deployment_is_not_deleted() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    let push = project.custom_script(&gate.shell()).push_in_background();
    gate.wait_until_reached();
    let mut delete = site.nyala_command();
    let delete = crate::support::Running::start(delete.args(["delete", "1"]));
    gate.open();
    push.wait().assert_success();
    // It waited for the deployment, which is now live.
    delete.wait().assert_failed(1, "release 1 is live");
}

#[test]
fn gc_frees_what_no_kept_release_needs_and_reports_the_size() {
    let site = Site::new();
    let project = site.project();
    project.write("page", vec![b'x'; 300_000]).push().assert_success();
    project.write("page", "2").push().assert_success();
    project.write("page", "3").push().assert_success();
    let nothing = site.nyala(&["gc"]);
    assert!(nothing.assert_success().stdout.contains("Nothing to remove."), "{nothing:?}");

    site.configure("keep = 1");
    fs::create_dir_all(site.path.join("envs/77/lib")).unwrap();
    fs::create_dir_all(site.path.join("cache/tmp/5")).unwrap();
    fs::create_dir_all(site.path.join("cache/trash/releases-1")).unwrap();
    let ran = site.nyala(&["gc"]);
    let said = &ran.assert_success().stdout;
    for what in ["release 1:", "release 2:", "env 77:", "temporary files of deployment 5:"] {
        assert!(said.contains(what), "no {what:?} in {said}");
    }
    let freed = said
        .lines()
        .last()
        .unwrap()
        .split(['(', ' '])
        .rev()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap();
    assert!((300_000..900_000).contains(&freed), "{said}");
    assert_eq!((site.numbers("releases"), site.numbers("envs")), (vec![3], vec![]));
    assert_eq!(site.numbers("deployments"), [1, 2, 3], "records stay");
    assert_eq!(site.live_file("page"), "3");
}
