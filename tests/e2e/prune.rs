//! A requirement that is removed costs no new env where pip's can be brought back to what a new one
//! would be.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;

use crate::support::{Running, Site, wait_until, wait_until_quiet, write_wheel};

const NAMES: [&str; 9] =
    ["addax", "bongo", "dikdik", "eland", "gerenuk", "impala", "kob", "lechwe", "oribi"];

/// Wheels that need one another at random, plainly, with an extra, by a marker that holds, and by
/// one that does not.
fn write_wheels(folder: &std::path::Path, rng: &mut Rng) {
    fs::create_dir_all(folder).unwrap();
    for (number, name) in NAMES.iter().enumerate() {
        let mut metadata = String::from("Provides-Extra: more\n");
        for other in &NAMES[number + 1..] {
            let extra = if rng.bool() { "[more]" } else { "" };
            match rng.u8(..10) {
                0..=1 => metadata += &format!("Requires-Dist: {other}{extra}\n"),
                2 => metadata += &format!("Requires-Dist: {other}>=1.0\n"),
                3..=4 => metadata += &format!("Requires-Dist: {other}; extra == 'more'\n"),
                5 => metadata += &format!("Requires-Dist: {other}; python_version >= '3'\n"),
                6 => metadata += &format!("Requires-Dist: {other}; python_version < '3'\n"),
                _ => {}
            }
        }
        write_wheel(folder, name, "1.0", &metadata);
    }
}

fn requirements(names: &[(&str, bool)]) -> String {
    let lines =
        names.iter().map(|(name, more)| [*name, if *more { "[more]" } else { "" }].concat());
    lines.collect::<Vec<_>>().join("\n")
}

/// Everything that is installed, with its version.
fn installed(site: &Site) -> BTreeSet<String> {
    let found = site.env_python(
        "import importlib.metadata\n\
         for it in importlib.metadata.distributions():\n    print(it.metadata['Name'], it.version)",
    );
    found.lines().map(str::to_owned).collect()
}

/// The names under site-packages, without what Python itself leaves there.
fn top_level(site: &Site) -> BTreeSet<String> {
    let found = site.env_python(
        "import os, sysconfig; print(*os.listdir(sysconfig.get_path('purelib')), sep='\\n')",
    );
    found.lines().filter(|name| *name != "__pycache__").map(str::to_owned).collect()
}

#[test]
fn a_pruned_env_has_what_a_new_one_has() {
    let mut uninstalled = 0;
    for seed in 1..=2 {
        let mut rng = Rng::with_seed(seed);
        let site = Site::new();
        let wheels = site.sandbox.path("wheels");
        write_wheels(&wheels, &mut rng);
        site.sandbox.set_variable("PIP_FIND_LINKS", &wheels);
        let project = site.project();
        let mut all: Vec<_> = NAMES.iter().map(|name| (*name, rng.bool())).collect();
        rng.shuffle(&mut all);
        all.truncate(4);
        project.write("requirements.txt", requirements(&all)).push().assert_success();
        while all.len() > 1 {
            if rng.bool() {
                all.pop();
            } else {
                all[0].1 = false;
                all.pop();
            }
            let before = installed(&site);
            project.write("requirements.txt", requirements(&all)).push().assert_success();
            assert_eq!(site.live()["env"]["decision"], "update", "seed {seed}");
            let (pruned, names) = (installed(&site), top_level(&site));
            uninstalled += before.difference(&pruned).count();
            project.write("page", all.len().to_string());
            project.push_with(&["-o", "rebuild-env"]).assert_success();
            assert_eq!(pruned, installed(&site), "seed {seed}: {all:?}");
            assert_eq!(names, top_level(&site), "seed {seed}: {all:?}");
        }
    }
    assert!(uninstalled > 2, "{uninstalled}");
}

