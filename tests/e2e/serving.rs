//! `nyala serve` when something goes wrong around it: it hangs, settings are broken, an address is
//! taken.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::process::{Pid, Signal, kill_process};

use crate::running::application;
use crate::support::{Manager, Running, Site, User, is_root, skip, wait_until};

#[test]
fn whoever_asks_a_serve_that_hangs_says_so_and_goes_on() {
    let (site, server) = Site::served("");
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    server.signal(Signal::STOP);
    let folder = site.path.parent().unwrap().to_str().unwrap().to_owned();
    let asked = [
        (1, vec!["ps"]),
        (1, vec!["maintenance", "on"]),
        (0, vec!["status"]),
        (0, vec!["metrics"]),
        (0, vec!["sites", &folder]),
    ];
    let running: Vec<_> = asked
        .iter()
        .map(|(code, command)| (*code, Running::start(site.nyala_command().args(command))))
        .collect();
    let said: Vec<_> = running
        .into_iter()
        .map(|(code, running)| {
            let ran = running.wait();
            assert_eq!(ran.status.code(), Some(code), "{ran:#?}");
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(
                said.contains(&format!("nyala serve (process {}) has not answered", server.pid()))
            );
            said
        })
        .collect();
    // What is known without it is told all the same.
    let [.., status, _, sites] = &said[..] else { unreachable!() };
    assert!(status.contains("Live:   1  succeeded"), "{status}");
    assert!(sites.contains("unix:run/web.sock"), "{sites}");
    server.signal(Signal::CONT);
    assert_eq!(site.get("/").status, 503, "it has taken in what it was asked meanwhile");
}

#[test]
fn a_push_changes_the_address_and_one_that_fails_does_not() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "one", "");
    project.push().assert_success();

    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    site.listen_on("'unix:run/other.sock'");
    application(&project, "sick", "raise SystemExit('no database')");
    project.push().assert_failed_with("the application did not start");
    assert_eq!(site.get("/").body, "one 1 shop\n");
    assert!(!site.path.join("run/other.sock").exists());

    // A restart takes it; then the same port of all addresses, which the one before is in the way
    // of.
    let port = address.port();
    site.listen_on(&format!("'{address}'"));
    site.nyala(&["restart"]).assert_success();
    assert_eq!(page_at(address), "one 1 shop\n");
    assert!(!site.path.join("run/web.sock").exists());
    site.listen_on(&format!("'0.0.0.0:{port}'"));
    application(&project, "three", "");
    project.push().assert_success();
    assert_eq!(page_at(address), "three 3 shop\n");
    assert_eq!(page_at(([127, 0, 0, 2], port).into()), "three 3 shop\n");

    // Without an address, nothing is run.
    site.listen_on("'unix:run/web.sock'");
    let settings = fs::read_to_string(site.path.join("nyala.toml")).unwrap();
    let without = settings.replace("listen = 'unix", "# listen = 'unix");
    fs::write(site.path.join("nyala.toml"), without).unwrap();
    application(&project, "five", "");
    project.push().assert_success();
    assert!(TcpStream::connect(address).is_err());
    wait_until("nothing runs", || site.application_processes() == 0);
}

fn page_at(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn broken_settings_keep_the_address_and_are_read_when_they_are_mended() {
    let site = Site::new();
    site.listen_on("'unix:run/web.sock'");
    let mut manager = Manager::new(&site.sandbox.path(""));
    let mut serve = site.nyala_command();
    serve.arg("serve").arg(site.path.parent().unwrap());
    let mut server = manager.start(&serve);
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    let settings = site.path.join("nyala.toml");
    for broken in [settings.clone(), site.path.join("settings.env")] {
        server.stop();
        let text = fs::read_to_string(&broken).ok();
        fs::write(&broken, "= broken\n").unwrap();
        server = manager.start(&serve);
        assert_eq!(manager.store.len(), 1, "{manager:?}");
        let answer = site.get("/");
        assert_eq!(answer.status, 503);
        assert!(answer.head.to_lowercase().contains("retry-after: "), "{}", answer.head);
        match text {
            Some(text) => fs::write(&broken, text).unwrap(),
            None => fs::remove_file(&broken).unwrap(),
        }
        wait_until("it is served again", || site.get("/").body == "page 1 shop\n");
    }
    assert_eq!(manager.store.len(), 1, "{manager:?}");
    // What runs goes on when they break later, and can be looked at and stopped.
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, "= broken\n").unwrap();
    assert!(site.nyala(&["ps"]).assert_success().stdout.contains("web"));
    site.nyala(&["logs"]).assert_success();
    site.nyala(&["restart"]).assert_failed(1, "nyala.toml is wrong");
    assert_eq!(site.get("/").body, "page 1 shop\n");
    site.nyala(&["stop"]).assert_success();
    assert_eq!(site.get("/").status, 503);
    site.nyala(&["ps"]).assert_failed(1, "nyala.toml is wrong");
    fs::write(&settings, text).unwrap();
    let printed = server.stop();
    assert!(printed.contains("settings.env"), "{printed}");
}

