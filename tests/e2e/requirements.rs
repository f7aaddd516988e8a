//! What pip is run with, its output, and its exit status.

use crate::support::{Site, uv};

#[test]
fn pips_output_is_in_the_log_and_in_the_push() {
    let site = Site::new();
    let push = site.python_project().push();
    push.assert_success();
    for text in ["antelope", "grass", "Successfully installed"] {
        push.assert_says(text);
        assert!(site.log(1).contains(text));
    }
}

#[test]
fn the_output_of_pip_is_streamed() {
    let site = Site::new();
    let gate = site.gate();
    let project = site.project();
    project.local_package("lib", "1.0", &gate.python());
    project.write("requirements.txt", "acacia\n./lib\n");
    let mut push = project.push_in_background();
    gate.wait_until_reached();
    site.wait_for_log(1, "lib");
    assert!(push.is_running());
    gate.open();
    push.wait().assert_success();
    assert_eq!(site.package("waterhole").as_deref(), Some("1.0"));
}

#[test]
fn nested_requirements_and_constraints_decide_too() {
    let site = Site::new();
    let project = site.python_project();
    project.write("requirements.txt", "-r deps/base.txt\n");
    project.write("deps/base.txt", "-c pins.txt\nantelope\n");
    project.write("deps/pins.txt", "antelope==1.0\n");
    project.push().assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));

    project.write("deps/pins.txt", "antelope==1.1\n").push().assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("1.1"));
    project.write("app.py", "").push().assert_success();
    assert_eq!(site.live()["env"]["decision"], "reuse");
}

#[test]
fn a_local_package_is_reinstalled_when_it_changes() {
    let site = Site::new();
    let project = site.project();
    project.local_package("lib", "1.0", "    pass\n");
    project.write("requirements.txt", "./lib\n").push().assert_success();
    assert_eq!(site.package("waterhole").as_deref(), Some("1.0"));
    project.local_package("lib", "1.1", "    pass\n").push().assert_success();
    assert_eq!(site.package("waterhole").as_deref(), Some("1.1"));
}

#[test]
fn requirements_with_windows_line_ends_and_a_bom_work() {
    let site = Site::new();
    let project = site.python_project();
    project.write("requirements.txt", "\u{feff}antelope==1.0\r\nacacia\r\n");
    project.push().assert_success();
    assert_eq!(site.package("acacia").as_deref(), Some("1.0"));
}

#[test]
fn modules_in_the_tree_do_not_shadow_the_standard_library() {
    let site = Site::new();
    let project = site.python_project();
    for name in
        ["json.py", "email.py", "venv.py", "ensurepip.py", "pip/__init__.py", "pip/__main__.py"]
    {
        project.write(name, "raise SystemExit('the tree was imported')\n");
    }
    project.push().assert_success().assert_does_not_say("the tree was imported");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
}

#[test]
fn the_pushers_own_python_variables_do_not_reach_pip() {
    let site = Site::new();
    site.sandbox.set_variable("PYTHONHOME", "/nowhere");
    site.sandbox.set_variable("PYTHONPATH", "/nowhere");
    site.sandbox.set_variable("VIRTUAL_ENV", "/nowhere");
    site.sandbox.set_variable("PIP_REQUIRE_VIRTUALENV", "1");
    site.python_project().push().assert_success();
    site.sandbox.remove_variable("PYTHONHOME");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
}

#[test]
fn a_failed_build_shows_the_output_of_pip() {
    let site = Site::new();
    let project = site.project();
    project.local_package("lib", "1.0", "    raise SystemExit('no hippo here')\n");
    project.write("requirements.txt", "./lib\n");
    project.push().assert_failed_with("no hippo here");
    assert_eq!(site.record(1)["status"], "failed");
    assert!(site.record(1)["error"].as_str().unwrap().contains("pip"));
}

#[test]
fn requirements_that_cannot_be_had_say_what_to_do() {
    let site = Site::new();
    let project = site.project();
    let push = project.write("requirements.txt", "acacia\nantelope==99.0\n").push();
    push.assert_failed_with("requirements could not be installed: antelope has no version 99.0;");
    let steps = site.record(1)["steps"].clone();
    let last = steps.as_array().unwrap().last().unwrap();
    assert_eq!((&last["name"], &last["failed"]), (&"install".into(), &true.into()), "{steps}");
    let push = project.write("requirements.txt", "gunicron\n").push();
    push.assert_failed_with("the index has no package gunicron")
        .assert_says("Did you mean gunicorn? Correct line 1 of requirements.txt, commit, and push")
        .assert_does_not_say("See the output of pip above");
}

