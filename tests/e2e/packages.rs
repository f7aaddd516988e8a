//! A project that its own pyproject.toml, setup.py or setup.cfg declares, without a lock: a package
//! is installed itself, from the release, and of any other what it depends on.

use std::fs;

use crate::support::{Project, Push, Sandbox, Site, newest_python, setuptools, uv, wheels};

const OWN_BACKEND: &str =
    "[build-system]\nrequires = []\nbuild-backend = \"builder\"\nbackend-path = [\"backend\"]\n";
const SETUPTOOLS: &str = "[build-system]\nrequires = [\"setuptools\", \"wheel\"]\n\
                          build-backend = \"setuptools.build_meta\"\n\
                          [tool.setuptools]\npy-modules = [\"waterhole\"]\n";

fn pyproject(build_system: &str, dependencies: &[&str]) -> String {
    format!(
        "{build_system}[project]\nname = \"waterhole\"\nversion = \"1.0\"\n\
         dependencies = {dependencies:?}\n[project.optional-dependencies]\n\
         trees = [\"acacia\"] # extra\n[dependency-groups]\nprod = [\"oryx==2.0\"]\n"
    )
}

/// A site whose uv finds setuptools.
fn uv_site() -> Option<Site> {
    let (folder, uv) = (setuptools()?, uv()?);
    let sandbox = Sandbox::new();
    sandbox.put_uv_on_path(&uv);
    let places = format!("{} {}", wheels::folder().display(), folder.display());
    sandbox.set_variable("PIP_FIND_LINKS", places);
    Some(Site::in_sandbox(sandbox, "site", &["--installer", "uv"]))
}

fn write_package<'p, 's>(project: &'p Project<'s>, version: &str) -> &'p Project<'s> {
    project.write("waterhole.py", format!("VERSION = '{version}'\n"))
}

#[track_caller]
fn assert_has(site: &Site, expected: &[(&str, &str)], push: &Push) {
    push.assert_success();
    for name in ["waterhole", "antelope", "grass", "acacia", "oryx"] {
        let wanted = expected.iter().find(|(it, _)| *it == name).map(|(_, version)| *version);
        assert_eq!(site.package(name).as_deref(), wanted, "{name}: {}", push.stderr);
    }
}

fn decision(site: &Site) -> String {
    site.live()["env"]["decision"].as_str().unwrap().to_owned()
}

/// The names at the top of the live release.
fn top(site: &Site) -> Vec<String> {
    let entries = fs::read_dir(site.path.join("wwwroot")).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The life of a package that has no lock.
fn lives(site: &Site, build_system: &str, installer: &str) {
    let pyproject = |dependencies: &[&str]| pyproject(build_system, dependencies);
    let project = site.project();
    project.write("backend/builder.py", include_str!("fixtures/builder.py"));
    project.write("pyproject.toml", pyproject(&["antelope==1.0"])).write("README.md", "one");
    let push = write_package(&project, "a").push();
    assert_has(site, &[("waterhole", "a"), ("antelope", "1.0"), ("grass", "1.0")], &push);
    push.assert_says("Detected pyproject.toml.");
    push.assert_says("Not installed from pyproject.toml: extra trees, group prod");
    // What the build left behind is not in the release, and the env leads to no release.
    let expected = ["README.md", "backend", "env", "pyproject.toml", "waterhole.py"];
    assert_eq!(top(site), expected);
    let leads = site.env_python(
        "import glob, os, site; print([p for p in glob.glob(site.getsitepackages()[0] + '/*/*') \
         if os.path.isfile(p) and b'/releases/' in open(p, 'rb').read()])",
    );
    assert_eq!(leads, "[]");

    // What its build does not read is no reason to build it again.
    project.write("README.md", "two").push().assert_success();
    assert_eq!(decision(site), if build_system == SETUPTOOLS { "reuse" } else { "update" });

    let newer = ["antelope==1.1", "oryx==1.0"];
    let push = write_package(&project, "b").write("pyproject.toml", pyproject(&newer)).push();
    push.assert_says("antelope==1.0 -> ==1.1 (pyproject.toml)");
    push.assert_says("oryx==1.0 was added (pyproject.toml)");
    let expected = [("waterhole", "b"), ("antelope", "1.1"), ("grass", "1.0"), ("oryx", "1.0")];
    assert_has(site, &expected, &push);
    assert_eq!(decision(site), "update");

    let push = project.write("pyproject.toml", pyproject(&["grass"])).push();
    push.assert_says("oryx==1.0 is gone: nothing asks for it");
    assert_has(site, &[("waterhole", "b"), ("grass", "1.0")], &push);

    site.nyala(&["rollback"]).assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("1.1"), "{installer}");

    site.configure("dependencies = { groups = [\"prod\"], extras = [\"trees\"] }");
    project.commit("Choose");
    let push = project.push();
    let expected = [("waterhole", "b"), ("grass", "1.0"), ("acacia", "1.0"), ("oryx", "2.0")];
    assert_has(site, &expected, &push);

    let other_python = "[project]\nrequires-python = \"<3\"\n";
    let text = pyproject(&["grass"]).replace("[project]\n", other_python);
    project.write("runtime.txt", newest_python().runtime());
    let push = project.write("pyproject.toml", text).push();
    push.assert_failed_with("does not meet requires-python in pyproject.toml");
}

