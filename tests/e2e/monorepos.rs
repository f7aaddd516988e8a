//! `project`: the application is a folder of the commit, and what it depends on is above it.

use std::fs;

use crate::support::{Project, Sandbox, Site, uv};

const LIB: &str = "[[package]]\nname = \"waterhole\"\nversion = \"1.0\"\n";

/// A member: uv's need a `[project]`.
fn lib(project: &Project<'_>, version: &str, build: &str) {
    let pyproject = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\n\
                     backend-path = [\".\"]\n\
                     [project]\nname = \"waterhole\"\ndynamic = [\"version\"]\n";
    project.local_package("lib", version, build).write("lib/pyproject.toml", pyproject);
}

/// The lock of a workspace with the members `apps/backend` and `lib`.
fn uv_lock(project: &Project<'_>) {
    let members = "[tool.uv.workspace]\nmembers = [\"apps/*\", \"lib\"]\n";
    let backend = "[project]\nname = \"backend\"\nversion = \"0\"\ndependencies = [\"waterhole\"]\n\
                   [tool.uv.sources]\nwaterhole = { workspace = true }\n";
    let lock = format!(
        "version = 1\nrequires-python = \">=3.8\"\n\
         [manifest]\nmembers = [\"backend\", \"waterhole\"]\n{LIB}\
         source = {{ editable = \"lib\" }}\n\
         [[package]]\nname = \"backend\"\nversion = \"0\"\n\
         source = {{ virtual = \"apps/backend\" }}\n\
         dependencies = [{{ name = \"waterhole\" }}]\n\
         [package.metadata]\n\
         requires-dist = [{{ name = \"waterhole\", editable = \"lib\" }}]\n"
    );
    project.write("pyproject.toml", members).write("uv.lock", lock);
    project.write("apps/backend/pyproject.toml", backend);
}

fn poetry_lock(project: &Project<'_>) {
    let lock = format!(
        "{LIB}optional = false\npython-versions = \"*\"\ngroups = [\"main\"]\nfiles = []\n\
         develop = true\n[package.source]\ntype = \"directory\"\nurl = \"../../lib\"\n\
         [metadata]\nlock-version = \"2.1\"\npython-versions = \">=3.8\"\n"
    );
    project.write("apps/backend/poetry.lock", lock);
}

fn requirements_txt(project: &Project<'_>) {
    project.write("apps/common.txt", "-e ../../lib\n");
    project.write("apps/backend/requirements.txt", "-r ../common.txt\n");
}

fn requirements_by_url(project: &Project<'_>) {
    project.write("apps/backend/requirements.txt", "-e file:../../lib\n");
}

/// The names in a folder, sorted.
fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What is above the application is built, and is in the env alone.
fn lives(site: &Site, write: impl Fn(&Project<'_>), source: &str) {
    let project = site.project();
    site.configure("project = \"apps/backend\"");
    lib(&project, "1.0", "    open('built.txt', 'w').close()\n");
    project.write("apps/backend/app.py", "");
    write(&project);
    let push = project.push();
    push.assert_success().assert_says(&format!("Detected {source}."));
    assert_eq!(site.package("waterhole").as_deref(), Some("1.0"), "{}", push.stderr);
    let wwwroot = site.path.join("wwwroot");
    let there = names(&wwwroot);
    assert!(there.contains(&"app.py".to_owned()) && !there.contains(&"lib".to_owned()));
    assert!(!wwwroot.join("../lib").exists() && !names(&site.path).contains(&"lib".to_owned()));
    let place = site.env_python("import waterhole; print(waterhole.__file__)");
    assert!(place.contains("site-packages"), "{place}");

    lib(&project, "1.1", "    pass\n");
    project.push().assert_success();
    assert_eq!(site.package("waterhole").as_deref(), Some("1.1"));
}

#[test]
fn the_lock_of_a_workspace_is_above_its_member() {
    lives(&Site::new(), uv_lock, "../../uv.lock");
}

#[test]
fn a_member_that_is_not_locked_yet_is_not_installed_without_the_lock() {
    let site = Site::new();
    site.configure("project = \"apps/new\"");
    let project = site.project();
    lib(&project, "1.0", "    pass\n");
    uv_lock(&project);
    let new = "[project]\nname = \"new\"\nversion = \"0\"\ndependencies = [\"antelope\"]\n";
    project.write("apps/new/pyproject.toml", new);
    project.push().assert_failed_with("../../uv.lock does not have it");
}

/// Whether or not the application needs them: uv would make another lock.
#[test]
fn a_workspace_has_the_members_of_its_lock() {
    let site = Site::new();
    site.configure("project = \"apps/backend\"");
    let project = site.project();
    lib(&project, "1.0", "    pass\n");
    uv_lock(&project);
    let other = "apps/other/pyproject.toml";
    project.write(other, "[project]\nname = \"other\"\nversion = \"0\"\n");
    project.push().assert_failed_with("other in apps/other is a new member there");
    let lock = project.git(&["show", "HEAD:uv.lock"]);
    let lock = lock.replace("\"backend\", ", "\"backend\", \"other\", ");
    let of_other = "\n[[package]]\nname = \"other\"\nversion = \"0\"\n\
                    source = { virtual = \"apps/other\" }\n";
    project.write("uv.lock", lock + of_other).push().assert_success();
    project.remove(other).push().assert_failed_with("other is from ../other, which is not in");
    assert_eq!(site.live_id(), Some(2));
    site.configure("dependencies = { frozen = true }");
    project.write("page", "").push().assert_success();
    // What is needed has to be there.
    project.remove("lib/pyproject.toml");
    project.push().assert_failed_with("installs waterhole from ../../lib, which is not a project");
}

#[test]
fn a_lock_leads_to_a_folder_above_the_application() {
    lives(&Site::new(), poetry_lock, "poetry.lock");
}

#[test]
fn requirements_lead_above_the_application() {
    lives(&Site::new(), requirements_txt, "requirements.txt");
}

#[test]
fn uv_installs_what_is_above_the_application() {
    let Some(uv) = uv() else { return };
    for (write, source) in
        [(uv_lock as fn(&Project<'_>), "../../uv.lock"), (requirements_by_url, "requirements.txt")]
    {
        let sandbox = Sandbox::new();
        sandbox.put_uv_on_path(&uv);
        lives(&Site::in_sandbox(sandbox, "site", &["--installer", "uv"]), write, source);
    }
}

#[test]
fn a_path_that_leads_out_of_the_repository_fails_before_anything_is_built() {
    let site = Site::new();
    let project = site.project();
    site.configure("project = \"web\"");
    project.write("web/requirements.txt", "-r ../../common.txt\n");
    project.push().assert_failed_with("../../common.txt");
    let lock = "[[package]]\nname = \"waterhole\"\nversion = \"1.0\"\noptional = false\n\
                python-versions = \"*\"\ngroups = [\"main\"]\nfiles = []\n\
                [package.source]\ntype = \"directory\"\nurl = \"../../lib\"\n\
                [metadata]\nlock-version = \"2.1\"\npython-versions = \">=3.8\"\n";
    project.remove("web/requirements.txt").write("web/poetry.lock", lock);
    project.push().assert_failed_with("waterhole is at ../../lib, which is outside the tree");
}

#[test]
fn what_is_declared_above_the_application_is_named() {
    let site = Site::new();
    site.configure("project = \"src\"");
    let project = site.project();
    project.write("requirements.txt", "antelope==1.0\n").write("src/app.py", "");
    project.push().assert_success().assert_says(
        "warning: no dependencies are declared in src, but in ../requirements.txt: to install \
         them, write file = \"../requirements.txt\" under [dependencies] in the site's \
         nyala.toml",
    );
    let file = site.path.join("nyala.toml");
    let settings = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{settings}\n[dependencies]\nfile = \"../requirements.txt\"\n"))
        .unwrap();
    project.commit("Again");
    project.push().assert_success().assert_does_not_say("warning: no dependencies");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
}
