//! What is said of the processes of an application.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use crate::running::{application, processes};
use crate::support::{Site, wait_until};

/// Takes connections, and answers nothing as long as the file `hang` is there.
const HANGS: &str = r#"
answer = Handler.answer

def answer_or_hang(self, *text):
    while os.path.exists("hang"):
        time.sleep(0.01)
    answer(self, *text)

Handler.answer = answer_or_hang
"#;

#[test]
fn a_process_that_does_not_answer_is_not_healthy() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "page", HANGS);
    project.push().assert_success();
    assert_eq!(processes(&site), ["web 1 yes"]);
    let release = site.path.join("releases/1");
    fs::write(release.join("sick"), "").unwrap();
    assert_eq!(processes(&site), ["web 1 no"]);
    fs::remove_file(release.join("sick")).unwrap();

    fs::write(release.join("hang"), "").unwrap();
    assert_eq!(processes(&site), ["web 1 no"]);
    let sites = site.nyala(&["sites", site.path.parent().unwrap().to_str().unwrap(), "--json"]);
    assert_eq!(sites.json()[0]["healthy"], false);
    let metrics = site.nyala(&["metrics"]).assert_success().stdout.clone();
    assert!(metrics.lines().any(|it| it.starts_with("nyala_process_up{") && it.ends_with(" 0")));
    fs::remove_file(release.join("hang")).unwrap();
    assert_eq!(processes(&site), ["web 1 yes"]);
}

#[test]
fn an_application_that_listens_elsewhere_is_told_where() {
    let (site, _server) = Site::served("health_timeout = '3s'");
    let project = site.project();
    project.write("Procfile", "web: python3 app.py\n");
    project.write(
        "app.py",
        "import socket\nlistener = socket.create_server(('127.0.0.1', 0))\n\
         open('port', 'w').write(str(listener.getsockname()[1]))\nlistener.accept()\n",
    );
    let push = project.push();
    let port = fs::read_to_string(site.path.join("kept/1/port"));
    let port = port.unwrap_or_default();
    push.assert_failed_with(&format!("it listens on 127.0.0.1:{port}"))
        .assert_says("Let app.py listen on 127.0.0.1 and the port in $PORT: int(os.environ");
    project.write(
        "app.py",
        "import socket, time\n\
        listener = socket.socket(socket.AF_UNIX)\nlistener.bind('app.sock')\n\
        listener.listen()\ntime.sleep(600)\n",
    );
    project.push().assert_failed_with("it listens on unix:app.sock, not on $PORT");
}

#[test]
fn a_site_that_was_stopped_does_not_wait_for_its_first_push() {
    let (site, server) = Site::served("");
    site.nyala(&["stop"]).assert_success();
    server.stop();
    let server = site.serve();
    let printed = server.stop();
    assert!(printed.contains("not started: it has been stopped"), "{printed}");
    assert!(!printed.contains("the first push starts it"), "{printed}");
}

/// Answers `/wait` when the file `go` is there.
const WAITS: &str = r#"
get = Handler.do_GET

def get_or_wait(self):
    if self.path == "/wait":
        open("asked", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.01)
    get(self)

Handler.do_GET = get_or_wait
"#;

#[test]
fn other_processes_are_scaled_before_they_are_started() {
    let (site, _server) = Site::served("grace = '1h'");
    let project = site.project();
    let push = |page: &str| {
        application(&project, page, WAITS);
        project.write("Procfile", "web: python3 server.py\nworker: sleep 600\nmail: sleep 600\n");
        project.push().assert_success();
    };
    let wait = || {
        let mut visitor = site.connect();
        let asked = "GET /wait HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
        visitor.write_all(asked.as_bytes()).unwrap();
        visitor
    };
    push("one");
    let release = site.path.join("releases/1");
    let mut visitor = wait();
    wait_until("the first release is asked", || release.join("asked").exists());
    push("two");
    // The first release still answers, and has its other processes.
    site.nyala(&["scale", "worker=2", "mail=0"]).assert_success();
    site.nyala(&["restart", "worker"]).assert_success();
    // A newer one does not start its own beside those.
    push("three");
    let has = |expected: &[&str]| {
        let mut found = processes(&site);
        found.sort_unstable();
        found == expected
    };
    let both = ["mail 1 -", "web 1 -", "web 3 yes", "worker 1 -"];
    wait_until("the second has ended", || has(&both));
    // What leaves is neither live nor sick.
    let ps = site.nyala(&["ps"]).assert_success().stdout.clone();
    assert_eq!(ps.lines().filter(|it| it.ends_with("leaving")).count(), 3, "{ps}");
    let status = site.nyala(&["status"]).assert_success().stdout.clone();
    assert!(status.contains("Runs:   web on unix:run/web.sock\n"), "{status}");
    let metrics = site.nyala(&["metrics"]).assert_success().stdout.clone();
    let up = "nyala_process_up{site=\"site\",process=\"web\",release=\"1\"} 1";
    assert!(metrics.lines().any(|it| it == up), "{metrics}");
    fs::write(release.join("go"), "").unwrap();
    let mut answer = String::new();
    visitor.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("one 1 shop\n"), "{answer}");
    wait_until("they are started", || has(&["web 3 yes", "worker 3 -", "worker:2 3 -"]));
}

#[test]
fn a_port_that_somebody_takes_is_given_up() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "page", "open('port', 'w').write(os.environ['PORT'])");
    project.push().assert_success();
    let given = || fs::read_to_string(site.path.join("releases/1/port")).unwrap().parse().ok();
    let port: u16 = given().unwrap();
    site.get("/exit");
    let mut taken = None;
    wait_until("the port is free", || {
        taken = TcpListener::bind(("127.0.0.1", port)).ok();
        taken.is_some()
    });
    // Asked before its end is noticed, the listener that never answers would get the request.
    wait_until("it listens elsewhere", || given().is_some_and(|it| it != port));
    wait_until("it answers", || site.get("/").body == "page 1 shop\n");
}
