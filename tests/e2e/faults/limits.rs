//! Errors of the system: a disk that fills up, no inodes, a read-only file system, too few open
//! files, a folder of another user.

use std::os::unix::fs::chown;

use super::trial::{assert_nothing_is_left_over, statuses};
use crate::disk_full::{SmallDisk, site_on};
use crate::support::{Project, Push, Running, Site, count, is_root, skip, wait_until_quiet};

/// Pushes a change that has to fail because the file system lacks something, fixes that, and pushes
/// again.
fn fails_and_recovers(
    project: &Project<'_>,
    site: &Site,
    disk: &SmallDisk,
    short: &str,
    enough: &str,
) {
    wait_until_quiet(&site.path);
    let before = site.live_state();
    disk.remount(short);
    let push = project.push_refs(&["+big:refs/heads/main"]);
    wait_until_quiet(&site.path);
    assert!(push.accepted, "{}", push.stderr);
    push.assert_says("error: ").assert_says("No space left on device");
    push.assert_says(&format!("the file system at {} (tmpfs) has ", disk.0.display()))
        .assert_says("inodes free");
    assert_eq!(site.live_state(), before, "{short}");
    statuses(site);

    disk.remount(enough);
    project.push_refs(&["+small:refs/heads/main"]).assert_success();
    wait_until_quiet(&site.path);
    assert_nothing_is_left_over(site);
}

/// The free bytes and inodes of a disk that are left for a push.
fn used(disk: &SmallDisk) -> (u64, u64) {
    let system = rustix::fs::statvfs(&disk.0).unwrap();
    ((system.f_blocks - system.f_bfree) * system.f_frsize, system.f_files - system.f_ffree)
}

/// Two branches, one of which is small and live, and the other needs 40 files and 1.6 MB more.
fn small_and_big(site: &Site) -> Project<'_> {
    site.configure("keep = 1");
    let project = site.project();
    project.write("page", "small").push().assert_success();
    project.git(&["branch", "small"]);
    for number in 0..40 {
        project.write(&format!("static/{number}"), vec![number; 40_000]);
    }
    project.commit("Big");
    project.git(&["branch", "big"]);
    // Both are pushed repeatedly, so each push needs its own commit.
    project
}

fn new_commits(project: &Project<'_>) {
    for branch in ["small", "big"] {
        project.git(&["checkout", "--quiet", branch]);
        project.git(&["commit", "--quiet", "--allow-empty", "-m", "Again"]);
    }
}

#[test]
fn a_disk_that_fills_up_at_any_moment_leaves_the_site_up() {
    let Some((disk, site)) = site_on("32m") else { return };
    let project = small_and_big(&site);
    let pages = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 24, 48, 96, 150, 200, 300, 390];
    for page in pages {
        new_commits(&project);
        wait_until_quiet(&site.path);
        let all = used(&disk).0 + page * 4096;
        // A size of 0 would mean no limit.
        fails_and_recovers(&project, &site, &disk, &format!("size={}", all.max(4096)), "size=32m");
    }
    count("the disk is full", pages.len());
}

#[test]
fn a_disk_that_runs_out_of_inodes_at_any_moment_leaves_the_site_up() {
    let Some((disk, site)) = site_on("32m") else { return };
    let project = small_and_big(&site);
    let inodes = [0, 1, 2, 3, 4, 5, 6, 8, 12, 20, 40];
    for more in inodes {
        new_commits(&project);
        wait_until_quiet(&site.path);
        let limit = used(&disk).1 + more;
        fails_and_recovers(
            &project,
            &site,
            &disk,
            &format!("nr_inodes={limit}"),
            "nr_inodes=100000",
        );
    }
    count("there are no inodes", inodes.len());
}

#[test]
fn an_env_that_does_not_fit_at_any_moment_leaves_the_site_up() {
    let Some((disk, site)) = site_on("64m") else { return };
    site.configure("keep = 1");
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let before = site.live_state();
    let sizes = [40 << 10, 1 << 20, 8 << 20];
    for (number, more) in sizes.into_iter().enumerate() {
        project.write("requirements.txt", format!("# {number}\nantelope==1.0\n")).commit("An env");
        wait_until_quiet(&site.path);
        disk.remount(&format!("size={}", used(&disk).0 + more));
        let push = project.push();
        assert!(push.accepted, "{}", push.stderr);
        push.assert_says("error: ").assert_says("space").assert_says("the file system at ");
        assert_eq!(site.live_state(), before);
        wait_until_quiet(&site.path);
        disk.remount("size=64m");
    }
    project.write("page", "2").push().assert_success();
    assert_eq!(site.package("antelope").as_deref(), Some("1.0"));
    wait_until_quiet(&site.path);
    assert_nothing_is_left_over(&site);
    count("the disk is full while an env is made", sizes.len());
}

