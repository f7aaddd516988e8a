//! What is known of requests, and what holds them: `status`, `metrics`, `scale`, `maintenance`,
//! `pause`, and an address that somebody else has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::{
    Answer, Ends, Project, Running, Server, Site, newest_python, skip, wait_until,
};

fn page(project: &Project<'_>, page: &str) {
    let text = include_str!("fixtures/server.py");
    project.write("server.py", text.replace("@PAGE@", page));
    project.write("Procfile", "web: python3 server.py\nworker: sleep 600\n");
}

/// The project of a site, whose application runs.
fn running(site: &Site) -> Project<'_> {
    let project = site.project();
    page(&project, "page");
    project.push().assert_success();
    project
}

/// The processes by their names, once all of them run.
fn processes(site: &Site) -> Vec<String> {
    let processes = site.nyala(&["ps", "--json"]).json();
    let running = processes.as_array().unwrap().iter();
    let running = running.filter(|it| !it["pid"].is_null() && it["healthy"] != false);
    let mut names: Vec<_> = running.map(|it| it["process"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn requests_are_counted() {
    let (site, _server) = Site::served("");
    running(&site);
    for _ in 0..8 {
        assert_eq!(site.get("/").status, 200);
    }
    for _ in 0..2 {
        assert_eq!(site.get("/fail").status, 500);
    }
    let requests = &site.nyala(&["status", "--json"]).json()["requests"];
    assert_eq!((&requests["answers"], &requests["errors"]), (&10.into(), &2.into()));
    assert!(requests["median"].as_f64().unwrap() > 0.0, "{requests}");
    let status = site.nyala(&["status"]).assert_success().stdout.clone();
    assert!(status.contains("Load:   ") && status.contains("20.0 % 5xx"), "{status}");

    let text = site.nyala(&["metrics"]).assert_success().stdout.clone();
    let samples = parse(&text);
    let of = |labels: &str| samples.get(labels).copied();
    let web = "site=\"site\",process=\"web\",release=\"1\"";
    assert_eq!(of(&format!("nyala_http_requests_total{{{web},status=\"2xx\"}}")), Some(8.0));
    assert_eq!(of(&format!("nyala_http_requests_total{{{web},status=\"5xx\"}}")), Some(2.0));
    assert_eq!(of(&format!("nyala_http_request_duration_seconds_count{{{web}}}")), Some(10.0));
    assert_eq!(of(&format!("nyala_process_up{{{web}}}")), Some(1.0));
    assert!(text.contains("nyala_process_up{site=\"site\",process=\"worker\",release=\"1\"} "));
    // A folder of sites, and one that nobody serves.
    let other = site.path.with_file_name("other");
    site.sandbox.nyala(&["init", other.to_str().unwrap()]).assert_success();
    let folder = site.path.parent().unwrap().to_str().unwrap();
    let all = parse(&site.sandbox.nyala(&["metrics", folder]).assert_success().stdout);
    assert_eq!(all.get("nyala_served{site=\"other\"}"), Some(&0.0));
    assert_eq!(all.get("nyala_served{site=\"site\"}"), Some(&1.0));
    // What is named twice is measured once.
    let places = [folder, site.path.to_str().unwrap(), folder];
    let twice = site.sandbox.nyala(&[&["metrics"], &places[..]].concat());
    assert!(parse(&twice.assert_success().stdout).keys().eq(all.keys()));
    read_with_prometheus(&text);
}

/// The samples of a text in Prometheus' format, which has to be right in every line.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
    let mut family = ("", "");
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = (rest.split_once(' ').unwrap().0, "");
            assert!(families.insert(family.0), "{line} comes twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(
                name == family.0 && ["counter", "gauge", "histogram"].contains(&kind),
                "{line}"
            );
            assert!(kind != "counter" || name.ends_with("_total"), "{line}");
            family.1 = kind;
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.strip_suffix('}').unwrap().split_once('{').unwrap();
            let suffix = name.strip_prefix(family.0).unwrap();
            let is_histogram = ["_bucket", "_sum", "_count"].contains(&suffix);
            assert!(
                if family.1 == "histogram" { is_histogram } else { suffix.is_empty() },
                "{line}"
            );
            for label in labels.split(',') {
                let (name, value) = label.split_once("=\"").unwrap();
                assert!(name.chars().all(|it| it.is_ascii_lowercase()) && value.ends_with('"'));
            }
            let value: f64 = value.parse().unwrap();
            assert!(samples.insert(series.to_owned(), value).is_none(), "{line} comes twice");
        }
    }
    for (series, count) in &samples {
        let Some(labels) = series.strip_prefix("nyala_http_request_duration_seconds_count") else {
            continue;
        };
        let labels = labels.trim_matches(['{', '}']);
        let prefix = format!("nyala_http_request_duration_seconds_bucket{{{labels},le=\"");
        let mut buckets: Vec<(f64, f64)> = samples
            .iter()
            .filter_map(|(series, value)| Some((series.strip_prefix(&prefix)?, *value)))
            .map(|(limit, value)| (limit.trim_end_matches("\"}").parse().unwrap(), value))
            .collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(buckets.is_sorted_by_key(|(_, value)| *value), "{buckets:?}");
        assert_eq!(buckets.last().unwrap(), &(f64::INFINITY, *count));
    }
    samples
}

