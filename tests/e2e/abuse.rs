//! Applications that misbehave: each is ended or held within its bounds, and neither the site
//! beside it nor `nyala serve` notices.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::running::{application, processes};
use crate::support::{Running, Server, Site, skip, wait_until};

/// A site whose worker misbehaves, and one beside it, served by the same `nyala serve`.
struct Neighbours {
    site: Site,
    beside: Site,
    server: Server,
}

impl Neighbours {
    /// `worker` is its command; `script` is what `abuse.py` has.
    fn new(worker: &str, script: &str) -> Neighbours {
        let (site, beside) = (Site::new(), Site::new());
        for it in [&site, &beside] {
            it.listen_on("'unix:run/web.sock'\ngrace = '1s'");
        }
        let server = site.serve_both(&beside);
        let project = beside.project();
        application(&project, "beside", "");
        project.push().assert_success();
        let project = site.project();
        application(&project, "page", "");
        project.write("Procfile", format!("web: python3 server.py\nworker: {worker}\n"));
        project.write("abuse.py", format!("import os, signal, sys, time\n{script}\n"));
        project.push().assert_success();
        Neighbours { site, beside, server }
    }

    fn restarts(&self) -> u64 {
        let processes = self.site.nyala(&["ps", "--json"]).json();
        let mut all = processes.as_array().unwrap().iter();
        let worker = all.find(|process| process["process"] == "worker");
        worker.and_then(|worker| worker["restarts"].as_u64()).unwrap_or_default()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.site.path.join("run/logs/worker.log")).unwrap_or_default()
    }

    #[track_caller]
    fn assert_nobody_notices(&self) {
        assert_eq!(self.beside.get("/").body, "beside 1 shop\n");
        assert_eq!(self.site.get("/").body, "page 1 shop\n");
        assert_eq!(processes(&self.beside), ["web 1 yes"]);
    }

    /// Everything of the site has ended when it was stopped; nothing of the other one has.
    #[track_caller]
    fn assert_ends(self) {
        self.assert_nobody_notices();
        self.site.nyala(&["stop"]).assert_success();
        assert_eq!(self.site.application_processes(), 0);
        assert_eq!(self.beside.get("/").body, "beside 1 shop\n");
        self.server.stop();
        assert_eq!(self.beside.application_processes(), 0);
    }
}

#[test]
fn a_process_that_ignores_sigterm_is_killed() {
    let script = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\n\
                  while True: time.sleep(600)";
    let both = Neighbours::new("exec python3 abuse.py", script);
    wait_until("it ignores SIGTERM", || both.log().contains("ready"));
    both.assert_nobody_notices();
    both.site.nyala(&["stop"]).assert_success();
    assert_eq!(both.site.application_processes(), 0);
    assert!(both.log().contains("it did not end in 10 s, and is killed"), "{}", both.log());
    assert_eq!(both.beside.get("/").body, "beside 1 shop\n");
}

#[test]
fn a_process_that_prints_without_end_fills_five_files_and_no_more() {
    let both = Neighbours::new("python3 abuse.py", "while True: print('x' * 1000)");
    let logs = both.site.path.join("run/logs");
    wait_until("all files are full", || logs.join("worker.log.4").exists());
    both.assert_nobody_notices();
    let sizes = fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    assert!(sizes.sum::<u64>() < 60 << 20);
    both.assert_ends();
}

#[test]
fn a_process_that_closes_its_output_runs_on() {
    let script = "os.close(1); os.close(2); open('closed', 'w')\nwhile True: time.sleep(600)";
    let both = Neighbours::new("python3 abuse.py", script);
    let closed = both.site.path.join("releases/1/closed");
    wait_until("it has closed its output", || closed.exists());
    assert_eq!((processes(&both.site).len(), both.restarts()), (2, 0));
    both.assert_ends();
}

#[test]
fn what_forks_away_ends_with_its_process() {
    let script = "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        \
                  os.closerange(0, 3)\n        time.sleep(600)\n    os._exit(0)\n\
                  time.sleep(0.1)\nsys.exit('away')";
    let both = Neighbours::new("exec python3 abuse.py", script);
    wait_until("it has ended often", || both.restarts() >= 4);
    // Those of web and of the start that goes on; none of those before.
    assert!(both.site.application_processes() <= 5, "{}", both.site.application_processes());
    both.assert_ends();
}

#[test]
fn what_forks_away_and_forgets_where_it_comes_from_ends_with_its_process() {
    // By its command alone can it be known here.
    let seconds = format!("6{:09}", std::process::id());
    let sleep = format!("os.execve('/bin/sleep', ['sleep', '{seconds}'], {{}})");
    let script = format!(
        "if os.fork() == 0:\n    os.setsid()\n    os.chdir('/')\n    if os.fork() == 0:\n        \
         os.closerange(0, 3)\n        {sleep}\n    os._exit(0)\nwhile True: time.sleep(600)"
    );
    let both = Neighbours::new("python3 abuse.py", &script);
    let left = || {
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let commands = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        commands.filter(|command| *command == format!("sleep\0{seconds}\0").as_bytes()).count()
    };
    wait_until("it has forked away", || left() == 1);
    both.site.nyala(&["stop"]).assert_success();
    assert_eq!(left(), 0);
    // So does what a killed nyala serve has left.
    both.site.nyala(&["start"]).assert_success();
    wait_until("it has forked away", || left() == 1);
    let Neighbours { site, beside, server } = both;
    server.kill();
    let _server = site.serve_both(&beside);
    wait_until("there is one of it", || left() == 1);
    site.nyala(&["stop"]).assert_success();
    assert_eq!(left(), 0);
}

