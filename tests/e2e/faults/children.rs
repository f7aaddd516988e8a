//! Kills a child, the worker, or all of them at once, while pip builds a package.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use super::trial::{assert_nothing_is_left_over, statuses};
use crate::support::{Site, count, wait_until, wait_until_quiet};

/// A process of a deployment: the worker, or something that it started.
#[derive(Debug)]
struct Process {
    pid: i32,
    parent: i32,
    command: String,
}

/// The worker of this site, and everything in its session.
fn processes(site: &Site) -> Vec<Process> {
    let site = format!(" --site {} ", site.path.display());
    let all: Vec<(Process, i32)> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let (_, rest) = stat.rsplit_once(") ")?;
            let fields: Vec<_> = rest.split(' ').collect();
            let command = fs::read(entry.path().join("cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            let living = !matches!(fields[0], "Z" | "X");
            let process = Process { pid, parent: fields[1].parse().ok()?, command };
            living.then_some((process, fields[3].parse().ok()?))
        })
        .collect();
    let is_worker = |process: &Process| {
        process.command.contains(" worker --deployment ") && process.command.contains(&site)
    };
    let sessions: Vec<i32> =
        all.iter().filter(|(it, _)| is_worker(it)).map(|(it, _)| it.pid).collect();
    all.into_iter().filter(|(_, session)| sessions.contains(session)).map(|(it, _)| it).collect()
}

fn kill(process: &Process) {
    // It may already have been killed together with another one.
    let _ = kill_process(Pid::from_raw(process.pid).unwrap(), Signal::KILL);
}

fn is_gone(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_or(true, |stat| stat.contains(") Z ") || stat.contains(") X "))
}

/// Which of these processes to kill; `worker` is the index of the worker.
type Victims = fn(&[Process], usize) -> Vec<usize>;

#[test]
fn whichever_process_is_killed_the_site_stays_up_and_the_next_push_deploys() {
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    project.write("requirements.txt", "antelope==1.0\n").write("page", "0").push().assert_success();
    let worker =
        |all: &[Process]| all.iter().position(|it| it.command.contains(" worker ")).unwrap();
    let cases: [(&str, Victims); 4] = [
        ("pip", |all, worker| {
            (0..all.len()).filter(|at| all[*at].parent == all[worker].pid).collect()
        }),
        ("the build backend", |all, _| {
            (0..all.len()).filter(|at| !all.iter().any(|it| it.parent == all[*at].pid)).collect()
        }),
        ("the worker", |_, worker| vec![worker]),
        ("all of them", |all, _| (0..all.len()).collect()),
    ];
    let number = cases.len();
    for (case, (who, victims)) in cases.into_iter().enumerate() {
        let gate = site.gate();
        project.local_package("lib", "1.0", &gate.python());
        project.write("requirements.txt", "antelope==1.0\n./lib\n").write("page", "half");
        wait_until_quiet(&site.path);
        let before = site.live_state();
        let push = project.push_in_background();
        gate.wait_until_reached();

        let all = processes(&site);
        let worker = worker(&all);
        assert!(all.len() >= 3, "a worker, pip and a build backend: {all:#?}");
        let victims = victims(&all, worker);
        assert!(!victims.is_empty());
        for at in &victims {
            kill(&all[*at]);
        }
        let push = push.wait();
        let says = if victims.contains(&worker) { "was killed" } else { "error: " };
        push.assert_says(says);
        if who == "pip" {
            push.assert_says("SIGKILL");
        }
        assert_eq!(site.live_state(), before, "{who} was killed");

        project.write("requirements.txt", "antelope==1.0\n").write("page", case.to_string());
        let push = project.push();
        push.assert_success();
        if who == "the worker" {
            push.assert_says("had left running");
        }
        assert_eq!(site.live_file("page"), case.to_string());
        assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
        wait_until(&format!("nothing is left of it: {who} was killed"), || {
            all.iter().all(|it| is_gone(it.pid))
        });
        wait_until_quiet(&site.path);
        assert_nothing_is_left_over(&site);
        let killed = &statuses(&site)[&(2 * case as u64 + 2)];
        assert_eq!(killed, if victims.contains(&worker) { "interrupted" } else { "failed" });
    }
    count("killed while pip builds: pip, its build backend, the worker, all of them", number);
}
