//! Which Python a project asks for, and which one it gets.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Running, Site, newest_python, python_2, pythons, skip, two_pythons};

#[test]
fn runtime_txt_picks_the_python() {
    let Some((older, _)) = two_pythons() else {
        return;
    };
    let site = Site::new();
    let project = site.python_project();
    project.write("runtime.txt", older.runtime());
    project
        .push()
        .assert_success()
        .assert_says("runtime.txt")
        .assert_says(&format!("Creating {} virtual environment.", older.runtime()));
    let version = site.env_python("import sys; print('%d.%d.%d' % sys.version_info[:3])");
    assert_eq!(version, older.to_string());
    let python = &site.live()["python"];
    assert_eq!(python["version"], older.to_string());
    assert_eq!(python["wanted"], older.minor());
    assert_eq!(python["origin"], "runtime.txt");
}

#[test]
fn runtime_txt_may_name_a_patch_version() {
    let newest = newest_python();
    let site = Site::new();
    let project = site.python_project();
    project.write("runtime.txt", format!("\u{feff}# ours\r\n\r\nPython-{newest}\r\n"));
    project.push().assert_success();
    assert_eq!(site.live()["python"]["wanted"], newest.to_string());
}

#[test]
fn each_source_of_a_version_overrides_the_next() {
    let Some((older, newer)) = two_pythons() else {
        return;
    };
    let site = Site::with(&["--python", &newer.minor()]);
    let project = site.python_project();
    let plan = project.plan();
    assert!(plan.contains("nyala.toml") && plan.contains(&newer.minor()), "{plan}");

    let requires = format!(
        "[project]\nname = 'x'\nversion = '1'\nrequires-python = '=={}.*'\n",
        older.minor()
    );
    let plan = project.write("pyproject.toml", requires).plan();
    assert!(plan.contains("requires-python") && plan.contains(&older.to_string()), "{plan}");

    site.set("PYTHON_VERSION", &newer.minor());
    let plan = project.plan();
    assert!(plan.contains("PYTHON_VERSION") && plan.contains(&newer.to_string()), "{plan}");

    let plan = project.write(".python-version", format!("{}\n", older.minor())).plan();
    assert!(plan.contains(".python-version") && plan.contains(&older.to_string()), "{plan}");

    let plan = project.write("runtime.txt", newer.runtime()).plan();
    assert!(plan.contains("runtime.txt") && plan.contains(&newer.to_string()), "{plan}");
}

#[test]
fn a_pylock_says_which_python_it_is_for() {
    let Some((older, _)) = two_pythons() else {
        return;
    };
    let site = Site::new();
    let project = site.project();
    let text = format!(
        "lock-version = '1.0'\ncreated-by = 'x'\nrequires-python = '=={}.*'\npackages = []\n",
        older.minor()
    );
    let plan = project.write("pylock.toml", &text).plan();
    assert!(plan.contains("the lock file asks for") && plan.contains(&older.minor()), "{plan}");

    site.configure("dependencies = { file = 'pylock.prod.toml' }");
    project.remove("pylock.toml").write("pylock.prod.toml", text);
    let plan = project.plan();
    assert!(plan.contains("the lock file asks for") && plan.contains(&older.minor()), "{plan}");
}

#[test]
fn the_default_python_and_its_origin_are_logged() {
    let site = Site::new();
    site.python_project().push().assert_success();
    let python = site.live()["python"].clone();
    let version = python["version"].as_str().unwrap();
    assert!(site.log(1).contains(version), "{}", site.log(1));
    assert!(site.log(1).contains(python["origin"].as_str().unwrap()));
}

#[test]
fn a_missing_python_is_an_error_that_lists_the_installed_ones() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    let before = site.live_state();
    project.write("runtime.txt", "python-3.99\n");
    project.push().assert_failed_with("3.99").assert_says(&newest_python().to_string());
    assert_eq!(site.live_state(), before);
}

#[test]
fn a_missing_patch_version_is_not_replaced() {
    let site = Site::new();
    let project = site.python_project();
    let wanted = format!("{}.99", newest_python().minor());
    project.write("runtime.txt", format!("python-{wanted}\n"));
    project.push().assert_failed_with(&wanted);
    assert_eq!(site.live_id(), None);
}

