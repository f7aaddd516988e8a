//! Commands of nyala that a deployment itself runs, in an action or in a build.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Project, Site, wait_until};

/// Makes an action out of lines of shell, in which `nyala` is the one under test.
fn action(site: &Site, text: &str) {
    let nyala = site.sandbox.nyala_command().get_program().display().to_string();
    let file = site.path.join("actions/10-check");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let clean =
        format!("env -i PATH=\"$PATH\" HOME=\"$HOME\" {nyala} --site {}", site.path.display());
    let said = site.sandbox.path("said").display().to_string();
    // What is still in the session of an action is ended with it.
    let functions = format!(
        "nyala() {{ {nyala} \"$@\"; }}\nnyala_in_a_clean_environment() {{ {clean} \"$@\"; }}\n\
         nyala_by_itself() {{\n\
         rm -f {said}.begun; touch {said}\n\
         (setsid sh -c 'touch {said}.begun; exec \"$@\"' sh {clean} \"$@\" >> {said} 2>&1 &)\n\
         while [ -e {said} ] && [ ! -e {said}.begun ]; do sleep 0.01; done\n\
         }}"
    );
    fs::write(&file, format!("#!/bin/sh\n{functions}\n{text}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn push(project: &Project<'_>, page: &str) -> String {
    project.write("page", page).push().output
}

#[test]
fn a_health_check_goes_back_to_the_release_before() {
    let site = Site::new();
    action(&site, "grep -q ill wwwroot/page && nyala rollback");
    let project = site.project();
    push(&project, "fine");
    let output = push(&project, "ill");
    assert!(output.contains("Deployment 3 starts when deployment 2"), "{output}");
    let record = site.ended(3);
    assert_eq!((&record["rolled_back_to"], &record["started_by"]), (&1.into(), &2.into()));
    assert_eq!(site.live_file("page"), "fine");
    // The next push is an ordinary one.
    push(&project, "fine again");
    assert_eq!(site.live_file("page"), "fine again");
}

#[test]
fn one_that_fails_whatever_is_live_goes_back_once() {
    let site = Site::new();
    let project = site.project();
    for page in ["1", "2", "3"] {
        push(&project, page);
    }
    // Nothing of the action's environment is left, as with sudo.
    action(&site, "nyala_in_a_clean_environment rollback");
    push(&project, "4");
    site.wait_for_log(5, "deployment 5 may not start another deployment");
    assert_eq!(site.live_file("page"), "3");
    site.nyala(&["wait", "5"]).assert_success();
    assert!(!site.has_record(6));
    assert!(site.log(5).contains("deployment 4 has started it"), "{}", site.log(5));
}

#[test]
fn one_that_nobody_waits_for_goes_back_once_as_well() {
    let site = Site::new();
    let project = site.project();
    for page in ["1", "2", "3"] {
        push(&project, page);
    }
    action(&site, "nyala_by_itself rollback");
    push(&project, "4");
    let said = || fs::read_to_string(site.sandbox.path("said")).unwrap_or_default();
    wait_until("the second one is refused", || said().contains("error: "));
    assert!(said().contains("deployment 5 may not start another deployment"), "{}", said());
    assert_eq!(site.ended(5)["started_by"], 4);
    assert_eq!(site.live_file("page"), "3");
    assert!(!site.has_record(6));
}

#[test]
fn deployments_that_start_each_other_end() {
    for command in ["nyala redeploy", "nyala freeze x; nyala redeploy; nyala unfreeze"] {
        let site = Site::new();
        action(&site, command);
        push(&site.project(), "1");
        if command == "nyala redeploy" {
            site.ended(2);
        }
        assert!(!site.has_record(3), "{command}");
    }
}

#[test]
fn no_command_waits_for_the_deployment_that_runs_it() {
    let site = Site::new();
    action(
        &site,
        "for command in gc 'delete 1' wait 'log --follow' log 'cancel 2' list; do\n\
         nyala $command > /dev/null; echo \"$command: $?\"; done",
    );
    let project = site.project();
    push(&project, "1");
    let output = push(&project, "2");
    for said in [
        "gc: 1",
        "delete 1: 1",
        "wait: 1",
        "log --follow: 0",
        "log: 0",
        "cancel 2: 1",
        "list: 0",
        "deployment 2 runs this command, and cannot wait for itself to end",
    ] {
        assert!(output.contains(said), "no {said:?} in {output}");
    }
    assert_eq!(site.live_file("page"), "2");
}

#[test]
fn an_action_may_print_the_log_that_it_is_written_to() {
    let site = Site::new();
    action(&site, "nyala build-log --follow");
    push(&site.project(), "1");
    let log = site.log(1);
    assert_eq!(log.matches("wwwroot -> releases/1").count(), 2, "{log}");
}

#[test]
fn a_build_that_pushes_does_not_wait_for_itself() {
    let site = Site::new();
    let project = site.project();
    push(&project, "1");
    let repository = site.repository.display();
    let output = project
        .custom_script(&format!(
            "git init -q again && cd again && echo 2 > page && git add . &&\n\
             git -c user.name=A -c user.email=a@b commit -qm again && git push -qf {repository} \
             HEAD:main"
        ))
        .push()
        .output;
    assert!(output.contains("Deployment 3 starts when deployment 2"), "{output}");
    site.ended(3);
    assert_eq!(site.live_file("page"), "2\n");
}

#[test]
fn what_a_deployment_has_left_running_is_a_command_like_any_other() {
    let site = Site::new();
    push(&site.project(), "1");
    // When a process began is known in hundredths of a second.
    let record = fs::metadata(site.path.join("deployments/1/deployment.json"));
    let ended = record.unwrap().modified().unwrap();
    wait_until("a moment has passed", || ended.elapsed().unwrap_or_default().as_millis() > 100);
    let mut later = site.nyala_command();
    later.args(["redeploy"]).env("NYALA_DEPLOYMENT", "1").env("NYALA_SITE", &site.path);
    crate::support::Running::start(&mut later).wait().assert_success();
    assert!(site.record(2)["started_by"].is_null());
}
