//! The staging tree: what the next deployment starts from.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::support::{Mounts, Project, Site, snapshot, wait_until_quiet};

/// A site that stages however small its tree is, with one deployment.
fn staged(site: &Site) -> Project<'_> {
    site.configure("staging = true");
    let project = site.project();
    project.write("page", "1").write("same", "the same").write("only/1", "x").push();
    wait_until_quiet(&site.path);
    assert!(marker(site).exists());
    project
}

fn staging(site: &Site) -> PathBuf {
    site.path.join("releases/.staging")
}

fn marker(site: &Site) -> PathBuf {
    staging(site).join("tree.json")
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn the_second_push_starts_from_the_staging_tree_and_is_what_a_new_one_would_be() {
    let site = Site::new();
    let project = staged(&site);
    let staged = inode(&staging(&site).join("tree/same"));
    let push = project.write("page", "2").remove("only/1").write("only/2", "y").push();
    push.assert_success();
    assert!(site.live_log().contains("of them written or removed"));
    assert_eq!(site.live_file("page"), "2");
    assert_eq!(site.live_file("same"), "the same");
    assert_eq!(site.live_file("only/2"), "y");
    let release = site.path.join("releases/2");
    assert_eq!(inode(&release.join("same")), staged);
    assert!(!release.join("only/1").exists());
    assert_eq!(site.mode("releases/2"), 0o755);
}

#[test]
fn no_file_of_a_release_is_ever_one_of_another() {
    let site = Site::new();
    site.configure("keep = 1");
    let project = staged(&site);
    let mut seen = vec![inode(&site.path.join("releases/1/same"))];
    let mut open = Vec::new();
    for page in 2..=6 {
        // Open, so that the number of its inode is not given again.
        open.push(fs::File::open(site.path.join("wwwroot/same")).unwrap());
        project.write("page", page.to_string()).push().assert_success();
        wait_until_quiet(&site.path);
        let new = inode(&site.path.join("wwwroot/same"));
        assert!(!seen.contains(&new), "a file that was live has a second life");
        seen.push(new);
    }
}

#[test]
fn only_the_owner_can_open_the_staging_folder_and_it_holds_the_live_tree() {
    let site = Site::new();
    let project = staged(&site);
    assert_eq!(site.mode("releases/.staging"), 0o700);
    assert_eq!(site.mode("releases/.staging/tree"), 0o755);
    let same_as_live = || {
        let live = site.path.join("wwwroot").canonicalize().unwrap();
        assert_eq!(snapshot(&staging(&site).join("tree")), snapshot(&live));
    };
    same_as_live();
    project.write("page", "2").push().assert_success();
    wait_until_quiet(&site.path);
    same_as_live();
}

#[test]
fn a_small_tree_is_not_staged_and_none_is_where_the_site_says_so() {
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    wait_until_quiet(&site.path);
    assert!(!staging(&site).exists());
    for number in 0..200 {
        project.write(&format!("static/{number}"), number.to_string());
    }
    project.push().assert_success();
    wait_until_quiet(&site.path);
    assert!(marker(&site).exists());
    site.configure("staging = false");
    project.write("page", "2").push().assert_success();
    wait_until_quiet(&site.path);
    assert!(!staging(&site).join("tree").exists() && !marker(&site).exists());
}

#[test]
fn whatever_becomes_of_the_staging_tree_the_next_push_deploys_the_whole_tree() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 11] = [
        ("all of it is gone", |staging| fs::remove_dir_all(staging).unwrap()),
        ("the tree is gone", |staging| fs::remove_dir_all(staging.join("tree")).unwrap()),
        ("the marker is gone", |staging| fs::remove_file(staging.join("tree.json")).unwrap()),
        ("the marker is damaged", |staging| fs::write(staging.join("tree.json"), "{").unwrap()),
        ("a file was added", |staging| fs::write(staging.join("tree/more"), "").unwrap()),
        ("a file was removed", |staging| fs::remove_file(staging.join("tree/page")).unwrap()),
        ("a file was replaced", |staging| {
            fs::write(staging.join("tree/only/new"), "by hand").unwrap();
            fs::rename(staging.join("tree/only/new"), staging.join("tree/only/1")).unwrap();
        }),
        ("a file was written in place", |staging| {
            fs::write(staging.join("tree/only/1"), "by hand").unwrap();
        }),
        ("all modes were changed", |staging| {
            for (path, mode) in [("tree/same", 0o666), ("tree/only", 0o777)] {
                let mode = fs::Permissions::from_mode(mode);
                fs::set_permissions(staging.join(path), mode).unwrap();
            }
        }),
        ("it is a copy", |staging| {
            let (tree, copy) = (staging.join("tree"), staging.join("copy"));
            fs::create_dir(&copy).unwrap();
            for name in ["page", "same"] {
                fs::hard_link(tree.join(name), copy.join(name)).unwrap();
            }
            fs::remove_dir_all(&tree).unwrap();
            fs::rename(copy, tree).unwrap();
        }),
        ("it is a file", |staging| {
            fs::remove_dir_all(staging).unwrap();
            fs::write(staging, "in the way").unwrap();
        }),
    ];
    let site = Site::new();
    let project = staged(&site);
    for (number, (what, change)) in changes.into_iter().enumerate() {
        change(&staging(&site));
        let page = format!("after {number}");
        let push = project.write("page", &page).push();
        push.assert_success();
        assert!(!site.live_log().contains("of them written or removed"));
        assert_eq!(site.live_file("page"), page, "{what}");
        let live = site.path.join("wwwroot").canonicalize().unwrap();
        let names: Vec<_> = snapshot(&live).into_keys().collect();
        assert_eq!(names, ["only", "only/1", "page", "same"].map(PathBuf::from), "{what}");
        assert_eq!(site.live_file("only/1"), "x", "{what}");
        assert_eq!(site.mode(live.join("same").to_str().unwrap()), 0o644, "{what}");
        wait_until_quiet(&site.path);
        if what == "it is a file" {
            fs::remove_file(staging(&site)).unwrap();
        } else {
            assert!(marker(&site).exists(), "it is written again: {what}");
        }
    }
}

