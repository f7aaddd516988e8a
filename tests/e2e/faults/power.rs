//! What is on the disk when: the order of system calls, as seen by strace.

use std::path::Path;

use super::trial::wait_until_quiet;
use crate::support::{Call, Project, Site, traced_push};

/// The system calls that change or flush the disk.
const CALLS: &str = "open,openat,creat,mkdir,mkdirat,symlink,symlinkat,rename,renameat,renameat2,fsync,fdatasync,syncfs";

fn traced(site: &Site, project: &Project<'_>) -> Option<Vec<Call>> {
    let calls = traced_push(site, project, CALLS)?;
    wait_until_quiet(site);
    Some(calls)
}

fn is_flush(call: &Call) -> bool {
    matches!(call.name.as_str(), "fsync" | "fdatasync" | "syncfs")
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
    let wwwroot = site.path.join("wwwroot");
    let is_switch = |call: &Call| {
        is_rename(call) && call.quoted().last().is_some_and(|path| Path::new(path) == wwwroot)
    };
    let switch = calls.iter().position(is_switch).expect("wwwroot is renamed into place");
    assert_flushed(&calls, &site.path.join("releases/1"), switch);
    assert_flushed(&calls, &site.path.join("envs/1"), switch);
    let root = format!("<{}>", site.path.display());
    assert!(
        calls[switch..].iter().any(|call| call.name == "fsync" && call.text.contains(&root)),
        "the link is not flushed after it was renamed"
    );
}

#[test]
fn records_are_on_the_disk_before_they_are_renamed() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1");
    let Some(calls) = traced(&site, &project) else { return };
    let mut records = 0;
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| is_rename(call)) {
        let paths = call.quoted();
        let [from, to] = paths[..] else { panic!("{call:?}") };
        if !to.ends_with("/deployment.json") {
            continue;
        }
        records += 1;
        let flushed = |of: &str| format!("<{of}>");
        assert!(
            calls[..at]
                .iter()
                .any(|call| call.name == "fsync" && call.text.contains(&flushed(from))),
            "{from} is not flushed before it is renamed"
        );
    }
    assert!(records >= 3, "pending, building and succeeded are recorded");
    // The folder of the deployment gets its number by a rename, too.
    let numbered = |call: &Call| {
        is_rename(call) && call.quoted().last().is_some_and(|to| to.ends_with("deployments/1"))
    };
    let at = calls.iter().position(numbered).unwrap();
    let deployments = format!("<{}>", site.path.join("deployments").display());
    assert!(
        calls[at..].iter().any(|call| call.name == "fsync" && call.text.contains(&deployments))
    );
}
