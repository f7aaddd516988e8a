//! `nyala script`: a deployment script to start from, on the server and on a developer's machine.

use std::fs;

use crate::support::{Project, Ran, Running, Site};

fn script(site: &Site, project: &Project<'_>, arguments: &[&str]) -> Ran {
    let mut command = site.sandbox.nyala_command();
    Running::start(command.current_dir(&project.path).arg("script").args(arguments)).wait()
}

/// The generated script, with one line replaced.
fn customise(project: &Project<'_>, old: &str, new: &str) {
    let text = fs::read_to_string(project.path.join("deploy.sh")).unwrap();
    assert!(text.contains(old), "{text}");
    project.write("deploy.sh", text.replace(old, new));
}

#[test]
fn the_written_script_does_what_nyala_does_by_itself() {
    let site = Site::new();
    let project = site.python_project();
    script(&site, &project, &[]).assert_success();
    project.write("bin/post_compile", "echo the last step");
    project
        .push()
        .assert_success()
        .assert_says("Pip install requirements.")
        .assert_says("the last step");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));

    project
        .write("page", "")
        .push()
        .assert_success()
        .assert_says("Found compatible virtual environment.");
    assert_eq!((site.env_id(), &site.live()["env"]["decision"]), (2, &"copy".into()));
}

#[test]
fn an_edited_script_may_delete_env_on_every_push() {
    let site = Site::new();
    let project = site.project();
    project.write("requirements.txt", "grass==1.0\n");
    script(&site, &project, &[]).assert_success();
    customise(&project, "# rm -rf env\n", "rm -rf env\n");
    for id in 1..=2 {
        project.write("page", id.to_string()).push().assert_success();
        assert_eq!(site.env_id(), id);
    }
    let reasons = site.live()["env"]["reasons"].to_string();
    assert!(reasons.contains("removed env"), "{reasons}");
    assert_eq!(site.package("grass").as_deref(), Some("1.0"));
}

#[test]
fn the_script_runs_on_a_developers_own_machine() {
    let site = Site::new();
    let project = site.project();
    project
        .write("requirements.txt", "grass==1.0\n")
        .write("page", "committed")
        .write(".gitignore", "secret\n");
    script(&site, &project, &[]).assert_success();
    project.commit("Something");
    project.write("page", "not committed").write("new", "").write("secret", "");
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_nyala")).parent().unwrap().to_owned();
    let run = || {
        let mut command = site.sandbox.command("bash");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        Running::start(command.current_dir(&project.path).env("PATH", path).arg("deploy.sh")).wait()
    };
    let ran = run();
    ran.assert_success();
    assert!(ran.stdout.contains("Pip install requirements."), "{ran:#?}");
    let artifacts = project.path.join("artifacts");
    assert_eq!(fs::read_to_string(artifacts.join("wwwroot/page")).unwrap(), "not committed");
    assert!(artifacts.join("wwwroot/new").exists() && !artifacts.join("wwwroot/secret").exists());
    assert!(artifacts.join("wwwroot/env/bin/grass").exists());
    // The work tree is unchanged: nothing is staged, and artifacts is ignored.
    assert_eq!(project.git(&["status", "--porcelain"]), " M page\n?? new");
    assert_eq!(project.git(&["for-each-ref", "--format=%(refname)"]), "refs/heads/main");

    assert!(run().assert_success().stdout.contains("Found compatible virtual environment."));
    customise(&project, "nyala step post-build", "echo doomed; exit 4");
    let ran = run();
    assert_eq!(ran.status.code(), Some(1));
    assert!(ran.stdout.contains("doomed"), "{ran:#?}");
}

#[test]
fn an_existing_script_is_not_replaced_without_force() {
    let site = Site::new();
    let project = site.project();
    project.write("deploy.sh", "mine");
    script(&site, &project, &[]).assert_failed(1, "--force");
    project
        .write(".deployment", "; ours\n[config]\ncommand = make deploy\nproject = web\n")
        .write("web/page", "");
    script(&site, &project, &[]).assert_failed(1, "make deploy");
    script(&site, &project, &["--force"]).assert_success();
    assert_eq!(fs::read_to_string(project.path.join("deploy.sh")).unwrap(), "mine");
    let text = fs::read_to_string(project.path.join(".deployment")).unwrap();
    assert_eq!(text, "; ours\n[config]\ncommand = bash deploy.sh\nproject = web\n");
    // The script is in the folder of the application, and runs there without an env.
    project.push().assert_success();
    assert!(site.path.join("wwwroot/deploy.sh").exists());
}
