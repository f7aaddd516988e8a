//! `nyala doctor`: each test breaks a site, reads the findings, and follows the advice.

mod application;
mod live;
mod removal;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Running, Sandbox, Site, is_root, skip, two_pythons, wait_until};

fn examine(site: &Site) -> Vec<Value> {
    let ran = site.nyala(&["doctor", "--json"]);
    let findings: Vec<Value> =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"));
    assert_eq!(ran.status.code(), Some(i32::from(!findings.is_empty())), "{ran:#?}");
    findings
}

/// Doctor finds this one thing, and nothing else; returns it.
#[track_caller]
fn assert_finds(site: &Site, id: &str) -> Value {
    let findings = examine(site);
    let ids: Vec<&str> = findings.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [id], "{findings:#?}");
    let shown = site.nyala(&["doctor"]).stdout;
    let fixes = findings[0]["fixes"].as_array().unwrap();
    assert!(!fixes.is_empty(), "{findings:#?}");
    for fix in fixes {
        assert!(shown.contains(&format!("fix: {}", fix.as_str().unwrap())), "{shown}");
    }
    findings[0].clone()
}

#[track_caller]
fn assert_well(site: &Site) {
    assert_eq!(examine(site), [] as [Value; 0]);
    assert!(site.nyala(&["doctor"]).assert_success().stdout.contains("No problems found"));
}

/// `--fix` fixes it.
#[track_caller]
fn assert_fixed(site: &Site) {
    let ran = site.nyala(&["doctor", "--fix"]);
    assert!(ran.assert_success().stdout.contains("fixed: "), "{ran:#?}");
    assert_well(site);
}

/// `--fix` leaves it alone, and the shell commands of the advice fix it.
#[track_caller]
fn assert_advice_helps(site: &Site, finding: &Value) {
    assert_eq!(finding["fixable"], false, "{finding}");
    assert_eq!(site.nyala(&["doctor", "--fix"]).status.code(), Some(1));
    let fix = finding["fix"].as_str().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_nyala")).parent().unwrap();
    let mut shell = site.sandbox.command("sh");
    shell
        .env("NYALA_SITE", &site.path)
        .args(["-c", &format!("PATH={}:$PATH; {fix}", binary.display())]);
    Running::start(&mut shell).wait().assert_success();
    // A worker cleans up after its deployment is live.
    if let Ok(lock) = fs::File::open(site.path.join("lock")) {
        lock.lock().unwrap();
    }
    assert_well(site);
}

#[test]
fn nothing_is_wrong_with_a_new_site_or_a_deployed_one() {
    let site = Site::new();
    assert_well(&site);
    let project = site.python_project();
    project.push().assert_success();
    project.write("page", "").push().assert_success();
    site.nyala(&["env", "delete"]).assert_success();
    assert_well(&site);
}

#[test]
fn the_hook_is_missing_not_executable_foreign_or_runs_a_missing_binary() {
    let site = Site::new();
    let hook = site.repository.join("hooks/post-receive");
    let ours = fs::read_to_string(&hook).unwrap();

    fs::remove_file(&hook).unwrap();
    assert_finds(&site, "hook-missing");
    assert_fixed(&site);

    fs::set_permissions(&hook, Permissions::from_mode(0o644)).unwrap();
    assert_finds(&site, "hook-not-executable");
    assert_fixed(&site);

    fs::write(&hook, ours.replace(env!("CARGO_BIN_EXE_nyala"), "/nyala-that-was-here")).unwrap();
    let finding = assert_finds(&site, "binary-moved");
    assert!(finding["fact"].as_str().unwrap().contains("nyala-that-was-here"));
    assert_fixed(&site);

    fs::write(&hook, ours.replace("--site /", "--site /elsewhere/")).unwrap();
    let finding = assert_finds(&site, "hook-other-site");
    assert_advice_helps(&site, &finding);

    fs::write(&hook, "#!/bin/sh\necho from another hook\n").unwrap();
    assert_finds(&site, "hook-foreign");
    assert_fixed(&site);
    site.project().write("page", "").push().assert_success().assert_says("from another hook");
}

