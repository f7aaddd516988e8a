//! Dependencies that are declared where nothing installs them: never a success without them.

use std::fs;

use crate::support::{Site, write_wheel};

const CONDA: &str = "name: a\ndependencies:\n  - antelope\n";
const PYPROJECT: &str = "[project]\nname = 'a'\nversion = '1'\ndependencies = ['antelope']\n";

#[test]
fn a_declaration_that_nothing_is_installed_from_fails_with_what_to_do() {
    let site = Site::new();
    let project = site.python_project();
    project.push().assert_success();
    project.remove("requirements.txt").write("environment.yml", CONDA);
    let push = project.push();
    push.assert_failed_with("environment.yml declares dependencies");
    push.assert_says("1. In the conda or pixi environment: pip list --format=freeze");
    assert_eq!(site.live_id(), Some(1), "the live release is unchanged");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));

    project.write("requirements.txt", "antelope==1.1\n");
    let push = project.push();
    push.assert_success()
        .assert_says("environment.yml is not used, because requirements.txt is there.");
    assert_eq!(site.package("antelope").as_deref(), Some("1.1"));
}

#[test]
fn dependencies_in_pyproject_are_not_installed_when_somebody_ignores_them() {
    let site = Site::new();
    let project = site.project();
    project.write("pyproject.toml", PYPROJECT);
    site.configure("dependencies = { ignore = [\"pyproject.toml\"] }");
    let push = project.write("app.py", "").push();
    push.assert_success().assert_says("pyproject.toml is ignored");
    assert_eq!(site.package("antelope"), None);
}

#[test]
fn an_empty_requirements_file_is_a_choice_that_is_warned_of() {
    let site = Site::new();
    let project = site.project();
    project.write("pyproject.toml", PYPROJECT).write("requirements.txt", "# later\n");
    let push = project.push();
    push.assert_success().assert_says("warning: requirements.txt is empty");
}

#[test]
fn groups_that_nothing_has_are_warned_of() {
    let site = Site::new();
    site.configure("dependencies = { groups = [\"prod\"] }");
    let push = site.project().write("app.py", "").push();
    push.assert_success().assert_says(
        "warning: groups and extras under [dependencies] have no effect: there is neither a lock \
         nor a project",
    );
}

#[test]
fn commands_of_the_project_may_install_what_it_declares() {
    let site = Site::new();
    let project = site.project();
    project.write("environment.yml", CONDA).write("app.py", "");
    project.write(".deployment", "[config]\nPOST_BUILD_COMMAND = true\n");
    let push = project.push();
    push.assert_success().assert_says("warning: environment.yml declares dependencies");
}

#[test]
fn a_requirements_file_of_another_name_is_used_when_the_site_names_it() {
    let site = Site::new();
    let project = site.project();
    project.write("app.py", "").write("requirements/production.txt", "antelope==1.0\n");
    let push = project.push();
    push.assert_failed_with("requirements/production.txt declares dependencies");
    push.assert_says("echo '-r requirements/production.txt' > requirements.txt");

    site.set("CUSTOM_REQUIREMENTSTXT_PATH", "requirements/uv.lock");
    project.write("requirements/uv.lock", "version = 1\n");
    let push = project.push();
    push.assert_failed_with("requirements/uv.lock is no requirements file");
    push.assert_says("project = \"requirements\" in nyala.toml");

    site.set("CUSTOM_REQUIREMENTSTXT_PATH", "./requirements/production.txt");
    project.write("app.py", "# again\n").push().assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));

    // nyala.toml goes before the app setting. The site has an env now, so a tree without a Python
    // file that declares dependencies must not lose it.
    site.configure("dependencies = { file = \"requirements/other.txt\" }");
    project.write("requirements/other.txt", "antelope==1.1\n").push().assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("1.1"));
    let settings = fs::read_to_string(site.path.join("nyala.toml")).unwrap();
    fs::write(site.path.join("nyala.toml"), settings.replace("dependencies = {", "# {")).unwrap();
    site.nyala(&["config", "unset", "CUSTOM_REQUIREMENTSTXT_PATH"]).assert_success();
    project.remove("requirements").remove("app.py").write("pixi.toml", "[dependencies]\na = 1\n");
    project.push().assert_failed_with("pixi.toml declares dependencies");
    assert_eq!(site.package("antelope").as_deref(), Some("1.1"));
}

#[test]
fn an_application_below_the_top_is_named_with_what_to_write() {
    let site = Site::new();
    let project = site.project();
    project.write("backend/requirements.txt", "antelope==1.0\n").write("web/manage.py", "");
    let push = project.push();
    push.assert_success().assert_says(
        "no dependencies are declared at the top of the tree, but in backend, web: if one of them \
         is the application, write project = \"backend\" in the site's nyala.toml",
    );
    assert_eq!(site.live()["env"]["decision"], "none");

    site.set("CUSTOM_REQUIREMENTSTXT_PATH", "backend/requirements.txt");
    let push = project.write("app.py", "").push();
    push.assert_success().assert_says("Detected backend/requirements.txt.");
    push.assert_does_not_say("manage.py");
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));

    // It is looked for where the env has Django.
    let wheels = site.sandbox.path("wheels");
    fs::create_dir_all(&wheels).unwrap();
    write_wheel(&wheels, "django", "5.0", "");
    site.sandbox.set_variable("PIP_FIND_LINKS", &wheels);
    project.write("backend/requirements.txt", "django\n");
    project.push().assert_success().assert_says("Django's manage.py is in web.");
}