/// A control group of this test alone, with a limit for its memory.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    fn make(limit: u64) -> Option<MemoryGroup> {
        let name = format!("nyala-test-{}", std::process::id());
        let kinds = [("memory", "memory.limit_in_bytes"), ("", "memory.max")];
        let group = kinds.into_iter().find_map(|(hierarchy, file)| {
            let folder = Path::new("/sys/fs/cgroup").join(hierarchy).join(&name);
            fs::create_dir(&folder).ok()?;
            let group = MemoryGroup(folder);
            fs::write(group.0.join(file), limit.to_string()).ok().map(|()| group)
        });
        if group.is_none() {
            skip("needs a control group for memory");
        }
        group
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        wait_until("the control group is empty", || fs::remove_dir(&self.0).is_ok());
    }
}

#[test]
fn the_application_that_uses_up_the_memory_is_the_one_that_ends() {
    let Some(group) = MemoryGroup::make(200 << 20) else { return };
    let both = Neighbours::new("exec python3 abuse.py", "while True: time.sleep(600)");
    fs::write(group.0.join("cgroup.procs"), both.server.pid().to_string()).unwrap();
    let eats = "import time\neaten = []\nwhile True: eaten.append(b'x' * (1 << 20))\n";
    fs::write(both.site.path.join("releases/1/abuse.py"), eats).unwrap();
    both.site.nyala(&["restart", "worker"]).assert_success();
    wait_until("it was ended", || {
        both.log().contains("nyala: it was killed by signal 9, since memory was short")
    });
    both.site.nyala(&["scale", "worker=0"]).assert_success();
    both.assert_ends();
}

#[test]
fn a_fifo_in_place_of_a_file_keeps_nobody_waiting() {
    let both = Neighbours::new("python3 abuse.py", "while True: print('x' * 100); time.sleep(0.1)");
    let replace = |name: &str| {
        let fifo = both.site.path.join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // In one step: the server makes a log that is gone again at the next line.
        fs::rename(&fifo, both.site.path.join(name)).unwrap();
    };
    for name in ["run/logs/worker.log", "run/logs/web.log", "maintenance.html", "settings.env"] {
        replace(name);
    }
    // All of them are opened anew.
    let Neighbours { site, beside, server } = both;
    server.stop();
    let _server = site.serve_both(&beside);
    wait_until("the other one is served", || beside.get("/").body == "beside 1 shop\n");
    site.nyala(&["ps"]).assert_success();
}

#[test]
fn visitors_of_one_site_leave_files_for_another() {
    let (site, beside) = (Site::new(), Site::new());
    for it in [&site, &beside] {
        it.listen_on("'unix:run/web.sock'");
    }
    let mut command = site.sandbox.command("sh");
    let nyala = site.nyala_command().get_program().to_owned();
    command.args(["-c", "ulimit -n 128; exec \"$0\" serve \"$@\""]).arg(nyala);
    let running = Running::start(command.args([&site.path, &beside.path]));
    let _server = Server::of(running);
    wait_until("both are served", || {
        [&site, &beside].iter().all(|it| it.nyala(&["ps"]).status.success())
    });
    let many: Vec<_> = (0..100).map(|_| site.connect()).collect();
    for _ in 0..3 {
        assert_eq!(beside.get("/").status, 503);
        assert!(beside.nyala(&["ps"]).status.success());
    }
    drop(many);
    assert_eq!(site.get("/").status, 503);
}

#[test]
fn a_bomb_of_processes_is_ended_as_a_whole() {
    // Bounded, since it is a test: 64 processes, half of them in sessions of their own.
    let script = "for _ in range(5): os.fork()\n\
                  if os.fork() == 0: os.setsid()\n\
                  while True: time.sleep(600)";
    let both = Neighbours::new("python3 abuse.py", script);
    wait_until("the bomb is there", || both.site.application_processes() > 60);
    both.assert_ends();
}

#[test]
fn a_process_that_is_killed_for_its_memory_is_started_again_more_and_more_slowly() {
    // As the kernel does it when memory is used up.
    let script = "eaten = []\nfor _ in range(20): eaten.append(b'x' * (1 << 20))\n\
                  os.kill(os.getpid(), signal.SIGKILL)";
    let both = Neighbours::new("exec python3 abuse.py", script);
    wait_until("it was killed often", || both.restarts() >= 4);
    let log = both.log();
    assert!(log.contains("it was killed by signal 9"), "{log}");
    for pause in ["0.1", "0.2", "0.4", "0.8"] {
        let text = format!("; it is started again in {pause} s");
        assert!(log.contains(&text), "no {text:?} in {log}");
    }
    both.assert_ends();
}
