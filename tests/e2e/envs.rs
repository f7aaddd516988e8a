//! The environment decision: a test for each row of the table in docs/environments.md, and for
//! what must never happen.

use std::fs;

use crate::support::{
    Project, Running, Site, newest_python, snapshot, two_pythons, wait_until_quiet, write_wheel,
};

#[test]
fn a_first_push_creates_the_env() {
    let site = Site::new();
    site.python_project().push().assert_success().assert_says("Pip install requirements.");
    assert_eq!(site.live()["env"]["decision"], "create");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
    assert_eq!(site.package("grass").as_deref(), Some("1.0"));
    assert_eq!(
        site.env_python("import os, sys; print(os.path.realpath(sys.prefix))"),
        site.env().to_str().unwrap()
    );
}

#[test]
fn a_tree_without_python_is_a_plain_copy() {
    let site = Site::new();
    let push = site.project().write("index.html", "hello").push();
    push.assert_success().assert_does_not_say("Pip install");
    assert_eq!(site.live()["env"]["decision"], "none");
    assert!(!site.path.join("wwwroot/env").exists());
    assert_eq!(site.numbers("envs"), [0; 0]);
}

#[test]
fn nothing_changed_reuses_the_env_without_pip() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project
        .write("app.py", "import grass\n")
        .push()
        .assert_success()
        .assert_says("Found compatible virtual environment.")
        .assert_does_not_say("Pip install");
    assert_eq!(site.live()["env"]["decision"], "reuse");
    assert_eq!(site.env_id(), 1);
    assert_eq!(site.live_file("app.py"), "import grass\n");
}

#[test]
fn an_added_requirement_is_installed_into_a_copy() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let first = site.env();
    let before = snapshot(&first);

    project.write("requirements.txt", "antelope==1.0\nacacia\n");
    project.push().assert_success().assert_says(" already satisfied.").assert_says("acacia");
    assert_eq!(site.live()["env"]["decision"], "update");
    assert_eq!(site.env_id(), 2);
    assert_eq!(site.package("acacia").as_deref(), Some("1.0"));
    assert_eq!(snapshot(&first), before, "the env of the release before was changed");
}

#[test]
fn scripts_in_a_copied_env_run_its_own_interpreter() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project.write("requirements.txt", "antelope==1.0\nacacia\n");
    project.push().assert_success();
    let env = site.env();
    for (script, version) in [("antelope", "antelope 1.0"), ("acacia", "acacia 1.0")] {
        let ran = Running::start(&mut site.sandbox.command(env.join("bin").join(script))).wait();
        let expected = format!("{version} in {}\n", env.display());
        assert_eq!(ran.assert_success().stdout, expected);
    }
    for entry in fs::read_dir(env.join("bin")).unwrap() {
        let text = fs::read(entry.unwrap().path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(site.path.join("envs/1/").to_str().unwrap()), "{text}");
    }
    let pip = Running::start(site.sandbox.command(env.join("bin/pip")).arg("--version")).wait();
    assert!(pip.assert_success().stdout.contains(env.to_str().unwrap()));
}

#[test]
fn a_changed_version_is_installed_into_a_copy() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let old_python = site.env().join("bin/python");
    project.write("requirements.txt", "antelope==2.0\n");
    project.push().assert_success();
    assert_eq!(site.live()["env"]["decision"], "update");
    assert_eq!(site.package("antelope").as_deref(), Some("2.0"));

    let mut old = site.sandbox.command(old_python);
    old.args(["-c", "import antelope; print(antelope.VERSION)"]);
    assert_eq!(Running::start(&mut old).wait().assert_success().stdout, "1.0\n");
}

/// An installer that updates an env keeps what a requirement of before has chosen.
#[test]
fn no_requirement_of_before_chooses_a_version_in_an_env_that_lost_one() {
    let site = Site::new();
    let wheels = site.sandbox.path("wheels");
    fs::create_dir(&wheels).unwrap();
    write_wheel(&wheels, "lion", "1.0", "Requires-Dist: zebra<2\n");
    write_wheel(&wheels, "lion", "2.0", "");
    for version in ["1.0", "2.0"] {
        write_wheel(&wheels, "zebra", version, "");
    }
    let project = site.project();
    for (requirements, decision, zebra) in [
        ("acacia\nlion==1.0\nzebra\n", "create", "1.0"),
        ("lion==2.0\nzebra\n", "create", "2.0"),
        ("acacia\nlion==1.0\nzebra\n", "update", "1.0"),
        ("acacia\nlion==2.0\nzebra\n", "update", "1.0"),
        ("lion==2.0\nzebra\n", "create", "2.0"),
        ("acacia\nlion==2.0\nzebra\n", "update", "2.0"),
        ("lion==2.0\nzebra\n", "update", "2.0"),
    ] {
        let links = format!("--find-links {}\n", wheels.display());
        project.write("requirements.txt", links + requirements).push().assert_success();
        assert_eq!(site.live()["env"]["decision"], decision, "{requirements}");
        assert_eq!(site.package("zebra").as_deref(), Some(zebra), "{requirements}");
        let has_acacia = site.package("acacia").is_some();
        assert_eq!(has_acacia, requirements.contains("acacia"), "{requirements}");
    }
}

