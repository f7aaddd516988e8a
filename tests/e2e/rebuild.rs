//! The ways to force a new environment: the three in Azure's guide, and two more.

use std::fs;

use crate::locks::fast_site;
use crate::support::{FtpServer, Site, two_pythons, uv};

/// What is deleted in the live release over FTP, between two pushes, gives a new env.
#[track_caller]
fn assert_recreated_after(delete: impl FnOnce(&FtpServer, &Site)) {
    let site = Site::new();
    let Some(ftp) = FtpServer::start(&site) else {
        return;
    };
    let project = site.python_project();
    project.push().assert_success();
    delete(&ftp, &site);

    project.write("app.py", "").push().assert_success();
    assert_eq!(site.env_id(), 2);
    assert_eq!(site.live()["env"]["decision"], "create");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
}

#[test]
fn deleting_the_env_link_over_ftp_gives_a_new_env() {
    assert_recreated_after(|ftp, site| {
        ftp.delete("wwwroot/env");
        assert!(fs::symlink_metadata(site.path.join("wwwroot/env")).is_err());
    });
}

#[test]
fn deleting_the_contents_of_the_env_over_ftp_gives_a_new_env() {
    assert_recreated_after(|ftp, site| {
        ftp.delete_contents("wwwroot/env");
        assert_eq!(fs::read_dir(site.path.join("envs/1")).unwrap().count(), 0);
    });
}

#[test]
fn deleting_contents_and_link_over_ftp_gives_a_new_env() {
    assert_recreated_after(|ftp, _| {
        ftp.delete_contents("wwwroot/env");
        ftp.delete("wwwroot/env");
    });
}

#[test]
fn a_half_deleted_env_is_recreated() {
    assert_recreated_after(|ftp, _| ftp.delete_contents("wwwroot/env/lib"));
}

#[test]
fn toggling_the_runtime_gives_a_new_env_although_pip_failed_in_between() {
    let Some((older, newer)) = two_pythons() else {
        return;
    };
    let site = Site::new();
    let project = site.python_project();
    project.write("runtime.txt", newer.runtime()).push().assert_success();
    fs::write(site.env().join("left-over"), "by hand").unwrap();
    let before = site.live_state();

    project.write("runtime.txt", older.runtime());
    project.write("requirements.txt", "antelope==1.0\nmirage\n");
    project.push().assert_failed_with("there-is-no-such-package");
    assert_eq!(site.live_state(), before);

    project.write("runtime.txt", newer.runtime());
    project.write("requirements.txt", "antelope==1.0\n");
    project.push().assert_success();
    assert_eq!(site.live()["env"]["decision"], "create");
    assert_eq!(site.env_id(), 3);
    assert!(!site.env().join("left-over").exists());
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
}

/// Nothing was written into it, and what it was made of may come back.
#[test]
fn an_env_that_another_commit_wants_outlives_a_deployment_that_fails() {
    let site = fast_site();
    let project = site.project();
    let good = "antelope==1.0\nacacia==1.0\n";
    project.write("requirements.txt", good).push().assert_success();
    for wrong in ["antelope==1.0\nacacia=1.0=py39\n", "antelope==1.0\n./nothing\n", "mirage\n"] {
        project.write("requirements.txt", wrong);
        project.push().assert_failed_with("error: ");
        project.write("requirements.txt", good).push().assert_success();
        assert_eq!(site.env_id(), 1, "{wrong}");
    }
    // One that went live takes its place for good; pip would copy it, and it stays as it is.
    if uv().is_none() {
        return;
    }
    project.write("requirements.txt", "antelope==1.0\n").push().assert_success();
    let made = site.env_id();
    site.nyala(&["rollback"]).assert_success();
    project.write("requirements.txt", good).push().assert_success();
    assert!(site.env_id() > made);
    assert_eq!(site.package("acacia").as_deref(), Some("1.0"));
}

#[test]
fn toggling_the_runtime_twice_gives_a_new_env() {
    let Some((older, newer)) = two_pythons() else {
        return;
    };
    let site = Site::new();
    let project = site.python_project();
    for (number, python) in [(1, newer), (2, older), (3, newer)] {
        project.write("runtime.txt", python.runtime()).push().assert_success();
        assert_eq!(site.env_id(), number);
        let version = site.env_python("import sys; print('%d.%d' % sys.version_info[:2])");
        assert_eq!(version, python.minor());
    }
}

#[test]
fn a_custom_script_may_delete_and_recreate_the_env() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project
        .custom_script("ls env/bin/python\nrm -rf env\nnyala step env\nnyala step install")
        .push()
        .assert_success();
    assert_eq!(site.env_id(), 2);
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
}

#[test]
fn the_push_option_rebuild_env_gives_a_new_env() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project.write("app.py", "");
    project
        .push_with(&["-o", "rebuild-env"])
        .assert_success()
        .assert_says("Deleting incompatible virtual environment.");
    assert_eq!(site.env_id(), 2);
    project.write("app.py", "again").push().assert_success();
    assert_eq!(site.env_id(), 2);
}

#[test]
fn env_delete_gives_a_new_env_with_the_next_push_and_leaves_the_site_up() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    site.nyala(&["env", "delete"]).assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));

    project.write("app.py", "").push().assert_success();
    assert_eq!(site.env_id(), 2);
    project.write("app.py", "again").push().assert_success();
    assert_eq!(site.env_id(), 2);
}

#[test]
fn rebuild_env_with_a_pip_that_fails_still_counts_for_the_next_push() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project.write("requirements.txt", "antelope==1.0\nmirage\n");
    project.push_with(&["-o", "rebuild-env"]).assert_failed_with("there-is-no-such-package");
    project.write("requirements.txt", "antelope==1.0\n").push().assert_success();
    assert_eq!(site.env_id(), 3);
}