#[test]
fn a_hooks_path_keeps_the_hook_from_running() {
    let site = Site::new();
    let elsewhere = site.sandbox.path("hooks");
    fs::create_dir(&elsewhere).unwrap();
    site.sandbox.git(&site.repository, &["config", "core.hooksPath", elsewhere.to_str().unwrap()]);
    assert_finds(&site, "hooks-path");
    assert_fixed(&site);
    site.project().write("page", "").push().assert_success();

    site.sandbox.git(&site.repository, &["config", "--unset", "core.hooksPath"]);
    fs::remove_file(elsewhere.join("post-receive")).unwrap();
    site.sandbox
        .git(&site.path, &["config", "--global", "core.hooksPath", elsewhere.to_str().unwrap()]);
    let finding = assert_finds(&site, "hooks-path");
    assert_advice_helps(&site, &finding);
    site.project().write("page", "2").push();
    assert_eq!(
        site.numbers("deployments").len(),
        1,
        "a push that is not a fast-forward is refused"
    );
}

#[test]
fn push_options_are_off() {
    let site = Site::new();
    site.sandbox.git(&site.repository, &["config", "receive.advertisePushOptions", "false"]);
    assert_finds(&site, "push-options-off");
    assert_fixed(&site);
}

#[test]
fn the_repository_is_missing_or_belongs_to_another_user() {
    let site = Site::new();
    let away = site.sandbox.path("away.git");
    fs::rename(&site.repository, &away).unwrap();
    assert_finds(&site, "repository");
    fs::rename(&away, &site.repository).unwrap();
    assert_well(&site);
    if !is_root() {
        skip("needs root, to change the owner of files");
        return;
    }
    chown(&site.repository, Some(12345), None).unwrap();
    let ids: Vec<String> =
        examine(&site).iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
    // git before 2.35.2 takes the repository of another user as it is.
    let asked = site.sandbox.command("git").current_dir(&site.repository).arg("rev-parse").output();
    let refuses = !asked.unwrap().status.success();
    let expected: &[&str] = if refuses { &["dubious-ownership", "owner"] } else { &["owner"] };
    assert_eq!(ids, expected);
    chown(&site.repository, Some(0), None).unwrap();

    chown(site.repository.join("objects/info"), Some(12345), None).unwrap();
    let finding = assert_finds(&site, "owner");
    assert!(finding["fact"].as_str().unwrap().contains("objects/info"), "{finding}");
    chown(site.repository.join("objects/info"), Some(0), None).unwrap();
    chown(site.path.join("releases"), Some(12345), None).unwrap();
    let finding = assert_finds(&site, "owner");
    assert_advice_helps(&site, &finding);
}

#[test]
fn settings_are_invalid_or_readable_by_other_users() {
    let site = Site::new();
    site.set("TOKEN", "correct-horse");
    let (toml, env) = (site.path.join("nyala.toml"), site.path.join("settings.env"));
    let good = fs::read(&toml).unwrap();
    site.configure("kepe = 3");
    assert!(assert_finds(&site, "settings")["fact"].as_str().unwrap().contains("kepe"));
    fs::write(&toml, good).unwrap();
    fs::write(&env, "TOKEN='correct-horse\n").unwrap();
    let finding = assert_finds(&site, "app-settings");
    assert!(!finding.to_string().contains("correct-horse"), "{finding}");
    fs::write(&env, "TOKEN=correct-horse\n").unwrap();

    site.project().write("page", "").push().assert_success();
    for file in [env, site.path.join("deployments/1/log.txt")] {
        fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
    }
    assert_finds(&site, "mode");
    assert_fixed(&site);
    assert_eq!((site.mode("settings.env"), site.mode("deployments/1/log.txt")), (0o600, 0o600));
}

