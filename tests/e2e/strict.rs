//! `nyala init --strict`: `git push` fails with the deployment, and the branch moves with what is
//! live or not at all.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Project, Push, Sandbox, Site, git_can, skip, wait_until};

fn strict() -> Site {
    Site::with(&["--strict"])
}

/// The commit of a ref in the site's repository; empty if the ref does not exist.
fn tip(site: &Site, refname: &str) -> String {
    site.sandbox.git(&site.repository, &["for-each-ref", "--format=%(objectname)", refname])
}

#[track_caller]
fn assert_refused(push: &Push, reason: &str) {
    assert!(!push.accepted, "git push succeeded:\n{}", push.stderr);
    let mut rejected = push.stderr.lines().filter(|line| line.contains("[remote rejected]"));
    assert!(
        rejected.any(|line| line.contains(reason)),
        "not rejected for {reason:?}:\n{}",
        push.stderr
    );
}

#[test]
fn the_push_fails_with_the_deployment_and_the_branch_stays() {
    let site = strict();
    let project = site.python_project();
    let first = project.commit("One");
    project.push().assert_success();
    assert_eq!(tip(&site, "refs/heads/main"), first);
    let before = site.live_state();

    project.write("requirements.txt", "mirage\n");
    let push = project.push();
    assert_refused(
        &push,
        "deploy failed: the requirements could not be installed: the index has no package \
         there-is-no-such-package",
    );
    assert!(push.last_line().starts_with("error: deployment 2 failed"), "{}", push.stderr);
    push.assert_says("there-is-no-such-package");
    assert_eq!(tip(&site, "refs/heads/main"), first);
    assert_eq!(site.live_state(), before);
    assert_eq!(site.record(2)["status"], "failed");

    // The same commit, now that it can be deployed; git does not say "up to date".
    project.write("requirements.txt", "antelope==1.0\n").push().assert_success();
    assert_eq!(tip(&site, "refs/heads/main"), project.head());
    assert_eq!(site.numbers("deployments"), [1, 2, 3], "post-receive has not deployed again");
}

#[test]
fn other_refs_of_the_same_push_move() {
    let site = strict();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    project.git(&["tag", "v1"]);
    let one = project.head();
    project.custom_script("exit 7").commit("Broken");
    let push =
        project.push_refs(&["HEAD:refs/heads/feature", "HEAD:refs/heads/main", "refs/tags/v1"]);
    assert_refused(&push, "status 7");
    assert!(push.last_line().starts_with("error: deployment 2 failed"), "{}", push.stderr);
    assert_eq!(tip(&site, "refs/heads/main"), one);
    assert_eq!(tip(&site, "refs/heads/feature"), project.head());
    assert_eq!(tip(&site, "refs/tags/v1"), one);

    project.push_refs(&[":refs/heads/feature", ":refs/tags/v1"]).assert_deployed_nothing("feature");
    assert_eq!(tip(&site, "refs/heads/feature"), "");

    // Deleting the deploy branch leaves the site up, and it can come back.
    project.push_refs(&[":refs/heads/main"]).assert_deployed_nothing("main");
    assert_eq!((tip(&site, "refs/heads/main"), site.live_id()), (String::new(), Some(1)));
    project.remove(".deployment").push().assert_success();
    assert_eq!(tip(&site, "refs/heads/main"), project.head());
}

