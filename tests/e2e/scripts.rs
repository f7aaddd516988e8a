//! A custom script in `.deployment` replaces the env, install and build steps.

use crate::support::Site;

#[test]
fn a_custom_script_replaces_the_built_in_steps() {
    let site = Site::new();
    let project = site.python_project();
    project
        .custom_script("echo the script ran\necho made > made.txt")
        .push()
        .assert_success()
        .assert_says("the script ran")
        .assert_does_not_say("Pip install requirements.");
    assert_eq!(site.live_file("made.txt"), "made\n");
    assert_eq!(site.live()["env"]["decision"], "custom");
}

#[test]
fn a_custom_script_runs_in_the_new_release() {
    let site = Site::new();
    let project = site.project();
    let push = project.custom_script("pwd -P | sed 's/^/cwd=/'\nenv | sort").push();
    push.assert_success();
    let release = site.path.join("releases/1");
    let release = release.to_str().unwrap();
    let commit = project.head();
    let log = site.log(1);
    for (name, value) in [
        ("cwd", release),
        ("IN_PLACE_DEPLOYMENT", "1"),
        ("DEPLOYMENT_SOURCE", release),
        ("DEPLOYMENT_TARGET", release),
        ("SCM_COMMIT_ID", &commit),
        ("PYTHONUNBUFFERED", "1"),
    ] {
        assert!(log.contains(&format!("       {name}={value}\n")), "no {name}={value}:\n{log}");
    }
    assert!(log.contains("       DEPLOYMENT_TEMP=/"), "{log}");
    let leaked = log.lines().find(|line| line.trim().starts_with("GIT_"));
    assert_eq!(leaked, None);
}

#[test]
fn a_custom_script_has_nothing_on_its_standard_input() {
    let site = Site::new();
    site.project()
        .custom_script("wc -c < /dev/stdin | sed 's/^ */bytes: /'")
        .push()
        .assert_success()
        .assert_says("bytes: 0");
}

#[test]
fn a_custom_script_gets_a_copy_of_a_matching_env() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project
        .custom_script(
            "env/bin/python -c 'import antelope; print(antelope.VERSION)' | sed 's/^/found /'",
        )
        .push()
        .assert_success()
        .assert_says("found 1.0");
    assert_eq!(site.env_id(), 2);
}

#[test]
fn commands_of_the_project_never_change_the_live_env() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let before = site.live_state();
    // Instead of the built-in steps, and after them.
    for script in ["rm -rf env/lib\nfalse", "nyala step env\nrm -rf env/*\nfalse"] {
        project.custom_script(script).push().assert_failed_with("exited with status 1");
        assert_eq!(site.live_state(), before);
    }
    project.remove(".deployment").write("bin/post_compile", "pip install acacia\nfalse");
    project
        .push()
        .assert_failed_with("bin/post_compile failed")
        .assert_says("Successfully installed acacia");
    assert_eq!(site.live_state(), before);

    project.write("bin/post_compile", "pip install acacia").push().assert_success();
    assert_eq!(site.package("acacia").as_deref(), Some("1.0"));
    let env = &site.live()["env"];
    assert_eq!(env["decision"], "copy", "{env}");
    // What such a command installed stays until the requirements need a new env.
    project.write("page", "").push().assert_says(" already satisfied.");
}

#[test]
fn a_custom_script_may_call_the_built_in_steps() {
    let site = Site::new();
    let project = site.python_project();
    project
        .custom_script("echo before\nnyala step env\nnyala step install\necho after")
        .push()
        .assert_success()
        .assert_says("Pip install requirements.");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));

    project.write("app.py", "").push().assert_success().assert_does_not_say("antelope");
    assert_eq!(site.env_id(), 2, "{}", site.log(2));
}

#[test]
fn a_custom_script_that_fails_fails_the_deployment() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "live").push().assert_success();
    let before = site.live_state();
    project
        .custom_script("echo doomed\nexit 7")
        .push()
        .assert_failed_with("doomed")
        .assert_says("7");
    assert_eq!(site.live_state(), before);
    assert_eq!(site.record(2)["status"], "failed");
}

#[test]
fn a_step_that_fails_in_a_custom_script_fails_it() {
    let site = Site::new();
    let project = site.project();
    project.write("requirements.txt", "mirage\n");
    project
        .custom_script("nyala step env\nnyala step install\necho not reached")
        .push()
        .assert_failed_with("there-is-no-such-package")
        .assert_does_not_say("not reached");
}

#[test]
fn kudus_grammar_is_understood_in_deployment() {
    let site = Site::new();
    let project = site.project();
    project.custom_script("echo the script ran");
    project.write(".deployment", "\u{feff}; ours\r\n[CONFIG]\r\n  Command =  bash deploy.sh  \r\n");
    project.push().assert_success().assert_says("the script ran");
}

#[test]
fn a_silent_script_gets_a_heartbeat() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    let push = project.custom_script(&gate.shell()).push_in_background();
    gate.wait_until_reached();
    site.wait_for_log(1, "still running");
    gate.open();
    push.wait().assert_success();
}

#[test]
fn a_child_that_keeps_running_does_not_block_the_push() {
    let site = Site::new();
    let project = site.project();
    let pid = site.sandbox.path("pid");
    project
        .custom_script(&format!("setsid sleep 600 & echo $! > '{}'", pid.display()))
        .push()
        .assert_success();
    let pid = std::fs::read_to_string(pid).unwrap();
    let mut kill = site.sandbox.command("kill");
    // It may already have been ended with the script's process group.
    let _ = crate::support::Running::start(kill.arg(pid.trim())).wait();
}