/// As on Debian without python3-venv, after a deployment that failed for it.
#[test]
fn the_python_cannot_make_environments() {
    let Some((older, _)) = two_pythons() else { return };
    let site = Site::new();
    let prefix = older.path.parent().and_then(Path::parent).unwrap();
    let (copy, lib) = (site.sandbox.path("python"), format!("lib/python{}", older.minor()));
    if prefix.starts_with("/usr") || !prefix.join(&lib).is_dir() {
        return skip("needs a Python in a folder of its own, such as pyenv's");
    }
    fs::create_dir_all(copy.join("bin")).unwrap();
    fs::create_dir_all(copy.join(&lib)).unwrap();
    let python = copy.join("bin").join(format!("python{}", older.minor()));
    fs::copy(&older.path, &python).unwrap();
    for entry in fs::read_dir(prefix.join(&lib)).unwrap() {
        let name = entry.unwrap().file_name();
        if name != "ensurepip" && name != "site-packages" {
            symlink(prefix.join(&lib).join(&name), copy.join(&lib).join(&name)).unwrap();
        }
    }
    site.sandbox.set_variable("PATH", "/usr/bin:/bin");
    site.sandbox.remove_variable("PYENV_ROOT");
    site.sandbox.remove_variable("UV_PYTHON_INSTALL_DIR");
    site.configure(&format!("python_paths = [{:?}]", copy.to_str().unwrap()));
    let project = site.python_project();
    let wanted = format!("python-{older}");
    project.write("runtime.txt", &wanted).push().assert_failed_with("cannot make virtual");
    let finding = assert_finds(&site, "venv-missing");
    let apt = format!("apt install python{}-venv", older.minor());
    assert!(finding["fix"].as_str().unwrap().contains(&apt), "{finding}");
    // As if it were installed.
    let ensurepip = prefix.join(&lib).join("ensurepip");
    symlink(ensurepip, copy.join(&lib).join("ensurepip")).unwrap();
    project.commit("Try again");
    project.push().assert_success();
    assert_well(&site);
}

#[test]
fn the_freeze_cannot_be_read() {
    let site = Site::new();
    let project = site.project();
    fs::write(site.path.join("frozen.json"), "{ half").unwrap();
    let finding = assert_finds(&site, "frozen");
    assert!(
        finding["fact"].as_str().unwrap().contains("frozen.json cannot be parsed"),
        "{finding}"
    );
    // Whether the push may be deployed is unknown, so it is not.
    project
        .write("page", "1")
        .push()
        .assert_says("error: ")
        .assert_says("frozen.json cannot be parsed");
    assert_eq!(site.live_id(), None);
    assert_advice_helps(&site, &finding);
    project.write("page", "2").push().assert_success();

    // A freeze by itself is not a finding.
    site.nyala(&["freeze", "until 10"]).assert_success();
    assert_well(&site);
}

#[test]
fn git_is_missing() {
    let site = Site::new();
    site.sandbox.set_variable("PATH", site.sandbox.path("home"));
    let finding = assert_finds(&site, "git");
    assert!(finding["fact"].as_str().unwrap().contains("git could not be started"), "{finding}");
    assert_eq!(finding["fixable"], false);
    site.sandbox.set_variable("PATH", std::env::var_os("PATH").unwrap());
    assert_well(&site);
}

