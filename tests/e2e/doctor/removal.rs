//! What cannot be removed or written.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{assert_advice_helps, assert_finds};
use crate::support::{Mounts, Site, skip, wait_until};

/// The releases of a site, one of which has a file that nobody can remove until this is dropped.
struct Protected(PathBuf);

impl Protected {
    fn new(site: &Site, file: &str) -> Option<Self> {
        let releases = site.path.join("releases");
        if chattr("+i", &releases.join(file)) {
            return Some(Self(releases));
        }
        skip("needs chattr, as root");
        None
    }
}

impl Drop for Protected {
    fn drop(&mut self) {
        chattr("-i", &self.0);
    }
}

fn chattr(change: &str, path: &Path) -> bool {
    let ran = Command::new("chattr").args(["-R", "-f", change]).arg(path).output();
    ran.is_ok_and(|ran| ran.status.success())
}

#[test]
fn a_protected_file_in_an_old_release_is_named() {
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    project.write("pages/one", "1").write("other", "").push().assert_success();
    let Some(_protected) = Protected::new(&site, "1/pages/one") else { return };
    project.write("pages/two", "2").push().assert_success();
    let trash = site.path.join("releases/.trash-1");
    let file = trash.join("pages/one");
    wait_until("the rest of release 1 is gone", || file.exists() && !trash.join("other").exists());
    let finding = assert_finds(&site, "not-removable");
    assert!(finding["fact"].as_str().unwrap().contains(file.to_str().unwrap()), "{finding}");
    assert_advice_helps(&site, &finding);
    assert!(!trash.exists());
}

#[test]
fn a_read_only_file_system_is_named() {
    if !Mounts::own() {
        return;
    }
    let site = Site::new();
    Mounts::bind(&site.path, &site.path);
    let mut mount = Command::new("mount");
    assert!(mount.args(["-o", "remount,bind,ro"]).arg(&site.path).status().unwrap().success());
    let finding = assert_finds(&site, "not-writable");
    let fact = format!("nobody can write to {}: the file system at", site.path.display());
    assert!(finding["fact"].as_str().unwrap().starts_with(&fact), "{finding}");
    assert_advice_helps(&site, &finding);
    Mounts::unmount(&site.path);
}