#[test]
fn an_env_that_a_person_installed_into_is_made_anew() {
    let site = Site::new();
    let project = site.python_project();
    project.write("requirements.txt", "antelope==1.0\nacacia\n").push().assert_success();
    let mut pip = site.sandbox.command(site.env().join("bin/python"));
    let pip = pip.args(["-m", "pip", "install", "oryx==2.0"]);
    Running::start(pip).wait().assert_success();
    let push = project.write("requirements.txt", "acacia\n").push();
    push.assert_success().assert_says("Deleting incompatible virtual environment.");
    assert_eq!((site.package("antelope"), site.package("oryx")), (None, None));
}

#[test]
fn what_a_removed_requirement_had_a_say_in_is_chosen_again() {
    let site = Site::new();
    let project = site.project();
    let wheels = site.sandbox.path("wheels");
    fs::create_dir_all(&wheels).unwrap();
    for version in ["1.0", "2.0"] {
        write_wheel(&wheels, "kob", version, "");
    }
    write_wheel(&wheels, "addax", "1.0", "Requires-Dist: kob<2\n");
    write_wheel(&wheels, "bongo", "1.0", "Requires-Dist: kob\n");
    site.sandbox.set_variable("PIP_FIND_LINKS", &wheels);
    project.write("requirements.txt", "addax\nbongo\n").push().assert_success();
    assert_eq!(site.package("kob").as_deref(), Some("1.0"));
    let push = project.write("requirements.txt", "bongo\n").push();
    push.assert_success().assert_says("addax had a say in the version of kob");
    assert_eq!(site.live()["env"]["decision"], "create");
    assert_eq!(site.package("kob").as_deref(), Some("2.0"));
}

#[test]
fn a_requirement_is_added_where_another_is_removed() {
    let site = Site::new();
    let project = site.python_project();
    project.write("requirements.txt", "antelope==1.0\n").push().assert_success();
    project
        .write("requirements.txt", "acacia\n")
        .push()
        .assert_success()
        .assert_says("copy env 1, install into the copy, uninstall what is not required")
        .assert_says("Pip install requirements.");
    assert_eq!(site.package("antelope"), None);
    assert_eq!(site.package("acacia").as_deref(), Some("1.0"));
    // pip would install all of it anew.
    site.set("PIP_UPGRADE", "1");
    project.write("requirements.txt", "acacia\nantelope==1.0\n").push().assert_success();
    project
        .write("requirements.txt", "acacia\n")
        .push()
        .assert_success()
        .assert_says("Pip install requirements.");
    assert_eq!(site.package("antelope"), None);
}

#[test]
fn a_release_whose_record_somebody_has_deleted_is_saved_as_a_whole() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    fs::write(site.path.join("wwwroot/upload.jpg"), "upload").unwrap();
    project.write("page", "2").push().assert_success();
    wait_until_quiet(&site.path);
    fs::remove_dir_all(site.path.join("deployments/1")).unwrap();
    let push = project.write("page", "3").push();
    push.assert_success()
        .assert_says("release 1 is removed, and its record in deployments is gone");
    assert_eq!(fs::read_to_string(site.path.join("kept/1/upload.jpg")).unwrap(), "upload");
    assert_eq!(site.numbers("releases"), [2, 3]);
}

#[test]
fn what_was_written_after_the_clock_was_set_back_is_saved() {
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    project.write("page", "1").push().assert_success();
    wait_until_quiet(&site.path);
    fs::write(site.path.join("wwwroot/upload.jpg"), "upload").unwrap();
    // As if the clock had been wrong then, and was not set right before the upload.
    let file = site.path.join("deployments/1/deployment.json");
    let mut record = site.record(1);
    let tomorrow = Timestamp::now() + Duration::from_hours(24);
    record["activated_at"] = tomorrow.to_string().into();
    fs::write(file, record.to_string()).unwrap();
    project.write("page", "2").push().assert_success();
    wait_until("the old release is gone", || site.numbers("releases") == [2]);
    assert_eq!(fs::read_to_string(site.path.join("kept/1/upload.jpg")).unwrap(), "upload");
    assert!(!site.path.join("kept/1/page").exists());
}
