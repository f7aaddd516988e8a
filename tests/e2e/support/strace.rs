//! The system calls of a push, as traced by strace.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Project, Push, Ran, Running, Site, skip};

/// A system call that succeeded.
#[derive(Debug)]
pub(crate) struct Call {
    /// Who made it: a process, or one of its threads.
    pub pid: u32,
    pub name: String,
    /// The arguments and what came back, as strace writes them.
    pub text: String,
}

impl Call {
    /// The quoted arguments, which are mostly paths.
    pub(crate) fn quoted(&self) -> Vec<&str> {
        self.text.split('"').skip(1).step_by(2).collect()
    }

    /// The returned number.
    pub(crate) fn returned(&self) -> Option<u32> {
        let (_, returned) = self.text.rsplit_once(" = ")?;
        returned.split([' ', '<']).next()?.parse().ok()
    }
}

/// Commits, and pushes under strace, which waits for the worker too. Gives these system calls, in
/// the order in which they ended; `None`, having said so, where there is no strace.
pub(crate) fn traced_push(site: &Site, project: &Project<'_>, calls: &str) -> Option<Vec<Call>> {
    project.commit("Something to deploy");
    let command = ["git", "push", "nyala", "HEAD:refs/heads/main"].map(OsStr::new);
    let (ran, calls) = traced(site, &project.path, &command, calls)?;
    Push::new(ran).assert_success();
    Some(calls)
}

/// The same for a command of nyala.
pub(crate) fn traced_nyala(site: &Site, arguments: &[&str], calls: &str) -> Option<Vec<Call>> {
    let nyala = site.sandbox.nyala_command();
    let mut command = vec![nyala.get_program()];
    command.extend(arguments.iter().map(OsStr::new));
    command.extend([OsStr::new("--site"), site.path.as_os_str()]);
    let (ran, calls) = traced(site, &site.path, &command, calls)?;
    ran.assert_success();
    Some(calls)
}

fn traced(site: &Site, folder: &Path, command: &[&OsStr], calls: &str) -> Option<(Ran, Vec<Call>)> {
    if !Command::new("strace").arg("-V").output().is_ok_and(|ran| ran.status.success()) {
        skip("needs strace");
        return None;
    }
    let trace = site.sandbox.path("strace");
    let mut strace = site.sandbox.command("strace");
    strace
        .current_dir(folder)
        .args(["-f", "-qq", "-y", "-s", "4096", "--seccomp-bpf", "-e", "signal=none"])
        .args(["-e", &format!("trace={calls}"), "-o"])
        .arg(&trace)
        .args(command);
    let ran = Running::start(&mut strace).wait();
    if ran.stderr.contains("ptrace") {
        skip("needs a strace that may trace its children");
        return None;
    }
    Some((ran, read(&trace)))
}

fn read(trace: &Path) -> Vec<Call> {
    // While one process is in a call another may be in its own: strace then writes the two ends on
    // lines of their own.
    let mut begun: HashMap<u32, String> = HashMap::new();
    let mut calls = Vec::new();
    for line in fs::read_to_string(trace).unwrap().lines() {
        let Some((pid, line)) = line.trim_start().split_once(' ') else { continue };
        let (pid, line) = (pid.parse().unwrap(), line.trim_start());
        if let Some(start) = line.strip_suffix("<unfinished ...>") {
            begun.insert(pid, start.to_owned());
            continue;
        }
        let whole = match line.strip_prefix("<... ").and_then(|line| line.split_once(" resumed>")) {
            Some((_, end)) => begun.remove(&pid).unwrap_or_default() + end,
            None => line.to_owned(),
        };
        if let Some((name, text)) = whole.split_once('(')
            && !text.contains(" = -1 ")
        {
            calls.push(Call { pid, name: name.to_owned(), text: text.to_owned() });
        }
    }
    calls
}
