//! The push runs the application: `nyala serve`, and what a deployment asks of it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::{Ends, Project, Site, wait_until};

/// An application whose page says which one it is. `start` is Python that runs before it listens.
pub(crate) fn application(project: &Project<'_>, page: &str, start: &str) {
    let text =
        include_str!("fixtures/server.py").replace("@PAGE@", page).replace("# @START@", start);
    project.write("server.py", text);
    project.write("Procfile", "web: python3 server.py\n");
}

#[test]
fn a_push_ends_with_the_application_running_on_the_new_release() {
    let (site, server) = Site::served("");
    let project = site.project();
    assert_eq!(site.get("/").status, 503, "nothing is live yet");
    application(&project, "one", "");
    let push = project.push();
    push.assert_success()
        .assert_says("-----> Start")
        .assert_says("Processes from the Procfile")
        .assert_says("web: python3 server.py")
        .assert_says("GET / answers 200 OK");
    let answer = site.get("/");
    assert_eq!((answer.status, answer.body.as_str()), (200, "one 1 shop\n"));

    application(&project, "two", "");
    project.push().assert_success();
    assert_eq!(site.get("/").body, "two 2 shop\n");
    wait_until("the old release has ended", || processes(&site) == ["web 2 yes"]);
    assert_eq!(site.record(2)["processes"]["commands"]["web"], "python3 server.py");

    // A rollback switches in the same way.
    site.nyala(&["rollback"]).assert_success();
    assert_eq!(site.get("/").body, "one 1 shop\n");
    wait_until("the old release has ended", || processes(&site) == ["web 1 yes"]);

    let printed = server.stop();
    assert!(printed.contains("site: release 2 is live\n"), "{printed}");
    let is_of_web = |line: &str| line.starts_with("site: 2") && line.ends_with(" starting two");
    assert!(printed.lines().any(is_of_web), "{printed}");
    let logs = site.nyala(&["logs", "web"]).assert_success().stdout.clone();
    assert!(
        logs.contains("web.1 | starting one") && logs.contains("web.2 | starting two"),
        "{logs}"
    );
    // Nothing serves it now, and a push still deploys.
    site.nyala(&["ps"]).assert_failed(1, "no nyala serve serves this site");
    application(&project, "three", "");
    project.push().assert_success().assert_says("web (the Procfile) not started");
}

/// `web 2 yes` for each process: its name, its release, and whether it is healthy.
pub(crate) fn processes(site: &Site) -> Vec<String> {
    let processes = site.nyala(&["ps", "--json"]).json();
    let row = |process: &serde_json::Value| {
        let healthy = match process["healthy"].as_bool() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "-",
        };
        format!("{} {} {healthy}", process["process"].as_str().unwrap(), process["release"])
    };
    processes.as_array().unwrap().iter().map(row).collect()
}

#[test]
fn a_sick_release_never_goes_live() {
    let (site, _server) = Site::served("health_timeout = '2s'");
    let project = site.project();
    application(&project, "well", "");
    project.push().assert_success();

    application(&project, "sick", "raise SystemExit('no database')");
    let push = project.push();
    push.assert_failed_with("the application did not start")
        .assert_says("       no database")
        .assert_says("exited with 1");
    assert_eq!((site.live_id(), site.get("/").body.as_str()), (Some(1), "well 1 shop\n"));

    // It was only tried.
    let logs = site.nyala(&["logs", "web"]).assert_success().stdout.clone();
    assert!(logs.contains("web.2 | nyala: it exited with 1\n"), "{logs}");

    application(&project, "silent", "time.sleep(60)");
    let push = project.push();
    push.assert_failed_with("the application was not healthy after 2 s")
        .assert_says("answered: nothing: it does not take connections");
    assert_eq!((site.live_id(), site.get("/").body.as_str()), (Some(1), "well 1 shop\n"));

    project.write("Procfile", "web: gunicorn app:app\n");
    project.push().assert_failed_with("web needs gunicorn, which was not found");
    project.write("Procfile", "web gunicorn app\n");
    project.push().assert_failed_with("a line of the Procfile names no process");
    project.write("Procfile", "web: python3 server.py\nworker: a\0b\n");
    project
        .push()
        .assert_failed_with("a command has a control character")
        .assert_says("found: worker: a\\0b (line 2 of the Procfile)");
    project.remove("Procfile");
    project.push().assert_failed_with("and the new one has nothing to run");
    assert_eq!(processes(&site), ["web 1 yes"]);
}

#[test]
fn a_deployment_that_is_cancelled_ends_what_it_has_started() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    let processes = site.application_processes();
    application(&project, "slow", "open('started', 'w'); time.sleep(600)");
    let push = project.push_in_background();
    let started = site.path.join("releases/2/started");
    wait_until("the new release starts", || started.exists());
    site.nyala(&["cancel"]).assert_success();
    push.wait();
    wait_until("only what is live runs", || site.application_processes() == processes);
    assert_eq!((site.live_id(), site.get("/").body.as_str()), (Some(1), "page 1 shop\n"));
}

