//! What is live is damaged: its env, or `wwwroot`.

use std::fs;
use std::os::unix::fs::symlink;

use super::{assert_advice_helps, assert_finds, assert_well, examine};
use crate::support::Site;

#[test]
fn the_interpreter_of_the_live_env_is_missing() {
    let site = Site::new();
    site.python_project().push().assert_success();
    let python = site.env().join("bin/python");
    let target = fs::read_link(&python).unwrap();
    fs::remove_file(&python).unwrap();
    symlink("/nowhere/python3", &python).unwrap();
    let finding = assert_finds(&site, "interpreter-gone");
    assert!(finding["fact"].as_str().unwrap().contains("env 1"), "{finding}");
    fs::remove_file(&python).unwrap();
    symlink(target, &python).unwrap();
    assert_well(&site);

    fs::remove_file(site.path.join("wwwroot/env")).unwrap();
    let finding = assert_finds(&site, "env-unlinked");
    // The advice makes a new env.
    assert_eq!(finding["fix"], "nyala redeploy");
    site.nyala(&["redeploy"]).assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
}

#[test]
fn the_live_env_is_damaged() {
    let site = Site::new();
    site.configure("keep = 1");
    site.python_project().push().assert_success();
    let env = site.env();
    for (file, fact) in [
        ("nyala.json", "it was never finished, or its contents were deleted"),
        ("pyvenv.cfg", "its pyvenv.cfg is gone"),
    ] {
        fs::rename(env.join(file), site.path.join("cache/away")).unwrap();
        let finding = assert_finds(&site, "env-damaged");
        assert!(
            finding["fact"].as_str().unwrap().starts_with(&format!("env 1 is damaged: {fact}")),
            "{finding}"
        );
        fs::rename(site.path.join("cache/away"), env.join(file)).unwrap();
        assert_well(&site);
    }
    let packages = site.env_python(
        "import antelope, os; print(os.path.dirname(os.path.dirname(antelope.__file__)))",
    );
    for entry in fs::read_dir(packages).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.file_name().unwrap().to_string_lossy().starts_with("antelope") {
            fs::remove_dir_all(entry).unwrap();
        }
    }
    let finding = assert_finds(&site, "env-damaged");
    assert!(finding["fact"].as_str().unwrap().contains("antelope"), "{finding}");
    assert_advice_helps(&site, &finding);
    assert_eq!((site.env_id(), site.package("antelope").as_deref()), (2, Some("1.0")));
}

#[test]
fn releases_is_a_link_to_another_place() {
    let site = Site::new();
    site.configure("shared = ['media/']");
    let project = site.python_project();
    project.push().assert_success();
    let (releases, elsewhere) = (site.path.join("releases"), site.sandbox.path("deep/er/releases"));
    fs::create_dir_all(elsewhere.parent().unwrap()).unwrap();
    fs::rename(&releases, &elsewhere).unwrap();
    symlink(&elsewhere, &releases).unwrap();
    let finding = assert_finds(&site, "broken-link");
    assert_advice_helps(&site, &finding);
    let rollback = site.nyala(&["rollback", "1"]);
    assert!(rollback.assert_success().stdout.contains("does not lead to"), "{rollback:?}");
    fs::write(site.path.join("shared/media/page"), "shared").unwrap();
    assert_eq!(site.live_file("media/page"), "shared");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
    assert_eq!(site.env_id(), 1);
    project.write("page", "2").push().assert_success();
    assert_eq!(site.live_file("media/page"), "shared");
}

#[test]
fn wwwroot_is_dangling_or_is_not_a_link() {
    let site = Site::new();
    site.project().write("page", "1").push().assert_success();
    fs::remove_dir_all(site.path.join("releases/1")).unwrap();
    let finding = assert_finds(&site, "wwwroot-dangling");
    assert_advice_helps(&site, &finding);
    assert_eq!(site.live_file("page"), "1");

    let wwwroot = site.path.join("wwwroot");
    fs::remove_file(&wwwroot).unwrap();
    fs::create_dir(&wwwroot).unwrap();
    let findings = examine(&site);
    assert!(findings.iter().any(|it| it["id"] == "wwwroot"), "{findings:#?}");
}