#[test]
fn a_deployment_that_fails_leaves_the_next_one_a_staging_tree() {
    let site = Site::new();
    let project = staged(&site);
    project.custom_script("exit 1");
    project.write("page", "broken").push().assert_failed_with("exit");
    wait_until_quiet(&site.path);
    assert_eq!(fs::read_to_string(staging(&site).join("tree/page")).unwrap(), "1");
    project.remove("deploy.sh").remove(".deployment");
    let push = project.write("page", "2").push();
    push.assert_success();
    assert!(site.live_log().contains("of them written or removed"));
    assert_eq!(site.live_file("page"), "2");
}

#[test]
fn attributes_that_change_convert_what_the_push_did_not_change() {
    let site = Site::new();
    let project = staged(&site);
    project.write("run.bat", "a\nb\n").push().assert_success();
    wait_until_quiet(&site.path);
    let push = project.write(".gitattributes", "*.bat text eol=crlf\n").push();
    push.assert_success();
    assert!(site.live_log().contains("of them written or removed"));
    assert_eq!(site.live_file("run.bat"), "a\r\nb\r\n");
}

#[test]
fn gc_takes_the_staging_tree_away_and_the_next_deployment_writes_it_again() {
    let site = Site::new();
    let project = staged(&site);
    let gc = site.nyala(&["gc"]);
    assert!(gc.assert_success().stdout.contains("the staging tree"), "{gc:?}");
    assert!(!staging(&site).join("tree").exists() && !marker(&site).exists());
    project.write("page", "2").push().assert_success();
    wait_until_quiet(&site.path);
    assert!(marker(&site).exists());
}

#[test]
fn a_umask_of_the_pusher_changes_no_mode() {
    let site = Site::new();
    let project = staged(&site);
    project.write("folder/plain", "").commit("Two");
    for page in ["2", "3"] {
        project.write("page", page).commit("More");
        let mut push = site.sandbox.command("sh");
        push.current_dir(&project.path)
            .args(["-c", "umask 077; git push nyala HEAD:refs/heads/main"]);
        crate::support::Running::start(&mut push).wait().assert_success();
        wait_until_quiet(&site.path);
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let live = site.path.join("wwwroot");
    assert_eq!(mode(&live.join("folder")), 0o755);
    assert_eq!(mode(&live.join("folder/plain")), 0o644);
    assert_eq!(mode(&live.canonicalize().unwrap()), 0o755);
}

#[test]
fn what_is_mounted_in_the_staging_tree_does_not_go_live() {
    if !Mounts::own() {
        return;
    }
    let site = Site::new();
    let project = staged(&site);
    let other = site.sandbox.path("other");
    fs::write(&other, "another one").unwrap();
    let at = staging(&site).join("tree/same");
    Mounts::bind(&other, &at);
    project.write("page", "2").push().assert_success();
    assert_eq!((site.live_file("page"), site.live_file("same")), ("2".into(), "the same".into()));
    wait_until_quiet(&site.path);
    let doctor = site.nyala(&["doctor"]);
    let named = "the staging tree can never be removed: something is mounted at";
    let named = format!("{named} {}", at.display());
    assert!(doctor.stdout.contains(&named), "{doctor:?}");
    let gc = site.nyala(&["gc"]);
    assert!(gc.assert_success().stdout.contains("the staging tree is not removed"), "{gc:?}");
    Mounts::unmount(&at);
    site.nyala(&["doctor"]).assert_success();
    assert_eq!(fs::read_to_string(other).unwrap(), "another one");
}
