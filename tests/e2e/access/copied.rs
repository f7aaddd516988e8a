//! A site or a repository that was copied with its hook.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Project, Ran, Running, Site, snapshot_at_rest};

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

fn push_to(site: &Site, project: &Project<'_>, remote: &Path) -> Ran {
    let mut git = site.sandbox.command("git");
    git.current_dir(&project.path).args(["push", remote.to_str().unwrap(), "HEAD:main"]);
    Running::start(&mut git).wait()
}

#[test]
fn the_hook_of_a_copied_site_does_not_deploy_to_the_original() {
    for strict in [false, true] {
        let site = Site::with(if strict { &["--strict"] } else { &[] });
        let project = site.project();
        project.write("page", "1").push().assert_success();
        let copied = site.sandbox.path("staging");
        copy(&site.path, &copied);
        let before = snapshot_at_rest(&site.path);
        project.write("page", "2").commit("Two");
        let remote = copied.join("repository.git");
        let refused = push_to(&site, &project, &remote).stderr;
        for named in [
            format!("the push came into {}", remote.display()),
            format!("its hook deploys to {}", site.path.display()),
            format!("nyala init {}", copied.display()),
        ] {
            assert!(refused.contains(&named), "no {named:?} in {refused}");
        }
        let then = if strict { "2. Push again" } else { "2. Deploy again: nyala redeploy" };
        assert!(refused.contains(then), "{refused}");
        assert!(!refused.contains("Deploy what was pushed"), "{refused}");
        assert_eq!(snapshot_at_rest(&site.path), before);

        site.sandbox.nyala(&["init", copied.to_str().unwrap()]).assert_success();
        project.write("page", "3").commit("Three");
        push_to(&site, &project, &remote).assert_success();
        assert_eq!(fs::read_to_string(copied.join("wwwroot/page")).unwrap(), "3");
        assert_eq!(snapshot_at_rest(&site.path), before);
    }
}

#[test]
fn the_hook_of_a_copied_repository_says_how_to_deploy_it_and_how_not() {
    for strict in [false, true] {
        let site = Site::with(if strict { &["--strict"] } else { &[] });
        let project = site.project();
        project.write("page", "1").push().assert_success();
        let before = snapshot_at_rest(&site.path);
        let [own, kept] = ["own.git", "kept.git"].map(|name| site.sandbox.path(name));
        for repository in [&own, &kept] {
            copy(&site.repository, repository);
        }
        project.write("page", "2").commit("Two");

        let refused = push_to(&site, &project, &own).stderr;
        let new = site.sandbox.path("new");
        let install = format!("nyala --site SITE install --force {}", own.display());
        assert!(refused.contains(&install), "{refused}");
        let then = if strict { "2. Push again" } else { "2. Deploy again: nyala redeploy" };
        assert!(refused.contains(then), "{refused}");
        assert!(!refused.contains("Deploy what was pushed"), "{refused}");
        let (new_path, own_path) = (new.to_str().unwrap(), own.to_str().unwrap());
        let install = ["--site", new_path, "install", "--force", own_path];
        site.sandbox.nyala(&install).assert_success();
        if strict {
            push_to(&site, &project, &own).assert_success();
        } else {
            site.sandbox.nyala(&["--site", new_path, "redeploy"]).assert_success();
        }
        assert_eq!(fs::read_to_string(new.join("wwwroot/page")).unwrap(), "2");

        let refused = push_to(&site, &project, &kept).stderr;
        let remove = refused.split_once("Or remove the hook: ").expect(&refused).1;
        let mut shell = site.sandbox.command("sh");
        Running::start(shell.args(["-c", remove.lines().next().unwrap()])).wait().assert_success();
        project.write("page", "3").commit("Three");
        let pushed = push_to(&site, &project, &kept);
        assert!(!pushed.assert_success().stderr.contains("remote:"), "{pushed:?}");
        assert_eq!(snapshot_at_rest(&site.path), before);
    }
}
