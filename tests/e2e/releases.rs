//! Activation and what is kept.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::{Site, wait_until};

#[test]
fn wwwroot_is_a_relative_link_to_the_release() {
    let site = Site::new();
    site.python_project().push().assert_success();
    let target = fs::read_link(site.path.join("wwwroot")).unwrap();
    assert_eq!(target, Path::new("releases/1"));
    let env = fs::read_link(site.path.join("releases/1/env")).unwrap();
    assert_eq!(env, Path::new("../../envs/1"));
}

#[test]
fn the_last_three_good_releases_are_kept() {
    let site = Site::new();
    let project = site.project();
    for page in 1..=5 {
        project.write("page", page.to_string()).push().assert_success();
    }
    wait_until("old releases are gone", || site.numbers("releases") == [3, 4, 5]);
    assert_eq!(site.numbers("deployments"), [1, 2, 3, 4, 5]);
}

#[test]
fn keep_says_how_many_releases_are_kept() {
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    for page in 1..=3 {
        project.write("page", page.to_string()).push().assert_success();
    }
    wait_until("old releases are gone", || site.numbers("releases") == [3]);
}

#[test]
fn failed_releases_do_not_push_out_good_ones() {
    let site = Site::new();
    let project = site.project();
    for page in 1..=3 {
        project.write("page", page.to_string()).push().assert_success();
    }
    project.custom_script("exit 1");
    for page in 4..=8 {
        project.write("page", page.to_string()).push().assert_failed_with("exit");
    }
    let kept = site.numbers("releases");
    for good in [1, 2, 3] {
        assert!(kept.contains(&good), "{kept:?}");
    }
    assert_eq!(site.live_file("page"), "3");
}

#[test]
fn the_envs_of_kept_releases_are_kept_and_others_go() {
    let site = Site::new();
    site.configure("keep = 2");
    let project = site.python_project();
    project.push().assert_success();
    for version in ["1.1", "2.0"] {
        project.write("requirements.txt", format!("antelope=={version}\n"));
        project.push().assert_success();
    }
    wait_until("the env of release 1 is gone", || site.numbers("envs") == [2, 3]);
    project.write("app.py", "").push().assert_success();
    wait_until("the env of release 2 is gone", || site.numbers("envs") == [3]);
    assert_eq!(site.package("antelope").as_deref(), Some("2.0"));
}

#[test]
fn nothing_is_left_over_after_a_failure() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project.write("requirements.txt", "mirage\n");
    project.push().assert_failed_with("there-is-no-such-package");
    project.write("requirements.txt", "antelope==1.0\n");
    project.push().assert_success();
    // What failed was to change a copy, so the first env is as good as it was.
    wait_until("only what is needed is left", || site.numbers("envs") == [1]);
    assert_eq!(site.numbers("releases"), [1, 3]);
    for entry in fs::read_dir(&site.path).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(Site::ENTRIES.iter().any(|it| name == *it), "{name:?} is left over");
    }
}

#[test]
fn what_others_left_in_the_site_is_not_deleted() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    fs::write(site.path.join("releases/notes.txt"), "by hand").unwrap();
    for page in 2..=5 {
        project.write("page", page.to_string()).push().assert_success();
    }
    assert!(site.path.join("releases/notes.txt").exists());
}

#[test]
fn no_link_is_followed_when_an_old_release_is_deleted() {
    let site = Site::new();
    site.configure("keep = 1");
    let precious = site.sandbox.path("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "precious").unwrap();
    let project = site.project();
    project.link("link", precious.to_str().unwrap()).push().assert_success();
    project.remove("link").write("page", "2").push().assert_success();
    wait_until("release 1 is gone", || site.numbers("releases") == [2]);
    assert_eq!(fs::read_to_string(precious.join("file")).unwrap(), "precious");
}

#[test]
fn a_link_that_somebody_has_made_by_hand_says_what_is_live() {
    let site = Site::new();
    let project = site.project();
    for page in ["1", "2"] {
        project.write("page", page).push().assert_success();
    }
    let wwwroot = site.path.join("wwwroot");
    let link = |target: &Path| {
        fs::remove_file(&wwwroot).unwrap();
        symlink(target, &wwwroot).unwrap();
    };
    for target in [site.path.join("releases/1"), "releases/1/".into(), "./releases/1".into()] {
        link(&target);
        let status = site.nyala(&["status"]);
        assert!(status.assert_success().stdout.contains("Live:   1 "), "{status:?}");
    }
    project.write("page", "3").push().assert_success();
    assert_eq!(fs::read_link(&wwwroot).unwrap(), Path::new("releases/3"));
    for target in ["/etc", "shared/1", "releases", "releases/../1"] {
        link(Path::new(target));
        site.nyala(&["status"]).assert_failed(1, "does not point to a release of this site");
    }
}