/// Prometheus' own parser reads it as well.
fn read_with_prometheus(text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let python = &newest_python().path;
    let install = Command::new(python)
        .args(["-m", "pip", "install", "--quiet", "--retries", "0", "--target"])
        .arg(folder.path())
        .arg("prometheus_client==0.22.1")
        .output()
        .unwrap();
    if !install.status.success() {
        return skip("needs prometheus_client from a package index, beside the test's own parser");
    }
    fs::write(folder.path().join("text"), text).unwrap();
    let code = "from prometheus_client.parser import text_string_to_metric_families as parse\n\
                print(sum(len(it.samples) for it in parse(open('text').read())))";
    let ran = Command::new(python).args(["-c", code]).current_dir(folder.path()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(String::from_utf8_lossy(&ran.stdout).trim(), samples.to_string());
}

#[test]
fn processes_are_scaled_without_a_failed_request() {
    let (site, _server) = Site::served("");
    running(&site);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let ends = Ends(&done);
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let answer = site.get("/");
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            });
        }
        let ran = site.nyala(&["scale", "web=3", "worker=2"]);
        assert!(ran.assert_success().stdout.contains("Now running web=3 worker=2"), "{ran:#?}");
        let all = ["web", "web:2", "web:3", "worker", "worker:2"];
        wait_until("all of them run", || processes(&site) == all);
        // They are kept for every later release.
        site.nyala(&["redeploy"]).assert_success();
        let are_new = || {
            let processes = site.nyala(&["ps", "--json"]).json();
            processes.as_array().unwrap().iter().all(|it| it["release"] == 2)
        };
        wait_until("all of the new release run", || are_new() && processes(&site) == all);
        // One of them is meant by the name that it has there.
        let pids = || -> Vec<_> {
            let processes = site.nyala(&["ps", "--json"]).json();
            let pid = |name: &str| {
                let mut all = processes.as_array().unwrap().iter();
                all.find(|it| it["process"] == name).unwrap()["pid"].clone()
            };
            vec![pid("worker"), pid("worker:2")]
        };
        let before = pids();
        site.nyala(&["restart", "worker:2"]).assert_success();
        let after = pids();
        assert!(after[0] == before[0] && after[1] != before[1], "{before:?} {after:?}");
        site.nyala(&["restart", "worker:9"]).assert_failed(1, "no process worker:9 runs");
        site.nyala(&["scale", "web=1", "worker=0"]).assert_success();
        assert_eq!(processes(&site), ["web"]);
        drop(ends);
    });
    let settings = fs::read_to_string(site.path.join("nyala.toml")).unwrap();
    assert!(settings.contains("scale = { web = 1, worker = 0 }"), "{settings}");
    site.nyala(&["scale", "web=0"]).assert_failed(1, "web cannot be scaled to 0");
    site.nyala(&["scale", "wroker=2"]).assert_failed(1, "allowed: web, worker");
    site.nyala(&["scale", "web"]).assert_failed(2, "such as worker=2");
}

#[test]
fn requests_go_to_the_process_that_is_not_busy() {
    let (site, _server) = Site::served("scale = { web = 2 }");
    running(&site);
    let metrics = || parse(&site.nyala(&["metrics"]).stdout);
    let answered = |process: &str| {
        let labels = format!("site=\"site\",process=\"{process}\",release=\"1\"");
        metrics()[&format!("nyala_http_request_duration_seconds_count{{{labels}}}")]
    };
    thread::scope(|scope| {
        let slow = scope.spawn(|| site.get("/slow"));
        wait_until("one is busy", || {
            let busy = metrics().into_iter().filter(|(series, value)| {
                series.starts_with("nyala_http_requests_in_flight") && *value > 0.0
            });
            busy.count() == 1 || slow.is_finished()
        });
        for _ in 0..4 {
            site.get("/");
        }
        let counts = [answered("web"), answered("web:2")];
        // A machine that is slow may have taken longer for this than the one that is busy.
        if !slow.is_finished() {
            assert!(counts.contains(&4.0), "{counts:?}");
        }
    });
}

#[test]
fn maintenance_shows_a_page_while_deployments_go_on() {
    let (site, server) = Site::served("");
    let project = running(&site);
    let own = site.sandbox.path("down.html");
    fs::write(&own, "<h1>Back at noon</h1>").unwrap();
    site.nyala(&["maintenance", "on", "--page", own.to_str().unwrap()]).assert_success();
    let shown = site.get("/");
    assert_eq!((shown.status, shown.body.as_str()), (503, "<h1>Back at noon</h1>"));
    assert!(shown.head.to_lowercase().contains("retry-after: "), "{}", shown.head);
    page(&project, "new");
    project.push().assert_success().assert_says("GET / answers 200 OK");
    assert_eq!(site.get("/").status, 503);
    let status = site.nyala(&["status"]).stdout.clone();
    assert!(status.contains("nyala maintenance off"), "{status}");
    // It outlives nyala serve, and needs none.
    server.stop();
    let server = site.serve();
    assert_eq!(site.get("/").status, 503);
    server.stop();
    site.nyala(&["maintenance", "off"]).assert_success();
    let _server = site.serve();
    wait_until("visitors get the application", || site.get("/").body == "new 2 shop\n");
    site.nyala(&["maintenance", "on"]).assert_success();
    assert!(site.get("/").body.contains("Down for maintenance"));
    site.nyala(&["maintenance", "on", "--page", "/no/page"]).assert_failed(1, "cannot be read");
    site.nyala(&["maintenance", "off"]).assert_success();
    assert_eq!(site.get("/").status, 200);
}

