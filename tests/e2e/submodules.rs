//! Submodules are fetched into the release, recursively. Hostile ones are in `hostile/gitlinks.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Project, Sandbox, Site, SshServer};

/// A site with other repositories beside its own, for relative URLs.
fn hosted() -> Site {
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&["--initial-branch=main"]);
    Site::installed(sandbox, repository)
}

/// A bare repository beside the site's, with one file and perhaps a submodule of its own; its path
/// and its commit.
fn neighbour(
    site: &Site,
    name: &str,
    content: &str,
    submodule: Option<(&str, &str)>,
) -> (PathBuf, String) {
    let work = tempfile::Builder::new()
        .prefix("library-")
        .tempdir_in(site.sandbox.path(""))
        .unwrap()
        .keep();
    let git = |arguments: &[&str]| site.sandbox.git(&work, arguments);
    git(&["init", "--quiet"]);
    fs::write(work.join("lib.py"), content).unwrap();
    git(&["add", "."]);
    if let Some((path, commit)) = submodule {
        add(&work, &git, path, &format!("../{path}.git"), commit);
    }
    git(&[
        "-c",
        "user.name=Ada",
        "-c",
        "user.email=a@example.org",
        "commit",
        "--quiet",
        "-m",
        "A library",
    ]);
    let bare = site.sandbox.path(&format!("{name}.git"));
    git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    (bare, git(&["rev-parse", "HEAD"]))
}

fn add(work: &Path, git: &dyn Fn(&[&str]) -> String, path: &str, url: &str, commit: &str) {
    let section = format!("submodule.{path}");
    git(&["config", "--file", ".gitmodules", &format!("{section}.path"), path]);
    git(&["config", "--file", ".gitmodules", &format!("{section}.url"), url]);
    assert!(work.join(".gitmodules").exists());
    git(&["add", ".gitmodules"]);
    git(&["update-index", "--add", "--cacheinfo", &format!("160000,{commit},{path}")]);
}

fn add_to(project: &Project<'_>, path: &str, url: &str, commit: &str) {
    add(&project.path, &|arguments| project.git(arguments), path, url, commit);
    project.git(&["commit", "--quiet", "-m", "Change a submodule"]);
}

#[test]
fn nested_submodules_are_in_the_release() {
    let site = hosted();
    let (deep, deep_commit) = neighbour(&site, "deep", "deep", None);
    let (lib, lib_commit) = neighbour(&site, "lib", "one", Some(("deep", &deep_commit)));
    let project = site.project();
    project.write("page", "1").commit("One");
    add_to(&project, "vendor/lib", "../lib.git", &lib_commit);
    let push = project.push_refs(&["HEAD:refs/heads/main"]);
    push.assert_success().assert_says("vendor/lib at ");
    assert_eq!(site.live_file("vendor/lib/lib.py"), "one");
    assert_eq!(site.live_file("vendor/lib/deep/lib.py"), "deep");
    assert!(!site.path.join("wwwroot/vendor/lib/.git").exists());

    // What was fetched once is not fetched again: the libraries may be gone.
    fs::rename(&lib, site.sandbox.path("away.git")).unwrap();
    fs::remove_dir_all(&deep).unwrap();
    site.nyala(&["redeploy"]).assert_success();
    assert_eq!(
        (site.live_id(), site.live_file("vendor/lib/deep/lib.py")),
        (Some(2), "deep".to_owned())
    );

    // A missing commit fails the deployment, and the live release is unchanged.
    fs::rename(site.sandbox.path("away.git"), &lib).unwrap();
    add_to(&project, "vendor/lib", "../lib.git", &"1".repeat(40));
    let push = project.push_refs(&["HEAD:refs/heads/main"]);
    push.assert_failed_with("the submodule vendor/lib cannot be checked out");
    push.assert_says(&format!("does not have commit {}", "1".repeat(40)));
    assert_eq!(site.live_file("vendor/lib/lib.py"), "one");

    site.set("SCM_DISABLE_SUBMODULES", "1");
    site.nyala(&["redeploy"]).assert_success();
    assert_eq!(fs::read_dir(site.path.join("wwwroot/vendor/lib")).unwrap().count(), 0);
}

#[test]
fn submodules_of_a_project_in_a_subfolder_are_found() {
    let site = hosted();
    let (_, commit) = neighbour(&site, "lib", "of the folder", None);
    let project = site.project();
    project.write("web/page", "1").write(".deployment", "[config]\nproject = web\n").commit("One");
    add_to(&project, "web/lib", "../lib.git", &commit);
    project.push_refs(&["HEAD:refs/heads/main"]).assert_success();
    assert_eq!(site.live_file("lib/lib.py"), "of the folder");

    project.write(".deployment", "[config]\nproject = web\nSCM_DISABLE_SUBMODULES = 1\n");
    project.git(&["add", ".deployment"]);
    project.git(&["commit", "--quiet", "-m", "Without"]);
    project
        .push_refs(&["HEAD:refs/heads/main"])
        .assert_success()
        .assert_says("Submodules are left as empty folders");
    assert_eq!(fs::read_dir(site.path.join("wwwroot/lib")).unwrap().count(), 0);
}