#[test]
fn a_program_is_looked_for_where_it_would_be_started() {
    let site = Site::new();
    site.listen_on("'unix:run/web.sock'");
    let program = |folder: &str, name: &str| {
        let folder = site.sandbox.path(folder);
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(name);
        fs::write(&file, "#!/bin/sh\nexec python3 server.py\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let path = std::env::var("PATH").unwrap();
        format!("{}:{path}", folder.display())
    };
    let (of_serve, of_push) = (program("serves", "serves-own"), program("pushes", "pushes-own"));
    site.sandbox.set_variable("PATH", of_serve);
    let _server = site.serve();
    site.sandbox.set_variable("PATH", of_push);
    let project = site.project();
    application(&project, "page", "");
    project.write("Procfile", "web: pushes-own\nrelease: pushes-own --help || true\n");
    let push = project.push();
    push.assert_failed_with("web needs pushes-own, which was not found");
    project.write("Procfile", "web: serves-own\n");
    project.push().assert_success();
    assert_eq!(site.get("/").body, "page 2 shop\n");
    project.write("Procfile", "web: serves-own\nrelease: serves-own\n");
    project.push().assert_failed_with("release needs serves-own, which was not found");
}

#[test]
fn a_folder_that_cannot_be_read_is_not_one_without_sites() {
    let site = Site::new();
    let Some([user]) = User::make::<1>(&site.sandbox, None) else { return };
    let folder = site.sandbox.path("sites");
    for name in ["closed", "open"] {
        fs::create_dir_all(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("nyala.toml"), "").unwrap();
    }
    let close = |folder: &str, mode| {
        let folder = site.sandbox.path(folder);
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
    };
    let nyala = site.nyala_command().get_program().to_owned();
    let run = |command: &str| {
        let mut asked = user.command(&nyala);
        Running::start(asked.arg(command).arg(&folder)).wait()
    };
    close("sites/closed", 0o700);
    let ran = run("sites");
    assert!(ran.assert_success().stdout.contains("\nopen "), "{ran:#?}");
    assert!(ran.stderr.contains("sites/closed cannot be read; it may be a site"), "{ran:#?}");
    close("sites", 0o711);
    for command in ["sites", "metrics", "serve"] {
        run(command).assert_failed(1, "sites cannot be read: Permission denied");
    }
    close("sites", 0o755);
}

#[test]
fn the_first_process_of_a_container_waits_for_all_that_ends_there() {
    if !is_root() {
        return skip("making a container needs root");
    }
    let site = Site::new();
    site.listen_on("'unix:run/web.sock'\ngrace = '1s'");
    let mut unshare = site.sandbox.command("unshare");
    unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc", env!("CARGO_BIN_EXE_nyala")]);
    let container = Running::start(unshare.arg("serve").arg(&site.path));
    wait_until("it serves", || site.path.join("run/control.sock").exists());
    let project = site.project();
    application(&project, "page", "");
    // What is in parentheses has lost its parent when it ends.
    let worker = "worker: (sleep 0.1; touch ../../orphan) & exec sleep 600";
    project.write("Procfile", format!("web: python3 server.py\n{worker}\n"));
    project.push().assert_success();
    assert_eq!(site.get("/").body, "page 1 shop\n");
    wait_until("the orphan has ended", || site.path.join("orphan").exists());
    let children = |pid: i32| -> Vec<i32> {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    };
    let first = children(container.pid().as_raw_nonzero().get())[0];
    wait_until("only the process that serves is left", || children(first).len() == 1);
    kill_process(Pid::from_raw(first).unwrap(), Signal::TERM).unwrap();
    container.wait().assert_success();
}

#[test]
fn a_run_folder_that_was_removed_comes_back_while_visitors_are_answered() {
    let (site, _server) = Site::served("");
    let folder = site.path.parent().unwrap().to_str().unwrap();
    let project = site.project();
    application(&project, "one", "");
    project.push().assert_success();
    let first = site.nyala(&["ps", "--json"]).json()[0]["pid"].clone();
    fs::remove_dir_all(site.path.join("run")).unwrap();
    wait_until("it can be asked again", || site.nyala(&["ps"]).status.success());
    assert_eq!(site.nyala(&["ps", "--json"]).json()[0]["pid"], first, "the same process runs");
    assert_eq!(site.get("/").body, "one 1 shop\n");
    site.nyala(&["serve"]).assert_failed(1, "is already served");
    application(&project, "two", "");
    project.push().assert_success();
    assert_eq!(site.get("/").body, "two 2 shop\n");
    let logs = site.nyala(&["logs", "web"]).assert_success().stdout.clone();
    assert!(logs.contains("web.2 | starting two"), "{logs}");
    // Also of what is in it, each by itself.
    let socket = site.path.join("run/web.sock");
    fs::remove_file(&socket).unwrap();
    wait_until("it listens again", || UnixStream::connect(&socket).is_ok());
    assert_eq!(site.get("/").body, "two 2 shop\n");
    // Somebody else is where it was.
    fs::remove_file(&socket).unwrap();
    let other = UnixListener::bind(&socket).unwrap();
    let healthy = || site.sandbox.nyala(&["sites", folder, "--json"]).json()[0]["healthy"].clone();
    wait_until("it is noticed", || healthy() == false);
    drop(other);
    wait_until("it listens again", || healthy() == true);
    assert_eq!(site.get("/").body, "two 2 shop\n");
}

#[test]
fn a_site_that_is_made_anew_is_served_in_place_of_the_one_before() {
    let (site, server) = Site::served("");
    let project = site.project();
    application(&project, "old", "");
    project.push().assert_success();
    // In one step, so that nobody sees that there is none.
    let other = site.sandbox.path("other");
    let init = ["init", other.to_str().unwrap(), "--installer", "pip"];
    site.sandbox.nyala(&init).assert_success();
    fs::copy(site.path.join("nyala.toml"), other.join("nyala.toml")).unwrap();
    fs::rename(&site.path, site.sandbox.path("before")).unwrap();
    fs::rename(&other, &site.path).unwrap();
    wait_until("the new one is served", || {
        site.nyala(&["ps", "--json"]).stdout.trim() == "[]" && site.get("/").status == 503
    });
    assert_eq!(site.application_processes(), 0);
    let printed = server.stop();
    assert!(printed.contains("what was served there is ended"), "{printed}");
}

#[test]
fn logs_keep_the_order_in_which_lines_were_printed() {
    let site = Site::new();
    let logs = site.path.join("run/logs");
    fs::create_dir_all(&logs).unwrap();
    let at = |process: &str, text: &str| format!("2026-11-27T08:00:00.000Z {process} | {text}\n");
    let first = [at("web.1", "Traceback"), at("web.1", "  File"), at("web.1", "    alpha()")];
    let second = at("web:2.1", "KeyError");
    fs::write(logs.join("web.log"), format!("{}{second}", first.concat())).unwrap();
    let printed = |process: &str| site.nyala(&["logs", process]).assert_success().stdout.clone();
    assert_eq!(printed("web"), format!("{}{second}", first.concat()));
    assert_eq!((printed("web:1"), printed("web:2")), (first.concat(), second));
    site.nyala(&["logs", "worker"]).assert_failed(1, "no process worker has run");
}

#[test]
fn a_process_that_comes_later_is_followed_too() {
    let site = Site::new();
    let logs = site.path.join("run/logs");
    fs::create_dir_all(&logs).unwrap();
    fs::write(logs.join("web.log"), "T web.1 | first\n").unwrap();
    let output = site.sandbox.path("followed");
    let file = File::create(&output).unwrap();
    let _follow = Running::start_with_output(site.nyala_command().args(["logs", "--follow"]), file);
    let followed = || fs::read_to_string(&output).unwrap();
    wait_until("it follows", || followed() == "T web.1 | first\n");
    fs::write(logs.join("worker.log"), "T worker.2 | later\n").unwrap();
    wait_until("the other one is there", || followed().ends_with("T worker.2 | later\n"));
}

#[test]
fn what_a_terminal_sends_is_for_the_command_that_is_run() {
    let site = Site::new();
    site.project().write("page", "").push().assert_success();
    let script = "trap 'exit 5' INT; touch ready; while :; do sleep 0.01; done";
    let run = Running::start(site.nyala_command().args(["run", "sh", "-c", script]));
    let ready = site.path.join("releases/1/ready");
    wait_until("it runs", || ready.exists());
    run.signal_group(Signal::INT);
    assert_eq!(run.wait().status.code(), Some(5));
}
