//! Every kind of repository that git makes.

use crate::support::{Project, Sandbox, Site, git_can, skip};

#[test]
fn a_sha_256_repository_deploys() {
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&["--object-format=sha256"]);
    let site = Site::installed(sandbox, repository);
    let project = Project::new(&site, &["--object-format=sha256"]);
    project.write("requirements.txt", "antelope==1.0\n");
    project.push().assert_success();
    assert_eq!(site.live()["commit"].as_str().unwrap().len(), 64);

    project.write("requirements.txt", "antelope==2.0\n");
    project.push().assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("2.0"));
}

#[test]
fn a_reftable_repository_deploys() {
    if !git_can("--ref-format=reftable") {
        return skip("needs git 2.45 or newer for reftable");
    }
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&["--ref-format=reftable"]);
    let site = Site::installed(sandbox, repository);
    let project = Project::new(&site, &["--ref-format=reftable"]);
    for page in ["1", "2"] {
        project.write("index.html", page).push().assert_success();
        assert_eq!(site.live_file("index.html"), page);
    }
    site.nyala(&["redeploy"]).assert_success();
    site.nyala(&["plan", "main"]).assert_success();
    let head = site.sandbox.git(&site.repository, &["symbolic-ref", "HEAD"]);
    assert_eq!(head, "refs/heads/main");
}

#[test]
fn the_deploy_branch_of_a_reftable_repository_may_have_any_name() {
    if !git_can("--ref-format=reftable") {
        return skip("needs git 2.45 or newer for reftable");
    }
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&["--ref-format=reftable"]);
    let site = Site::installed(sandbox, repository);
    let project = site.project();
    project.write("index.html", "1").commit("One");
    project.push_refs(&["HEAD:refs/heads/$(touch${IFS}x)"]).assert_success();
    let head = site.sandbox.git(&site.repository, &["symbolic-ref", "HEAD"]);
    assert_eq!(head, "refs/heads/$(touch${IFS}x)");
}

#[test]
fn packed_refs_and_packed_objects_deploy() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "1").push().assert_success();
    site.sandbox.git(&site.repository, &["pack-refs", "--all", "--prune"]);
    site.sandbox.git(&site.repository, &["gc", "--quiet"]);
    project.write("index.html", "2").push().assert_success();
    assert_eq!(site.live_file("index.html"), "2");
}

#[test]
fn a_push_that_git_stores_as_a_pack_deploys() {
    let site = Site::new();
    site.sandbox.git(&site.repository, &["config", "receive.unpackLimit", "1"]);
    site.project().write("index.html", "1").push().assert_success();
}

#[test]
fn a_deployment_does_not_change_the_repository() {
    let site = Site::new();
    let project = site.project();
    project.write("index.html", "1").push().assert_success();
    assert!(!site.repository.join("index").exists());
    let refs =
        site.sandbox.git(&site.repository, &["for-each-ref", "--format=%(refname) %(objectname)"]);
    let head = project.head();
    let refs: Vec<_> =
        refs.lines().filter(|line| !line.starts_with("refs/notes/deployments ")).collect();
    assert_eq!(refs, [format!("refs/deployments/live {head}"), format!("refs/heads/main {head}")]);
    site.sandbox.git(&site.repository, &["fsck", "--strict"]);
}
