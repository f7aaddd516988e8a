//! The other installer: `installer = "uv"`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::{Project, Push, Sandbox, Site, two_pythons, uv};

/// A site on a machine with uv, which is only on PATH.
fn site(uv: &Path, arguments: &[&str]) -> Site {
    Site::in_sandbox(sandbox(uv), "site", arguments)
}

fn sandbox(uv: &Path) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.put_uv_on_path(uv);
    sandbox
}

const UV: [&str; 2] = ["--installer", "uv"];

fn uv_site() -> Option<Site> {
    Some(site(&uv()?, &UV))
}

/// Pushes another commit of the same tree.
fn again(project: &Project<'_>) -> Push {
    project.commit("Try again");
    project.push()
}

#[test]
fn the_installer_that_init_finds_is_written_to_nyala_toml() {
    let Some(uv) = uv() else { return };
    let sandbox = sandbox(&uv);
    let (with, without) = (sandbox.path("with"), sandbox.path("without"));
    let made = sandbox.nyala(&["init", with.to_str().unwrap()]);
    made.assert_success();
    let expected = format!("uv was found at {}", sandbox.path("tools/uv").display());
    assert!(made.stdout.contains(&expected), "{}", made.stdout);
    let settings = || fs::read_to_string(with.join("nyala.toml")).unwrap();
    assert!(
        settings().contains("\ninstaller = \"uv\"\n")
            || settings().starts_with("installer = \"uv\"\n")
    );

    fs::remove_file(sandbox.path("tools/uv")).unwrap();
    let before = settings();
    sandbox.nyala(&["init", with.to_str().unwrap()]).assert_success();
    assert_eq!(settings(), before);
    let other = sandbox.nyala(&["init", with.to_str().unwrap(), "--installer", "pip"]);
    other.assert_failed(1, "its installer is uv");

    // A uv that does not run is ignored.
    fs::write(sandbox.path("tools/uv"), "#!/bin/sh\nexit 127\n").unwrap();
    fs::set_permissions(sandbox.path("tools/uv"), fs::Permissions::from_mode(0o755)).unwrap();
    let made = sandbox.nyala(&["init", without.to_str().unwrap()]);
    assert!(!made.assert_success().stdout.contains("uv"), "{}", made.stdout);
    assert!(!fs::read_to_string(without.join("nyala.toml")).unwrap().contains("\ninstaller = "));

    fs::remove_file(sandbox.path("tools/uv")).unwrap();
    let found = sandbox.nyala(&["--site", with.to_str().unwrap(), "doctor", "--json"]);
    found.assert_failed(1, "");
    let found: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["id"]), (1, &"uv-missing".into()));
}

#[test]
fn uv_makes_the_env_and_installs_exactly_what_is_required() {
    let Some(site) = uv_site() else { return };
    let project = site.project();
    project
        .write("requirements.txt", "oryx==1.0\n")
        .push()
        .assert_success()
        .assert_says(" + oryx==1.0");
    assert_eq!(
        (site.package("oryx").as_deref(), site.package("grass").as_deref()),
        (Some("1.0"), Some("1.0"))
    );
    assert!(fs::read_to_string(site.env().join("pyvenv.cfg")).unwrap().contains("uv = "));

    // Dependencies that only the old version needed are removed from the copy.
    let push = project.write("requirements.txt", "oryx==2.0\nacacia\n").push();
    push.assert_success().assert_says("Copying env 1").assert_says(" - grass==1.0");
    assert_eq!((site.package("oryx").as_deref(), site.package("grass")), (Some("2.0"), None));
    assert_eq!(site.package("acacia").as_deref(), Some("1.0"));
    let script = site.env().join("bin/oryx");
    let said = site.sandbox.command(script).output().unwrap().stdout;
    assert_eq!(
        String::from_utf8_lossy(&said).trim(),
        format!("oryx 2.0 in {}", site.env().display())
    );

    project.write("page", "").push().assert_success().assert_says("reuse env 2");
    // Settings of both uv and pip apply.
    site.set("UV_COMPILE_BYTECODE", "1");
    project
        .write("page", "2")
        .push()
        .assert_success()
        .assert_says("settings that the installer or a build reads have changed");
    assert!(site.env().ends_with("4"));
    assert!(fs::read_dir(site.env().join("lib")).unwrap().flatten().any(|lib| {
        let cache = lib.path().join("site-packages/oryx/__pycache__");
        cache.is_dir()
    }));
    project
        .write("uv.toml", "offline = true\n")
        .push()
        .assert_success()
        .assert_says("create a new environment");
    project
        .write("pyproject.toml", "[tool.uv]\nno-cache = true\n")
        .push()
        .assert_says("create a new environment");
    project.write("page", "3").push().assert_success().assert_says("reuse env 6");
}

