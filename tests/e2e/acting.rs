//! What a person does with an application that runs: stops, starts and configures it.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::running::{application, processes};
use crate::support::{Ends, Running, Site, wait_until};

/// An application whose page is the app setting GREETING, and which does not start with `broken`.
const GREETS: &str = "PAGE = os.environ.get('GREETING', 'nothing')
if PAGE == 'broken': raise SystemExit('the greeting is bad')";

#[test]
fn a_stopped_application_stays_stopped_until_it_is_started() {
    let (site, server) = Site::served("");
    let project = site.project();
    application(&project, "one", "");
    project.push().assert_success();
    let ran = site.nyala(&["stop"]);
    assert!(ran.assert_success().stdout.starts_with("Stopped. Requests get 503"), "{ran:#?}");
    assert_eq!((site.get("/").status, site.application_processes()), (503, 0));
    let again = site.nyala(&["stop"]);
    assert!(again.assert_success().stdout.starts_with("It is stopped already, since "));
    let ps = site.nyala(&["ps"]);
    assert!(ps.assert_success().stdout.contains("has been stopped since "), "{ps:#?}");
    site.nyala(&["restart"]).assert_failed(1, "the application is stopped");

    // A push and a rollback deploy without starting it, and so does a new nyala serve.
    application(&project, "two", "");
    let push = project.push();
    push.assert_success().assert_says("Not started: the application is stopped.");
    assert_eq!((site.live_id(), site.get("/").status), (Some(2), 503));
    site.nyala(&["rollback"]).assert_success();
    site.nyala(&["rollback", "2"]).assert_success();
    let printed = server.stop();
    assert!(printed.contains("stopped by "), "{printed}");
    let server = site.serve();
    assert_eq!((site.get("/").status, processes(&site).len()), (503, 0));

    let ran = site.nyala(&["start"]);
    assert!(ran.assert_success().stdout.contains("Started release 2."), "{ran:#?}");
    assert_eq!(site.get("/").body, "two 2 shop\n");
    assert!(site.nyala(&["start"]).assert_success().stdout.contains("It runs already."));

    // Without a nyala serve, it is remembered.
    server.stop();
    site.nyala(&["stop"]).assert_success();
    let server = site.serve();
    assert_eq!(site.get("/").status, 503);
    server.stop();
    site.nyala(&["start"]).assert_failed(1, "no nyala serve serves this site");
    let _server = site.serve();
    wait_until("it answers", || site.get("/").status == 200);
}

#[test]
fn an_application_that_does_not_start_stays_stopped() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "", GREETS);
    project.push().assert_success();
    site.nyala(&["stop"]).assert_success();
    site.set("GREETING", "broken");
    let ran = site.nyala(&["start"]);
    ran.assert_failed(1, "        the greeting is bad");
    assert_eq!((site.get("/").status, processes(&site).len()), (503, 0));
    site.set("GREETING", "hello");
    site.nyala(&["start"]).assert_success();
    assert_eq!(site.get("/").body, "hello 1 shop\n");
}

#[test]
fn an_app_setting_restarts_the_application_without_a_failed_request() {
    let (site, _server) = Site::served("");
    let project = site.project();
    let started = site.nyala(&["config", "set", "GREETING=first"]);
    assert!(started.assert_success().stdout.contains("The next deployment uses it"));
    application(&project, "", GREETS);
    project.push().assert_success();
    let done = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        let ends = Ends(&done);
        let visitor = scope.spawn(|| {
            let mut answers = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let answer = site.get("/");
                assert_eq!(answer.status, 200, "{answer:?}");
                answers.push(answer.body);
            }
            answers
        });
        let ran = site.nyala(&["config", "set", "GREETING=second"]);
        assert!(ran.assert_success().stdout.contains("The application was restarted with it."));
        assert_eq!(site.get("/").body, "second 1 shop\n");
        // One that breaks it changes nothing.
        let ran = site.nyala(&["config", "set", "GREETING=broken", "OTHER=1"]);
        ran.assert_failed(1, "nothing was changed: the application did not start")
            .assert_failed(1, "        the greeting is bad")
            .assert_failed(1, "what ran before goes on");
        assert_eq!(site.nyala(&["config", "get", "GREETING"]).stdout, "second\n");
        site.nyala(&["config", "get", "OTHER"]).assert_failed(1, "there is no app setting OTHER");
        site.nyala(&["config", "unset", "GREETING"]).assert_success();
        assert_eq!(site.get("/").body, "nothing 1 shop\n");
        drop(ends);
        visitor.join().unwrap()
    });
    assert!(answers.iter().all(|answer| !answer.starts_with("broken")), "{answers:?}");

    site.nyala(&["config", "set", "--no-restart", "GREETING=third"]).assert_success();
    assert_eq!(site.get("/").body, "nothing 1 shop\n");
    assert_eq!(site.nyala(&["config", "set", "GREETING=third"]).stdout, "Unchanged.\n");
    site.nyala(&["restart"]).assert_success();
    assert_eq!(site.get("/").body, "third 1 shop\n");
    let ran = site.nyala(&["config", "set", "PORT=5000"]);
    assert!(ran.assert_success().stdout.contains("PORT has no effect: during a switch"));
}

#[test]
fn scaling_two_processes_at_once_keeps_both() {
    let site = Site::new();
    // Both have looked at the settings when they get to change them.
    let folder = File::open(&site.path).unwrap();
    folder.lock().unwrap();
    let running = ["web=2", "worker=3"]
        .map(|wanted| Running::start(site.nyala_command().args(["scale", wanted])));
    let inode = format!(":{} ", folder.metadata().unwrap().ino());
    wait_until("both wait", || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks.lines().filter(|line| line.contains("-> FLOCK") && line.contains(&inode)).count() == 2
    });
    folder.unlock().unwrap();
    for running in running {
        running.wait().assert_success();
    }
    let settings = fs::read_to_string(site.path.join("nyala.toml")).unwrap();
    assert!(settings.contains("scale = { web = 2, worker = 3 }"), "{settings}");
}
