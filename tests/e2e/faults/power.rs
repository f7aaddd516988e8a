//! What is on the disk before it is named: the order of the system calls, as strace saw them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::trial::wait_until_quiet;
use crate::support::{Push, Running, Site, skip};

/// A system call that changes or flushes the disk, with the paths in it.
#[derive(Debug)]
struct Call {
    name: String,
    text: String,
}

impl Call {
    fn is_flush(&self) -> bool {
        matches!(self.name.as_str(), "fsync" | "fdatasync" | "syncfs")
    }

    fn is_rename(&self) -> bool {
        self.name.starts_with("rename")
    }

    /// The paths in quotes.
    fn paths(&self) -> Vec<&str> {
        self.text.split('"').skip(1).step_by(2).collect()
    }
}

fn calls(trace: &Path) -> Vec<Call> {
    let text = fs::read_to_string(trace).unwrap();
    text.lines()
        .filter_map(|line| {
            let (_pid, call) = line.trim_start().split_once(' ')?;
            let (name, text) = call.trim_start().split_once('(')?;
            (!text.contains(" = -1 ")).then(|| Call { name: name.to_owned(), text: text.to_owned() })
        })
        .collect()
}

/// Pushes under strace, and gives the calls in their order; `None`, having said so, where there is no strace.
fn traced_push(site: &Site, project: &crate::support::Project<'_>) -> Option<Vec<Call>> {
    if !Command::new("strace").arg("-V").output().is_ok_and(|ran| ran.status.success()) {
        skip("needs strace");
        return None;
    }
    project.commit("Something to deploy");
    let trace = site.sandbox.path("strace");
    let mut command = site.sandbox.command("strace");
    command
        .current_dir(&project.path)
        .args(["-f", "-qq", "-y", "-s", "4096", "--seccomp-bpf", "-e", "signal=none"])
        .args([
            "-e",
            "trace=open,openat,creat,mkdir,mkdirat,symlink,symlinkat,rename,renameat,renameat2,fsync,fdatasync,syncfs",
        ])
        .arg("-o")
        .arg(&trace)
        .args(["git", "push", "nyala", "HEAD:refs/heads/main"]);
    let ran = Running::start(&mut command).wait();
    if ran.stderr.contains("ptrace") {
        skip("needs a strace that may trace its children");
        return None;
    }
    Push::new(ran).assert_success();
    wait_until_quiet(site);
    Some(calls(&trace))
}

/// Whatever is made below this folder is made before the first flush of the file system that comes before `end`.
fn assert_flushed(calls: &[Call], folder: &Path, end: usize) {
    let flush = calls[..end].iter().rposition(|call| call.name == "syncfs").expect("the file system is flushed");
    let folder = format!("{}/", folder.display());
    let made = |call: &Call| {
        let writes = !call.name.starts_with("open") || call.text.contains("O_CREAT") || call.text.contains("O_WRONLY");
        // Paths relative to an open folder: strace says `5</the/folder>, "name"`.
        writes && !call.is_flush() && call.text.replace(['<', '>', '"'], " ").contains(&folder)
    };
    let first = calls.iter().position(made);
    let last = calls[..end].iter().rposition(made);
    assert!(first.is_some(), "nothing was written in {folder}");
    assert!(last < Some(flush), "{:?} is not flushed", last.map(|at| &calls[at]));
}

#[test]
fn what_wwwroot_names_is_on_the_disk_before_it_is_named() {
    let site = Site::new();
    let project = site.python_project();
    project.write("static/site.css", "body {}");
    let Some(calls) = traced_push(&site, &project) else { return };
    let wwwroot = site.path.join("wwwroot");
    let is_switch =
        |call: &Call| call.is_rename() && call.paths().last().is_some_and(|path| Path::new(path) == wwwroot);
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
fn records_are_on_the_disk_before_they_are_named() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1");
    let Some(calls) = traced_push(&site, &project) else { return };
    let mut records = 0;
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| call.is_rename()) {
        let paths = call.paths();
        let [from, to] = paths[..] else { panic!("{call:?}") };
        if !to.ends_with("/deployment.json") {
            continue;
        }
        records += 1;
        let flushed = |of: &str| format!("<{of}>");
        assert!(
            calls[..at].iter().any(|call| call.name == "fsync" && call.text.contains(&flushed(from))),
            "{from} is not flushed before it is renamed"
        );
    }
    assert!(records >= 3, "pending, building and succeeded are recorded");
    // The folder of the deployment gets its number by a rename, too.
    let numbered =
        |call: &Call| call.is_rename() && call.paths().last().is_some_and(|to| to.ends_with("deployments/1"));
    let at = calls.iter().position(numbered).unwrap();
    let deployments = format!("<{}>", site.path.join("deployments").display());
    assert!(calls[at..].iter().any(|call| call.name == "fsync" && call.text.contains(&deployments)));
}
