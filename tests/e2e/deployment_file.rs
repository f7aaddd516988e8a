//! `.deployment`, Kudu's names among the app settings, and which setting takes precedence.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Site, newest_python};

#[test]
fn a_subfolder_is_the_application() {
    let site = Site::new();
    let python = newest_python();
    let project = site.project();
    project
        .write(".deployment", "[config]\nproject = ./web\n")
        .write("runtime.txt", "python-1.0\n")
        .write("requirements.txt", "there-is-no-such-package\n")
        .write("web/runtime.txt", python.runtime())
        .write("web/requirements.txt", "-r more/grass.txt\n")
        .write("web/more/grass.txt", "grass==1.0\n")
        .write("web/app.py", "");
    project
        .push()
        .assert_success()
        .assert_says("The application is the folder ./web (project in .deployment)");
    assert!(site.path.join("wwwroot/app.py").exists());
    assert!(
        !site.path.join("wwwroot/web").exists() && !site.path.join("wwwroot/.deployment").exists()
    );
    assert_eq!(site.package("grass").as_deref(), Some("1.0"));

    project.write("web/app.py", "# changed\n").push().assert_success();
    assert!(site.live_log().contains("runtime.txt has not changed"));
    assert_eq!(site.live()["env"]["decision"], "reuse");
}

#[test]
fn a_project_that_is_not_a_folder_changes_nothing() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").write("web/index.html", "1").push().assert_success();
    let before = site.live_state();
    for (wrong, fact) in
        [("page", "it is a file"), ("wbe", "nothing of that name"), ("../web", "leads out")]
    {
        project.write(".deployment", format!("[config]\nproject = {wrong}\n"));
        project.push().assert_failed_with("is not a folder of this commit").assert_says(fact);
    }
    assert_eq!(site.live_state(), before);
}

#[test]
fn site_settings_override_app_settings_and_these_the_file() {
    let site = Site::new();
    let project = site.project();
    project.write(".deployment", "[config]\nCOMMAND = echo said by the file\n");
    project
        .push()
        .assert_success()
        .assert_says("said by the file")
        .assert_says("(command in .deployment)");
    site.set("COMMAND", "echo said by an app setting");
    project.write("page", "2").push().assert_success().assert_says("said by an app setting\n");
    site.configure("command = 'echo said by the site'");
    project.write("page", "3").push().assert_success().assert_says("said by the site\n");
}

#[test]
fn own_commands_run_before_and_after_the_build() {
    let site = Site::new();
    site.set("ADDED", "app");
    let project = site.python_project();
    project
        .write(
            ".deployment",
            "[config]\nPRE_BUILD_COMMAND = echo two >> order; test ! -e env\n\
             POST_BUILD_COMMAND = echo $SCM_MINE $ADDED four >> order; antelope\n\
             SCM_MINE = mine\nADDED = file\n",
        )
        // Committed on Windows, without its executable bit.
        .write("bin/pre_compile", "#!/bin/sh\necho one >> order\n")
        .write("bin/post_compile", "#!/bin/sh\necho \"$SCM_COMMIT_ID\" three >> order\n");
    let push = project.push();
    push.assert_success().assert_says("SCM_MINE in .deployment has no meaning here");
    assert_eq!(
        site.live_file("order"),
        format!("one\ntwo\n{} three\nmine app four\n", project.head())
    );
    // The command was found in the env, and ran in it.
    push.assert_says(&format!("antelope 1.0 in {}", site.env().display()));

    let before = site.live_state();
    project.write("bin/post_compile", "echo doomed; exit 3").push().assert_failed_with("doomed");
    assert!(site.record(2)["error"].as_str().unwrap().contains("bin/post_compile failed"));
    assert_eq!(site.live_state(), before);
}

#[test]
fn the_tree_can_skip_the_python_steps() {
    let site = Site::new();
    let project = site.python_project();
    project
        .push()
        .assert_success()
        .assert_says("You can skip Python specific steps with a .skipPythonDeployment file.");
    project
        .write(".skipPythonDeployment", "")
        .write("requirements.txt", "there-is-no-such-package\n");
    project
        .push()
        .assert_success()
        .assert_says(".skipPythonDeployment is in the tree: Python steps are skipped");
    assert!(!site.path.join("wwwroot/env").exists());
    project
        .remove(".skipPythonDeployment")
        .write("requirements.txt", "grass\n")
        .push()
        .assert_success();
    assert_eq!(site.package("grass").as_deref(), Some("1.0"));
}

