//! Commands that people run.

use std::fs::OpenOptions;

use crate::support::{Running, Site, snapshot_without, two_pythons};

#[test]
fn list_is_newest_first() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    project.custom_script("exit 1").push();
    let list = site.nyala(&["list", "--json"]).json();
    let ids: Vec<u64> =
        list.as_array().unwrap().iter().map(|it| it["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [2, 1]);
    assert_eq!(list[0], site.shown(2));

    let table = site.nyala(&["list"]);
    let table = &table.assert_success().stdout;
    assert!(table.contains("failed") && table.contains("succeeded"), "{table}");
}

#[test]
fn status_shows_the_live_and_the_latest_deployment() {
    let site = Site::new();
    let status = site.nyala(&["status", "--json"]).json();
    assert!(status["live"].is_null() && status["latest"].is_null());
    assert_eq!(status["site"], site.path.to_str().unwrap());

    let project = site.project();
    project.write("page", "1").push().assert_success();
    project.custom_script("exit 1").push();
    let status = site.nyala(&["status", "--json"]).json();
    assert_eq!(status["live"]["id"], 1);
    assert_eq!(status["latest"]["id"], 2);
    site.nyala(&["status"]).assert_success();
}

#[test]
fn build_log_prints_the_log_of_one_deployment() {
    let site = Site::new();
    let project = site.project();
    project.custom_script("echo one").push().assert_success();
    project.custom_script("echo two").push().assert_success();
    assert_eq!(site.nyala(&["build-log"]).assert_success().stdout, site.log(2));
    assert_eq!(site.nyala(&["build-log", "1"]).assert_success().stdout, site.log(1));
    // Its name before `nyala logs` was there.
    assert_eq!(site.nyala(&["log", "1"]).assert_success().stdout, site.log(1));
    site.nyala(&["build-log", "99"]).assert_failed(1, "99");
}

#[test]
fn build_log_follow_ends_with_the_deployment() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    let push =
        project.custom_script(&format!("{}echo after the gate", gate.shell())).push_in_background();
    gate.wait_until_reached();
    let follower = Running::start(site.nyala_command().args(["build-log", "--follow"]));
    gate.open();
    let seen = follower.wait();
    push.wait().assert_success();
    // All that explains what happened, and no details; the step that runs is named.
    let seen = &seen.assert_success().stdout;
    let log = site.log(1);
    let shown = seen.lines().filter(|line| !line.starts_with("       ... "));
    let expected = log.lines().filter(|line| !line.ends_with(' '));
    assert_eq!(shown.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn plan_prints_the_plan_and_changes_nothing() {
    let Some((older, newer)) = two_pythons() else {
        return;
    };
    let site = Site::new();
    let project = site.python_project();
    project.write("runtime.txt", older.runtime()).push().assert_success();
    project.write("runtime.txt", newer.runtime()).commit("Another Python");
    project.push_refs(&["HEAD:refs/heads/next"]);

    let before = snapshot_without(&site.path, &["cache"]);
    let plan = site.nyala(&["plan", "next"]);
    let plan = &plan.assert_success().stdout;
    assert!(plan.contains(&newer.to_string()), "{plan}");
    assert!(plan.contains("create"), "{plan}");
    assert_eq!(snapshot_without(&site.path, &["cache"]), before);

    let json = site.nyala(&["plan", "next", "--json"]).json();
    assert_eq!(json["env"]["decision"], "create");
    let reuse = site.nyala(&["plan", "--json"]).json();
    assert_eq!(reuse["env"]["decision"], "reuse");
}

#[test]
fn planning_a_missing_revision_fails() {
    let site = Site::new();
    site.project().write("page", "").push().assert_success();
    site.nyala(&["plan", "nowhere"]).assert_failed(1, "nowhere");
}

#[test]
fn redeploy_deploys_without_a_push() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let first = project.head();
    project.write("page", "2").push().assert_success();

    site.nyala(&["redeploy"]).assert_success();
    assert_eq!(site.live_id(), Some(3));
    assert_eq!(site.live_file("page"), "2");
    assert_eq!(site.live()["trigger"], "redeploy");

    site.nyala(&["redeploy", "1"]).assert_success();
    assert_eq!(site.live_file("page"), "1");
    assert_eq!(site.live()["commit"], first.as_str());

    site.nyala(&["redeploy", "main"]).assert_success();
    assert_eq!(site.live_file("page"), "2");
    assert_eq!(site.live_id(), Some(5));
}

#[test]
fn a_failed_redeploy_exits_with_1() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    project.custom_script("exit 3").push();
    let ran = site.nyala(&["redeploy", "2"]);
    assert_eq!(ran.status.code(), Some(1), "{ran:#?}");
    assert_eq!(site.live_id(), Some(1));
}

#[test]
fn the_site_is_found_by_option_variable_or_folder() {
    let site = Site::new();
    site.project().write("page", "").push().assert_success();
    let path = site.path.to_str().unwrap();
    let named = site.sandbox.nyala(&["list", "--json", "--site", path]);
    let by_variable = site.nyala(&["list", "--json"]);
    let inside = site.path.join("wwwroot").canonicalize().unwrap();
    let mut by_folder = site.sandbox.nyala_command();
    by_folder.current_dir(inside).args(["list", "--json"]);
    let by_folder = Running::start(&mut by_folder).wait();
    assert_eq!(named.json(), by_variable.json());
    assert_eq!(named.json(), by_folder.json());
}