#[test]
fn runtime_txt_is_toggled() {
    let (Some(site), Some((older, newer))) = (uv_site(), two_pythons()) else { return };
    let project = site.python_project();
    for python in [older, newer] {
        project.write("runtime.txt", python.runtime()).push().assert_success();
        assert_eq!(
            site.env_python("import sys; print('%d.%d' % sys.version_info[:2])"),
            python.minor()
        );
        assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
    }
}

#[test]
fn a_push_option_names_the_installer_of_one_deployment() {
    let Some(uv) = uv() else { return };
    let site = site(&uv, &["--installer", "pip"]);
    let project = site.python_project();
    project
        .push()
        .assert_success()
        .assert_says("installer = \"uv\" in nyala.toml")
        .assert_says("Successfully installed");
    let push = project.write("page", "1").push_with(&["-o", "installer=uv"]);
    push.assert_success().assert_says("env 1 was installed by pip, but the installer is now uv");
    push.assert_says(" + antelope==1.0").assert_does_not_say("in nyala.toml");
    let push = project.write("page", "2").push();
    push.assert_success().assert_says("env 2 was installed by uv, but the installer is now pip");
    let push = project.write("page", "3").push_with(&["-o", "installer=vu"]);
    push.assert_failed_with("unknown push option `installer=vu`");
}

#[test]
fn settings_of_pip_apply_to_uv() {
    let Some(site) = uv_site() else { return };
    // The wheels are found only through PIP_NO_INDEX and PIP_FIND_LINKS.
    let project = site.project();
    let pins = site.sandbox.path("pins.txt");
    fs::write(&pins, "antelope==1.1\n").unwrap();
    site.set("PIP_CONSTRAINT", pins.to_str().unwrap());
    site.set("PIP_CACHE_DIR", "/nowhere");
    let push = project.write("requirements.txt", "antelope\noryx\n").push();
    push.assert_success().assert_says("uv ignores pip's cache-dir (PIP_CACHE_DIR).");
    assert_eq!(site.package("antelope").as_deref(), Some("1.1"));
    assert_eq!(site.package("oryx").as_deref(), Some("2.0"));
    site.set("PIP_PRE", "1");
    again(&project).assert_success();
    assert_eq!(site.package("oryx").as_deref(), Some("2.1rc1"));

    site.set("PIP_PLATFORM", "any");
    let push = again(&project);
    push.assert_failed_with("uv cannot do what is asked for: pip's platform (PIP_PLATFORM)");
    push.assert_says("let pip install");
}

#[test]
fn configuration_files_of_pip_apply_to_uv() {
    let Some(site) = uv_site() else { return };
    site.sandbox.remove_variable("PIP_CONFIG_FILE");
    let home = site.sandbox.path("home/.config/pip");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("pip.conf"), "[global]\nprefer-binary = true\n[install]\npre = yes\n")
        .unwrap();
    let project = site.project();
    let push = project.write("requirements.txt", "oryx\n").push();
    push.assert_failed_with(&format!("pip's prefer-binary ({})", home.join("pip.conf").display()));
    fs::write(home.join("pip.conf"), "[install]\npre = yes\n").unwrap();
    again(&project).assert_success();
    assert_eq!(site.package("oryx").as_deref(), Some("2.1rc1"));
}

#[test]
fn options_in_requirements_files_work_as_with_pip_or_are_refused() {
    let Some(site) = uv_site() else { return };
    let project = site.project();
    project
        .write("requirements.txt", "--pre\n--trusted-host h.example\noryx\n")
        .push()
        .assert_success();
    assert_eq!(site.package("oryx").as_deref(), Some("2.1rc1"));
    for (text, refused) in [
        ("--prefer-binary\noryx\n", "--prefer-binary (requirements.txt, line 1)"),
        ("--no-index --pre\noryx\n", "several options on one line (requirements.txt, line 1)"),
        ("oryx --config-settings=a=b\n", "--config-settings a=b (requirements.txt, line 1)"),
    ] {
        project.write("requirements.txt", text).push().assert_failed_with(refused);
    }
    // As with pip, one hash requires all of them.
    let hash = "0".repeat(64);
    let push = project
        .write("requirements.txt", format!("oryx==2.0 --hash=sha256:{hash}\nacacia\n"))
        .push();
    push.assert_failed_with("uv exited with status");
    assert_eq!(site.package("oryx").as_deref(), Some("2.1rc1"));
}