#[test]
fn a_shim_that_exits_with_127_is_not_an_interpreter() {
    let site = Site::new();
    let shims = site.sandbox.path("fake");
    fs::create_dir(&shims).unwrap();
    for name in ["python3.99", "python3", "python"] {
        let shim = shims.join(name);
        fs::write(&shim, "#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n").unwrap();
        fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    site.sandbox.set_variable("PATH", format!("{}:{path}", shims.display()));
    let project = site.python_project();
    project.write("runtime.txt", "python-3.99\n");
    project.push().assert_failed_with("3.99");
    project.write("runtime.txt", newest_python().runtime());
    project.push().assert_success();
}

#[test]
fn without_a_pin_the_site_keeps_the_minor_version_that_it_has() {
    let Some((older, newer)) = two_pythons() else {
        return;
    };
    let site = Site::new();
    let project = site.python_project();
    project.write("runtime.txt", older.runtime()).push().assert_success();
    project.remove("runtime.txt");
    let requires = "[project]\nname = 'x'\nversion = '1'\nrequires-python = '>=3.6'\n";
    for (file, text) in [("page", ""), ("pyproject.toml", requires)] {
        let push = project.write(file, text).push_with(&["-o", "rebuild-env"]);
        push.assert_success()
            .assert_says(&format!("so the site stays with {}.", older.minor()))
            .assert_says(&format!("to change to {}: echo {}", newer.minor(), newer.runtime()));
        assert_eq!(site.live()["python"]["version"], older.to_string());
    }
    // What the site has had is gone from the machine, or is not allowed.
    let requires = requires.replace(">=3.6", &format!(">{}.99", older.minor()));
    let plan = project.write("pyproject.toml", requires).plan();
    let says = format!("The site used {}, which is not allowed or not", older.minor());
    assert!(plan.contains(&says) && plan.contains(&newer.to_string()), "{plan}");
}

#[test]
fn python_paths_adds_interpreters() {
    let newest = newest_python();
    let Some(folder) =
        newest.path.parent().filter(|it| !it.starts_with("/usr") && !it.starts_with("/opt"))
    else {
        return skip("needs a Python outside of /usr and /opt, such as pyenv's");
    };
    let site = Site::new();
    site.sandbox.set_variable("PATH", "/usr/bin:/bin");
    site.sandbox.remove_variable("PYENV_ROOT");
    site.sandbox.remove_variable("UV_PYTHON_INSTALL_DIR");
    let project = site.python_project();
    project.write("runtime.txt", format!("python-{newest}\n"));
    project.push().assert_failed_with(&newest.to_string());

    site.configure(&format!("python_paths = [{:?}]", folder.to_str().unwrap()));
    project.write("again", "").push().assert_success();
}

#[test]
fn python_2_7_without_virtualenv_is_a_clear_error() {
    let Some(python) = python_2() else { return };
    if Running::start(machine_command(&python.path).args(["-c", "import virtualenv"]))
        .wait()
        .status
        .success()
    {
        return skip("this Python 2.7 has virtualenv");
    }
    let site = Site::new();
    let project = site.python_project();
    project.write("runtime.txt", "python-2.7\n");
    project.push().assert_failed_with("virtualenv");
}

#[test]
fn python_2_7_works_with_virtualenv() {
    let Some(python) = python_2() else { return };
    let site = Site::new();
    // A copy, so that nothing is installed into the machine's Python.
    let prefix = python.path.parent().and_then(|bin| bin.parent()).unwrap();
    let copy = site.sandbox.path("python2");
    let mut cp = site.sandbox.command("cp");
    cp.arg("-a").arg(prefix).arg(&copy);
    if prefix.starts_with("/usr") || !Running::start(&mut cp).wait().status.success() {
        return skip("needs a Python 2.7 in a folder of its own");
    }
    let mut pip = machine_command(&copy.join("bin/python2.7"));
    pip.args(["-m", "pip", "install", "--quiet", "virtualenv<20.22"]);
    if !Running::start(&mut pip).wait().status.success() {
        return skip("needs an index that has virtualenv for Python 2.7");
    }
    site.sandbox.remove_variable("PYENV_ROOT");
    site.sandbox.set_variable("PATH", "/usr/local/bin:/usr/bin:/bin");
    site.configure(&format!("python_paths = [{:?}]", copy.join("bin").to_str().unwrap()));
    let project = site.python_project();
    project.write("runtime.txt", "python-2.7\n");
    project.push().assert_success();
    assert_eq!(site.env_python("import sys; print(sys.version_info[:2])"), "(2, 7)");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));

    project.write("requirements.txt", "antelope==2.0\n");
    project.push().assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("2.0"));
}

