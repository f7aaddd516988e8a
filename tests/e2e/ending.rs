//! How the processes of an application are ended: each has its time.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::running::application;
use crate::support::{Running, Site, use_real_index, wait_until};

/// Once told to end, it goes on until the file `go` is there.
const WORKER: &str = r#"
import os, signal, sys, time
NAME = sys.argv[1]

def write(what, text=""):
    with open(NAME + ".new", "w") as file:
        file.write(text)
    os.rename(NAME + ".new", NAME + what)

def end(*_):
    write(".told")
    while not os.path.exists("go"):
        time.sleep(0.01)
    write(".finished")
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
if "daemon" in NAME and os.fork():
    while not os.path.exists(NAME + ".pid"):
        time.sleep(0.01)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pause()
if "daemon" in NAME:
    os.setsid()
write(".pid", str(os.getpid()))
while True:
    time.sleep(60)
"#;

#[test]
fn whatever_a_command_runs_has_time_to_end() {
    let (site, _server) = Site::served("grace = '1h'");
    let project = site.project();
    application(&project, "page", "");
    project.write("worker.py", WORKER);
    // The shell of most stays: what it runs is no process of nyala's own. The last one has left its
    // session, too.
    let names = ["plain", "after", "piped", "variable", "alone", "daemon"];
    project.write(
        "Procfile",
        "web: python3 server.py\n\
         plain: python3 worker.py plain\n\
         after: cd . && python3 worker.py after\n\
         piped: python3 worker.py piped | cat\n\
         variable: A='1 2' python3 worker.py variable\n\
         alone: timeout 3600 python3 worker.py alone; true\n\
         daemon: python3 worker.py daemon\n",
    );
    project.push().assert_success();
    let release = site.path.join("releases/1");
    let are = |what: &str| {
        names.iter().all(|name| fs::exists(release.join(format!("{name}{what}"))).unwrap())
    };
    wait_until("the workers run", || are(".pid"));

    // It is said what has ended a program, whoever waited for it.
    let pid = || fs::read_to_string(release.join("after.pid")).unwrap().parse::<i32>().unwrap();
    let killed = pid();
    kill_process(Pid::from_raw(killed).unwrap(), Signal::KILL).unwrap();
    wait_until("it was started again", || pid() != killed);
    let logs = site.nyala(&["logs", "after"]).assert_success().stdout.clone();
    assert!(logs.contains("nyala: it was killed by signal 9"), "{logs}");

    // All are told at once.
    let stop = Running::start(site.nyala_command().arg("stop"));
    wait_until("all were told", || are(".told"));
    site.nyala(&["ps"]).assert_success();
    assert!(!release.join("plain.finished").exists());
    fs::write(release.join("go"), "").unwrap();
    stop.wait().assert_success();
    assert!(are(".finished"));
    let logs = site.nyala(&["logs"]).assert_success().stdout.clone();
    assert!(!logs.contains("and is killed"), "{logs}");
    assert_eq!(site.application_processes(), 0);
    site.nyala(&["scale", "plain=2"]).assert_failed(1, "the application is stopped");
}

/// By itself, uWSGI starts anew when it is told to end.
#[test]
fn uwsgi_is_started_and_ends_when_it_is_told_to() {
    const UWSGI: &str = "pyuwsgi==2.0.30.post1";
    let (site, _server) = Site::served("");
    if !use_real_index(&site, UWSGI) {
        return;
    }
    let project = site.project();
    project.write("requirements.txt", format!("{UWSGI}\nflask\n"));
    project.write(
        "app.py",
        "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef page():\n    \
         return 'page'\n",
    );
    project.push().assert_success();
    assert_eq!(site.get("/").body, "page");
    site.nyala(&["stop"]).assert_success();
    let logs = site.nyala(&["logs"]).assert_success().stdout.clone();
    assert!(logs.contains("goodbye to uWSGI"), "{logs}");
    assert!(!logs.contains("and is killed"), "{logs}");
}
