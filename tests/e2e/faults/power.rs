//! What is on the disk when: the order of system calls, as seen by strace.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Call, Project, Site, traced_nyala, traced_push, wait_until_quiet};

/// The system calls that change or flush the disk.
const CALLS: &str = "open,openat,creat,mkdir,mkdirat,symlink,symlinkat,rename,renameat,renameat2,\
                     fsync,fdatasync,syncfs";

fn traced(site: &Site, project: &Project<'_>) -> Option<Vec<Call>> {
    let calls = traced_push(site, project, CALLS)?;
    wait_until_quiet(&site.path);
    Some(calls)
}

fn is_flush(call: &Call) -> bool {
    let flushes = ["fsync", "fdatasync", "syncfs", "sync_file_range", "sync", "msync"];
    flushes.contains(&call.name.as_str())
}

fn is_rename(call: &Call) -> bool {
    call.name.starts_with("rename")
}

/// Whatever is made below this folder is made before the first flush of the file system that comes
/// before `end`.
fn assert_flushed(calls: &[Call], folder: &Path, end: usize) {
    let flush = calls[..end]
        .iter()
        .rposition(|call| call.name == "syncfs")
        .expect("the file system is flushed");
    let folder = format!("{}/", folder.display());
    let made = |call: &Call| {
        let writes = !call.name.starts_with("open")
            || call.text.contains("O_CREAT")
            || call.text.contains("O_WRONLY");
        // Paths relative to an open folder: strace says `5</the/folder>, "name"`.
        writes && !is_flush(call) && call.text.replace(['<', '>', '"'], " ").contains(&folder)
    };
    let first = calls.iter().position(made);
    let last = calls[..end].iter().rposition(made);
    assert!(first.is_some(), "nothing was written in {folder}");
    assert!(last < Some(flush), "{:?} is not flushed", last.map(|at| &calls[at]));
}

#[test]
fn a_release_is_on_the_disk_before_wwwroot_points_to_it() {
    let site = Site::new();
    let project = site.python_project();
    project.write("static/site.css", "body {}");
    let Some(calls) = traced(&site, &project) else { return };
    let switch = switch(&site, &calls);
    assert_flushed(&calls, &site.path.join("releases/1"), switch);
    assert_flushed(&calls, &site.path.join("envs/1"), switch);
    let end = calls.iter().rposition(is_record).expect("a record is written");
    assert_switch_flushed(&site, &calls[switch..end]);
}

/// `wwwroot` itself is flushed by one of these.
fn assert_switch_flushed(site: &Site, calls: &[Call]) {
    let root = format!("<{}>", site.path.display());
    let flushes =
        |call: &Call| call.name == "syncfs" || (call.name == "fsync" && call.text.contains(&root));
    assert!(calls.iter().any(flushes), "the link is not flushed after it was renamed");
}

/// What an action does cannot be taken back.
#[test]
fn the_switch_is_on_the_disk_before_an_action_runs() {
    let site = Site::new();
    let action = site.path.join("actions/purge");
    fs::create_dir_all(action.parent().unwrap()).unwrap();
    fs::write(&action, "#!/bin/sh\ntrue\n").unwrap();
    fs::set_permissions(&action, Permissions::from_mode(0o755)).unwrap();
    let project = site.project();
    project.write("page", "1");
    let Some(calls) = traced_push(&site, &project, &format!("{CALLS},execve")) else { return };
    wait_until_quiet(&site.path);
    let action = action.to_str().unwrap();
    let is_action = |call: &Call| call.name == "execve" && call.text.contains(action);
    let runs = calls.iter().position(is_action).expect("the action runs");
    assert_switch_flushed(&site, &calls[switch(&site, &calls)..runs]);
}

/// In a strict site, the branch is where what is live is, also after a loss of power.
#[test]
fn the_switch_is_on_the_disk_before_a_branch_moves_with_it() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    site.configure("strict = true");
    site.nyala(&["install", site.repository.to_str().unwrap()]).assert_success();
    wait_until_quiet(&site.path);
    project.write("page", "2");
    let Some(calls) = traced(&site, &project) else { return };
    let branch = site.repository.join("refs/heads/main");
    let is_move = |call: &Call| {
        // git names it from where it runs.
        is_rename(call) && call.quoted().last().is_some_and(|path| branch.ends_with(path))
    };
    let moved = calls.iter().position(is_move).expect("the branch moves");
    assert_switch_flushed(&site, &calls[switch(&site, &calls)..moved]);
}

/// With `keep = 1`, what was live until now is removed.
#[test]
fn the_switch_is_on_the_disk_before_what_was_live_is_cleaned_up() {
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    project.write("page", "1").push().assert_success();
    wait_until_quiet(&site.path);
    fs::write(site.path.join("wwwroot/data.db"), "rows").unwrap();
    project.write("page", "2");
    let Some(calls) = traced(&site, &project) else { return };
    let kept = site.path.join("kept/1/data.db");
    let is_saved = |call: &Call| {
        is_rename(call) && call.quoted().last().is_some_and(|path| Path::new(path) == kept)
    };
    let saved = calls.iter().position(is_saved).expect("what was written is saved");
    assert_switch_flushed(&site, &calls[switch(&site, &calls)..saved]);
}