/// What is done to an env, with each Python of the machine: made, copied for an addition, used
/// again, and a new env is made.
fn deploys_with(minor: &str) {
    for python in pythons().iter().filter(|python| python.minor() == minor) {
        let site = Site::new();
        let project = site.python_project();
        project.write("runtime.txt", python.runtime()).push().assert_success();
        let version = site.env_python("import sys; print('%d.%d' % sys.version_info[:2])");
        assert_eq!(version, python.minor());
        assert_eq!(site.package("antelope").as_deref(), Some("1.0"), "{python}");
        project.write("requirements.txt", "antelope==1.1\nacacia\n");
        let push = project.push();
        // pip, which starts before the copy is whole, knows all that is installed in it.
        push.assert_success().assert_says("copy env 1").assert_does_not_say("grass-1.0");
        assert_eq!(site.package("antelope").as_deref(), Some("1.1"), "{python}");
        assert_eq!(site.package("acacia").as_deref(), Some("1.0"), "{python}");
        let compiled = site.env_python(
            "import importlib.util, os, acacia, antelope\n\
             for it in (acacia, antelope):\n    \
             print(os.path.exists(importlib.util.cache_from_source(it.__file__)))",
        );
        assert_eq!(compiled, "True\nTrue", "{python}");
        project.write("page", "").push().assert_success().assert_says("reuse env 2");
        project.write("page", "4").push_with(&["-o", "rebuild-env"]).assert_success();
        assert_eq!(site.package("antelope").as_deref(), Some("1.1"), "{python}");
    }
}

macro_rules! each_python {
    ($($name:ident: $minor:literal;)*) => {
        $(#[test]
        fn $name() {
            deploys_with($minor);
        })*

        #[test]
        fn every_python_of_the_machine_is_tested() {
            for python in pythons() {
                assert!([$($minor),*].contains(&python.minor().as_str()), "{python}");
            }
        }
    };
}

each_python! {
    python_3_6_deploys: "3.6";
    python_3_7_deploys: "3.7";
    python_3_8_deploys: "3.8";
    python_3_9_deploys: "3.9";
    python_3_10_deploys: "3.10";
    python_3_11_deploys: "3.11";
    python_3_12_deploys: "3.12";
    python_3_13_deploys: "3.13";
    python_3_14_deploys: "3.14";
}

/// Runs with the environment of this machine: its package index and home.
fn machine_command(program: &std::path::Path) -> std::process::Command {
    std::process::Command::new(program)
}

#[test]
fn the_files_of_package_and_version_managers_ask_for_a_python() {
    let Some((older, newer)) = two_pythons() else {
        return;
    };
    let minor = older.minor();
    let next = format!("3.{}", minor.trim_start_matches("3.").parse::<u16>().unwrap() + 1);
    for (name, text) in [
        (
            "Pipfile.lock",
            format!("{{\"_meta\": {{\"requires\": {{\"python_version\": \"{minor}\"}}}}}}"),
        ),
        ("Pipfile", format!("[requires]\npython_version = '{minor}'\n")),
        ("pyproject.toml", format!("[tool.poetry.dependencies]\npython = '~{minor}'\n")),
        ("poetry.lock", format!("[metadata]\npython-versions = \">={minor},<{next}\"\n")),
        ("uv.lock", format!("version = 1\nrequires-python = \"=={minor}.*\"\n")),
        ("setup.cfg", format!("[options]\npython_requires = >={minor},<{next}\n")),
        (".tool-versions", format!("nodejs 20.1.0\npython {older} {newer}\n")),
        ("mise.toml", format!("[tools]\npython = '{minor}'\n")),
        (".python-version", format!("site-env\n>={minor},<{next}\n")),
        (".python-version", format!("cpython-{older}-linux-x86_64-gnu\n")),
    ] {
        let site = Site::with(&["--python", &newer.minor()]);
        let plan = site.python_project().write(name, text).plan();
        assert!(plan.contains(&format!("Python {older} (")), "{name}: {plan}");
    }
}

#[test]
fn a_python_that_requires_python_rules_out_is_warned_of() {
    let site = Site::new();
    let project = site.python_project();
    let newest = newest_python();
    project.write("runtime.txt", newest.runtime());
    project
        .write("pyproject.toml", "[project]\nname = 'x'\nversion = '1'\nrequires-python = '<3'\n");
    let push = project.push();
    push.assert_success();
    push.assert_says("which runtime.txt asks for, does not meet requires-python in pyproject.toml");

    let lock = "{\"_meta\": {\"pipfile-spec\": 6, \"requires\": {\"python_version\": \"3.2\"}}}";
    project.remove("pyproject.toml").remove("requirements.txt").write("Pipfile.lock", lock);
    let push = project.push();
    push.assert_success();
    push.assert_says("Pipfile.lock asks for Python 3.2, and the environment has ");
}

#[test]
fn the_newest_patch_takes_the_place_of_a_missing_one_where_the_site_says_so() {
    let newest = newest_python();
    let site = Site::new();
    let project = site.python_project();
    project.write("runtime.txt", format!("python-{}.98\n", newest.minor()));
    project.push().assert_failed_with("is not on this machine");
    site.configure("patch = \"newest\"");
    let push = project.write("app.py", "# again\n").push();
    push.assert_success().assert_says("the newest patch that is");
    assert_eq!(site.live()["python"]["version"], newest.to_string());
    // The env that was made so is right for the next push, too.
    project.write("app.py", "# once more\n").push().assert_success();
    assert_eq!(site.live()["env"]["decision"], "reuse");
}
