//! What cannot be removed or written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use super::{assert_advice_helps, assert_finds, assert_fixed, assert_well, examine};
use crate::support::{Mounts, Site, skip, wait_until, wait_until_quiet};

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

/// A folder in which nobody can change a name until this is dropped.
struct Alone(PathBuf);

impl Alone {
    fn new(folder: &Path) -> Option<Self> {
        if ran("chattr", &["-f", "+i"], folder) {
            return Some(Self(folder.to_owned()));
        }
        skip("needs chattr, as root");
        None
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        ran("chattr", &["-f", "-i"], &self.0);
    }
}

fn chattr(change: &str, path: &Path) -> bool {
    ran("chattr", &["-R", "-f", change], path)
}

fn ran(program: &str, arguments: &[&str], path: &Path) -> bool {
    let ran = Command::new(program).args(arguments).arg(path).output();
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
fn a_protected_folder_of_the_site_is_named_by_the_deployment_and_by_doctor() {
    for folder in ["releases", "."] {
        let site = Site::new();
        site.project().write("page", "1").push().assert_success();
        wait_until_quiet(&site.path);
        let folder = site.path.join(folder).canonicalize().unwrap();
        let Some(protected) = Alone::new(&folder) else { return };
        let deployed = site.nyala(&["redeploy"]);
        let findings = examine(&site);
        drop(protected);
        let told = format!("{}{}", deployed.stdout, deployed.stderr);
        assert!(told.contains(&format!("chattr has protected {}", folder.display())), "{told}");
        let finding = findings.iter().find(|it| it["id"] == "not-writable").unwrap();
        let fact = format!("nobody can change {}", folder.display());
        assert!(finding["fact"].as_str().unwrap().contains(&fact), "{finding}");
        assert_eq!(finding["fix"], format!("chattr -i -a {}", folder.display()));
        site.nyala(&["redeploy"]).assert_success();
        wait_until_quiet(&site.path);
        assert_well(&site);
    }
}

#[test]
fn what_a_process_still_uses_of_a_failed_deployment_is_no_leftover() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    // In a session of its own by the time that it writes its number.
    project.custom_script(
        "setsid sh -c 'echo $$ > pid; exec sleep 1000' > /dev/null 2>&1 &\n\
         until [ -s pid ]; do sleep 0.01; done; exit 1",
    );
    project.push().assert_failed_with("");
    let pid = fs::read_to_string(site.path.join("releases/2/pid")).unwrap();
    assert_well(&site);
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    wait_until("it has ended", || !examine(&site).is_empty());
    assert_finds(&site, "leftovers");
    assert_fixed(&site);
    assert_eq!(site.numbers("releases"), [1]);
}

#[test]
fn a_release_of_which_a_part_is_mounted_elsewhere_is_named() {
    if !Mounts::own() {
        return;
    }
    let site = Site::new();
    let project = site.project();
    project.write("static/style.css", "").push().assert_success();
    let shown = site.sandbox.path("shown");
    fs::create_dir(&shown).unwrap();
    Mounts::bind(&site.path.join("releases/1/static"), &shown);
    let finding = assert_finds(&site, "mounted");
    assert!(finding["fact"].as_str().unwrap().contains(shown.to_str().unwrap()), "{finding}");
    assert_advice_helps(&site, &finding);
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