#[test]
fn the_caller_cannot_write_to_the_site() {
    let site = Site::new();
    // The sandbox is private to its owner, as temporary folders are.
    fs::set_permissions(site.sandbox.path(""), Permissions::from_mode(0o755)).unwrap();
    let doctor = [env!("CARGO_BIN_EXE_nyala"), "doctor", "--json"];
    let asked = if is_root() {
        // Root may write anything, so another user has to ask.
        let mut command = site.sandbox.command("setpriv");
        command
            .env("NYALA_SITE", &site.path)
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .args(doctor);
        Running::start(&mut command).wait()
    } else {
        fs::set_permissions(&site.path, Permissions::from_mode(0o555)).unwrap();
        let asked = site.nyala(&doctor[1..]);
        fs::set_permissions(&site.path, Permissions::from_mode(0o755)).unwrap();
        asked
    };
    if asked.stderr.contains("setpriv") {
        skip("needs a nyala binary that other users can run");
        return;
    }
    let findings: Vec<Value> =
        serde_json::from_str(&asked.stdout).unwrap_or_else(|error| panic!("{error}: {asked:#?}"));
    let finding = findings
        .iter()
        .find(|finding| finding["id"] == "not-writable")
        .unwrap_or_else(|| panic!("{asked:#?}"));
    let owner = rustix::process::geteuid().as_raw();
    assert_eq!(
        finding["fact"],
        format!("you cannot write to {}: it belongs to user {owner}", site.path.display())
    );
    assert_eq!(finding["fix"], format!("run this and push as user {owner}"));
    // Now the owner asks.
    assert_well(&site);
}

#[test]
fn a_dead_worker_and_its_leftovers_are_found_and_fixed() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let gate = site.gate();
    let push = project.custom_script(&gate.shell_of_worker()).push_in_background();
    gate.wait_until_reached();
    // What is being deployed is not a leftover.
    assert_well(&site);
    gate.kill_worker();
    gate.open();
    push.wait();
    wait_until("the worker's log is free", || {
        examine(&site).iter().any(|it| it["id"] == "worker-dead")
    });
    let ids: Vec<String> =
        examine(&site).iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, ["worker-dead", "leftovers"]);
    // As when entering a container: there is no session that could be named.
    let mut in_container = site.sandbox.command("unshare");
    in_container.args([
        "--pid",
        "--fork",
        "--mount-proc",
        env!("CARGO_BIN_EXE_nyala"),
        "doctor",
        "--fix",
    ]);
    in_container.env("NYALA_SITE", &site.path);
    if is_root()
        && Running::start(&mut in_container).wait().assert_success().stdout.contains("fixed: ")
    {
        assert_well(&site);
    } else {
        assert_fixed(&site);
    }
    assert_eq!(site.record(2)["status"], "interrupted");
    assert_eq!(site.numbers("releases"), [1]);

    fs::create_dir_all(site.path.join("envs/77/bin")).unwrap();
    // Whoever has this lock removes it: a worker prunes after its deployment is live.
    let lock = fs::File::open(site.path.join("lock")).unwrap();
    lock.lock().unwrap();
    assert_well(&site);
    drop(lock);
    assert_finds(&site, "leftovers");
    assert_fixed(&site);

    fs::write(site.path.join("deployments/2/deployment.json"), "{ half").unwrap();
    let finding = assert_finds(&site, "record");
    assert_advice_helps(&site, &finding);
}

#[test]
fn there_is_no_free_space() {
    let sandbox = Sandbox::new();
    let disk = sandbox.path("disk");
    fs::create_dir(&disk).unwrap();
    let mount = |arguments: &[&str]| {
        Command::new("mount").args(arguments).arg(&disk).status().is_ok_and(|it| it.success())
    };
    if !is_root() || !mount(&["-t", "tmpfs", "-o", "size=16m", "tmpfs"]) {
        skip("needs root and the right to mount a small file system");
        return;
    }
    let repository = sandbox.bare_repository(&[]);
    let site = Site { path: disk.join("site"), sandbox, repository };
    let installed = site.install();
    let found = examine(&site);
    let many_files = mount(&["-o", "remount,size=1g,nr_inodes=100"]);
    let few_inodes = examine(&site);
    let _ = Command::new("umount").arg("--lazy").arg(&disk).status();
    installed.assert_success();
    assert!(many_files);
    for findings in [found, few_inodes] {
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0]["id"], "space");
        assert!(findings[0]["fact"].as_str().unwrap().contains(site.path.to_str().unwrap()));
    }
}