#[test]
fn the_build_can_be_turned_off() {
    let site = Site::new();
    let project = site.python_project();
    site.set("SCM_DO_BUILD_DURING_DEPLOYMENT", "false");
    project.write("bin/post_compile", "exit 1");
    project
        .push()
        .assert_success()
        .assert_says("turned off by the app setting SCM_DO_BUILD_DURING_DEPLOYMENT");
    assert_eq!(site.live()["env"]["decision"], "none");
}

#[test]
fn azures_names_are_understood() {
    let site = Site::new();
    let python = newest_python();
    site.set("WEBSITE_PYTHON_VERSION", &python.minor());
    site.set("DEPLOYMENT_BRANCH", "live");
    site.set("SCM_DISABLE_SUBMODULES", "1");
    site.set("SCM_REPOSITORY_PATH", "elsewhere");
    let project = site.python_project();
    let push = project.push();
    push.assert_deployed_nothing("live");
    let push = project.push_refs(&["HEAD:refs/heads/live"]);
    push.assert_success()
        .assert_says("app setting WEBSITE_PYTHON_VERSION")
        .assert_says(
            "warning: SCM_REPOSITORY_PATH in the app settings has no meaning here; \
             repository in nyala.toml",
        )
        .assert_does_not_say("SCM_DISABLE_SUBMODULES");
    assert!(site.nyala(&["plan"]).assert_success().stdout.contains("warning: SCM_REPOSITORY_PATH"));
    assert_eq!(site.nyala(&["status", "--json"]).json()["branch"], "live");
}

#[test]
fn kudus_name_for_the_idle_timeout_is_understood() {
    let site = Site::new();
    let project = site.project();
    project.write(".deployment", "[config]\ncommand = sleep 600\nSCM_COMMAND_IDLE_TIMEOUT = 1\n");
    project.push().assert_failed_with("idle");
    project.write(".deployment", "[config]\ncommand = true\nSCM_COMMAND_IDLE_TIMEOUT = soon\n");
    project
        .push()
        .assert_failed_with("SCM_COMMAND_IDLE_TIMEOUT in .deployment is wrong")
        .assert_says("`soon`");
}

/// Heroku's hooks find its folders, and programs in the folders of an app setting PATH; nyala's own
/// programs are still the machine's. What the tree most likely has by mistake is named.
#[test]
fn a_project_from_elsewhere_finds_what_it_is_used_to() {
    let site = Site::new();
    let tools = site.sandbox.path("node/bin");
    fs::create_dir_all(&tools).unwrap();
    for name in ["mine", "git", "sh", "uv"] {
        let file = tools.join(name);
        fs::write(&file, "#!/bin/sh\necho from the app setting\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    site.set("PATH", tools.to_str().unwrap());
    site.set("TOKEN", "correct horse");
    let project = site.project();
    project
        .write("requirements.txt", "grass\n")
        .write("bin/pre_compile", "mine\ncat \"$ENV_DIR/TOKEN\" | wc -c; touch \"$CACHE_DIR/a\"\n")
        .write("bin/post_compile", "command -v python; ls \"$CACHE_DIR\"; echo in $BUILD_DIR\n")
        .write(".venv/pyvenv.cfg", "home = /usr/bin\n")
        .write(".python-version ", "3.8\n");
    project
        .push()
        .assert_success()
        .assert_says("       from the app setting\n       13\n")
        .assert_says(&format!("{}/bin/python\n       a\n", site.path.join("envs/1").display()))
        .assert_says(&format!("in {}\n", site.path.join("releases/1").display()))
        .assert_says("git rm -r --cached .venv")
        .assert_says("git mv '.python-version ' .python-version");
    assert!(!site.path.join("cache/tmp/1").exists(), "the app settings are in there");
}
