//! A worker, or `nyala serve`, dies while visitors are given to a new release.

use super::trial::faulty_site;
use crate::support::{Point, Project, Site, count, points, wait_until, wait_until_quiet};

fn page(project: &Project<'_>, page: &str, start: &str) {
    let text = include_str!("../fixtures/server.py");
    let text = text.replace("@PAGE@", page).replace("# @START@", start);
    project.write("server.py", text).write("Procfile", "web: python3 server.py\n");
}

/// The release whose processes run, once there is one alone and it takes requests.
fn only_release(site: &Site) -> u64 {
    let mut release = None;
    wait_until("one release runs", || {
        let ran = site.nyala(&["ps", "--json"]);
        let processes = ran.json();
        let [process] = &processes.as_array().unwrap()[..] else { return false };
        release = process["release"].as_u64();
        process["healthy"] == true
    });
    release.unwrap()
}

/// What visitors get is what the link says, it is whole, and nothing runs beside it: one release
/// has so many processes.
fn assert_served(site: &Site, processes: usize) {
    let live = site.live_id().unwrap();
    wait_until("visitors get what is live", || {
        let answer = site.get("/");
        answer.status == 200 && answer.body == format!("page {live} shop\n")
    });
    assert_eq!(only_release(site), live);
    wait_until("no other release runs", || site.application_processes() == processes);
}

#[test]
fn a_worker_that_dies_while_it_switches_leaves_visitors_with_what_is_live() {
    let site = faulty_site();
    let _server = site.serve_on_a_socket("");
    let project = site.project();
    page(&project, "page", "");
    project.push().assert_success();
    let processes = site.application_processes();
    let trace = site.sandbox.path("trace");
    site.sandbox.set_variable("NYALA_FAULT_TRACE", &trace);
    project.write("change", "traced").push().assert_success();
    wait_until_quiet(&site.path);
    site.sandbox.remove_variable("NYALA_FAULT_TRACE");
    let all = points(&trace, &site.path);
    let at = |what: &str| all.iter().position(|point| point.what.starts_with(what)).unwrap();
    let of_the_switch: Vec<Point> = all[at("start: before")..=at("switch: after")].to_vec();
    assert!(of_the_switch.iter().any(|it| it.what.contains("wwwroot")), "{of_the_switch:?}");
    for (number, point) in of_the_switch.iter().enumerate() {
        site.sandbox.set_variable("NYALA_FAULT_AT", point.variable());
        let push = project.write("change", number.to_string()).push();
        assert!(push.accepted, "{}", push.stderr);
        site.sandbox.remove_variable("NYALA_FAULT_AT");
        wait_until_quiet(&site.path);
        assert_served(&site, processes);
        project.write("change", format!("after {number}")).push().assert_success();
        wait_until_quiet(&site.path);
        assert_served(&site, processes);
    }
    count("killed while it switches", of_the_switch.len());
}

#[test]
fn a_serve_that_dies_while_a_release_starts_fails_the_deployment_and_nothing_else() {
    let site = faulty_site();
    let server = site.serve_on_a_socket("");
    let project = site.project();
    page(&project, "page", "");
    project.push().assert_success();
    let processes = site.application_processes();
    page(&project, "page", "open('started', 'w'); time.sleep(600)");
    let push = project.push_in_background();
    let started = site.path.join("releases/2/started");
    wait_until("the new release starts", || started.exists());
    server.kill();
    push.wait().assert_failed_with("nyala serve ended before it answered");
    assert_eq!(site.live_id(), Some(1));
    let _server = site.serve();
    assert_served(&site, processes);
    page(&project, "page", "");
    project.push().assert_success();
    assert_served(&site, processes);
}