#[test]
fn a_removed_requirement_cannot_be_imported() {
    let site = Site::new();
    let project = site.python_project();
    project.write("requirements.txt", "antelope==1.0\nacacia\n");
    project.push().assert_success();
    project.write("requirements.txt", "acacia\n");
    project
        .push()
        .assert_success()
        .assert_says("copy env 1, uninstall what is not required, because")
        .assert_says("Uninstalling antelope 1.0: nothing requires it any more.")
        .assert_does_not_say("Pip install requirements.");
    assert_eq!(site.live()["env"]["decision"], "update");
    assert_eq!(site.package("antelope"), None);
    assert!(!site.env().join("bin/antelope").exists());
    assert_eq!(site.package("grass"), None);
    assert_eq!(site.package("acacia").as_deref(), Some("1.0"));
}

#[test]
fn another_python_deletes_the_env_and_creates_one() {
    let Some((older, newer)) = two_pythons() else {
        return;
    };
    let site = Site::new();
    let project = site.python_project();
    project.write("runtime.txt", older.runtime()).push().assert_success();
    let since = &project.head()[..7];
    project.write("runtime.txt", newer.runtime());
    let push = project.push();
    push.assert_success()
        .assert_says("Deleting incompatible virtual environment.")
        .assert_says(&format!("Creating {} virtual environment.", newer.runtime()));
    let changed = format!("{} -> {}", older.runtime(), newer.runtime());
    let line = push.output.lines().find(|line| line.contains(&changed));
    assert!(line.is_some_and(|line| line.contains(since)), "{}", push.stderr);
    let version = site.env_python("import sys; print('%d.%d' % sys.version_info[:2])");
    assert_eq!(version, newer.minor());
    let file = site.env_python("import antelope, os; print(os.path.realpath(antelope.__file__))");
    assert!(file.contains("/envs/2/"), "{file}");
}

#[test]
fn all_reasons_are_logged() {
    let Some((older, newer)) = two_pythons() else {
        return;
    };
    let site = Site::new();
    let project = site.python_project();
    project.write("runtime.txt", older.runtime()).push().assert_success();
    project.write("runtime.txt", newer.runtime());
    project.write("requirements.txt", "acacia\n");
    let push = project.push_with(&["-o", "rebuild-env"]);
    push.assert_success();
    let env = site.live()["env"].clone();
    assert_eq!(env["decision"], "create");
    let reasons = env["reasons"].as_array().unwrap();
    assert!(reasons.len() >= 3, "{reasons:?}");
    for reason in reasons {
        push.assert_says(reason.as_str().unwrap());
    }
}

#[test]
fn a_damaged_env_is_recreated() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let damages: [(&str, &dyn Fn()); 4] = [
        ("its interpreter dangles", &|| {
            fs::remove_file(site.env().join("bin/python")).unwrap();
            std::os::unix::fs::symlink("/nowhere/python", site.env().join("bin/python")).unwrap();
        }),
        ("its interpreter is gone", &|| {
            fs::remove_file(site.env().join("bin/python")).unwrap();
        }),
        ("pyvenv.cfg is gone", &|| {
            fs::remove_file(site.env().join("pyvenv.cfg")).unwrap();
        }),
        ("its marker is gone", &|| {
            fs::remove_file(site.env().join("nyala.json")).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let before = site.env_id();
        damage();
        project.write("app.py", what).push().assert_success();
        assert_ne!(site.env_id(), before, "{what}");
        assert_eq!(site.live()["env"]["decision"], "create", "{what}");
        assert_eq!(site.package("antelope").as_deref(), Some("1.0"), "{what}");
    }
}

#[test]
fn an_env_whose_pyvenv_cfg_names_another_python_is_recreated() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let file = site.env().join("pyvenv.cfg");
    let text = fs::read_to_string(&file).unwrap();
    let version = site.env_python("import sys; print('%d.%d.%d' % sys.version_info[:3])");
    fs::write(&file, text.replace(&version, "3.2.1")).unwrap();
    project.write("app.py", "").push().assert_success();
    assert_eq!(site.live()["env"]["decision"], "create");
}

#[test]
fn a_failed_update_leaves_the_live_env_alone_and_the_next_push_works() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let before = site.live_state();
    project.write("requirements.txt", "antelope==1.0\nmirage\n");
    project.push().assert_failed_with("there-is-no-such-package");
    assert_eq!(site.live_state(), before);

    project.write("requirements.txt", "antelope==1.0\nacacia\n");
    project.push().assert_success();
    assert_eq!(site.package("acacia").as_deref(), Some("1.0"));
    assert_eq!(site.package("mirage"), None);
}