#[test]
fn an_atomic_push_moves_everything_or_nothing() {
    let site = strict();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let one = project.head();
    let names = ["--atomic", "nyala", "HEAD:refs/heads/feature", "HEAD:refs/heads/main"];

    project.custom_script("exit 7").commit("Broken");
    assert_refused(&project.push_raw(&names), "status 7");
    assert_eq!(
        (tip(&site, "refs/heads/main"), tip(&site, "refs/heads/feature")),
        (one.clone(), String::new())
    );

    // If another ref cannot move, the deployment does not begin.
    let hook = site.repository.join("hooks/update");
    fs::write(&hook, "#!/bin/sh\necho about $1\n[ $1 != refs/heads/feature ]\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    project.remove(".deployment").write("page", "2").commit("Good");
    let push = project.push_raw(&names);
    assert_refused(&push, "hook declined");
    push.assert_says("about refs/heads/feature").assert_says("nothing was deployed");
    assert_eq!((tip(&site, "refs/heads/main"), site.live_id()), (one, Some(1)));

    fs::remove_file(&hook).unwrap();
    project.push_raw(&names).assert_success();
    assert_eq!(tip(&site, "refs/heads/main"), project.head());
    assert_eq!(tip(&site, "refs/heads/feature"), project.head());
    let deleted = project.push_raw(&[
        "--atomic",
        "nyala",
        ":refs/heads/feature",
        "HEAD~1:refs/heads/main",
        "--force",
    ]);
    assert_refused(&deleted, "status 7");
    assert_eq!(tip(&site, "refs/heads/feature"), project.head());
}

#[test]
fn what_git_would_refuse_is_refused_before_anything_is_deployed() {
    let site = strict();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    site.sandbox.git(&site.repository, &["config", "receive.denyNonFastForwards", "true"]);
    project.git(&["commit", "--quiet", "--amend", "-m", "Rewritten"]);
    assert_refused(&project.push_with(&["--force"]), "non-fast-forward");
    assert_eq!(site.numbers("deployments"), [1]);

    site.sandbox.git(&site.repository, &["config", "receive.denyNonFastForwards", "false"]);
    project.push_with(&["--force"]).assert_success();
    assert_eq!(tip(&site, "refs/heads/main"), project.head());
}

#[test]
fn push_options_work_in_a_strict_site() {
    let site = strict();
    let project = site.python_project();
    project.commit("One");
    let push = project.push_with(&["-o", "dry-run"]);
    assert_refused(&push, "dry-run: nothing was moved");
    push.assert_says("Environment: create");
    assert_eq!(tip(&site, "refs/heads/main"), "");
    assert!(
        !site.nyala(&["status"]).assert_success().stdout.contains("main"),
        "a dry run sets no deploy branch"
    );

    let push = project.push_with(&["-o", "nonsense"]);
    assert_refused(&push, "unknown push option `nonsense`");
    push.assert_says("allowed: dry-run, installer=pip, installer=uv, rebuild-env, skip-deploy");
    assert!(push.last_line().starts_with("error: "), "{}", push.stderr);
    assert_eq!(tip(&site, "refs/heads/main"), "");

    project.push_with(&["-o", "skip-deploy"]).assert_deployed_nothing("skip-deploy");
    assert_eq!(tip(&site, "refs/heads/main"), project.head());
    assert!(site.numbers("deployments").is_empty());

    project.write("page", "").push_with(&["-o", "rebuild-env"]).assert_success();
    assert_eq!(site.live()["options"], serde_json::json!(["rebuild-env"]));
}

#[test]
fn the_second_of_two_pushes_is_told_to_fetch_first() {
    let site = strict();
    let project = site.project();
    project.write("page", "0").push().assert_success();
    let gate = site.gate();
    let first = project.custom_script(&gate.shell()).push_in_background();
    gate.wait_until_reached();
    let one = project.head();
    // As a developer who has not fetched: based on the branch's current commit.
    let second = project.write("page", "2").push_in_background();
    wait_until("the second push is recorded", || site.has_record(3));
    gate.open();
    first.wait().assert_success();
    let second = second.wait();
    assert_refused(&second, "main has moved since this push began");
    assert_eq!(tip(&site, "refs/heads/main"), one);
    assert_eq!(site.live_id(), Some(2));
    project.push().assert_success();
    assert_eq!(site.live_file("page"), "2");
}

#[test]
fn a_killed_worker_fails_the_push_but_a_killed_client_does_not() {
    let site = strict();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let one = project.head();
    let gate = site.gate();
    let push = project.custom_script(&gate.shell_of_worker()).push_in_background();
    gate.wait_until_reached();
    gate.kill_worker();
    assert_refused(&push.wait(), "deploy failed: its worker was killed");
    assert_eq!(tip(&site, "refs/heads/main"), one);
    gate.open();

    let gate = site.gate();
    let push = project.custom_script(&gate.shell()).push_in_background();
    gate.wait_until_reached();
    push.kill_all();
    gate.open();
    assert_eq!(site.ended(3)["status"], "succeeded");
    assert_eq!(tip(&site, "refs/heads/main"), project.head(), "the branch moves with what is live");
}

#[test]
fn sha_256_and_reftable_repositories_can_be_strict() {
    for option in ["--object-format=sha256", "--ref-format=reftable"] {
        if !git_can(option) {
            skip(&format!("needs a git whose init knows {option}"));
            continue;
        }
        let sandbox = Sandbox::new();
        let repository = sandbox.bare_repository(&[option]);
        let path = sandbox.path("site");
        let site = Site { sandbox, path, repository };
        let (repository, folder) = (site.repository.to_str().unwrap(), site.path.to_str().unwrap());
        site.sandbox.nyala(&["install", repository, "--site", folder, "--strict"]).assert_success();
        let project = Project::new(&site, &[option]);
        project.write("page", "1").push().assert_success();
        let one = project.head();
        assert_refused(&project.custom_script("exit 7").push(), "status 7");
        assert_eq!(tip(&site, "refs/heads/main"), one);
        project.remove(".deployment").push().assert_success();
        assert_eq!(tip(&site, "refs/heads/main"), project.head());
        site.sandbox.git(&site.repository, &["fsck", "--strict"]);
    }
}

#[test]
fn the_setting_alone_makes_a_site_strict_or_not() {
    let site = Site::new();
    site.configure("strict = true");
    let project = site.project();
    let push = project.write("page", "1").push();
    push.assert_success()
        .assert_says("strict = true in nyala.toml takes effect with the next push.");
    let one = project.head();
    assert_refused(&project.custom_script("exit 7").push(), "status 7");
    assert_eq!(tip(&site, "refs/heads/main"), one);

    site.configure("");
    let file = site.path.join("nyala.toml");
    let text = fs::read_to_string(&file).unwrap().replacen("strict = true", "strict = false", 1);
    fs::write(&file, text).unwrap();
    let push = project.push();
    push.assert_failed_with("status 7");
    assert_eq!(tip(&site, "refs/heads/main"), project.head());
    assert!(!site.repository.join("hooks/proc-receive").exists());
    project.remove(".deployment").push().assert_success();
}

#[test]
fn an_existing_proc_receive_hook_is_not_touched() {
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&[]);
    fs::write(repository.join("hooks/proc-receive"), "#!/bin/sh\n").unwrap();
    let (name, folder) = (repository.to_str().unwrap().to_owned(), sandbox.path("site"));
    let ran = sandbox.nyala(&["install", &name, "--site", folder.to_str().unwrap(), "--strict"]);
    ran.assert_failed(1, "is not nyala's hook");
    assert_eq!(fs::read_to_string(repository.join("hooks/proc-receive")).unwrap(), "#!/bin/sh\n");
}

#[test]
fn no_secret_is_in_the_reason_that_git_shows() {
    let site = strict();
    site.set("TOKEN", "hunter22");
    let project = site.project();
    project.write(".deployment", "[config]\ncommand = false hunter22\n");
    let push = project.push();
    assert_refused(&push, "deploy failed");
    assert!(!push.stderr.contains("hunter22"), "{}", push.stderr);
}
