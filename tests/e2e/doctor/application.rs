//! What doctor and status say of an application that does not run as it should.

use std::fs;
use std::net::TcpListener;

use super::{assert_finds, assert_well, examine};
use crate::running::application;
use crate::support::{Running, Site, wait_until};

/// Answers 503 while a file is there, and does not start while another one is.
fn fragile(site: &Site) -> String {
    let (sick, broken) = (site.sandbox.path("sick"), site.sandbox.path("broken"));
    format!(
        "Handler.do_GET = lambda self: os._exit(3) if self.path == '/exit' else self.answer(\
         503 if os.path.exists('{}') else 200, 'x')\n\
         if os.path.exists('{}'): raise SystemExit('it is broken')",
        sick.display(),
        broken.display()
    )
}

#[test]
fn an_application_that_nobody_runs_is_found() {
    let site = Site::new();
    // Its port may be in use on this machine.
    site.listen_on("'unix:run/web.sock'");
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    let finding = assert_finds(&site, "not-served");
    assert_eq!(finding["fix"], format!("nyala serve {}", site.path.display()));
    let status = site.nyala(&["status"]);
    assert!(status.stdout.contains("Wrong:  release 1 is live, but no nyala serve"), "{status:#?}");
    // What nyala itself does there runs nothing.
    let other = Site::new();
    other.listen_on("'unix:run/web.sock'");
    let mut serve = other.nyala_command();
    let serve = Running::start(serve.arg("serve").current_dir(site.path.join("releases/1")));
    assert_finds(&site, "not-served");
    drop(serve);
    // A unit of the user's own may run it.
    let mut own = site.sandbox.command("sleep");
    let own = Running::start(own.arg("600").current_dir(site.path.join("releases/1")));
    assert_well(&site);
    drop(own);
    assert_finds(&site, "not-served");

    let server = site.serve_on_a_socket("");
    assert_well(&site);
    let status = site.nyala(&["status"]);
    assert!(status.stdout.contains("Runs:   web on unix:run/web.sock"), "{status:#?}");
    site.nyala(&["stop"]).assert_success();
    assert_eq!(assert_finds(&site, "stopped")["fix"], "nyala start");
    let status = site.nyala(&["status", "--json"]).json();
    assert!(status["application"]["stopped"]["by"].is_string(), "{status:#}");
    site.nyala(&["start"]).assert_success();
    assert_well(&site);
    server.stop();

    let file = site.path.join("nyala.toml");
    let settings = fs::read_to_string(&file).unwrap();
    fs::write(&file, settings.replace("listen = ", "# listen = ")).unwrap();
    let finding = assert_finds(&site, "no-address");
    assert!(finding["fact"].as_str().unwrap().contains("(the Procfile)"), "{finding:#}");
}

#[test]
fn an_application_that_is_sick_is_found() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "page", &fragile(&site));
    project.push().assert_success();
    assert_well(&site);
    fs::write(site.sandbox.path("sick"), "").unwrap();
    let finding = assert_finds(&site, "unhealthy");
    assert!(finding["found"].to_string().contains("503 Service Unavailable"), "{finding:#}");
    fs::remove_file(site.sandbox.path("sick")).unwrap();
    assert_well(&site);
    fs::write(site.sandbox.path("broken"), "").unwrap();
    let head = "GET /exit HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
    assert!([502, 503].contains(&site.ask(head).status));
    wait_until("it ends again and again", || {
        examine(&site).iter().any(|finding| finding["id"] == "restart-loop")
    });
    let finding = assert_finds(&site, "restart-loop");
    assert!(finding["found"].to_string().contains("it is broken"), "{finding:#}");
    let status = site.nyala(&["status"]);
    assert!(status.stdout.contains("Wrong:  web ends again and again"), "{status:#?}");
}

#[test]
fn an_address_that_is_taken_is_found_and_is_listened_on_once_it_is_free() {
    let site = Site::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let file = site.path.join("nyala.toml");
    let settings = fs::read_to_string(&file).unwrap();
    let settings = settings.lines().map(|line| {
        if line.starts_with("listen = ") {
            format!("listen = '{address}'\n")
        } else {
            format!("{line}\n")
        }
    });
    fs::write(&file, settings.collect::<String>()).unwrap();
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    let finding = assert_finds(&site, "not-served");
    let fact = format!("no nyala serve runs the application, and {address} is taken");
    assert_eq!(finding["fact"], fact);
    let _server = site.serve();
    let finding = assert_finds(&site, "not-listening");
    let fact = finding["fact"].as_str().unwrap();
    assert!(fact.starts_with(&format!("cannot listen on {address}")), "{fact}");
    // The application is well, and nobody can reach it: whoever looks is told.
    let folder = site.path.parent().unwrap().to_str().unwrap();
    let row = || site.sandbox.nyala(&["sites", folder, "--json"]).json()[0].clone();
    assert_eq!(
        (&row()["healthy"], &row()["address"]),
        (&false.into(), &address.to_string().into())
    );
    let ps = site.nyala(&["ps"]);
    assert!(ps.assert_success().stderr.contains(&format!("cannot listen on {address}")), "{ps:#?}");
    let status = site.nyala(&["status"]).stdout;
    assert!(status.contains("Runs:   web\nWrong:  cannot listen on"), "{status}");
    let listens = |yes: &str| {
        let metrics = site.nyala(&["metrics"]).stdout;
        assert!(
            metrics.contains(&format!("nyala_listening{{site=\"site\"}} {yes}\n")),
            "{metrics}"
        );
    };
    listens("0");
    drop(taken);
    wait_until("it listens", || examine(&site).is_empty());
    assert_eq!(row()["healthy"], true);
    listens("1");
    // Settings that nobody has taken over yet say nothing of where visitors are taken.
    site.listen_on("'127.0.0.1:1'");
    assert_eq!(row()["address"], address.to_string());
    let status = site.nyala(&["status"]).stdout;
    assert!(status.contains(&format!("Runs:   web on {address}\n")), "{status}");
}
