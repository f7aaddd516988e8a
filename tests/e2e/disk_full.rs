//! A site whose disk is full: the live release is unchanged, and the next push deploys.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Sandbox, Site, is_root, seeds, skip};

/// A small file system, which is unmounted when the test ends.
pub(crate) struct SmallDisk(pub PathBuf);

impl SmallDisk {
    /// `None` if nothing can be mounted; the test is then reported as skipped.
    pub(crate) fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mounted = is_root()
            && Command::new("mount")
                .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
                .arg(at)
                .status()
                .is_ok_and(|status| status.success());
        if !mounted {
            skip("needs root and the right to mount a small file system");
            return None;
        }
        Some(Self(at.to_owned()))
    }

    /// Changes its size, the number of its inodes, or whether it can be written.
    pub(crate) fn remount(&self, options: &str) {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,{options}")]).arg(&self.0);
        assert!(command.status().unwrap().success(), "{command:?}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A site on a small disk, its repository elsewhere.
pub(crate) fn site_on(limit: &str) -> Option<(SmallDisk, Site)> {
    let sandbox = Sandbox::new();
    let disk = SmallDisk::mount(&sandbox.path("disk"), limit)?;
    let repository = sandbox.bare_repository(&[]);
    seeds::lend(&sandbox);
    let site = Site { path: sandbox.path("disk/site"), sandbox, repository };
    site.install().assert_success();
    Some((disk, site))
}

#[test]
fn a_tree_that_does_not_fit_fails_and_the_next_push_deploys() {
    let Some((_disk, site)) = site_on("16m") else {
        return;
    };
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let before = site.live_state();
    project.write("big", vec![7; 24 << 20]);
    project.push().assert_failed_with("space");
    assert_eq!(site.live_state(), before);

    project.remove("big").write("page", "2").push().assert_success();
    assert_eq!(site.live_file("page"), "2");
}

#[test]
fn an_env_that_does_not_fit_fails_and_leaves_the_site_up() {
    let Some((_disk, site)) = site_on("4m") else {
        return;
    };
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let before = site.live_state();
    project.write("requirements.txt", "antelope==1.0\n");
    let push = project.push();
    assert!(push.accepted, "{}", push.stderr);
    push.assert_says("error: ").assert_says("space");
    assert_eq!(site.live_state(), before);

    project.remove("requirements.txt").write("page", "2").push().assert_success();
}

#[test]
fn a_disk_without_room_for_a_record_fails_and_the_next_push_deploys() {
    let Some((disk, site)) = site_on("8m") else {
        return;
    };
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let before = site.live_state();
    let filler = disk.0.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}

    let push = project.write("page", "2").push();
    assert!(push.accepted, "{}", push.stderr);
    push.assert_says("error: ").assert_says("space");
    assert_eq!(site.live_state(), before);

    drop(file);
    fs::remove_file(&filler).unwrap();
    project.write("page", "3").push().assert_success();
    assert_eq!(site.live_file("page"), "3");
    let list = site.nyala(&["list", "--json"]).json();
    assert!(list.as_array().unwrap().len() >= 2);
}