#[test]
fn credentials_are_not_on_the_command_line_of_uv() {
    let Some(site) = uv_site() else { return };
    site.sandbox.remove_variable("PIP_NO_INDEX");
    site.set("PIP_INDEX_URL", "http://me:hunter22@127.0.0.1:9/simple");
    site.set("PIP_RETRIES", "0");
    let project = site.project();
    let push = project.write("requirements.txt", "springbok\n").push();
    push.assert_failed_with("the index 127.0.0.1:9 cannot be reached: the connection was refused")
        .assert_does_not_say("hunter22");
    assert!(!site.log(1).contains("hunter22"));
}

#[test]
fn errors_of_uv_say_what_to_do() {
    let Some(site) = uv_site() else { return };
    let project = site.python_project();
    let push = project.write("requirements.txt", "there-is-no-such-package\n").push();
    push.assert_failed_with("the index has no package there-is-no-such-package")
        .assert_says("was not found")
        .assert_says("Correct its name (line 1 of requirements.txt), commit, and push again");
    fs::remove_file(site.sandbox.path("tools/uv")).unwrap();
    let push = project.write("requirements.txt", "antelope\n").push();
    push.assert_failed_with("there is no uv on this machine, and it could not be downloaded")
        .assert_says("Downloading uv")
        .assert_says("No matching distribution found for uv")
        .assert_says("installer = \"pip\" in nyala.toml");
    let looked: PathBuf = site.sandbox.path("home/.local/bin");
    push.assert_says(&looked.display().to_string());

    // It is also found where its own installer puts it.
    let Some(uv) = uv() else { return };
    fs::create_dir_all(&looked).unwrap();
    std::os::unix::fs::symlink(uv, looked.join("uv")).unwrap();
    again(&project).assert_success();
}

/// An env made by uv has no pip, and the machine's pip must not run instead.
#[test]
fn pip_in_a_command_reaches_nothing_outside_of_the_env() {
    let Some(site) = uv_site() else { return };
    let project = site.python_project();
    project
        .write(
            "bin/post_compile",
            "#!/bin/sh\nuv pip install --no-index --find-links \"$PIP_FIND_LINKS\" acacia\n",
        )
        .push()
        .assert_success();
    assert_eq!(site.package("acacia").as_deref(), Some("1.0"));
    project.write("bin/post_compile", "#!/bin/sh\npip install --no-deps oryx\n");
    project.push().assert_failed_with("bin/post_compile failed");
}

#[test]
fn requirements_in_another_encoding_are_refused_before_anything_is_built() {
    let Some(site) = uv_site() else { return };
    let project = site.project();
    let text = b"# -*- coding: latin-1 -*-\n# caf\xe9\nantelope\n";
    let push = project.write("requirements.txt", text).push();
    push.assert_failed_with("uv reads requirements files in UTF-8 only");
    project.write("page", "again");
    project.push_with(&["-o", "installer=pip"]).assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("2.0"));
}

/// uv itself refuses them.
#[test]
fn an_editable_requirement_from_git_is_installed() {
    let Some(site) = uv_site() else { return };
    let project = site.project();
    // Its own repository, with the package at its top.
    let other = site.sandbox.path("waterhole");
    fs::create_dir(&other).unwrap();
    site.sandbox.git(&other, &["init", "--quiet"]);
    project.local_package("waterhole", "1.0", "    pass\n");
    for name in ["backend.py", "pyproject.toml"] {
        fs::rename(project.path.join("waterhole").join(name), other.join(name)).unwrap();
    }
    site.sandbox.git(&other, &["add", "."]);
    let author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
    site.sandbox.git(&other, &[&author[..], &["commit", "--quiet", "-m", "One"]].concat());
    let editable = format!("-e git+file://{}#egg=waterhole\n", other.display());
    project
        .write("requirements.txt", "-r deps/git.txt\nantelope==1.0\n")
        .write("deps/git.txt", editable)
        .push()
        .assert_success();
    assert_eq!(site.package("waterhole").as_deref(), Some("1.0"));
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
    let names = |folder: &str| -> Vec<_> {
        let entries = fs::read_dir(site.path.join("wwwroot").join(folder)).unwrap();
        entries.map(|it| it.unwrap().file_name()).collect()
    };
    assert_eq!(names("deps"), ["git.txt"]);
    assert!(!names("").iter().any(|it| it.to_string_lossy().starts_with(".nyala")));
    again(&project).assert_success();
    assert_eq!(site.package("waterhole").as_deref(), Some("1.0"));
}