#[test]
fn a_python_project_without_requirements_gets_an_empty_env() {
    let site = Site::new();
    let project = site.project();
    project.write("app.py", "print('hello')\n");
    project.write("runtime.txt", newest_python().runtime());
    project.push().assert_success();
    assert_eq!(site.env_python("print('runs')"), "runs");
}

#[test]
fn a_committed_env_is_used_as_it_is() {
    let site = Site::new();
    let project = site.python_project();
    commit_env(&project, &site);
    project.push().assert_success().assert_does_not_say("Pip install requirements.");
    assert_eq!(site.live()["env"]["decision"], "committed");
    assert_eq!(site.env_python("print('runs')"), "runs");
    assert_eq!(site.package("antelope"), None);
}

#[test]
fn a_committed_env_that_does_not_run_fails_with_the_git_steps() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let before = site.live_state();
    commit_env(&project, &site);
    for name in ["python", "python3"] {
        project.remove(&format!("env/bin/{name}"));
        project.link(&format!("env/bin/{name}"), "/nowhere/python3");
    }
    project.push().assert_failed_with("git rm -r --cached env");
    assert_eq!(site.live_state(), before);
}

#[test]
fn a_committed_env_of_another_python_fails() {
    let Some((older, _)) = two_pythons() else {
        return;
    };
    let site = Site::new();
    let project = site.python_project();
    commit_env(&project, &site);
    project.write("runtime.txt", older.runtime());
    project.push().assert_failed_with("git rm -r --cached env");
    assert_eq!(site.live_id(), None);
}

#[test]
fn an_env_is_created_after_a_committed_one_was_removed() {
    let site = Site::new();
    let project = site.python_project();
    commit_env(&project, &site);
    project.push().assert_success();
    project.remove("env").push().assert_success();
    assert_eq!(site.live()["env"]["decision"], "create");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
}

/// Creates an env of the newest Python, without pip, in the work tree.
fn commit_env(project: &Project<'_>, site: &Site) {
    let mut venv = site.sandbox.command(&newest_python().path);
    venv.args(["-m", "venv", "--without-pip", "env"]).current_dir(&project.path);
    Running::start(&mut venv).wait().assert_success();
}

#[test]
fn a_rebuilt_env_is_compiled_and_imports_its_own_sources() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let compiled = || {
        let code = "import importlib.util, os, antelope\n\
                    path = importlib.util.cache_from_source(antelope.__file__)\n\
                    own = antelope.main.__code__.co_filename == antelope.__file__\n\
                    print(os.path.exists(path), own)";
        site.env_python(code)
    };
    assert_eq!(compiled(), "True True");
    // The compiled files come from env 1, but do not name it.
    project.write("page", "").push_with(&["-o", "rebuild-env"]).assert_success();
    assert_eq!((site.env_id(), compiled().as_str()), (2, "True True"));
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
    // Half a file, which old Pythons write to a full disk, is not reused.
    for entry in walk(&site.env().join("lib")) {
        if entry.extension().is_some_and(|extension| extension == "pyc")
            && entry.to_string_lossy().contains("antelope")
        {
            let bytes = fs::read(&entry).unwrap();
            fs::write(&entry, &bytes[..20]).unwrap();
        }
    }
    fs::remove_dir_all(site.path.join("envs/1")).unwrap();
    project.write("page", "3").push_with(&["-o", "rebuild-env"]).assert_success();
    assert_eq!(compiled(), "True True");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() && !path.is_symlink() { walk(&path) } else { vec![path] })
        .collect()
}

#[test]
fn a_staged_tree_with_a_committed_env_is_updated() {
    let site = Site::new();
    site.configure("keep = 1\nstaging = true");
    let project = site.python_project();
    commit_env(&project, &site);
    project.push().assert_success();
    fs::write(site.path.join("releases/1/env/installed-by-hand"), "").unwrap();
    project.write("app.py", "2").push().assert_success();
    wait_until_quiet(&site.path);
    let push = project.write("app.py", "3").push();
    push.assert_success().assert_does_not_say("saved in");
    assert!(site.live_log().contains(", 1 of them written or removed"));
    assert!(!site.env().join("installed-by-hand").exists());
    assert_eq!(site.env_python("print('runs')"), "runs");
    // Then nyala makes the env, and its link comes in place of the folder.
    project.git(&["rm", "-r", "-q", "--cached", "env"]);
    project.write(".gitignore", "env\n");
    project.commit("Stop committing the env");
    project.remove("env").write("app.py", "4").push().assert_success();
    project.write("app.py", "5").push().assert_success();
    wait_until_quiet(&site.path);
    project.write("app.py", "6").push().assert_success();
    assert!(site.live_log().contains(", 1 of them written or removed"));
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
}
