//! The life of a project with a lock of each kind.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{FIRST, assert_has, fast_site, hash, lock, write};
use crate::support::{Project, Sandbox, Site, traced_push, two_pythons, uv};

/// The life of a project with a lock of one kind.
fn lives(site: &Site, kind: &str) {
    let project = site.project();
    let push = write(&project, kind, &FIRST).push();
    assert_has(site, &[("antelope", "1.0"), ("grass", "1.0")], &push);
    push.assert_says(&format!("Detected {kind}."));
    push.assert_says(&format!("Not installed from {kind}: group dev"));

    project.write("page", "1");
    starts_no_python(site, &project, kind);
    assert_eq!(site.live()["env"]["decision"], "reuse");

    let [_, rest @ ..] = FIRST;
    let newer = [&[("antelope", "1.1", None), ("oryx", "2.0", None)], rest.as_slice()].concat();
    let push = write(&project, kind, &newer).push();
    push.assert_says("antelope 1.0 -> 1.1");
    push.assert_says(&format!("oryx 2.0 was added ({kind})"));
    assert_eq!(site.live()["env"]["decision"], "update");
    assert_has(site, &[("antelope", "1.1"), ("grass", "1.0"), ("oryx", "2.0")], &push);

    let push = write(&project, kind, &FIRST).push();
    push.assert_says("oryx 2.0 is gone: nothing asks for it");
    assert_has(site, &[("antelope", "1.0"), ("grass", "1.0")], &push);

    // The hash of another file.
    let live = site.live_id();
    let (right, wrong) = (hash("antelope", "1.0"), hash("antelope", "1.1"));
    let strip = |hash: &str| hash.trim_start_matches("sha256:").to_owned();
    let text = lock(kind, &FIRST).replace(&strip(&right), &strip(&wrong));
    let push = project.write(kind, text).push();
    push.assert_failed_with("the requirements could not be installed");
    assert_eq!(site.live_id(), live);

    site.configure("dependencies = { groups = [\"dev\"] }");
    let push = write(&project, kind, &FIRST).push();
    let all = [("antelope", "1.0"), ("grass", "1.0"), ("acacia", "1.0")];
    assert_has(site, &all, &push);

    let Some((older, newer)) = two_pythons() else { return };
    for python in [older, newer] {
        let push = project.write("runtime.txt", python.runtime()).push();
        assert_has(site, &all, &push);
        assert_eq!(python_of(site), python.minor());
    }
    site.nyala(&["rollback"]).assert_success();
    assert_eq!(python_of(site), older.minor());
    assert_eq!(site.package("acacia").as_deref(), Some("1.0"));
}

/// Pushes a lock that has not changed.
fn starts_no_python(site: &Site, project: &Project<'_>, kind: &str) {
    let Some(calls) = traced_push(site, project, "execve") else {
        project.write("page", "2").push().assert_success();
        return;
    };
    for call in calls {
        let program = call.quoted().first().copied().unwrap_or_default().to_owned();
        let name = program.rsplit('/').next().unwrap_or_default();
        let is_of_python = ["python", "pip", "uv"].iter().any(|known| name.starts_with(known));
        assert!(!is_of_python, "{kind}: {program} was started");
    }
}

fn python_of(site: &Site) -> String {
    site.env_python("import sys; print('%d.%d' % sys.version_info[:2])")
}

#[test]
fn a_uv_lock_is_installed() {
    lives(&Site::new(), "uv.lock");
    lives(&fast_site(), "uv.lock");
}

#[test]
fn what_uv_has_in_its_cache_is_installed_without_an_index() {
    let Some(uv) = uv() else { return };
    let sandbox = Sandbox::new();
    let calls = sandbox.path("calls");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> '{}'\nexec '{}' \"$@\"\n",
        calls.display(),
        uv.display()
    );
    let logging = sandbox.path("logging-uv");
    fs::write(&logging, script).unwrap();
    fs::set_permissions(&logging, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.put_uv_on_path(&logging);
    let site = Site::in_sandbox(sandbox, "site", &["--installer", "uv"]);
    let installs = || -> Vec<bool> {
        let calls = fs::read_to_string(&calls).unwrap();
        let installs = calls.lines().filter(|call| call.starts_with("pip install"));
        installs.map(|call| call.contains("--offline")).collect()
    };
    let project = site.project();
    let push = write(&project, "uv.lock", &FIRST).push();
    assert_has(&site, &[("antelope", "1.0"), ("grass", "1.0")], &push);
    assert_eq!(installs(), [true]);

    // What is not to be had without an index is asked for there, and only that failure is told.
    let text = lock("uv.lock", &FIRST).replace("version = \"1.0\"", "version = \"1.7\"");
    let push = project.write("uv.lock", text).push();
    push.assert_failed_with("the requirements could not be installed");
    push.assert_does_not_say("network");
    assert_eq!(installs(), [true, true, false]);
}

#[test]
fn a_poetry_lock_is_installed() {
    lives(&fast_site(), "poetry.lock");
}

#[test]
fn a_pdm_lock_is_installed() {
    lives(&fast_site(), "pdm.lock");
}

#[test]
fn a_pipfile_lock_is_installed() {
    lives(&fast_site(), "Pipfile.lock");
}

#[test]
fn a_pylock_is_installed() {
    lives(&fast_site(), "pylock.toml");
}