#[test]
fn a_package_without_a_lock_is_installed_from_the_release_by_pip() {
    lives(&Site::new(), OWN_BACKEND, "pip");
}

#[test]
fn a_package_without_a_lock_is_installed_from_the_release_by_uv() {
    let Some(site) = uv_site() else { return };
    lives(&site, SETUPTOOLS, "uv");
}

#[test]
fn what_a_project_no_longer_needs_is_gone_whoever_names_the_project() {
    let site = Site::new();
    let project = site.project();
    project.write("backend/builder.py", include_str!("fixtures/builder.py"));
    // What it needs is not known before it is built.
    let dynamic = "[project]\nname = \"waterhole\"\ndynamic = [\"version\", \"dependencies\"]\n";
    project.write("pyproject.toml", [OWN_BACKEND, dynamic].concat());
    write_package(&project, "a");
    let all = [("waterhole", "a"), ("antelope", "1.0"), ("grass", "1.0"), ("oryx", "2.0")];
    let without = [("waterhole", "a"), ("antelope", "1.0"), ("grass", "1.0")];
    for line in ["", ".\n", "-e .\n"] {
        if !line.is_empty() {
            project.write("requirements.txt", line);
        }
        let push = project.write("needs.txt", "antelope==1.0\noryx==2.0\n").push();
        assert_has(&site, &all, &push);
        let push = project.write("needs.txt", "antelope==1.0\n").push();
        assert_has(&site, &without, &push);
        assert_eq!(decision(&site), "create", "{line}: {}", push.stderr);
    }
    // What the build of `-e .` leaves behind is not in the release.
    let there = top(&site);
    assert!(!there.iter().any(|name| name == "build" || name.ends_with(".egg-info")), "{there:?}");
}

#[test]
fn setup_cfg_alone_is_a_project() {
    let Some(site) = uv_site() else { return };
    let project = site.project();
    let text = "[metadata]\nname = waterhole\nversion = 1\n[options]\npy_modules = waterhole\n\
                install_requires =\n    antelope==1.0\n";
    let push = write_package(&project, "a").write("setup.cfg", text).push();
    assert_has(&site, &[("waterhole", "a"), ("antelope", "1.0"), ("grass", "1.0")], &push);
    assert_eq!(top(&site), ["env", "setup.cfg", "waterhole.py"]);
}

#[test]
fn of_what_is_no_package_the_dependencies_are_installed() {
    let site = Site::new();
    let project = site.project();
    let flat = |dependencies: &str| {
        format!(
            "[project]\nname = \"waterhole\"\nversion = \"1\"\ndependencies = [{dependencies}]\n"
        )
    };
    project.write("pyproject.toml", flat("\"antelope==1.0\", \"oryx\""));
    let push = write_package(&project, "a").push();
    assert_has(&site, &[("antelope", "1.0"), ("grass", "1.0"), ("oryx", "2.0")], &push);
    let push = project.write("pyproject.toml", flat("\"antelope==1.1\"")).push();
    push.assert_says("oryx is gone: nothing asks for it");
    assert_has(&site, &[("antelope", "1.1"), ("grass", "1.0")], &push);
    let push = project.write("pyproject.toml", flat("")).push();
    push.assert_success();
    push.assert_says("warning: pyproject.toml names no dependencies, so nothing is installed");
    assert_eq!(site.package("antelope"), None);
}

#[test]
fn a_manifest_without_its_lock_is_an_error_with_the_command_that_makes_it() {
    let site = Site::new();
    let project = site.project();
    project.write("app.py", "");
    let uv = "[tool.uv]\ndev-dependencies = []\n[project]\nname = \"a\"\nversion = \"1\"\n\
              dependencies = [\"antelope\"]\n";
    for (file, text, lock, command) in [
        ("Pipfile", "[packages]\nantelope = '*'\n", "Pipfile.lock", "pipenv lock"),
        (
            "pyproject.toml",
            "[tool.poetry.dependencies]\nantelope = '*'\n",
            "poetry.lock",
            "poetry lock",
        ),
        ("pyproject.toml", uv, "uv.lock", "uv lock"),
    ] {
        let push = project.write(file, text).push();
        push.assert_failed_with(&format!(
            "{file} declares dependencies, and its lock, {lock}, is not in the commit"
        ));
        push.assert_says(&format!("1. {command}, git add {lock}, commit, and push again"));
        assert_eq!(site.live_id(), None);
        project.remove(file);
    }
    site.configure("dependencies = { file = \"pyproject.toml\" }");
    let push = project.write("pyproject.toml", uv).write("app.py", "1").push();
    assert_has(&site, &[("antelope", "2.0"), ("grass", "1.0")], &push);
}