/// Where `wwwroot` is switched.
fn switch(site: &Site, calls: &[Call]) -> usize {
    let wwwroot = site.path.join("wwwroot");
    let is_switch = |call: &Call| {
        is_rename(call) && call.quoted().last().is_some_and(|path| Path::new(path) == wwwroot)
    };
    calls.iter().position(is_switch).expect("wwwroot is renamed into place")
}

fn is_record(call: &Call) -> bool {
    is_rename(call) && call.quoted().last().is_some_and(|to| to.ends_with("/deployment.json"))
}

#[test]
fn records_are_on_the_disk_before_they_are_renamed() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1");
    let Some(calls) = traced(&site, &project) else { return };
    let switch = switch(&site, &calls);
    let planned = calls[..switch].iter().rposition(is_record).expect("the plan is recorded");
    assert!(
        calls[planned..switch].iter().any(|call| call.name == "syncfs"),
        "what is recorded of a release is not flushed before it goes live"
    );
    let mut records = 0;
    for (at, call) in calls.iter().enumerate().skip(switch).filter(|(_, call)| is_record(call)) {
        records += 1;
        let from = call.quoted()[0];
        let made = calls[..at]
            .iter()
            .position(|call| call.name.starts_with("open") && call.quoted().contains(&from))
            .expect("it is made before it is renamed");
        let flushed = format!("<{from}>");
        assert!(
            calls[made..at].iter().any(|call| {
                call.name == "syncfs" || (call.name == "fsync" && call.text.contains(&flushed))
            }),
            "{from} is not flushed before it is renamed"
        );
    }
    assert!(records >= 1, "succeeded is recorded");
}

/// Flushes of nyala that somebody waits for: until the last record of a deployment is named.
fn flushes<'c>(site: &Site, calls: &'c [Call]) -> Vec<&'c str> {
    let end = calls.iter().rposition(is_record).expect("a record is written");
    // git flushes the packs that it receives, and no file system.
    let repository = format!("<{}", site.repository.display());
    calls[..end]
        .iter()
        .filter(|call| {
            is_flush(call) && (call.name == "syncfs" || !call.text.contains(&repository))
        })
        .map(|call| call.text.as_str())
        .collect()
}

/// A ref that outlives a loss of power with an object that does not would break the repository.
#[test]
fn the_objects_of_a_note_are_on_the_disk_before_a_ref_names_them() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    wait_until_quiet(&site.path);
    project.write("page", "2");
    // libgit2 gives an object its name by a link.
    let Some(calls) = traced_push(&site, &project, &format!("{CALLS},link,linkat")) else { return };
    wait_until_quiet(&site.path);
    let notes = site.repository.join("refs/notes/deployments");
    let is_of_the_notes = |call: &Call| {
        is_rename(call) && call.quoted().last().is_some_and(|to| Path::new(to) == notes)
    };
    let moved = calls.iter().position(is_of_the_notes).expect("the notes are moved");
    let objects = site.repository.join("objects");
    let written = calls[..moved]
        .iter()
        .rposition(|call| {
            (is_rename(call) || call.name.starts_with("link"))
                && call.quoted().last().is_some_and(|to| Path::new(to).starts_with(&objects))
        })
        .expect("objects are written");
    assert!(calls[written..moved].iter().any(|call| call.name == "syncfs"));
}

#[test]
fn a_push_waits_for_two_flushes_and_a_rollback_for_three() {
    let site = Site::new();
    site.configure("staging = true");
    let project = site.project();
    let flushing = format!("{CALLS},sync_file_range,sync,msync");
    // The first push also writes down which branch is deployed.
    project.write("page", "1").push().assert_success();
    wait_until_quiet(&site.path);
    for page in ["2", "3", "4", "5"] {
        project.write("page", page).write("other/file", "x");
        let Some(calls) = traced_push(&site, &project, &flushing) else { return };
        wait_until_quiet(&site.path);
        let found = flushes(&site, &calls);
        assert!(found.len() <= 2, "{found:#?}");
    }
    let Some(calls) = traced_nyala(&site, &["rollback"], &flushing) else { return };
    let found = flushes(&site, &calls);
    assert!(found.len() <= 3, "{found:#?}");
}

/// A loss of power before anything was flushed: the names are there, and what they name is not.
#[test]
fn what_a_loss_of_power_left_of_a_deployment_holds_nobody_up() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    wait_until_quiet(&site.path);
    for (number, record) in
        [(2, None), (3, Some("")), (4, Some("\0\0\0")), (5, Some("{\n  \"id\": 5,"))]
    {
        let folder = site.path.join("deployments").join(number.to_string());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("log.txt"), "").unwrap();
        if let Some(record) = record {
            fs::write(folder.join("deployment.json"), record).unwrap();
        }
        let release = site.path.join("releases").join(number.to_string());
        fs::create_dir_all(&release).unwrap();
        fs::write(release.join("page"), "").unwrap();
    }
    let push = project.write("page", "6").push();
    push.assert_success().assert_says("a loss of power had left of deployment 5");
    assert_eq!(site.live_id(), Some(6), "no number is given again");
    assert_eq!(site.numbers("deployments"), [1, 6]);
    assert_eq!(site.numbers("releases"), [1, 6]);
}
