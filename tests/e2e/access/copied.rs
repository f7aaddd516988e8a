//! A site or a repository that was copied with its hook.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::{Project, Ran, Running, Sandbox, Site, snapshot_at_rest};

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
        let deploy = format!("there: nyala --site {} redeploy", copied.display());
        assert!(refused.contains(if strict { "2. Push again" } else { &deploy }), "{refused}");
        assert!(!refused.contains("pushed: nyala redeploy"), "{refused}");
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
        let deploy = "there: nyala --site SITE redeploy";
        assert!(refused.contains(if strict { "2. Push again" } else { deploy }), "{refused}");
        assert!(!refused.contains("pushed: nyala redeploy"), "{refused}");
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

#[test]
fn a_copied_site_writes_nothing_into_the_repository_of_the_original() {
    let sandbox = Sandbox::new();
    let repository = sandbox.bare_repository(&[]);
    let site = Site::installed(sandbox, repository);
    let project = site.project();
    for page in ["1", "2"] {
        project.write("page", page).push().assert_success();
    }
    let copied = site.sandbox.path("staging");
    copy(&site.path, &copied);
    let refs = || site.sandbox.git(&site.repository, &["for-each-ref"]);
    let before = refs();
    let in_copy = |arguments: &[&str]| {
        site.sandbox.nyala(&[&["--site", copied.to_str().unwrap()], arguments].concat())
    };
    let redeployed = in_copy(&["redeploy"]);
    redeployed.assert_success();
    let said = format!("{}{}", redeployed.stdout, redeployed.stderr);
    let whose = format!("are deployed to another site, {}", site.path.display());
    assert!(said.contains(&whose), "{said}");
    in_copy(&["rollback", "1"]).assert_success();
    drop(snapshot_at_rest(&copied));
    assert_eq!(refs(), before);

    // Of the advice, only one line says what to write.
    let findings = in_copy(&["doctor", "--json"]).stdout;
    let findings: serde_json::Value = serde_json::from_str(&findings).unwrap();
    assert_eq!(findings[0]["id"], "hook-other-site");
    let commands = findings[0]["fixes"].as_array().unwrap()[..3].iter();
    for command in commands.filter_map(|fix| fix.as_str().unwrap().split_once(": ")) {
        let command = command.1.replace("nyala ", &format!("{} ", env!("CARGO_BIN_EXE_nyala")));
        if command.contains("install") {
            let settings = copied.join("nyala.toml");
            let text = fs::read_to_string(&settings).unwrap();
            let (own, theirs) = ("repository.git", site.repository.to_str().unwrap());
            fs::write(&settings, text.replacen(theirs, own, 1)).unwrap();
        }
        let mut shell = site.sandbox.command("sh");
        Running::start(shell.args(["-c", &command])).wait().assert_success();
    }
    assert!(in_copy(&["doctor"]).stdout.contains("No problems found"));
    assert_eq!(refs(), before);
}

#[test]
fn a_copy_that_has_the_folders_of_the_original_removes_nothing_of_it() {
    let site = Site::new();
    for folder in ["releases", "envs", "cache"] {
        let disk = site.sandbox.path("disk").join(folder);
        fs::create_dir_all(&disk).unwrap();
        fs::remove_dir_all(site.path.join(folder)).unwrap();
        symlink(disk, site.path.join(folder)).unwrap();
    }
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let copied = site.sandbox.path("staging");
    copy(&site.path, &copied);
    project.write("page", "2").push().assert_success();
    drop(snapshot_at_rest(&site.path));

    let named = copied.to_str().unwrap();
    let two = format!("is also a folder of another site, {}", site.path.display());
    for command in [&["--site", named, "redeploy"][..], &["--site", named, "gc"]] {
        let ran = site.sandbox.nyala(command);
        assert!(!ran.status.success() && format!("{}{}", ran.stdout, ran.stderr).contains(&two));
    }
    for _folder in 0..3 {
        let said = site.sandbox.nyala(&["init", named]).stderr;
        assert!(said.contains(&two), "{said}");
        let command = said.split_once("a folder of its own: ").unwrap().1.lines().next().unwrap();
        let mut shell = site.sandbox.command("sh");
        Running::start(shell.args(["-c", command])).wait().assert_success();
    }
    site.sandbox.nyala(&["init", named]).assert_success();
    project.write("page", "3").commit("Three");
    push_to(&site, &project, &copied.join("repository.git")).assert_success();
    assert_eq!(fs::read_to_string(copied.join("wwwroot/page")).unwrap(), "3");
    assert_eq!((site.live_id(), site.live_file("page")), (Some(2), "2".to_owned()));
}