#[test]
fn requests_wait_while_a_site_is_paused() {
    let (site, _server) = Site::served("");
    running(&site);
    let ran = site.nyala(&["pause", "--at-most", "1h"]);
    assert!(ran.assert_success().stdout.contains("Requests wait, at most 1 h"), "{ran:#?}");
    thread::scope(|scope| {
        let held = scope.spawn(|| site.get("/"));
        // A switch goes on behind it.
        site.nyala(&["redeploy"]).assert_success();
        assert!(!held.is_finished());
        site.nyala(&["pause", "--end"]).assert_success();
        assert_eq!(held.join().unwrap().body, "page 2 shop\n");
    });
    // It ends by itself.
    site.nyala(&["pause", "--at-most", "1s"]).assert_success();
    assert_eq!(site.get("/").status, 200);
    site.nyala(&["pause", "--at-most", "soon"]).assert_failed(2, "a time is written as");
}

#[test]
fn an_address_that_somebody_has_is_refused_with_his_name() {
    let (site, _server) = Site::served("");
    let project = running(&site);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let file = site.path.join("nyala.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("unix:run/web.sock", &address.to_string())).unwrap();
    project.write("Procfile", "web: python3 server.py\nrelease: touch ../../migrated\n");
    let push = project.push();
    push.assert_failed_with(&format!("cannot listen on {address}"))
        .assert_says(&format!("(process {}) listens there", std::process::id()));
    assert_eq!((site.live_id(), site.get("/").status), (Some(1), 200));
    assert!(!site.path.join("migrated").exists(), "nothing was started");
    // Once it is free, a restart takes it.
    drop(taken);
    let get = "GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
    site.nyala(&["restart"]).assert_success();
    assert_eq!(Answer::from(TcpStream::connect(address).unwrap(), get).status, 200);
    fs::write(&file, text.replace("unix:run/web.sock", "192.0.2.1:8000")).unwrap();
    let push = project.write("change", "2").push();
    push.assert_failed_with(
        "Change listen under [run] in nyala.toml to an address of this machine",
    );
}

#[test]
fn a_site_that_has_an_address_is_named() {
    let (site, other) = (Site::new(), Site::new());
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for it in [&site, &other] {
        it.listen_on(&format!("'{free}'"));
    }
    let server = site.serve_both(&other);
    // One of them came first.
    let blames = |one: &Site, other: &Site| {
        let found = format!("found: the site {} has that address\n", other.path.display());
        one.nyala(&["doctor"]).stdout.contains(&found)
    };
    assert_ne!(blames(&site, &other), blames(&other, &site));
    server.stop();
    // The one that visitors know has it, whatever they are called.
    let (early, late) = if site.path < other.path { (&site, &other) } else { (&other, &site) };
    late.project().write("index.html", "").push().assert_success();
    let server = site.serve_both(&other);
    assert!(blames(early, late));
    server.stop();

    // One that another nyala serve has.
    let beside = site.path.with_file_name("beside");
    let beside = beside.to_str().unwrap();
    site.sandbox.nyala(&["init", beside]).assert_success();
    fs::copy(site.path.join("nyala.toml"), format!("{beside}/nyala.toml")).unwrap();
    let server = site.serve();
    let serve = &mut site.sandbox.nyala_command();
    let _other = Server::of(Running::start(serve.args(["serve", beside])));
    let nyala = |command| site.sandbox.nyala(&["--site", beside, command]);
    wait_until("it is served", || nyala("ps").status.success());
    let (pid, path) = (server.pid(), site.path.display());
    let found = format!("found: another nyala serve (process {pid}) has that address for {path}\n");
    let ran = nyala("doctor");
    assert!(ran.stdout.contains(&found), "{ran:#?}");
}

#[test]
fn an_answer_that_comes_before_the_request_is_whole_arrives() {
    let site = Site::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    site.listen_on(&format!("'{free}'\nmax_body = 1000"));
    let _server = site.serve();
    let mut visitor = TcpStream::connect(free).unwrap();
    write!(visitor, "POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 100000\r\n\r\n").unwrap();
    // The answer is there, and is not read yet.
    visitor.peek(&mut [0]).unwrap();
    for _ in 0..10 {
        visitor.write_all(&[b'x'; 10_000]).unwrap();
    }
    let mut answer = String::new();
    visitor.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}