#[test]
fn no_request_fails_while_releases_are_switched() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    let done = AtomicBool::new(false);
    let counts = thread::scope(|scope| {
        let ends = Ends(&done);
        let visitors: Vec<_> = (0..4)
            .map(|visitor| {
                let (site, done) = (&site, &done);
                scope.spawn(move || {
                    let mut count = 0;
                    let mut kept = site.connect();
                    while !done.load(Ordering::Relaxed) {
                        // Two keep their connection, two come anew each time.
                        if visitor < 2 {
                            kept.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n").unwrap();
                            let mut text = String::new();
                            while !text.contains("shop\n") {
                                let mut buffer = [0; 4096];
                                let read = kept.read(&mut buffer).unwrap();
                                assert!(read > 0, "the connection was closed: {text}");
                                text += &String::from_utf8_lossy(&buffer[..read]);
                            }
                            assert!(text.starts_with("HTTP/1.1 200"), "{text}");
                        } else {
                            let answer = site.get("/");
                            assert_eq!(answer.status, 200, "{answer:?}");
                        }
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        for _ in 0..4 {
            site.nyala(&["redeploy"]).assert_success();
        }
        drop(ends);
        visitors.into_iter().map(|visitor| visitor.join().unwrap()).collect::<Vec<u64>>()
    });
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
    wait_until("the others have ended", || processes(&site) == ["web 5 yes"]);
}

#[test]
fn an_answer_that_has_begun_is_finished_by_the_old_release() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "old", "");
    project.push().assert_success();
    let mut slow = site.connect();
    slow.write_all(b"GET /slow HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").unwrap();
    application(&project, "new", "");
    project.push().assert_success();
    assert_eq!(site.get("/").body, "new 2 shop\n");
    let mut text = String::new();
    slow.read_to_string(&mut text).unwrap();
    assert!(text.ends_with("old 1 shop\n"), "{text}");
}

#[test]
fn a_process_that_dies_is_started_again_while_requests_wait() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    // It dies before it answers; a request that may be repeated is sent once more, in vain.
    assert_eq!(site.get("/exit").status, 502);
    assert_eq!(site.get("/").status, 200);
    let logs = site.nyala(&["logs"]).assert_success().stdout.clone();
    assert!(logs.contains("nyala: it exited with 3; it is started again in 0.1 s"), "{logs}");
    let restarts = || site.nyala(&["ps", "--json"]).json()[0]["restarts"].as_u64();
    let died = restarts().unwrap();
    assert!((1..=2).contains(&died), "{died}");
    let ran = site.nyala(&["restart", "web"]);
    assert!(ran.assert_success().stdout.contains("GET / answers 200 OK"), "{ran:#?}");
    wait_until("it was restarted", || restarts() == Some(0) && processes(&site) == ["web 1 yes"]);
    site.nyala(&["restart", "worker"]).assert_failed(1, "no process worker runs");
}

#[test]
fn a_killed_serve_leaves_nothing_that_the_next_one_does_not_find() {
    let (site, server) = Site::served("");
    let project = site.project();
    // What it starts in a session of its own is found, too.
    application(
        &project,
        "page",
        "import subprocess; subprocess.Popen(['setsid', 'sleep', '600'])",
    );
    project.write("Procfile", "web: python3 server.py\nworker: sleep 600\n");
    project.push().assert_success();
    wait_until("the worker runs", || processes(&site) == ["web 1 yes", "worker 1 -"]);
    site.nyala(&["serve"]).assert_failed(1, "is already served");
    server.kill();
    let server = Site::serve(&site);
    wait_until("it answers", || site.get("/").status == 200);
    wait_until("the worker runs", || processes(&site) == ["web 1 yes", "worker 1 -"]);
    assert_eq!(site.get("/").body, "page 1 shop\n");
    // A terminal that is closed ends it as Ctrl-C does.
    server.signal(rustix::process::Signal::HUP);
    let printed = server.stop();
    assert!(printed.contains("of an earlier nyala serve were ended"), "{printed}");
    assert_eq!(site.application_processes(), 0, "everything has ended with nyala serve");
}

#[test]
fn a_site_that_is_moved_or_removed_is_served_there_no_more() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    assert!(site.application_processes() > 0);
    let (elsewhere, socket) = (site.sandbox.path("moved"), site.path.join("run/web.sock"));
    std::fs::rename(&site.path, &elsewhere).unwrap();
    wait_until("its processes have ended", || site.application_processes() == 0);
    assert!(!site.path.exists(), "nothing is put where it was");
    std::fs::rename(&elsewhere, &site.path).unwrap();
    wait_until("it is served again", || UnixStream::connect(&socket).is_ok());
    assert_eq!(site.get("/").body, "page 1 shop\n");
    std::fs::remove_dir_all(&site.path).unwrap();
    wait_until("its processes have ended", || site.application_processes() == 0);
}