#[test]
fn without_a_site_a_command_says_how_to_name_one() {
    let site = Site::new();
    let ran = site.sandbox.nyala(&["list"]);
    assert!(!ran.status.success());
    assert!(ran.stderr.contains("--site") && ran.stderr.contains("NYALA_SITE"), "{ran:#?}");
}

#[test]
fn a_usage_error_exits_with_2() {
    let site = Site::new();
    assert_eq!(site.nyala(&["lsit"]).status.code(), Some(2));
    assert_eq!(site.nyala(&["list", "--nonsense"]).status.code(), Some(2));
    let folder = site.path.to_str().unwrap();
    let ran = site.nyala(&["list", folder]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(ran.stderr.contains(&format!("use '--site {folder}'")), "{ran:#?}");
    assert!(!site.nyala(&["list", "7"]).stderr.contains("--site"));
    assert_eq!(site.nyala(&["--version"]).status.code(), Some(0));
    assert_eq!(site.nyala(&["--help"]).status.code(), Some(0));
}

#[test]
fn the_version_says_what_it_is_a_build_of() {
    let site = Site::new();
    let short = format!("nyala {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(site.nyala(&["--version"]).stdout, short);
    let long = site.nyala(&["--version", "--verbose"]).stdout;
    assert_eq!(site.nyala(&["-vV"]).stdout, long);
    let rest = long.strip_prefix(&short).expect("the short version comes first");
    let names: Vec<_> = rest.lines().map(|line| line.split_once(": ").unwrap().0).collect();
    assert_eq!(names, ["commit", "date", "target", "profile", "rustc"]);
    assert_eq!(site.nyala(&["--verbose"]).status.code(), Some(2));
}

#[test]
fn a_closed_pipe_ends_only_the_output() {
    let site = Site::new();
    let project = site.project();
    project.custom_script("seq 1 100000").push().assert_success();
    project.write("page", "2").push().assert_success();
    let man = site.sandbox.path("man");
    let unread = |arguments: &[&str]| {
        let ran = site.nyala_unread(arguments);
        assert_eq!(ran.stderr, "", "{arguments:?}");
        ran.status.code()
    };
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["status"],
        &["status", "--json"],
        &["show"],
        &["show", "--json"],
        &["diff", "1"],
        &["diff", "1", "--json"],
        &["build-log"],
        &["build-log", "--follow"],
        &["plan"],
        &["plan", "--json"],
        &["wait"],
        &["config", "set", "ONE=1"],
        &["config", "get", "ONE"],
        &["config", "list"],
        &["config", "list", "--json"],
        &["config", "unset", "ONE"],
        &["env", "delete"],
        &["gc"],
        &["doctor"],
        &["doctor", "--json"],
        &["freeze", "a reason"],
        &["status"],
        &["unfreeze"],
        &["completions", "bash"],
        &["man"],
        &["man", man.to_str().unwrap()],
        &["script", project.path.to_str().unwrap(), "--force"],
        &["delete", "1"],
        &["--help"],
        &["--version"],
        &[],
    ] {
        assert_eq!(unread(arguments), Some(0), "{arguments:?}");
    }
    assert_eq!(site.numbers("deployments"), [2]);
    assert!(man.join("nyala-list.1").exists());
    assert!(project.path.join("deploy.sh").exists());
}

#[test]
fn init_and_install_complete_even_if_nobody_reads_their_output() {
    let site = Site::new();
    let other = site.sandbox.path("other");
    assert!(
        site.nyala_unread(&["init", other.to_str().unwrap(), "--installer", "pip"])
            .status
            .success()
    );
    let hosted = site.sandbox.bare_repository(&[]);
    let by_hand = site.sandbox.path("by-hand");
    let install = ["install", hosted.to_str().unwrap(), "--site", by_hand.to_str().unwrap()];
    assert!(site.nyala_unread(&install).status.success());
    let project = site.project();
    project.write("page", "").commit("A page");
    for (repository, made) in [(other.join("repository.git"), other), (hosted, by_hand)] {
        project.push_raw(&[repository.to_str().unwrap(), "HEAD:refs/heads/main"]).assert_success();
        assert!(made.join("wwwroot/page").exists());
    }
}

#[test]
fn the_exit_code_is_the_result_even_if_nobody_reads_the_log() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    project.custom_script(&format!("{}exit 3", gate.shell())).push_with(&["-o", "skip-deploy"]);
    let (_, writer) = std::io::pipe().unwrap();
    let mut redeploy = Running::start_with_output(site.nyala_command().arg("redeploy"), writer);
    gate.wait_until_reached();
    assert!(redeploy.is_running());
    gate.open();
    assert_eq!(redeploy.wait().status.code(), Some(1));

    project.custom_script("true").push().assert_success();
    assert_eq!(site.nyala_unread(&["redeploy"]).status.code(), Some(0));
    assert_eq!(site.nyala_unread(&["rollback", "1"]).status.code(), Some(0));
    assert_eq!(site.live_id(), Some(1));
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let site = Site::new();
    site.project().write("page", "").push().assert_success();
    for arguments in [&["list", "--json"][..], &["build-log"], &["config", "set", "ONE=1"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = Running::start_with_output(site.nyala_command().args(arguments), full).wait();
        ran.assert_failed(1, "error: cannot write to standard output: No space left on device");
    }
    assert_eq!(site.nyala(&["config", "get", "ONE"]).assert_success().stdout, "1\n");
}

#[test]
fn nyala_log_prints_diagnostics_to_standard_error() {
    let site = Site::new();
    site.sandbox.set_variable("NYALA_LOG", "debug");
    site.project().write("page", "").push().assert_success();
    let list = site.nyala(&["list", "--json"]);
    assert!(list.json().is_array());
}
