//! Killed at every change of the disk, in every kind of deployment.

use std::fs;

use super::Trial;
use super::trial::faulty_site;
use crate::support::{Point, Project, Site, count, two_pythons, wait_until_quiet};

/// Dies at each of these points, or at every `parts`-th of them: tests run side by side.
fn dies_at(what: &str, trial: &Trial<'_>, points: &[Point], (part, parts): (usize, usize)) {
    assert!(points.len() > 10, "{points:#?}");
    let own: Vec<_> = points.iter().skip(part).step_by(parts).collect();
    for point in &own {
        eprintln!("{what}: killed at {point:?}");
        trial.die_at(point);
    }
    count(&format!("killed at a change of the disk: {what}"), own.len());
}

/// A project with one requirement that is live already.
fn deployed(site: &Site) -> Project<'_> {
    let project = site.python_project();
    project
        .write("page", "before")
        .write("static/logo.svg", "<svg/>")
        .write("static/css/site.css", "");
    project.push().assert_success();
    project
}

#[test]
fn killed_anywhere_in_a_deployment_that_reuses_its_env() {
    let site = faulty_site();
    let trial = Trial::new(&site, deployed(&site), &[], |_| {});
    dies_at("reuse", &trial, &trial.points(), (0, 1));
}

/// The application has written into the release that goes.
#[test]
fn killed_anywhere_in_a_deployment_that_starts_from_the_staging_tree() {
    let site = faulty_site();
    let project = deployed(&site);
    wait_until_quiet(&site.path);
    fs::write(site.path.join("releases/1/guestbook.db"), "rows").unwrap();
    fs::write(site.path.join("releases/1/static/logo.svg"), "written in place").unwrap();
    let mut trial = Trial::new(&site, project, &[], |project| {
        project
            .write("static/new/file", "new")
            .write("static/css/site.css", "i {}")
            .remove("static/logo.svg");
    });
    trial.kept = &["1/guestbook.db", "1/static/logo.svg"];
    let points = trial.points();
    let has = |name: &str| points.iter().any(|point| point.what.starts_with(name));
    assert!(has("update: written") && has("export: written"), "{points:#?}");
    dies_at("staging", &trial, &points, (0, 1));
}

/// Killed once, and killed again at every point of the deployment that puts things right.
#[test]
fn killed_anywhere_while_it_recovers_from_being_killed() {
    let site = faulty_site();
    let project = deployed(&site);
    let head = project.head();
    site.sandbox.set_variable("NYALA_FAULT_AT", "worker:100");
    project.write("requirements.txt", "antelope==1.1\n").push();
    site.sandbox.remove_variable("NYALA_FAULT_AT");
    wait_until_quiet(&site.path);
    assert_eq!(site.numbers("envs").len(), 2, "it was killed while it copied an env");
    let trial = Trial::new(&site, project, &[], |project| {
        project.git(&["checkout", "--quiet", &head, "--", "requirements.txt"]);
    });
    dies_at("recovery", &trial, &trial.points(), (0, 1));
}

fn dies_in_the_first_deployment(part: usize) {
    let site = faulty_site();
    // Another site's deployment of long ago has filled the cache: unpacking pip is another test's.
    deployed(&site);
    wait_until_quiet(&site.path);
    let cache = site.sandbox.path("cache");
    fs::rename(site.path.join("cache"), &cache).unwrap();
    fs::remove_dir_all(&site.path).unwrap();
    site.sandbox.nyala(&["init", site.path.to_str().unwrap()]).assert_success();
    site.configure("keep = 1");
    fs::remove_dir_all(site.path.join("cache")).unwrap();
    fs::rename(&cache, site.path.join("cache")).unwrap();
    let project = site.python_project();
    let trial = Trial::new(&site, project, &[], |_| {});
    dies_at("first", &trial, &trial.points_of_the_env(), (part, 2));
}

#[test]
fn killed_anywhere_in_a_first_deployment() {
    dies_in_the_first_deployment(0);
}

#[test]
fn killed_anywhere_else_in_a_first_deployment() {
    dies_in_the_first_deployment(1);
}

fn dies_in_an_update(part: usize) {
    let site = faulty_site();
    let trial = Trial::new(&site, deployed(&site), &[], |project| {
        project.write("requirements.txt", "antelope==1.1\n");
    });
    dies_at("update", &trial, &trial.points_of_the_env(), (part, 2));
}

#[test]
fn killed_anywhere_in_a_deployment_that_updates_its_env() {
    dies_in_an_update(0);
}

#[test]
fn killed_anywhere_else_in_a_deployment_that_updates_its_env() {
    dies_in_an_update(1);
}

fn dies_in_a_rebuild(part: usize) {
    let site = faulty_site();
    let trial = Trial::new(&site, deployed(&site), &["-o", "rebuild-env"], |_| {});
    dies_at("rebuild", &trial, &trial.points_of_the_env(), (part, 2));
}

#[test]
fn killed_anywhere_in_a_deployment_that_rebuilds_its_env() {
    dies_in_a_rebuild(0);
}

#[test]
fn killed_anywhere_else_in_a_deployment_that_rebuilds_its_env() {
    dies_in_a_rebuild(1);
}

fn dies_in_a_toggle(part: usize) {
    let Some((older, newer)) = two_pythons() else { return };
    let site = faulty_site();
    let project = site.python_project();
    // The cache has the pip of both.
    project.write("page", "first").write("runtime.txt", newer.runtime()).push().assert_success();
    project.write("page", "before").write("runtime.txt", older.runtime()).push().assert_success();
    let trial = Trial::new(&site, project, &[], |project| {
        project.write("runtime.txt", newer.runtime());
    });
    dies_at("toggle", &trial, &trial.points_of_the_env(), (part, 2));
}

#[test]
fn killed_anywhere_in_a_deployment_on_another_python() {
    dies_in_a_toggle(0);
}

#[test]
fn killed_anywhere_else_in_a_deployment_on_another_python() {
    dies_in_a_toggle(1);
}