#[test]
fn requests_pass_as_people_expect() {
    let (site, _server) = Site::served("max_body = 1000");
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    let forged =
        "GET / HTTP/1.1\r\nHost: shop\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n";
    // Behind a socket is another proxy, which is believed.
    assert!(site.ask(forged).head.to_lowercase().contains("got-x-forwarded-proto: https"));
    assert!(site.get("/").head.to_lowercase().contains("got-x-request-id: "));
    let post = |headers: &str, body: &str| {
        site.ask(&format!(
            "POST / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{headers}\r\n{body}"
        ))
    };
    assert_eq!(post("Content-Length: 5\r\n", "hello").body, "5 bytes\n");
    let chunked = "Transfer-Encoding: chunked\r\n";
    assert_eq!(post(chunked, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").body, "5 bytes\n");
    assert_eq!(post("Content-Length: 1001\r\n", "").status, 413);
    let large = format!("3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1001));
    assert_eq!(post(chunked, &large).status, 413);
    // HTTP/1.0, and a whole address in place of a path.
    assert_eq!(site.ask("GET / HTTP/1.0\r\n\r\n").status, 200);
    let whole = "GET http://other/ HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
    assert_eq!(site.ask(whole).body, "page 1 other\n");
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("CONNECT shop:80 HTTP/1.1\r\nHost: shop\r\n\r\n", 405),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    ] {
        let request = request.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
        assert_eq!(site.ask(&request).status, status, "{request}");
    }
    let cookie = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", "x".repeat(40_000));
    let cookie = cookie.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
    assert_eq!(site.ask(&cookie).status, 431);
}

#[test]
fn a_websocket_is_relayed_until_its_release_ends() {
    let (site, server) = Site::served("grace = '1s'");
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    let mut socket = site.connect();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let request = format!("GET /websocket HTTP/1.1\r\nHost: shop\r\n{upgrade}\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.extend_from_slice(&byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    socket.write_all(b"hello").unwrap();
    let mut buffer = [0; 100];
    let length = socket.read(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"echo hello");
    site.nyala(&["redeploy"]).assert_success();
    // 1001: the server goes away.
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, [0x88, 0x02, 0x03, 0xe9]);
    let printed = server.stop();
    let cut_off = "release 1 ends after 1 s; requests and websockets cut off: 1";
    assert!(printed.contains(cut_off), "{printed}");
}

#[test]
fn a_release_command_runs_once_before_the_release_is_started() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "page", "assert open('migrated').read() == 'x'");
    project.write("Procfile", "release: printf x >> migrated\nweb: python3 server.py\n");
    let push = project.push();
    push.assert_success().assert_says("Running printf x >> migrated (the Procfile)");
    assert_eq!(processes(&site), ["web 1 yes"]);
    project.write("Procfile", "release: exit 7\nweb: python3 server.py\n");
    project.push().assert_failed_with("exit 7 failed (the Procfile)");
    assert_eq!((site.live_id(), site.get("/").status), (Some(1), 200));
}

#[test]
fn the_link_decides_what_a_new_serve_starts() {
    let (site, server) = Site::served("");
    let project = site.project();
    application(&project, "one", "");
    project.push().assert_success();
    application(&project, "two", "");
    project.push().assert_success();
    assert_eq!(site.get("/").body, "two 2 shop\n");
    server.kill();
    site.nyala(&["rollback"]).assert_success();
    let _server = site.serve();
    wait_until("it answers", || site.get("/").status == 200);
    assert_eq!(site.get("/").body, "one 1 shop\n");
}

#[test]
fn a_command_runs_in_the_live_release() {
    let site = Site::new();
    site.set("GREETING", "hello");
    let project = site.project();
    project.write("no-interpreter", "#!/no/such/python\n").make_executable("no-interpreter");
    project.write("page", "here").push().assert_success();
    let ran = site.nyala(&["run", "sh", "-c", "echo $GREETING; cat page; pwd; exit 7"]);
    assert_eq!(ran.status.code(), Some(7));
    let release = site.path.join("releases/1");
    assert_eq!(ran.stdout, format!("hello\nhere{}\n", release.display()));
    // As a shell has it: 127 for a program that is not there, 126 for one that cannot be run.
    let not_run = |program: &str, code, why: &str| {
        site.nyala(&["run", program]).assert_failed(code, &format!("in release 1: {why}"));
    };
    not_run("no-such-program", 127, "there is no program no-such-program on the PATH");
    not_run("page", 127, "there is no program page on the PATH");
    not_run("./gone", 127, &format!("{}/./gone does not exist", release.display()));
    not_run("./page", 126, "Permission denied");
    not_run("./", 126, "Permission denied");
    not_run("./no-interpreter", 126, "the interpreter that ");
}

#[test]
fn processes_that_answer_no_requests_are_a_warning() {
    let (site, _server) = Site::served("");
    let project = site.project();
    // As piku has it.
    project.write("Procfile", "wsgi: app:app\n");
    project
        .push()
        .assert_success()
        .assert_says("warning: no process is called web, so visitors get 503")
        .assert_says("found: the processes are from the Procfile");
    assert_eq!(site.get("/").status, 503);

    // But what visitors have is not taken from them.
    application(&project, "page", "");
    project.push().assert_success();
    project.write("Procfile", "Web: python3 server.py\n");
    project.push().assert_failed_with("the new one has no process called web");
    assert_eq!(site.get("/").body, "page 2 shop\n");
}