#[test]
fn a_deployment_does_not_begin_without_enough_free_space() {
    let Some((disk, site)) = site_on("64m") else { return };
    let project = site.project();
    project.write("big", vec![7; 4 << 20]).push().assert_success();
    let usage = &site.live()["usage"];
    assert_eq!(usage["release"]["bytes"], 4 << 20);
    assert_eq!(usage["release"]["inodes"], 1);
    wait_until_quiet(&site.path);
    disk.remount(&format!("size={}", used(&disk).0 + (1 << 20)));
    let push = project.write("page", "2").push();
    push.assert_failed_with("there is not enough room left")
        .assert_says("the last deployment like it took 4.2 MB");
    assert!(!site.log(2).contains("Check out"));

    wait_until_quiet(&site.path);
    disk.remount("size=64m");
    project.write("page", "3").push().assert_success();
    disk.remount(&format!("nr_inodes={}", used(&disk).1 + 1));
    // A tree of two files, which the records before it leave no inodes for.
    project.write("page", "4").push().assert_says("inodes");
    wait_until_quiet(&site.path);
    disk.remount("nr_inodes=100000");
    project.write("page", "5").push().assert_success();
}

#[test]
fn the_error_names_a_read_only_file_system() {
    let Some((disk, site)) = site_on("16m") else { return };
    let project = site.project();
    project.write("page", "1").push().assert_success();
    let before = site.live_state();
    wait_until_quiet(&site.path);
    disk.remount("ro");
    let push = project.write("page", "2").push();
    assert!(push.accepted, "{}", push.stderr);
    push.assert_says("error: ")
        .assert_says(&format!("the file system at {} (tmpfs) is read-only", disk.0.display()));
    push.assert_says("remount,rw");
    assert_eq!(site.live_state(), before);

    disk.remount("rw");
    project.write("page", "3").push().assert_success();
}

#[test]
fn too_few_open_files_only_fail_the_deployment() {
    let site = Site::new();
    site.configure("keep = 1");
    let project = site.project();
    project.write("page", "0").push().assert_success();
    for depth in 1..30 {
        project.write(&format!("{}page", "deeper/".repeat(depth)), "x");
    }
    project.commit("A deep tree");
    let mut said = 0;
    let limits = 6..40;
    for limit in limits.clone() {
        project.commit("Again");
        wait_until_quiet(&site.path);
        let before = site.live_state();
        let text = format!("ulimit -n {limit} && exec git push nyala HEAD:refs/heads/main");
        let mut command = site.sandbox.command("sh");
        let push = Push::new(
            Running::start(command.current_dir(&project.path).args(["-c", &text])).wait(),
        );
        wait_until_quiet(&site.path);
        statuses(&site);
        if push.output.contains("success: ") {
            continue;
        }
        assert_eq!(site.live_state(), before, "with {limit} open files:\n{}", push.stderr);
        // With even fewer, git or the shell fails first.
        if push.output.contains("error: ") && push.output.contains("Too many open files") {
            push.assert_says("(ulimit -n)");
            said += 1;
        }
    }
    assert!(said > 0, "some limit is too small for nyala");
    project.write("page", "1").push().assert_success();
    wait_until_quiet(&site.path);
    assert_nothing_is_left_over(&site);
    count("too few open files", limits.count());
}

#[test]
fn the_error_names_a_folder_that_cannot_be_written_and_its_owner() {
    const NOBODY: u32 = 65534;
    let site = Site::new();
    let project = site.project();
    project.write("page", "1").push().assert_success();
    wait_until_quiet(&site.path);
    let as_nobody = |arguments: &[&str]| {
        let mut command = site.sandbox.command("setpriv");
        let who = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        Running::start(command.current_dir(&project.path).args(who).args(arguments)).wait()
    };
    let everything = site.sandbox.path("");
    if is_root() {
        Running::start(site.sandbox.command("chown").args(["-R", "65534:65534"]).arg(&everything))
            .wait();
    }
    // setpriv itself still has root's capabilities when it runs a program; the shell has not.
    let runs = ["sh", "-c", "\"$0\" --version", env!("CARGO_BIN_EXE_nyala")];
    if !is_root() || !as_nobody(&runs).status.success() {
        skip("needs root, and a nyala binary that other users can run");
        return;
    }
    let before = site.live_state();
    let folders = ["deployments", "releases", "."];
    for folder in folders {
        let folder = site.path.join(folder);
        chown(&folder, Some(0), Some(0)).unwrap();
        as_nobody(&["git", "commit", "--quiet", "--allow-empty", "-m", "Again"]).assert_success();
        let push = Push::new(as_nobody(&["git", "push", "nyala", "HEAD:refs/heads/main"]));
        assert!(push.accepted, "{}", push.stderr);
        if folder == site.path.join(".") {
            // The site itself belongs to somebody else then.
            push.assert_says("only root may change the site");
        } else {
            push.assert_says("error: ")
                .assert_says("Permission denied")
                .assert_says("nyala runs as user 65534");
        }
        wait_until_quiet(&site.path);
        assert_eq!(site.live_state(), before, "{} is not ours", folder.display());
        chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    as_nobody(&["git", "commit", "--quiet", "--allow-empty", "-m", "Back to normal"])
        .assert_success();
    Push::new(as_nobody(&["git", "push", "nyala", "HEAD:refs/heads/main"])).assert_success();
    count("a folder cannot be written", folders.len());
}