#[test]
fn a_repository_that_git_cannot_fetch_from_is_named() {
    let site = Site::new();
    let project = site.project();
    // Any that has a commit.
    let repository = site.repository.display();
    for (address, said) in [
        ("http://127.0.0.1:9/x.git".to_owned(), "repositories on 127.0.0.1:9 cannot be reached: "),
        (format!("file://{repository}@v9"), "the repository has no branch, tag or commit v9"),
        (format!("file://{repository}-2"), "there is no repository "),
    ] {
        project.write("requirements.txt", format!("git+{address}#egg=x\n"));
        project.push().assert_failed_with(said);
    }
}

#[test]
fn what_a_local_project_reads_outside_of_its_folder_counts() {
    let site = Site::new();
    let project = site.project();
    // The version comes from a file beside the project.
    let version = "    global VERSION\n    VERSION = open('../version.txt').read().strip()\n";
    project.local_package("lib", "0", version).write("version.txt", "1.0\n");
    project.write("requirements.txt", "./lib\n").push().assert_success();
    assert_eq!(site.package("waterhole").as_deref(), Some("1.0"));
    let push = project.write("version.txt", "1.1\n").push();
    push.assert_success().assert_says("the folder lib is reinstalled after any change of the tree");
    assert_eq!(site.package("waterhole").as_deref(), Some("1.1"));
}

#[test]
fn variables_that_name_the_release_are_known() {
    for line in ["${PWD}/lib", "waterhole @ file:///${PROJECT_ROOT}/lib", "file://${PWD}/lib"] {
        let site = Site::new();
        let project = site.project();
        project.local_package("lib", "1.0", "    pass\n");
        let push = project.write("requirements.txt", format!("{line}\n")).push();
        push.assert_success();
        assert_eq!(site.package("waterhole").as_deref(), Some("1.0"), "{line}");
        project.local_package("lib", "1.1", "    pass\n").push().assert_success();
        assert_eq!(site.package("waterhole").as_deref(), Some("1.1"), "{line}");
    }
}

#[test]
fn a_project_that_asks_git_for_its_version_is_told() {
    let site = Site::new();
    let project = site.project();
    let version =
        "    global VERSION\n    VERSION = os.environ['SETUPTOOLS_SCM_PRETEND_VERSION']\n";
    project.local_package("lib", "0", version);
    project.write("lib/setup.cfg", "# setuptools_scm\n").write("requirements.txt", "./lib\n");
    project.commit("One");
    project.git(&["tag", "v1.2.3"]);
    project.push_refs(&["refs/tags/v1.2.3", "HEAD:refs/heads/main"]).assert_success();
    assert_eq!(site.package("waterhole").as_deref(), Some("1.2.3"));
    project.write("page", "2").push().assert_success();
    assert!(site.package("waterhole").unwrap().starts_with("1.2.4.dev1+g"));

    site.set("SETUPTOOLS_SCM_PRETEND_VERSION", "7.0");
    project.write("page", "3").push().assert_success();
    assert_eq!(site.package("waterhole").as_deref(), Some("7.0"));
}

#[test]
fn a_build_that_fails_is_explained_by_what_it_lacks() {
    let site = Site::new();
    let project = site.project();
    let build = "    print('src/x.c:5:10: fatal error: sql.h: No such file or directory')\n    \
                 print('compilation terminated.\\n' * 20)\n    raise SystemExit(1)\n";
    project.local_package("lib", "1.0", build).write("requirements.txt", "./lib\n");
    project.push().assert_failed_with("apt install unixodbc-dev");
    let error = site.record(1)["error"].to_string();
    let header = "output: src/x.c:5:10: fatal error: sql.h: No such file or directory";
    assert!(error.contains(header) && !error.contains("terminated"), "{error}");
    let Some(uv) = uv() else { return };
    site.sandbox.put_uv_on_path(&uv);
    let push = project.write("page", "").push_with(&["-o", "installer=uv"]);
    push.assert_failed_with("apt install unixodbc-dev");
    let error = site.record(2)["error"].to_string();
    assert!(error.contains(header) && !error.contains("terminated"), "{error}");
    assert!(error.contains("The build backend returned an error"), "{error}");
}
