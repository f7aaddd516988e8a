//! What the commonest push costs: requirements as they were, one file changed. Everything it needs
//! is asked for once.

use std::collections::HashMap;
use std::path::Path;

use crate::support::{Call, Site, traced_push, wait_until};

const CALLS: &str = "execve,clone,clone3,fork,vfork,open,openat,openat2";

/// A process of a push: what it runs, with its arguments, and the files it opened.
#[derive(Debug, Default)]
struct Process {
    parent: u32,
    command: Vec<String>,
    opened: Vec<String>,
}

impl Process {
    fn program(&self) -> &str {
        let path = self.command.first().map_or("", String::as_str);
        path.rsplit('/').next().unwrap_or_default()
    }

    /// How often it opened a file.
    fn opens(&self, path: &Path) -> usize {
        self.opened.iter().filter(|opened| Path::new(opened) == path).count()
    }
}

/// The processes that ran a program of their own. What a thread did is its process's.
fn processes(calls: &[Call]) -> HashMap<u32, Process> {
    let mut parents = HashMap::new();
    let mut threads = HashMap::new();
    for call in
        calls.iter().filter(|call| call.name.starts_with("clone") || call.name.ends_with("fork"))
    {
        let Some(child) = call.returned() else { continue };
        let parents = if call.text.contains("CLONE_THREAD") { &mut threads } else { &mut parents };
        parents.insert(child, call.pid);
    }
    let process_of = |pid: u32| threads.get(&pid).copied().unwrap_or(pid);
    let mut found: HashMap<u32, Process> = HashMap::new();
    for call in calls {
        let pid = process_of(call.pid);
        let quoted = call.quoted();
        let process = found.entry(pid).or_default();
        if call.name == "execve" {
            process.parent = parents.get(&pid).map_or(0, |parent| process_of(*parent));
            process.command = quoted.into_iter().map(ToOwned::to_owned).collect();
        } else if call.name.starts_with("open") {
            process.opened.extend(quoted.first().map(ToString::to_string));
        }
    }
    found.retain(|_, process| !process.command.is_empty());
    found
}

#[test]
fn a_push_with_unchanged_requirements_starts_no_python_and_asks_nothing_twice() {
    let site = Site::new();
    // From the second push on a release is removed, and the next one starts from the staging tree.
    site.configure("keep = 1\nstaging = true");
    let project = site.python_project();
    project.write("static/css/site.css", "").write("templates/index.html", "");
    project.push().assert_success();
    project.write("app.py", "1").push().assert_success();
    project.write("app.py", "2").push().assert_success();
    let staged = site.path.join("releases/.staging/tree.json");
    wait_until("the next tree is staged", || staged.exists());
    project.write("app.py", "3");
    let Some(calls) = traced_push(&site, &project, CALLS) else { return };
    assert_eq!(site.live()["env"]["decision"], "reuse");
    assert_eq!(site.live_file("app.py"), "3");

    let processes = processes(&calls);
    // Git, its shell that finds receive-pack, the hook's file, and nyala.
    for process in processes.values() {
        let known = |program: &str| {
            program.starts_with("git") || ["sh", "post-receive", "nyala"].contains(&program)
        };
        assert!(known(process.program()), "{:?} was started", process.command);
    }
    let running = |word: &str| {
        let of_word = |(_, process): &(&u32, &Process)| {
            process.program() == "nyala" && process.command.iter().any(|argument| argument == word)
        };
        let mut found = processes.iter().filter(of_word);
        let one = found.next().unwrap_or_else(|| panic!("no nyala {word} was started"));
        assert!(found.next().is_none(), "more than one nyala {word} was started");
        one
    };
    let (hook, worker) = (running("post-receive"), running("worker"));
    let started_by = |parent: u32| -> Vec<&Process> {
        processes.values().filter(|process| process.parent == parent).collect()
    };
    assert_eq!(started_by(*hook.0).len(), 1, "the hook starts the worker and nothing else");
    assert_eq!(worker.1.parent, *hook.0);
    let by_worker = started_by(*worker.0);
    assert!(by_worker.is_empty(), "the worker starts nothing: {by_worker:?}");
    // What the worker does when nobody waits begins with its last look at the staging folder.
    let staging = site.path.join("releases/.staging");
    let opened = &worker.1.opened;
    let end = opened.iter().rposition(|opened| Path::new(opened) == staging);
    let until_then = Process {
        opened: opened[..end.expect("the next tree is staged")].to_vec(),
        ..Process::default()
    };
    for (what, process) in [("hook", hook.1), ("worker", &until_then)] {
        assert_eq!(
            process.opens(&site.path.join("nyala.toml")),
            1,
            "the {what} reads the settings once"
        );
        assert_eq!(
            process.opens(&site.repository.join("config")),
            1,
            "the {what} opens the repository once"
        );
        assert!(
            process.opens(&site.sandbox.path("home/.cache/nyala/interpreters.json")) <= 1,
            "the {what} asks for the Pythons once"
        );
        let long_over = site.path.join("deployments/1");
        let looks_back =
            process.opened.iter().find(|opened| Path::new(opened).starts_with(&long_over));
        assert_eq!(looks_back, None, "the {what} looks at a deployment that was long over");
        // However many folders there are, only those with a change are read. A push of so few
        // objects leaves each in a file of its own.
        for folder in ["static", "static/css", "templates"] {
            let id = project.git(&["rev-parse", &format!("HEAD:{folder}")]);
            let object = site.repository.join("objects").join(&id[..2]).join(&id[2..]);
            assert!(object.is_file());
            assert_eq!(process.opens(&object), 0, "the {what} reads {folder}, as it was");
        }
    }
    assert_eq!(processes.values().filter(|process| process.program() == "nyala").count(), 2);
}