#[test]
fn a_submodule_is_fetched_over_ssh_with_the_sites_key() {
    let site = hosted();
    let (lib, commit) = neighbour(&site, "lib", "by ssh", None);
    let forced = r#"git shell -c \"$SSH_ORIGINAL_COMMAND\""#;
    let Some(server) = SshServer::start(&site.sandbox, &[("deploy", forced.to_owned())]) else {
        return;
    };
    let project = site.project();
    project.write("page", "1").commit("One");
    add_to(&project, "lib", &SshServer::address(lib.to_str().unwrap()), &commit);
    // ssh must not ask for a key or about the host: nobody would answer.
    let push = project.push_refs(&["HEAD:refs/heads/main"]);
    push.assert_failed_with("the submodule lib cannot be checked out");
    site.set("GIT_SSH_COMMAND", &server.client("deploy"));
    site.nyala(&["redeploy"]).assert_success();
    assert_eq!(site.live_file("lib/lib.py"), "by ssh");
}

/// A bare repository beside the site's with these files; its commit.
fn neighbour_with(site: &Site, name: &str, files: &[(&str, &str)]) -> String {
    let (bare, _) = neighbour(site, name, "", None);
    let work = site.sandbox.path(&format!("{name}-work"));
    let git = |arguments: &[&str]| site.sandbox.git(&work, arguments);
    fs::create_dir(&work).unwrap();
    git(&["clone", "--quiet", bare.to_str().unwrap(), "."]);
    for (path, text) in files {
        fs::create_dir_all(work.join(path).parent().unwrap()).unwrap();
        fs::write(work.join(path), text).unwrap();
    }
    git(&["add", "."]);
    let author = ["-c", "user.name=Ada", "-c", "user.email=a@example.org"];
    git(&[&author[..], &["commit", "--quiet", "-m", name]].concat());
    git(&["push", "--quiet", "origin", "HEAD"]);
    git(&["rev-parse", "HEAD"])
}

#[test]
fn requirements_in_a_submodule_are_read() {
    let site = hosted();
    let library = |name: &str, version: &str| {
        let pin = format!("antelope=={version}\n");
        neighbour_with(&site, name, &[("requirements.txt", &pin), ("pins.txt", "grass==1.0\n")])
    };
    let project = site.project();
    let lines = "-r vendor/lib/requirements.txt\n-c vendor/lib/pins.txt\n";
    project.write("requirements.txt", lines).commit("One");
    add_to(&project, "vendor/lib", "../lib.git", &library("lib", "1.0"));
    project.push_refs(&["HEAD:refs/heads/main"]).assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));

    let commit = library("other", "1.1");
    add_to(&project, "vendor/lib", "../other.git", &commit);
    let push = project.push_refs(&["HEAD:refs/heads/main"]);
    push.assert_success().assert_says("antelope==1.0 -> antelope==1.1");
    assert_eq!(site.package("antelope").as_deref(), Some("1.1"));
}

#[test]
fn members_of_a_workspace_in_a_submodule_are_seen() {
    let site = hosted();
    let member = |name: &str| format!("[project]\nname = \"{name}\"\nversion = \"0\"\n");
    let (one, two) = (member("one"), member("two"));
    let first = neighbour_with(&site, "lib", &[("one/pyproject.toml", &one)]);
    let files = [("one/pyproject.toml", one.as_str()), ("two/pyproject.toml", &two)];
    let second = neighbour_with(&site, "other", &files);
    let project = site.project();
    let top = member("site") + "[tool.uv.workspace]\nmembers = [\"vendor/[a-z]*/[!.]*\"]\n";
    let locked = |name: &str, folder: &str| {
        let source = format!("source = {{ virtual = \"{folder}\" }}");
        format!("[[package]]\nname = \"{name}\"\nversion = \"0\"\n{source}\n")
    };
    let lock = "version = 1\nrequires-python = \">=3.8\"\n[manifest]\n\
                members = [\"one\", \"site\"]\n"
        .to_owned()
        + &locked("one", "vendor/lib/one")
        + &locked("site", ".");
    project.write("pyproject.toml", top).write("uv.lock", lock).commit("One");
    add_to(&project, "vendor/lib", "../lib.git", &first);
    project.push_refs(&["HEAD:refs/heads/main"]).assert_success();

    add_to(&project, "vendor/lib", "../other.git", &second);
    let push = project.push_refs(&["HEAD:refs/heads/main"]);
    push.assert_failed_with("two in vendor/lib/two is a new member there");
    // Of one that stays empty, the lock is believed.
    site.set("SCM_DISABLE_SUBMODULES", "1");
    site.nyala(&["redeploy"]).assert_success();
}
